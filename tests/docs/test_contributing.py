"""CONTRIBUTING.md: what it shows as an operation, a defect and a property works as it stands."""

from __future__ import annotations

import math
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from parity.cli.main import main
from parity.diagnose.defects import accumulation
from parity.engines.adapters.torch import Torch
from parity.engines.execute import execute
from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.operation import Operation
from parity.language.plain_rows import rows_to_plain
from parity.language.table import OPS
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from parity.oracle.exact import rules
from parity.oracle.exact.building import elementwise
from parity.oracle.exact.engine import Exact

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
BLOCKS = [
    textwrap.dedent(block.partition("\n")[2])
    for block in TEXT.split("```")[1::2]
    if block.startswith("python")
]


def block(start: str) -> str:
    """The block that holds a text."""
    (found,) = [text for text in BLOCKS if start in text]
    return found


def test_the_defect_shows_in_its_smallest_program() -> None:
    namespace = dict(vars(accumulation))
    exec(block("(Defect)"), namespace)
    defect = namespace["ContributionSubtracted"]
    assert defect.name == "contribution-subtracted"
    finding = check_program(defect.smallest, defect(), Torch())
    assert finding is not None
    assert (finding.kind, finding.engine.tolist()) == ("gradient", 0.0)


def test_the_property_holds_for_dezero_and_fails_for_a_defect(tmp_path: Path) -> None:
    (tmp_path / "test_twins.py").write_text(block("Suite"))
    statuses = []
    for engine in ("dezero", "parity.diagnose.defects.traversal:Overwrite"):
        options = ["-p", "no:cacheprovider", "--parity-engine", engine, "--no-parity-isolate"]
        options += ["--parity-programs", "2000"]
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "test_twins.py", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        statuses.append(run.returncode)
    assert statuses == [0, 1]


def test_the_row_is_that_of_the_table() -> None:
    row = eval(block('"std"'), {"Operation": Operation})
    assert rows_to_plain([row]) == rows_to_plain([OPS["std"]])
    assert '"std"' in (ROOT / "parity/language/operations/further_reductions.py").read_text()


def test_the_judges_accept_the_row(capsys: pytest.CaptureFixture[str]) -> None:
    command = "ops torch --reference self --ops std"
    assert f"`parity {command}`" in TEXT
    assert main(command.split()) == 0, capsys.readouterr()


def test_the_rules_are_those_of_the_row_of_plain_data() -> None:
    row = eval(block('"sinh",'), {"Operation": Operation, "sh": sh, "iv": iv, "math": math})
    assert row.has_rules
    assert not OPS["sinh"].has_rules
    assert (row.source, row.operands) == (OPS["sinh"].source, OPS["sinh"].operands)
    assert row.interval((-1.0, 2.0)) == (math.sinh(-1.0), math.sinh(2.0))


def test_the_exact_rule_has_the_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    definition, _, _ = block("sinh: Unary").partition("...")
    namespace = dict(vars(rules))
    exec(definition, namespace)
    rule = elementwise(namespace["sinh"])
    monkeypatch.setitem(OPS, "sinh", replace(OPS["sinh"], exact_rule=rule))
    program = program_from_text(
        "x0 = leaf([0.5, -2.0])\nx1 = sinh(x0)\nbackward(x1, gradient=[1.0, 3.0])"
    )
    exact, torch = (execute(program, engine) for engine in (Exact(), Torch()))
    for ours, theirs in zip(exact.observations, torch.observations, strict=True):
        assert ours.array == pytest.approx(theirs.array, rel=1e-14)


def test_the_steps_are_those_of_the_gate() -> None:
    steps = ("pytest -n auto", "ruff check .", "ruff format --check .", "mypy", "lint-imports")
    gate = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [step for step in steps if f"| `{step}` |" not in TEXT or step not in gate] == []
