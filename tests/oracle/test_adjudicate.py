"""Which side is wrong: the verdict of the third evaluation, and what is made of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from parity.campaign.search import search
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.engine import RULES, TapeEngine
from parity.diagnose.defects.traversal import CreationOrderIgnored, InplaceAccumulation, Overwrite
from parity.diagnose.shrink import reduced
from parity.engines.adapters.dezero import Dezero
from parity.engines.adapters.torch import AsIs, Torch
from parity.engines.base import Engine
from parity.engines.open import open_engines
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import sweep
from parity.language import program as pr
from parity.language.table import OPS
from parity.oracle.adjudicate import adjudicate
from parity.oracle.check import check_program
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.engine import Exact
from parity.oracle.exact.kinks import SIDES, sides
from parity.oracle.finding import KINDS, Finding, Kind
from parity.oracle.verdict import ILL_CONDITIONED, Verdict
from tests.helpers.programs import (
    DEZERO,
    REUSED,
    SHARED,
    TORCH,
    Rounds,
    apply,
    constant,
    leaf,
    program,
    sample,
    searched,
)

SUM = {"axis": None, "keepdims": False}
TWO = constant([1.0, 2.0])
FREED = program([leaf(3.0)], apply("square", 0), pr.Backward(1), pr.Backward(1))
BOTH = program([leaf(3.0), leaf(2.0)], apply("add", 0, 1), pr.Backward(2), pr.ChangeGrad(0))
CHANGED = program([leaf([3.0, 2.0])], pr.Backward(0, TWO), pr.ChangeGradient())
CLEARED = program([leaf(3.0)], pr.Backward(0), pr.Clear((0,)))


def _verdict(case: pr.Program, engine: Engine, reference: Engine = TORCH) -> Verdict:
    finding = check_program(case, engine, reference)
    assert finding is not None
    return adjudicate(case, finding, engine, reference)


class WrongValue(TapeEngine):
    def operation(self, value, vjp):
        return super().operation(lambda *xs, **attrs: value(*xs, **attrs) + 1, vjp)


class FlatValues(TapeEngine):
    def value(self, t):
        return np.atleast_1d(t.data)


class NarrowValues(TapeEngine):
    def value(self, t):
        return t.data.astype(np.float32)


class TwoValues(TapeEngine):
    def operation(self, value, vjp):
        function = super().operation(value, vjp)
        return lambda *xs, **attrs: [function(*xs, **attrs)] * 2


class NoGradient(TapeEngine):
    def store(self, leaf, g):
        pass


class Shares(TapeEngine):
    def store(self, leaf, g):
        leaf.grad = g if leaf.grad is None else leaf.grad + g


class SharesWithTheUser(Shares):
    def seed(self, t, gradient):
        return gradient


class DoesNotClear(TapeEngine):
    def clear_grad(self, t):
        pass


class Raises(TapeEngine):
    def backward(self, t, gradient=None, **flags):
        raise ZeroDivisionError


class NeverRaises(TapeEngine):
    def run(self, node, grads, retain):
        super().run(node, grads, retain)
        node.freed = False


FAULTS: list[tuple[pr.Program, type[Engine], str]] = [
    (REUSED, Overwrite, "gradient"),
    (REUSED, WrongValue, "value"),
    (REUSED, FlatValues, "shape"),
    (REUSED, NarrowValues, "dtype"),
    (REUSED, TwoValues, "shape"),
    (REUSED, NoGradient, "missing-gradient"),
    (BOTH, Shares, "alias"),
    (CHANGED, SharesWithTheUser, "alias"),
    (CLEARED, DoesNotClear, "clear"),
    (REUSED, Raises, "exception"),
    (FREED, NeverRaises, "no-exception"),
]


@pytest.mark.parametrize(("case", "cls", "kind"), FAULTS)
def test_the_side_that_is_wrong_is_named_in_either_role(
    case: pr.Program, cls: type[Engine], kind: str
) -> None:
    finding = check_program(case, cls(), TORCH)
    assert finding is not None
    assert finding.kind == kind
    assert adjudicate(case, finding, cls(), TORCH) == Verdict("engine")
    assert _verdict(case, DEZERO, cls()) == Verdict("reference")


def test_pytorchs_own_wrong_gradient_is_the_references_fault() -> None:
    finding = check_program(SHARED, DEZERO, AsIs())
    assert finding is not None
    assert finding.kind == "accumulation"
    assert adjudicate(SHARED, finding, DEZERO, AsIs()) == Verdict("reference")
    assert _verdict(SHARED, AsIs(), TORCH) == Verdict("engine")
    assert _verdict(SHARED, AsIs(), Exact()) == Verdict("engine")


def test_the_reference_is_not_misled_by_pytorchs_own_fault() -> None:
    assert check_program(SHARED, DEZERO, TORCH) is None
    assert check_program(SHARED, TORCH, Exact()) is None


@pytest.mark.parametrize("cls", [Overwrite, InplaceAccumulation, CreationOrderIgnored])
def test_defects_are_the_engines_fault_on_generated_programs(cls: type[Engine]) -> None:
    engine, found = cls(), 0
    for case, _ in zip(searched(engine, 2), range(300), strict=False):
        finding = check_program(case, engine, TORCH)
        if finding is not None:
            found += 1
            assert adjudicate(case, finding, engine, TORCH).wrong == "engine", str(case)
    assert found > 2


def test_both_wrong_is_the_engines_fault_with_a_note() -> None:
    class Twice(TapeEngine):
        def store(self, leaf, g):
            super().store(leaf, 3 * g)

    verdict = _verdict(REUSED, Overwrite(), Twice())
    assert verdict == Verdict("engine", "the reference is wrong as well")


# Ill-conditioned programs.


class Modest(Rounds):
    """The same, and it does not say that its bits are PyTorch's."""

    bitwise = False


def _at_a_kink(value: float, join: str = "maximum") -> pr.Program:
    """A tie that rounding breaks in one of two ways."""
    return program(
        [leaf(value), leaf(value)],
        apply("mul_scalar", 0, c=0.1),
        apply("div_scalar", 1, c=10),
        apply(join, 2, 3),
        pr.Backward(4),
    )


def _difference(case: pr.Program, engine: Engine) -> Finding:
    """A difference whatever the bound: samples may miss a kink."""
    ours, theirs = (np.array(_gradient(case, e)) for e in (engine, TORCH))
    assert ours != theirs
    return Finding(KINDS["gradient"], 3, "grad", 0, ours, theirs)


def _gradient(case: pr.Program, engine: Engine) -> float:
    from parity.engines.execute import execute

    return float(next(o.array for o in execute(case, engine).observations if o.what == "grad"))


def test_a_tie_that_rounding_breaks_decides_nothing() -> None:
    for value in (1.3, 0.7, 3.3, 5.7):
        case = _at_a_kink(value)
        if _gradient(case, Modest()) != _gradient(case, TORCH):
            verdict = adjudicate(case, _difference(case, Modest()), Modest(), TORCH)
            assert verdict.wrong == ILL_CONDITIONED
            assert "maximum" in verdict.note
            return
    raise AssertionError("no value is rounded in two ways")


def test_a_tie_that_both_sides_break_alike_but_not_exactly_decides_nothing() -> None:
    """0.1 is not a tenth: both floats tie, the numbers that they stand for do not."""

    class Whole(Dezero):
        bitwise = False
        ops: Any = {**Dezero.ops}  # noqa: RUF012

    case = _at_a_kink(3.0)
    assert _gradient(case, DEZERO) == _gradient(case, TORCH)
    finding = Finding(KINDS["gradient"], 3, "grad", 0, np.array(1.0), np.array(0.0))
    assert adjudicate(case, finding, Whole(), TORCH).wrong == ILL_CONDITIONED


def test_a_difference_within_rounding_decides_nothing() -> None:
    case = program([leaf(0.7)], apply("exp", 0), pr.Backward(1))
    finding = Finding(KINDS["gradient"], 1, "grad", 0, np.array(1.0), np.array(0.0))
    verdict = adjudicate(case, finding, DEZERO, TORCH)
    assert verdict == Verdict(ILL_CONDITIONED, "both are within the error bounds")


def test_a_wrong_convention_at_an_exact_tie_is_a_fault() -> None:
    class Greedy(TapeEngine):
        def __init__(self) -> None:
            super().__init__()
            wrong = self.operation(np.maximum, lambda g, y, a, b: (g * (a >= b), g * (b >= a)))
            self.ops = {**self.ops, "maximum": wrong}

    case = program([leaf(3.0), leaf(3.0)], apply("maximum", 0, 1), pr.Backward(2))
    assert _verdict(case, Greedy()) == Verdict("engine")


SIDED: list[tuple[str, dict[str, Any], list[Any], list[Any]]] = [
    ("relu", {}, [[1e-300]], [[0.0]]),
    ("absolute", {}, [[-1e-300]], [[0.0]]),
    ("leaky_relu", {"slope": 0.5}, [[-1e-300]], [[1e-300]]),
    ("sign", {}, [[-1e-300]], [[1e-300]]),
    ("sqrt", {}, [[0.0]], [[1e-300]]),
    ("log", {}, [[0.0]], [[1e-300]]),
    ("norm", SUM, [[0.0]], [[1e-300]]),
    ("rdiv_scalar", {"c": 1.0}, [[-1e-300]], [[1e-300]]),
    ("div", {}, [[1.0], [-1e-300]], [[1.0], [1e-300]]),
    ("pow", {"exponent": 0.5}, [[0.0]], [[1e-300]]),
    ("pow", {"exponent": -1}, [[-1e-300]], [[1e-300]]),
    ("power", {}, [[0.0], [1.0]], [[1e-300], [1.0]]),
    ("power", {}, [[1.0], [0.0]], [[1.0], [1e-300]]),
    ("maximum", {}, [[1.0], [1.0]], [[1.0], [1.0000000000000002]]),
    ("minimum", {}, [[1.0], [1.0]], [[1.0], [1.0000000000000002]]),
    ("clip", {"x_min": -1.0, "x_max": 2.0}, [[2.0]], [[2.0000000000000004]]),
    ("clip", {"x_min": -1.0, "x_max": None}, [[-1.0]], [[-1.0000000000000002]]),
    ("max", SUM, [[1.0, 1.0]], [[1.0, 1.0000000000000002]]),
    ("min", SUM, [[1.0, 1.0]], [[1.0, 1.0000000000000002]]),
    ("floor", {}, [[1.0]], [[0.9999999999999999]]),
    ("softplus", {}, [[20.0]], [[20.000000000000004]]),
]


@pytest.mark.parametrize(("op", "attrs", "here", "there"), SIDED)
def test_the_sides_of_a_kink_differ(op: str, attrs: Any, here: Any, there: Any) -> None:
    def at(operands: list[Any]) -> Any:
        with nu.precise():
            return sides(op, [nu.from_floats(np.array(x)) for x in operands], attrs)

    assert at(here) is not None
    assert at(here) == at(here)
    assert at(here) != at(there)


def test_every_kink_is_tried() -> None:
    assert {op for op, *_ in SIDED} == set(SIDES)
    assert set(SIDES) <= set(OPS)


def test_smooth_operations_have_no_sides() -> None:
    x = nu.from_floats(np.array([0.0]))
    assert "exp" not in SIDES
    assert sides("pow", [x], {"exponent": 2}) == sides("pow", [-x], {"exponent": 2})


# Undecided.


def test_programs_that_leave_the_real_numbers_are_undecided() -> None:
    case = program([leaf(0.0)], apply("log", 0), apply("mul", 0, 0), pr.Backward(2))
    finding = Finding(KINDS["gradient"], 2, "grad", 0, np.array(1.0), np.array(0.0))
    verdict = adjudicate(case, finding, DEZERO, TORCH)
    assert verdict == Verdict(None, "a value is not a real number")


def test_a_graph_of_gradients_is_undecided_only_where_a_backward_may_have_freed_it() -> None:
    once = program(
        [leaf(3.0)],
        apply("square", 0),
        pr.Backward(1, create_graph=True),
        pr.TakeGrad(0),
        apply("mul", 2, 0),
        pr.Backward(3),
    )
    finding = Finding(KINDS["exception"], 4, "exception", 0, "RuntimeError", "no exception")
    assert adjudicate(once, finding, DEZERO, TORCH).wrong == "engine"
    twice = dataclasses.replace(once, statements=(*once.statements, pr.Backward(3)))
    again = dataclasses.replace(finding, statement=5)
    assert adjudicate(twice, again, DEZERO, TORCH).wrong is None
    allowed = Finding(KINDS["no-exception"], 4, "exception", 0, "no exception", "RuntimeError")
    assert adjudicate(once, allowed, DEZERO, TORCH).wrong is None


def test_a_recursion_error_is_the_engines_fault() -> None:
    finding = Finding(Kind.DEPTH, 1, "exception", 0, "RecursionError", "no exception")
    assert adjudicate(REUSED, finding, Raises(), TORCH) == Verdict("engine")


def test_programs_that_the_exact_evaluation_refuses_before_are_undecided() -> None:
    case = dataclasses.replace(FREED, statements=(*FREED.statements, pr.Backward(0)))
    finding = Finding(KINDS["gradient"], 3, "grad", 0, np.array(1.0), np.array(0.0))
    verdict = adjudicate(case, finding, NeverRaises(), NeverRaises())
    assert verdict.wrong is None
    assert "raises" in verdict.note
    raised = Finding(KINDS["exception"], 3, "exception", 0, "an error", "no exception")
    assert adjudicate(case, raised, NeverRaises(), NeverRaises()).wrong is None


# The reference of a run.


def _opened(spec: str, reference: str) -> list[type]:
    runner, right = open_engines(spec, reference, check=False)
    return [type(runner.local_engine), type(right)]


def test_pytorch_under_test_is_pytorch_as_it_is() -> None:
    assert _opened("torch", "exact") == [AsIs, Exact]
    assert _opened("torch", "dezero") == [AsIs, Dezero]
    assert _opened("torch", "torch") == [Torch, Torch]
    assert _opened("dezero", "torch") == [Dezero, Torch]
    assert AsIs.name == "torch"


def test_equal_bits_are_not_asked_of_the_exact_evaluation() -> None:
    rounded = program(
        [leaf(0.1), leaf(0.7)], apply("mul", 0, 1), apply("mul", 2, 2), pr.Backward(3)
    )
    assert check_program(rounded, DEZERO, Exact()) is None
    assert check_program(rounded, Exact(), DEZERO) is None


def test_exact_programs_must_agree_in_every_bit() -> None:
    class Off(TapeEngine):
        def store(self, leaf, g):
            super().store(leaf, g * (1 + 2.0**-52))

    finding = check_program(REUSED, Off(), Exact())
    assert finding is not None
    assert finding.kind == "gradient"


def test_bits_are_the_engines_fault_where_it_declares_them_equal() -> None:
    case = program([leaf([0.1, 0.7, 1.3, 5.7])], apply("div_scalar", 0, c=3))
    finding = check_program(case, Rounds(), TORCH)
    assert finding is not None
    assert adjudicate(case, finding, Modest(), TORCH).wrong == ILL_CONDITIONED
    verdict = adjudicate(case, finding, Rounds(), TORCH)
    assert (verdict.wrong, verdict.bits) == ("engine", True)
    assert check_program(case, Modest(), TORCH) is None


def test_bits_are_reported_and_no_defect_is_named_for_them() -> None:
    found = [r for r in search(Rounds(), TORCH, 1000).findings if r.program]
    assert found
    for one in found:
        assert (one.wrong, one.verdict.bits) == ("engine", True)
        assert one.to_json()["error_over_bound"] is None
        assert one.cause is not None
        assert (one.cause.name in DEFECTS, one.cause.quirk) == (False, "")
        said = one.text(Rounds(), TORCH)
        assert "rounding explains the difference, but the engine declares bitwise" in said
        assert "times what rounding explains" not in said


def test_twins_are_one_operation_on_two_leaves_put_together() -> None:
    found = again = 0
    cases = sample("twins", 200)
    for case in cases:
        last = case.statements
        for one, other, both in zip(last, last[1:], last[2:], strict=False):
            if all(isinstance(s, pr.Apply) for s in (one, other, both)):
                same = (one.op, one.attrs) == (other.op, other.attrs)
                leaves = {*one.inputs, *other.inputs}
                found += same and both.op == "add" and len(leaves) == 2 and max(leaves) < 3
        ends = [s for s in last if isinstance(s, pr.Backward)]
        again += len(ends) > 1 and ends[-1].value == ends[-2].value
    assert found > 30
    assert again > 170


def test_pytorchs_own_fault_is_found_and_reduced() -> None:
    engine, exact = AsIs(), Exact()
    stream = sweep(Decoder.of(PROFILES["twins"], engine), 1)
    findings = (f for f in ((p, check_program(p, engine, exact)) for p in stream) if f[1])
    case, finding = next(findings)
    assert finding is not None
    small, finding = reduced(case, finding, engine, exact)
    assert len(small.statements) <= 8
    assert len({s.op for s in small.statements if isinstance(s, pr.Apply)}) <= 3
    assert adjudicate(small, finding, engine, exact) == Verdict("engine")


def test_the_rules_of_the_small_engine_are_right() -> None:
    """What the faults of this module build on agrees with the third opinion."""
    engine, exact = TapeEngine(), Exact()
    assert set(RULES) <= set(exact.ops)
    for case, _ in zip(searched(engine, 4), range(150), strict=False):
        assert check_program(case, engine, exact) is None, str(case)
