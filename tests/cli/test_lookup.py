"""``parity list``, ``explain`` and ``run``: what they print, and their statuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from parity.cli.lookup import CATEGORIES
from parity.cli.main import main

PROGRAM = "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)\n"
OVERWRITE = "parity.diagnose.defects.traversal:Overwrite"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("program.txt").write_text(PROGRAM)


@pytest.mark.parametrize("what", CATEGORIES)
def test_a_list_is_aligned_and_the_same_as_json(
    what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", what]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main(["list", what, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    width = max(map(len, data))
    assert lines == [f"{name:{width}}  {sentence}" for name, sentence in data.items()]


def test_an_explanation_is_text_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "keeps-graphs"]) == 0
    assert 'declared by: quirks = frozenset({"keeps-graphs"})' in capsys.readouterr().out
    assert main(["explain", "keeps-graphs", "--json"]) == 0
    (data,) = json.loads(capsys.readouterr().out)
    assert (data["category"], data["name"]) == ("quirk", "keeps-graphs")


@pytest.mark.parametrize(
    ("engine", "status", "last"),
    [("dezero", 0, "agree"), (OVERWRITE, 1, "differ at `backward(x1)`")],
)
def test_a_program_runs_on_both_sides(
    engine: str, status: int, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "program.txt", "--engine", engine, "--no-isolate"]) == status
    assert capsys.readouterr().out.splitlines()[-1].startswith(last)


def test_a_program_comes_from_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PROGRAM.encode())))
    assert main(["run", "-", "--engine", "dezero", "--reference", "exact"]) == 0
    assert "exact" in capsys.readouterr().out


def test_an_engine_in_a_process_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "program.txt", "--engine", OVERWRITE, "--isolate"]) == 1
    assert "1.0          2.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "program.txt cannot be read: No such file"),
        (b"x0 = leaf(3.0", "program.txt: line 1"),
        (b"\xff\xfe", "program.txt: it is no text in UTF-8"),
        (b"x0 = leaf(3.0)\nx1 = adds(x0)", "did you mean add?"),
        (b"#" * (2**22 + 1), "at most 4,194,304 are read"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    data: bytes | None, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path("program.txt")
    file.unlink()
    if data is not None:
        file.write_bytes(data)
    assert main(["run", "program.txt", "--engine", "dezero"]) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert words in err
