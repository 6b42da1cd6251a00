"""Operations alone at zeros, near ties, poles, tails, and beyond the finite numbers."""

from __future__ import annotations

import pytest

from parity.diagnose.causes import Cause
from parity.diagnose.operations import OperationTable, measure_operations
from parity.engines.quirks.numbers import OwnNonFinite
from parity.engines.runner import as_runner
from tests.helpers.programs import DEZERO, TORCH
from tests.helpers.special_engines import SHOWN, WRONG, with_rule


def _measured(engine: object, op: str) -> OperationTable:
    return measure_operations(as_runner(engine), TORCH, (op,))  # type: ignore[arg-type]


def _said(causes: list[Cause]) -> list[tuple[str, str]]:
    return [(cause.category, cause.sentence) for cause in causes]


@pytest.mark.parametrize("name", WRONG)
def test_a_formula_that_fails_at_special_numbers_is_one_cause(name: str) -> None:
    op, rule, category, sentence = WRONG[name]
    assert (category, sentence) in _said(_measured(with_rule(op, rule), op).causes())


@pytest.mark.parametrize("name", SHOWN)
def test_what_differs_beyond_the_finite_numbers_is_shown_and_no_fault(name: str) -> None:
    op, rule, sentence = SHOWN[name]
    table = _measured(with_rule(op, rule), op)
    assert table.causes() == []
    assert _said(table.shown_causes) == [("convention", sentence)]


def test_a_pole_is_a_convention_that_a_quirk_declares() -> None:
    op, rule, _, _ = WRONG["root"]
    engine = with_rule(op, rule)
    (cause,) = _measured(engine, op).causes()
    assert cause.quirk == OwnNonFinite.quirk
    type(engine).quirks = frozenset({OwnNonFinite.quirk})  # type: ignore[misc]
    assert _measured(engine, op).causes() == []


@pytest.mark.parametrize("op", sorted({op for op, *_ in (*WRONG.values(), *SHOWN.values())}))
def test_a_right_engine_has_no_cause_there(op: str) -> None:
    table = _measured(DEZERO, op)
    assert any(result.cell.special for result in table.results)
    assert _said([*table.causes(), *table.shown_causes]) == []
