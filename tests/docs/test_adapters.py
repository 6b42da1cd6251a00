"""docs/adapters.md: its adapter gives the result shown, its session prints what it says."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "adapters.md"
FENCES = PAGE.read_text().split("```")[1::2]
ADAPTER, LIMITS, SESSION = (f.removeprefix("python\n") for f in FENCES if f.startswith("python\n"))
(SHOWN,) = (f.strip() for f in FENCES if f.startswith("\n"))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "adapter.py").write_text(ADAPTER)
    command = [sys.executable, "-m", "parity", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_the_adapter_gives_what_the_page_shows(tmp_path: Path) -> None:
    command = "ops adapter.py:Mine"
    assert f"`parity {command}`" in PAGE.read_text()
    ended = run(tmp_path, *command.split())
    assert ended.returncode == 1, ended.stderr
    for part in SHOWN.split("\n\n"):
        assert part in ended.stdout


def test_the_own_forward_finds_the_fault_in_a_check(tmp_path: Path) -> None:
    command = "check --engine adapter.py:Mine --reference self"
    assert f"`parity {command}`" in PAGE.read_text()
    ended = run(tmp_path, *command.split(), "--examples", "30")
    assert ended.returncode == 1, ended.stderr
    assert "the gradient of `bump` is wrong\n" in ended.stdout
    assert "soft_abs" not in ended.stdout


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"bump"', '"exp2"', "there is another operation 'exp2'"),
        ('"U"', '"?"', "there is no domain '?'"),
        ("torch.sqrt(a * a + eps)", "open(a)", "'open' is no operand"),
    ],
)
def test_a_mistake_in_a_row_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "wrong.py").write_text(ADAPTER.replace(old, new))
    ended = run(tmp_path, "ops", "wrong.py:Mine")
    assert ended.returncode == 2
    assert message in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_an_engine_with_limits_is_tested_within_them(tmp_path: Path) -> None:
    more = LIMITS.replace("Limited(Mine):", 'Limited(Mine):\n    ops = {**Mine.ops, "sum": one}')
    (tmp_path / "limited.py").write_text(f"from adapter import *\n\n\n{ONE}\n\n{more}")
    command = "check --engine limited.py:Limited --ops add,sum --examples 60"
    ended = run(tmp_path, *command.split())
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert "programs ended early" not in ended.stdout


#: A sum along one axis or all, without keepdims.
ONE = """
def one(a, *, axis, keepdims):
    assert not keepdims
    assert axis is None or axis >= 0
    return a.sum() if axis is None else a.sum(axis)
"""


def test_the_session_prints_what_it_says() -> None:
    test = doctest.DocTestParser().get_doctest(SESSION, {}, "adapters", str(PAGE), 0)
    assert len(test.examples) > 5
    assert doctest.DocTestRunner().run(test).failed == 0
