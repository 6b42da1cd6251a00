"""What the README says is true: its examples run as they stand."""

from __future__ import annotations

import doctest
import subprocess
import sys
from pathlib import Path

import pytest

import parity
from parity.campaign.baseline import load_baseline
from parity.cli.main import main
from tests.helpers.output import without_version

README = Path(__file__).resolve().parents[2] / "README.md"

#: A scalar engine with the usual faults, under the name that the README uses.
ENGINE = """
class Value:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents, self.step = data, 0.0, parents, lambda: None

    def __add__(self, other):
        out = Value(self.data + other.data, (self, other))

        def step():
            self.grad += out.grad
            other.grad += out.grad

        out.step = step
        return out

    def __mul__(self, other):
        out = Value(self.data * other.data, (self, other))

        def step():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.step = step
        return out

    def backward(self):
        order, seen = [], set()

        def visit(value):
            if value not in seen:
                seen.add(value)
                for parent in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        self.grad = 1.0
        for value in reversed(order):
            value.step()
"""


def blocks(language: str, page: Path = README) -> list[str]:
    """The fenced blocks of a language, or of none."""
    fences = page.read_text().split("```")[1::2]
    return [f.partition("\n")[2] for f in fences if f.partition("\n")[0] == language]


def test_the_session_prints_what_it_says() -> None:
    session = next(block for block in blocks("python") if block.startswith(">>>"))
    test = doctest.DocTestParser().get_doctest(session, {}, "README", str(README), 0)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_adapter_and_its_commands_end_in_findings(tmp_path: Path) -> None:
    adapter = next(block for block in blocks("python") if "class Mine(Engine)" in block)
    (tmp_path / "tiny.py").write_text(ENGINE)
    (tmp_path / "adapter.py").write_text(adapter)
    commands = next(block for block in blocks("") if "adapter.py:Mine" in block).splitlines()
    assert len(commands) == 2
    modules = {"parity": "parity.cli.main", "pytest": "pytest"}
    short = {"parity": ["--examples", "200"], "pytest": ["--programs", "200"]}
    for command in commands:
        name, *arguments = command.split()
        run = subprocess.run(
            [sys.executable, "-m", modules[name], *arguments, *short[name]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 1, run.stdout + run.stderr
        # What micrograd gets wrong: intermediates keep the gradients of an earlier backward.
        assert "accumulation: as in micrograd, every value keeps its gradient" in run.stdout


def test_the_finding_shown_is_what_the_command_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    finding = next(block for block in blocks("") if block.startswith("gradient:"))
    engine = "parity.diagnose.defects.traversal:Overwrite"
    assert main(["check", "--engine", engine, "--no-isolate", "--examples", "200"]) == 1
    assert without_version(finding) in without_version(capsys.readouterr().out)


def test_the_entry_of_a_baseline_accepts_the_cause(tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text(*blocks("toml", README.parent / "docs" / "reports.md"))
    engine = "parity.diagnose.defects.traversal:Overwrite"
    result = parity.check(engine, examples=30, isolate=False, baseline=load_baseline(file))
    assert result.ok
    assert "times: cause overwrite, waits for the new traversal" in str(result)


def test_the_picture_is_what_the_command_draws(tmp_path: Path) -> None:
    program = "x0 = leaf(3.0)\nx1 = mul(x0, x0)\nx2 = add(x1, x0)\nbackward(x2)\n"
    (tmp_path / "program.txt").write_text(program)
    engine = ["--engine", "parity.diagnose.defects.traversal:Overwrite", "--no-isolate"]
    drawn = tmp_path / "fault.svg"
    assert main(["run", str(tmp_path / "program.txt"), *engine, "--svg", str(drawn)]) == 1
    assert drawn.read_text() == (README.parent / "docs" / "fault.svg").read_text()
