"""Every operation alone: what is wrong is found, and each fault is one cause."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from parity.diagnose.causes import Category
from parity.diagnose.cells import Outcome
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.operation_causes import SEVERAL_NAME
from parity.diagnose.operations import OperationTable, measure_operations
from parity.engines.adapters.dezero import Dezero
from parity.engines.adapters.torch import Torch
from parity.engines.base import Engine, Unsupported
from parity.engines.runner import as_runner
from tests.helpers.programs import TORCH
from tests.helpers.wrong_operations import ENGINES, FAULTS, engine_with


def _measured(engine: Engine, *ops: str) -> OperationTable:
    return measure_operations(as_runner(engine), TORCH, ops or None)


@pytest.mark.parametrize("name", ENGINES)
def test_each_wrong_operation_is_one_cause(name: str) -> None:
    faults = [FAULTS[fault] for fault in ENGINES[name]]
    table = _measured(engine_with(*ENGINES[name]), *(fault.op for fault in faults))
    causes = table.causes()
    assert sorted(c.name for c in causes) == sorted(fault.op for fault in faults)
    for fault in faults:
        (cause,) = (c for c in causes if c.name == fault.op)
        assert cause.where in fault.where
        assert cause.category in (fault.category, Category.CONVENTION)
        assert cause.witness is not None
        assert f"`{fault.op}`" in cause.sentence


#: Operations that are measured beside the one that is wrong.
SOME = ("add", "exp", "where")
_SCALARS = ("add_scalar", "mul_scalar", "rsub_scalar", "sub")
#: Defects of operations: the operation, and where it is wrong.
OF_OPERATIONS = {
    "sum-axis-forgotten": ("sum", "without keepdims and along another axis than the first"),
    "mean-divisor": ("mean", "over some of the axes"),
    "repeated-index-overwritten": ("get_item", "where an index repeats"),
    "slice-shifted": ("get_item", "with a slice that does not start at 0"),
    "transpose-not-inverted": ("transpose", "with a permutation that is not its own inverse"),
    "matmul-swapped": ("matmul", ""),
    "maximum-ties": ("maximum", "where the operands are equal"),
    "pow-exponent-kept": ("pow", ""),
    "unused-output-crashes": ("split", "with several outputs"),
    "siblings-gradient-used": ("split", "with several outputs"),
    "off-by-a-billionth": ("mul", ""),
    # What is wrong in several operations in the same way.
    "zero-dim-becomes-vector": (SEVERAL_NAME, "for a 0-d array"),
    "scalar-gets-vector": (SEVERAL_NAME, "for a 0-d array"),
    "float32-widened": (SEVERAL_NAME, "in float32"),
    "gradient-dtype-of-result": (SEVERAL_NAME, "with mixed dtypes"),
    "python-scalars-promote": (SEVERAL_NAME, "in float32"),
    "dtype-of-other-operand": (SEVERAL_NAME, "with mixed dtypes"),
}


@pytest.mark.parametrize("name", OF_OPERATIONS)
def test_each_defect_of_operations_is_one_cause(name: str) -> None:
    op, where = OF_OPERATIONS[name]
    ops = (*SOME, *_SCALARS) if op == SEVERAL_NAME else (op, *SOME)
    causes = _measured(DEFECTS[name](), *ops).causes()
    assert [(c.name, c.where) for c in causes] == [(op, where)]


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_OPERATIONS)
def test_each_defect_is_one_cause_among_all_operations(name: str) -> None:
    causes = _measured(DEFECTS[name]()).causes()
    assert [(c.name, c.where) for c in causes] == [OF_OPERATIONS[name]]


@pytest.mark.slow
@pytest.mark.parametrize("engine", [TapeEngine, Dezero, Torch])
def test_a_right_engine_has_no_cause(engine: type[Engine]) -> None:
    table = _measured(engine())
    assert {r.outcome for r in table.results} == {Outcome.RIGHT}
    assert table.causes() == []
    assert table.suspicious() == frozenset()


def test_the_witness_is_small_and_ordinary() -> None:
    (cause,) = _measured(engine_with("absolute-negative"), "absolute").causes()
    assert cause.sentence == "the gradient of `absolute` is wrong for negative numbers"
    assert cause.witness is not None
    (leaf,) = cause.witness.leaves
    assert leaf.dtype == "float64"
    assert 0.0 not in leaf.values
    assert len(cause.witness.statements) == 2


def test_a_quirk_makes_it_a_convention() -> None:
    (cause,) = _measured(DEFECTS["maximum-ties"](), "maximum").causes()
    assert (cause.category, cause.quirk) == (Category.CONVENTION, "maximum-ties-both")


def test_what_the_tape_explains_is_left_out() -> None:
    table = _measured(engine_with("sub-sign", "sin-formula"), "sub", "sin")
    assert table.suspicious() == {"sub", "sin"}
    explained = [r for r in table.of("sub") if r.fails]
    assert table.suspicious(explained) == {"sin"}
    assert [c.name for c in table.causes(explained)] == ["sin"]


class _Poisoned(TapeEngine):
    """After a negative number, ``exp`` is off by one for this object."""

    spoiled: bool = False

    def __init__(self) -> None:
        super().__init__()
        right, log = self.ops["exp"], self.ops["neg"]
        self.ops = {**self.ops, "exp": lambda a: self._spoilt(right(a))}
        self.ops["neg"] = lambda a: self._spoil(log(a))

    def _spoil(self, t: Any) -> Any:
        self.spoiled = True
        return t

    def _spoilt(self, t: Any) -> Any:
        t.data = t.data + self.spoiled
        return t


def test_what_an_earlier_program_disturbed_is_not_the_fault_of_the_operation() -> None:
    assert _measured(_Poisoned(), "neg", "exp").causes() == []


class _Lacking(TapeEngine):
    def __init__(self) -> None:
        super().__init__()
        right = self.ops["neg"]

        def neg(a: Any) -> Any:
            if np.ndim(a.data) > 1:
                raise Unsupported("negative matrices")
            return right(a)

        self.ops = {**self.ops, "neg": neg}


def test_what_an_engine_says_it_lacks_is_no_fault() -> None:
    table = _measured(_Lacking(), "neg")
    assert {r.outcome for r in table.results} == {Outcome.RIGHT, Outcome.UNSUPPORTED}
    assert table.causes() == []


class _Numbers(TapeEngine):
    """An engine of numbers without constants."""

    max_ndim: ClassVar[int | None] = 0
    dtypes: ClassVar[tuple[str, ...]] = ("float64",)


def test_an_engine_of_numbers() -> None:
    table = _measured(_Numbers(), "add", "mul", "sum")
    assert len(table.results) > 20
    assert table.suspicious() == frozenset()
