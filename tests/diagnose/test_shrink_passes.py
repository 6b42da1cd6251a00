"""Steps to simpler programs: attributes, values and wiring, and what freedom they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.diagnose.defects.traversal import Overwrite
from parity.diagnose.shrink import reduce_program
from parity.diagnose.shrink_passes import Freedom, simpler
from parity.engines.adapters.autograd import Autograd
from parity.language import program as pr
from parity.oracle.finding import KINDS, Finding
from tests.helpers.programs import apply, check, constant, leaf, program

ONES = constant([1.0, 1.0, 1.0])
Check = Callable[[pr.Program], Finding | None]


def _small(case: pr.Program, run: Check, freedom: Freedom = Freedom.ALL) -> str:
    finding = run(case)
    assert finding is not None
    return str(reduce_program(case, finding, run, freedom=freedom)[0])


def _clipped(values: Any, low: float | None, high: float | None) -> pr.Program:
    array = np.array(values)
    gradient = constant(np.arange(1.0, 1.0 + array.size).reshape(array.shape))
    return program(
        [leaf(values)], apply("clip", 0, x_min=low, x_max=high), pr.Backward(1, gradient)
    )


LOWEST = "x0 = leaf(-1.0)\nx1 = clip(x0, x_max=2.0, x_min=-1.0)\nbackward(x1)"


@pytest.mark.parametrize(
    "case",
    [
        _clipped(0.0, 0.0, None),
        _clipped([[0.25, 2.0, -1.0], [-2.0, 1.5, -0.5]], None, 1.5),
        _clipped([3.0, 2.0], -1.0, 2.0),
        _clipped([[4.0, 1.5], [0.25, 3.0]], 0.25, 0.5),
        _clipped([[0.0, -0.5, 2.0], [-3.0, 0.25, 3.0]], 0.25, 0.5),
    ],
)
def test_gradients_on_a_bound_reduce_to_one_program_a_bound(case: pr.Program) -> None:
    """A bound, its value in a leaf, and where that stands simplify together."""
    engine = Autograd()  # gives 0 on a bound, where PyTorch gives 1
    highest = LOWEST.replace("leaf(-1.0)", "leaf(2.0)")
    assert _small(case, lambda p: check(p, engine)) in {LOWEST, highest}


def _where(shown: Callable[[pr.Program], bool]) -> Check:
    """A check that finds what ``shown`` says."""

    def run(p: pr.Program) -> Finding | None:
        found = Finding(KINDS["gradient"], len(p.statements) - 1, "grad", 0, None, None)
        return found if shown(p) else None

    return run


def test_attributes_become_the_first_that_will_do() -> None:
    case = program([leaf(3.0)], apply("pow", 0, exponent=4))
    run = _where(lambda p: "pow(" in str(p) and "exponent=2" not in str(p))
    assert _small(case, run) == "x0 = leaf(3.0)\nx1 = pow(x0, exponent=3)"


@pytest.mark.parametrize("place", range(4))
def test_an_element_anywhere_becomes_the_leaf(place: int) -> None:
    values = [5.0, 4.0, 7.0, 3.0]
    values[place] = -8.0
    case = program([leaf([values])], apply("neg", 0))
    assert _small(case, _where(lambda p: -8.0 in p.leaves[0].values)) == "x0 = leaf(-8.0)"


def test_each_value_becomes_plain_where_it_does_not_matter() -> None:
    case = program([leaf([8.0, -9.0, 11.0])])
    run = _where(lambda p: len(p.leaves[0].values) == 3 and p.leaves[0].values[1] < 0)
    assert _small(case, run) == "x0 = leaf([3.0, -1.0, 4.0])"


def test_operands_that_do_not_matter_are_left_out() -> None:
    case = program(
        [leaf([3.0]), leaf([2.0])], apply("concat", 0, 1, 0, axis=0), pr.Backward(2, ONES)
    )
    small = _small(case, lambda p: check(p, Overwrite()))
    assert small == "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)"
    small = _small(case, lambda p: check(p, Overwrite()), Freedom.NONE)
    assert "concat(x0, x0, axis=0)" in small


def test_leaves_stand_in_the_order_of_their_use() -> None:
    case = program([leaf(3.0), leaf(3.0)], pr.Backward(1), pr.Backward(1), pr.Backward(0))

    def shown(p: pr.Program) -> bool:
        roots = [s.value for s in p.statements if isinstance(s, pr.Backward)]
        return len(roots) == 3 and roots[0] == roots[1] != roots[2]

    roots = [line for line in _small(case, _where(shown)).splitlines() if "backward" in line]
    assert roots == ["backward(x0)", "backward(x0)", "backward(x1)"]


def test_a_zero_takes_the_place_of_what_is_computed() -> None:
    """The gradient of a product is nan at zero in an engine that divides by the operand."""
    case = program(
        [leaf(3.0)], apply("sub", 0, 0), apply("prod", 1, axis=None, keepdims=True), pr.Backward(2)
    )
    engine = Autograd()
    smallest = "x0 = leaf(0.0)\nx1 = prod(x0, axis=None, keepdims=False)\nbackward(x1)"
    assert _small(case, lambda p: check(p, engine)) == smallest


# Freedom.

APART = program([leaf([3.0, 2.0]), leaf(4.0)], apply("mul", 0, 1), pr.Backward(2, constant([1, 2])))


BEHIND = program([leaf(3.0), leaf(4.0)], apply("sin", 0), apply("mul", 2, 1), pr.Backward(3))


def _uses(p: pr.Program) -> list[int]:
    """How often each leaf is read, least first."""
    read = [i for s in p.statements for i in s.operands()]
    return sorted(read.count(i) for i in range(len(p.leaves)))


@pytest.mark.parametrize("case", [APART, BEHIND], ids=["apart", "behind"])
def test_without_freedom_no_value_is_used_more_often_and_no_operation_is_new(
    case: pr.Program,
) -> None:
    last = len(case.statements) - 1
    kept = list(simpler(case, last, Freedom.NONE))
    assert kept
    for p in kept:
        assert _ops(p) <= {"mul", "sin"}
        assert _uses(p)[-1] <= 1
    assert any(_uses(p)[-1] > 1 for p in simpler(case, last, Freedom.REWIRE))
    assert {"add", "sub"} <= set().union(*map(_ops, simpler(case, last, Freedom.SWAP)))


def _ops(p: pr.Program) -> set[str]:
    return {s.op for s in p.statements if isinstance(s, pr.Apply)}


def test_without_freedom_an_operation_that_is_bypassed_goes() -> None:
    case = program(
        [leaf(3.0), leaf(2.0)], apply("sin", 0), apply("mul", 2, 1), apply("mul", 3, 0),
        pr.Backward(4),
    )  # fmt: skip
    engine = Overwrite()
    small = _small(case, lambda p: check(p, engine), Freedom.NONE)
    assert small == "x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)"


def test_the_same_program_comes_of_the_same_finding() -> None:
    case = _clipped([[0.25, 2.0, -1.0], [-2.0, 1.5, -0.5]], 0.25, 1.5)
    engine = Autograd()
    assert len({_small(case, lambda p: check(p, engine)) for _ in range(3)}) == 1
