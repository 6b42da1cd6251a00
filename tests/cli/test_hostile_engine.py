"""Commands on an engine whose name, version and exceptions try to act on the reader's side."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from parity.cli.main import main
from tests.helpers.hostile_text import harmful
from tests.helpers.programs import write_module

ENGINE = r"""
from parity.diagnose.defects.traversal import Overwrite

TEXT = (
    "::error file=x::a\n::add-mask::b\n##[error]c\n\x1b[31m\x1b]0;d\x07\u202e\u200b\ud800 "
    "<class 'float'> <script>e</script> @f #1 \"\"\" \\ {0} | ` ../../up"
)


class Odd(Exception):
    def __str__(self):
        return TEXT + "x" * 100_000


Odd.__name__ = "::warning::Odd\n"


def neg(a):
    raise Odd


class Mine(Overwrite):
    name = TEXT
    version = "\n::error::" + TEXT

    def __init__(self):
        super().__init__()
        self.ops = {"add": self.ops["add"], "mul": self.ops["mul"], "neg": neg}
"""


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_module(tmp_path, "mine.py", ENGINE)


def _strict(file: str) -> None:
    text = Path(file).read_text("utf-8")
    assert len(text) < 50_000
    json.loads(text, parse_constant=lambda name: pytest.fail(name))


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["check", "--engine", "mine.py:Mine", "--examples", "60", "--json", "a.json"]
    assert main([*arguments, "--no-isolate"]) == 1
    out, err = capsys.readouterr()
    assert not harmful(out + err)
    assert "exception: `neg` raises" in out
    assert len(out) < 20_000
    _strict("a.json")
    (folder,) = Path("parity-findings").iterdir()
    scripts = sorted(folder.glob("*.py"))
    assert [file.name for file in scripts] == ["exception-1.py", "gradient-1.py"]
    ended = subprocess.run([sys.executable, str(scripts[1])], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "they differ" in ended.stdout
    assert ended.stdout.replace("\n", "").isprintable()


def test_fuzz(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["fuzz", "--engine", "mine.py:Mine", "--programs", "40", "--workers", "1"]
    assert main([*arguments, "--summary", "a.md", "--json", "a.json"]) == 1
    out, err = capsys.readouterr()
    page = Path("a.md").read_text("utf-8")
    assert not harmful(out + err)
    assert not harmful(page)
    assert "&lt;class 'float'&gt; &lt;script&gt;" in page
    assert "<script" not in page
    assert "@f" not in page
    _strict("a.json")
