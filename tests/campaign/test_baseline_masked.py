"""An accepted finding does not hide another fault of the same engine."""

from __future__ import annotations

import pytest

from parity.campaign.baseline import Baseline, BaselineEntry, BaselineMatcher
from parity.campaign.search import search
from parity.diagnose.defects.base import rules_with
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import Overwrite
from parity.diagnose.shrink import reduced
from parity.engines.base import Engine
from parity.language import program as pr
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from tests.helpers.programs import TORCH, apply, leaf, program

TWICE = "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)"
EXP = "x0 = leaf(3.0)\nx1 = exp(x0)\nbackward(x1)"


def _known(text: str) -> Baseline:
    return Baseline((BaselineEntry("gradient", "a", "https://b", program_from_text(text)),))


class OverwriteAndMul(Overwrite):
    """Forgets a path where a value is used twice, and is wrong in products."""

    rules = rules_with(mul=lambda g, y, a, b: (g * b, g * b))


class ExpAndSin(TapeEngine):
    """Two wrong formulas."""

    rules = rules_with(exp=lambda g, y, a: (g,), sin=lambda g, y, a: (g,))


#: Engines with an accepted fault and another, a program of the other, and its smallest form.
CASES: list[tuple[type[Engine], str, pr.Program, str]] = [
    (
        OverwriteAndMul,
        TWICE,
        program(
            [leaf([3.0, 2.0]), leaf(2.0)],
            apply("mul", 0, 1),
            apply("neg", 2),
            apply("sum", 3, axis=None, keepdims=False),
            pr.Backward(4),
        ),
        "x0 = leaf(3.0)\nx1 = leaf(0.0)\nx2 = mul(x0, x1)\nbackward(x2)",
    ),
    (
        ExpAndSin,
        EXP,
        program([leaf(2.0)], apply("neg", 0), apply("sin", 1), pr.Backward(2)),
        EXP.replace("exp", "sin"),
    ),
]


@pytest.mark.parametrize(("cls", "accepted", "case", "smallest"), CASES)
def test_another_fault_that_reduces_to_an_accepted_program_is_reported(
    cls: type[Engine], accepted: str, case: pr.Program, smallest: str
) -> None:
    engine = cls()
    finding = check_program(case, engine, TORCH)
    assert finding is not None
    small, _ = reduced(case, finding, engine, TORCH)
    assert str(small) == accepted
    kept, own, entry = BaselineMatcher(_known(accepted), engine, TORCH).match(case, finding)
    assert entry is None
    assert own.kind == "gradient"
    assert str(kept) == smallest
    # Accepted as well, it is known.
    both = Baseline((*_known(accepted).entries, *_known(smallest).entries))
    assert BaselineMatcher(both, engine, TORCH).match(case, finding)[2] is not None


@pytest.mark.parametrize("op", ["mul", "sub", "div"])
def test_an_accepted_fault_is_known_whatever_operation_shows_it(op: str) -> None:
    case = program([leaf(3.0)], apply("neg", 0), apply(op, 1, 0), pr.Backward(2))
    engine = Overwrite()
    finding = check_program(case, engine, TORCH)
    assert finding is not None
    _, _, entry = BaselineMatcher(_known(TWICE), engine, TORCH).match(case, finding)
    assert entry is not None


def test_a_hunt_reports_the_other_fault() -> None:
    result = search(ExpAndSin(), TORCH, 60, ops=("exp", "sin", "add"), baseline=_known(EXP))
    assert EXP.replace("exp", "sin") in [str(r.program) for r in result.findings if r.program]
    assert sum(result.known.values()) > 0
    assert result.stale == ()
