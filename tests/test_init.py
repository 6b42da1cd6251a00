"""The public API: ``parity.check``, lazy names, and what importing the package costs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import parity
from parity.campaign.search import search
from parity.diagnose.defects.traversal import Overwrite
from parity.engines.load import EngineError
from tests.helpers.programs import TORCH, write_module

HEAVY = ("torch", "hypothesis")


def test_a_class_an_instance_and_a_name_give_the_same_result() -> None:
    name = "parity.diagnose.defects.traversal:Overwrite"
    results = [parity.check(e, examples=30) for e in (Overwrite, Overwrite(), name)]
    for result in results:
        assert (result.ok, result.verdict) == (False, "findings")
        assert result.findings[0].finding.kind == "gradient"
    first, *others = [{**r.to_json(), "seconds": 0} for r in results]
    assert others == [first, first]


def test_the_result_is_that_of_the_command_and_its_text_the_report(tmp_path: Path) -> None:
    result = parity.check(Overwrite, examples=30, seed=2, findings=tmp_path)
    again = search(Overwrite(), TORCH, 30, 2)
    assert [str(r.program) for r in result.findings] == [str(r.program) for r in again.findings]
    assert str(result).startswith("1 fault: 1 wrong gradient\noverwrite 1 against torch")
    assert "gradient: a reused variable's gradient is overwritten" in str(result)
    assert all(Path(r.script).is_file() for r in result.findings if r.program)
    json.dumps(result.to_json(), allow_nan=False)


def test_an_engine_that_is_right_is_ok() -> None:
    result = parity.check("dezero", examples=40, ops=("add", "mul"))
    assert (result.ok, result.verdict, result.findings) == (True, "parity", [])


def test_an_interrupted_run_is_not_ok() -> None:
    result = search(Overwrite(), TORCH, 30, ops=("neg",), stopped=lambda: True)
    assert result.verdict == "interrupted"
    assert not result.ok


def test_another_reference_by_name_or_as_an_engine() -> None:
    for reference in ("exact", TORCH):
        result = parity.check(Overwrite, reference, examples=20, ops=("add", "mul"))
        assert not result.ok


def test_an_engine_given_by_file_runs_in_a_process_of_its_own(tmp_path: Path) -> None:
    text = """
from parity.diagnose.defects.engine import TapeEngine

class Mine(TapeEngine):
    name = "mine"
"""
    file = write_module(tmp_path, "mine.py", text)
    result = parity.check(f"{file}:Mine", examples=10, ops=("add",))
    assert result.ok
    assert result.engine.isolated


def test_the_runner_of_a_name_is_closed_also_if_the_search_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*arguments: Any) -> None:
        raise OSError("no space")

    closed: list[Any] = []
    monkeypatch.setattr("parity.campaign.search.search", fails)
    monkeypatch.setattr(
        "parity.engines.runner.LocalRunner.close", lambda runner: closed.append(runner)
    )
    with pytest.raises(OSError, match="no space"):
        parity.check("dezero")
    assert len(closed) == 1


def test_an_engine_that_cannot_be_used_is_one_line() -> None:
    with pytest.raises(EngineError, match="not known"):
        parity.check("nothing")


def test_names_are_there_and_others_are_not() -> None:
    for name in parity.__all__:
        assert getattr(parity, name).__name__ == name
        assert name in dir(parity)
    with pytest.raises(AttributeError, match="nothing"):
        _ = parity.nothing  # type: ignore[attr-defined]


def test_the_version_stands_in_one_place() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", parity.__version__)


def _loaded(code: str, *arguments: str, cwd: Path) -> dict[str, Any]:
    """What a fresh interpreter has imported after ``code``."""
    tail = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail, *arguments], capture_output=True, text=True, cwd=cwd
    )
    assert done.returncode == 0, done.stderr
    return {"modules": json.loads(done.stdout.splitlines()[-1]), "out": done.stdout}


COMMAND = """
import sys
from parity.__main__ import main
try:
    status = main()
except SystemExit as end:
    status = end.code
assert not status, status
"""


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("import parity", []),
        (COMMAND, ["--help"]),
        (COMMAND, ["--version"]),
        (COMMAND, ["check", "--help"]),
        (COMMAND, ["adapter", "new.py"]),
        (COMMAND, ["promote", "finding.json"]),
        (COMMAND, ["list", "ops"]),
        (COMMAND, ["list", "defects", "--json"]),
        (COMMAND, ["explain", "overwrite"]),
        (COMMAND, ["explain", "add"]),
        (COMMAND, ["explain", "accumulation"]),
        (COMMAND, ["completion", "bash"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_what_runs_no_program_imports_neither_torch_nor_hypothesis(
    code: str, arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "finding.json").write_text(json.dumps(_finding()))
    modules = _loaded(code, *arguments, cwd=tmp_path)["modules"]
    assert [name for name in HEAVY if name in modules] == []


def _finding() -> dict[str, Any]:
    """A finding as a campaign writes it."""
    from parity.campaign.result import finding_json

    (report,) = search(Overwrite(), TORCH, 3, ops=("add", "mul")).findings[:1]
    return finding_json(report, None, 0)
