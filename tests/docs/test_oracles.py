"""docs/oracles.md: its table is that of the script, and its sentences are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parity.oracle.combined import Evidence, combined_verdict
from parity.oracle.neighbours import FEW, MANY, SOME, Surroundings
from parity.oracle.own_forward import HALVINGS, Outcome
from tests.detection import DEFECTS, END, OPERATIONS, START, Counts, main, markdown, measured

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "oracles.md").read_text()
#: What the judges may say, each with a verdict of its own.
EVIDENCE = (
    Evidence(values_differ=True),
    Evidence(own=Outcome.WRONG),
    *(Evidence(around=s, reference_finite=True) for s in Surroundings),
    Evidence(own=Outcome.NOISY),
    Evidence(gradient_differs=True, around=Surroundings.CONVENTION),
    Evidence(gradient_differs=True, own=Outcome.RIGHT, reference=Outcome.WRONG),
    Evidence(gradient_differs=True, own=Outcome.RIGHT),
    Evidence(gradient_differs=True, own=Outcome.UNDECIDED),
)


def table_of(text: str) -> list[list[str]]:
    """The cells of a table in Markdown, without its head."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_every_verdict_is_on_the_page() -> None:
    notes = {combined_verdict(evidence).note for evidence in EVIDENCE} - {""}
    page = [row[0] for row in table_of(TEXT.partition("## The verdicts")[2].partition("##")[0])]
    assert set(page) == notes


def test_numbers_are_those_of_the_code() -> None:
    assert HALVINGS == 6
    assert "\nfor six steps" in TEXT
    assert f"at up to {FEW + SOME + MANY + 2} points around" in TEXT


def test_the_table_has_every_defect_and_no_false_alarm() -> None:
    shown = TEXT.partition(START)[2].partition(END)[0]
    rows = {row[0]: row[1:] for row in table_of(shown)}
    assert list(rows) == [*DEFECTS, "right gradients, points"]
    assert re.findall(r"`(\w+)`", shown) == list(OPERATIONS)
    assert rows["right gradients, points"][2:] == ["0"] * 4


@pytest.mark.parametrize(
    ("defect", "found"),
    [
        ("it is wrong by 1e-6 of its size", {"PyTorch", "forward", "self"}),
        ("it is wrong by 1e-9 of its size", {"PyTorch"}),
        ("the gradient is wrong at 0", {"gradcheck", "PyTorch", "forward", "around", "self"}),
    ],
)
def test_a_defect_is_measured(defect: str, found: set[str]) -> None:
    right, wrong = measured(("elu",), [defect])
    assert right == Counts(8)
    assert wrong[defect].operations == 1
    assert set(wrong[defect].found) == found


def test_the_table_replaces_the_one_between_the_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = Counts(3)
    monkeypatch.setattr("tests.detection.measured", lambda *_: (counts, {"a defect": counts}))
    page = tmp_path / "page.md"
    page.write_text(f"before\n{START}old\n{END}after\n")
    main(["-o", str(page)])
    assert (
        page.read_text() == f"before\n{START}{markdown(counts, {'a defect': counts})}{END}after\n"
    )
