"""CONTRIBUTING.md: what it shows as a defect and as a property works as it stands."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path

from parity.diagnose.defects import accumulation
from parity.engines.adapters.torch import Torch
from parity.oracle.check import check_program

ROOT = Path(__file__).resolve().parents[2]
BLOCKS = [
    textwrap.dedent(block.partition("\n")[2])
    for block in (ROOT / "CONTRIBUTING.md").read_text().split("```")[1::2]
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
        options = ["-p", "no:cacheprovider", "--parity-engine", engine, "--parity-programs", "2000"]
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "test_twins.py", *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        statuses.append(run.returncode)
    assert statuses == [0, 1]


def test_the_operation_is_one_call() -> None:
    (tree,) = ast.parse(f"rows = [{block('Operation(').strip()}]").body
    assert isinstance(tree, ast.Assign)
    assert isinstance(tree.value, ast.List)
    (row,) = tree.value.elts
    assert isinstance(row, ast.Call)


def test_the_steps_are_those_of_the_gate() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    steps = ("pytest -n auto", "ruff check .", "ruff format --check .", "mypy", "lint-imports")
    gate = (ROOT / ".ci" / "run").read_text().splitlines()
    assert [step for step in steps if f"| `{step}` |" not in text or step not in gate] == []
