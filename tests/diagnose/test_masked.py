"""Engines with several faults at once: each finding still gets its name."""

from __future__ import annotations

import numpy as np
import pytest

from parity.campaign.search import search
from parity.diagnose.combinations import is_other_operation
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.base import Defect, rules_with
from parity.diagnose.defects.tensor import raw
from parity.diagnose.diagnose import diagnose
from parity.diagnose.diagnosis import Diagnosis
from parity.engines.base import Engine
from parity.engines.open import open_engines
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from tests.helpers.programs import TORCH


def _named(engine: Engine, ops: tuple[str, ...] | None = None) -> list[tuple[str, Diagnosis]]:
    reported = search(engine, TORCH, 600, ops=ops).findings
    return [(r.finding.kind, r.diagnosis) for r in reported if r.diagnosis is not None]


def _both(one: str, other: str) -> type[Defect]:
    return type("Both", (DEFECTS[one], DEFECTS[other]), {"name": "both"})


def test_every_finding_on_micrograd_has_a_name() -> None:
    engine, _ = open_engines("micrograd", check=False)
    named = {
        (kind, match.defect) for kind, diagnosis in _named(engine) for match in diagnosis.matches
    }
    assert {defect for kind, defect in named if kind == "depth"} == {"recursion"}
    assert ("accumulation", "micrograd-backward") in named
    assert {defect for kind, defect in named if kind != "depth"} == {"micrograd-backward"}


def test_two_faults_are_named_together() -> None:
    both = _both("overwrite", "broadcasting-undone-by-mean")
    named = {m.defect for _kind, diagnosis in _named(both()) for m in diagnosis.matches}
    assert named & {
        "overwrite + broadcasting-undone-by-mean",
        "broadcasting-undone-by-mean + overwrite",
    }


REUSE = "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)"


class WithOwnFaults(DEFECTS["overwrite"]):  # type: ignore[misc]
    """A known defect, and two operations that are wrong by themselves."""

    rules = rules_with(square=lambda g, y, a: (g * a * 7,), tanh=lambda g, y, a: (g * y,))


def _diagnosed(engine: Engine, text: str = REUSE) -> Diagnosis:
    case = program_from_text(text)
    finding = check_program(case, engine, TORCH)
    assert finding is not None
    return diagnose(case, finding, engine, TORCH)


def test_a_defect_masked_by_other_faults_is_named_with_the_probes_left_out() -> None:
    (match,) = _diagnosed(WithOwnFaults()).matches
    assert match.defect == "overwrite"
    assert match.agrees == match.of
    assert 0 < match.other_faults < 10
    assert match.of + match.other_faults == 40
    assert str(match).endswith(f"; {match.other_faults} more show other faults")


class OftenRight(DEFECTS["overwrite"]):  # type: ignore[misc]
    """Less than the known defect: what is negative is summed."""

    def add(self, grads, t, g):
        negative = t in grads and np.all(raw(g) < 0)
        super().add(grads, t, grads[t] + g if negative else g)


class MoreOfTheSame(DEFECTS["overwrite"]):  # type: ignore[misc]
    """The known defect, and what goes on from deep in a graph is doubled."""

    def add(self, grads, t, g):
        inner = t.node is not None and t.node.parents[0].node is not None
        super().add(grads, t, g * 2 if inner else g)


class AddsOtherwise(DEFECTS["overwrite"]):  # type: ignore[misc]
    """The known defect, and the operation that shows it is wrong by itself for matrices."""

    rules = rules_with(add=lambda g, y, a, b: (g * 7, g) if np.ndim(raw(a)) == 2 else (g, g))


@pytest.mark.parametrize("engine", [OftenRight, MoreOfTheSame, AddsOtherwise])
def test_what_is_like_a_defect_but_not_it_is_not_named(engine: type[Defect]) -> None:
    diagnosis = _diagnosed(engine())
    assert diagnosis.matches == ()
    assert diagnosis.nearest is not None
    assert diagnosis.nearest.defect == "overwrite"


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("x0 = leaf(3.0)\nx1 = neg(x0)\nbackward(x1)", True),
        ("x0 = leaf(3.0)\nx1 = neg(x0)\nx2 = neg(x1)\nbackward(x2)", False),
        ("x0 = leaf(3.0)\nx1 = leaf(2.0)\nx2 = add(x0, x1)\nbackward(x2)", False),
        ("x0 = leaf(3.0)\nbackward(x0)\nbackward(x0)", False),
    ],
)
def test_another_fault_of_that_kind_is_one_operations_own(text: str, other: bool) -> None:
    assert is_other_operation(program_from_text(text), program_from_text(REUSE)) is other
