"""Two traces to a finding: every kind from an engine wrong in one way, and no false alarm."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pytest

import dezero
from parity.diagnose.defects.engine import TapeEngine, Tensor
from parity.engines.adapters.dezero import Dezero
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.trace import Failure, Observation, Trace
from parity.language import program as pr
from parity.oracle.compare import compare
from parity.oracle.finding import KINDS
from parity.oracle.tolerance import Tolerance
from tests.helpers.programs import DEZERO, TORCH, apply, check, constant, leaf, program

SUM = {"axis": None, "keepdims": False}
BACKWARD = program([leaf(3.0)], apply("mul", 0, 0), pr.Backward(1))
TWICE = program([leaf(3.0)], pr.Backward(0), pr.Backward(0))
BOTH = program([leaf(3.0), leaf(2.0)], apply("add", 0, 1), pr.Backward(2), pr.ChangeGrad(0))
CLEAR = program([leaf(3.0)], pr.Backward(0), pr.Clear((0,)))
ZERO = program([leaf(3.0)], pr.Backward(0), pr.Zero((0,)))
CHANGED = program([leaf([3.0, 2.0])], pr.Backward(0, constant([1.0, 2.0])), pr.ChangeGradient())
GIVEN = program([leaf([3.0, 2.0])], pr.Backward(0, constant([1.0, 2.0])))
NARROW = program([leaf(3.0, "float32")], pr.Backward(0))
MIXED = program([leaf(3.0), leaf(2.0, requires_grad=False)], apply("mul", 0, 1), pr.Backward(2))
FREED = program([leaf(3.0)], apply("mul", 0, 0), pr.Backward(1), pr.Backward(1))
REFUSED = program([leaf([3.0])], pr.Backward(0, constant([[1.0]])))
VIEW = program([leaf([3.0, 2.0])], apply("reshape", 0, shape=(2, 1)))
SPLIT = program(
    [leaf([3.0, 2.0])],
    apply("split", 0, axis=0, sizes=(1, 1)),
    pr.Backward(1, constant([1.0])),
)
SECOND = program(
    [leaf(3.0)],
    apply("square", 0),
    pr.Backward(1, create_graph=True),
    pr.TakeGrad(0),
    apply("mul", 2, 0),
    pr.Clear((0,)),
    pr.Backward(3),
)


class WrongValue(TapeEngine):
    def operation(self, value, vjp):
        return super().operation(lambda *xs, **attrs: value(*xs, **attrs) + 1, vjp)


class WrongGradient(TapeEngine):
    def add(self, grads, t, g):
        grads[t] = g


class NoGradient(TapeEngine):
    def store(self, leaf, g):
        pass


class GradientOfConstants(TapeEngine):
    def leaf(self, array, requires_grad=True):
        return super().leaf(array, True)


class Replaces(TapeEngine):
    def store(self, leaf, g):
        leaf.grad = np.array(g)


class DoesNotClear(TapeEngine):
    def clear_grad(self, t):
        pass


class ClearsToZeros(TapeEngine):
    def clear_grad(self, t):
        t.grad.fill(0)


class DoesNotZero(TapeEngine):
    def zero_grad(self, t):
        pass


class ZerosToNone(TapeEngine):
    def zero_grad(self, t):
        t.grad = None


class ZerosAnew(TapeEngine):
    def zero_grad(self, t):
        t.grad = np.zeros_like(t.grad)


class SharesGradients(TapeEngine):
    def store(self, leaf, g):
        leaf.grad = g if leaf.grad is None else leaf.grad + g


class SharesTheUsersArray(SharesGradients):
    def seed(self, t, gradient):
        return super().seed(t, gradient) if gradient is None else gradient


class ChangesTheUsersArray(TapeEngine):
    def seed(self, t, gradient):
        result = super().seed(t, gradient)
        if gradient is not None:
            gradient += 1
        return result


class ChangesValues(TapeEngine):
    def store(self, leaf, g):
        super().store(leaf, g)
        leaf.data += 1


class WideGradients(TapeEngine):
    def store(self, leaf, g):
        super().store(leaf, np.asarray(g, np.float64))


class NarrowValues(TapeEngine):
    def value(self, t):
        return t.data.astype(np.float32)


class LongGradients(TapeEngine):
    def grad(self, t):
        return None if t.grad is None else np.atleast_1d(t.grad)


class FlatValues(TapeEngine):
    def value(self, t):
        return t.data.ravel()


class Raises(TapeEngine):
    def backward(self, t, gradient=None, **flags):
        raise ZeroDivisionError("of\nits own")


class Recursive(TapeEngine):
    def backward(self, t, gradient=None, **flags):
        raise RecursionError("maximum recursion depth exceeded")


class NeverFreed(TapeEngine):
    def run(self, node, grads, retain):
        super().run(node, grads, True)


class AnyShape(TapeEngine):
    def seed(self, t, gradient):
        return np.ones_like(t.data)


class RaisesElsewhere(TapeEngine):
    def order(self, root, grads):
        raise KeyError("sooner")


class OneOutputLess(Dezero):
    ops: ClassVar[dict[str, Any]] = {
        **Dezero.ops,
        "split": lambda a, **attrs: Dezero.ops["split"](a, **attrs)[:-1],
    }


class OneOutputMore(Dezero):
    ops: ClassVar[dict[str, Any]] = {
        **Dezero.ops,
        "split": lambda a, **attrs: (*Dezero.ops["split"](a, **attrs), a),
    }


class ConstantSlope(dezero.Function):
    """A square whose derivative is a constant."""

    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, gy):
        return gy * (2 * self.x)


class WrongSecondOrder(Dezero):
    ops: ClassVar[dict[str, Any]] = {**Dezero.ops, "square": lambda a: ConstantSlope()(a)}


#: Engine, program, kind, number of the statement, what is observed.
WRONG: list[tuple[type[Engine], pr.Program, str, int, str]] = [
    (WrongValue, BACKWARD, "value", 0, "value"),
    (WrongGradient, BACKWARD, "gradient", 1, "grad"),
    (NoGradient, BACKWARD, "missing-gradient", 1, "grad"),
    (GradientOfConstants, MIXED, "spurious-gradient", 1, "grad"),
    (Replaces, TWICE, "accumulation", 1, "grad"),
    (DoesNotClear, CLEAR, "clear", 1, "grad"),
    (ClearsToZeros, CLEAR, "clear", 1, "grad"),
    (DoesNotZero, ZERO, "zero", 1, "grad"),
    (ZerosToNone, ZERO, "zero", 1, "grad"),
    (ZerosAnew, ZERO, "zero", 1, "held"),
    (SharesGradients, BOTH, "alias", 2, "grad"),
    (SharesTheUsersArray, CHANGED, "alias", 1, "grad"),
    (ChangesTheUsersArray, CHANGED, "alias", 1, "gradient"),
    (ChangesTheUsersArray, GIVEN, "alias", 1, "gradient"),
    (ChangesValues, BACKWARD, "alias", 2, "value"),
    (WideGradients, NARROW, "dtype", 0, "grad"),
    (NarrowValues, BACKWARD, "dtype", 0, "value"),
    (LongGradients, BACKWARD, "shape", 1, "grad"),
    (FlatValues, VIEW, "shape", 0, "value"),
    (OneOutputLess, SPLIT, "shape", 0, "value"),
    (OneOutputMore, SPLIT, "shape", 0, "value"),
    (WrongSecondOrder, SECOND, "second-order", 5, "grad"),
    (Raises, BACKWARD, "exception", 1, "exception"),
    (Recursive, BACKWARD, "depth", 1, "exception"),
    (NeverFreed, FREED, "no-exception", 2, "exception"),
    (AnyShape, REFUSED, "no-exception", 0, "exception"),
]
IDS = [f"{cls.__name__}-{kind}" for cls, _, kind, _, _ in WRONG]


@pytest.mark.parametrize(("cls", "case", "kind", "statement", "what"), WRONG, ids=IDS)
def test_an_engine_wrong_in_one_way_gives_the_right_kind(
    cls: type[Engine], case: pr.Program, kind: str, statement: int, what: str
) -> None:
    finding = check(case, cls())
    assert finding is not None
    assert (finding.kind, finding.statement, finding.what) == (kind, statement, what)
    assert finding.kind is KINDS[kind]
    assert str(finding) == f"{kind}: {finding.kind.description}"


@pytest.mark.parametrize("case", {id(case): case for _, case, *_ in WRONG}.values(), ids=str)
def test_right_engines_give_no_finding_on_the_same_programs(case: pr.Program) -> None:
    assert check(case, DEZERO) is None
    assert check(case, TORCH) is None
    if not any(
        isinstance(s, pr.TakeGrad) or getattr(s, "op", "") == "split" for s in case.statements
    ):
        assert check(case, TapeEngine()) is None


def test_every_kind_of_the_vocabulary_is_shown_here_or_by_a_probe() -> None:
    assert set(KINDS) == {kind for _, _, kind, _, _ in WRONG} | {
        "time",
        "leak",
        "crash",
        "memory",
        "flaky",
    }
    assert all(kind == name and kind.description for name, kind in KINDS.items())


def test_a_finding_has_both_values() -> None:
    finding = check(BACKWARD, WrongGradient())
    assert finding is not None
    np.testing.assert_array_equal(finding.engine, 3.0)
    np.testing.assert_array_equal(finding.reference, 6.0)
    assert finding.which == 0
    assert finding.error_over_bound is not None
    assert finding.error_over_bound > 1e10


def test_a_finding_of_an_exception_has_its_text_on_one_line() -> None:
    finding = check(BACKWARD, Raises())
    assert finding is not None
    assert finding.engine.startswith("ZeroDivisionError: of\\nits own (test_compare.py:")
    assert "\n" not in finding.engine
    assert finding.reference == "no exception"


class HandsOutCopies(TapeEngine):
    def grad(self, t):
        return None if t.grad is None else t.grad.copy()


class CopiesOfWhatIsNotZeroed(HandsOutCopies):
    def zero_grad(self, t):
        pass


def test_an_engine_that_hands_out_copies_is_not_asked_for_its_buffer() -> None:
    assert check(ZERO, HandsOutCopies()) is None
    finding = check(ZERO, CopiesOfWhatIsNotZeroed())
    assert finding is not None
    assert (finding.kind, finding.what) == ("zero", "grad")


def test_both_raise_at_the_same_statement_whatever_they_say() -> None:
    assert check(REFUSED, RaisesElsewhere()) is None


def test_raising_before_the_reference_does_is_a_finding() -> None:
    finding = check(FREED, RaisesElsewhere())
    assert finding is not None
    assert (finding.kind, finding.statement) == ("exception", 1)


# Hand-made traces.


def _trace(*arrays: Any, failure: int | None = None, what: str = "grad", at: int = 1) -> Trace:
    observations = [
        Observation(at, what, i, None if array is None else np.array(array))
        for i, array in enumerate(arrays)
    ]
    return Trace(observations, None if failure is None else Failure(failure, ValueError("no")))


def _kind(case: pr.Program, engine: Trace, reference: Trace) -> str | None:
    finding = compare(case, engine, reference)
    return None if finding is None else finding.kind


#: A program whose statement 1 is the event in question.
EVENTS = {
    "backward": BACKWARD,
    "cleargrad": CLEAR,
    "zero_grad": ZERO,
    "change_grad": program([leaf(3.0)], pr.Backward(0), pr.ChangeGrad(0)),
}


@pytest.mark.parametrize(
    ("event", "engine", "reference", "kind"),
    [
        ("backward", None, 0.0, None),
        ("backward", 0.0, None, None),
        ("backward", None, [0.0, 0.0], None),
        ("backward", None, -0.0, None),
        ("backward", None, [], None),
        ("backward", None, [0.0, 1.0], "missing-gradient"),
        ("backward", [0.0, 1.0], None, "spurious-gradient"),
        ("backward", None, math.nan, "missing-gradient"),
        ("backward", math.nan, None, "spurious-gradient"),
        ("cleargrad", 0.0, None, "clear"),
        ("cleargrad", 1.0, None, "clear"),
        ("zero_grad", None, 0.0, "zero"),
        ("zero_grad", 1.0, 0.0, "zero"),
        ("change_grad", 1.0, 3.0, "alias"),
        ("backward", math.nan, math.nan, None),
        ("backward", -np.float64("nan"), math.nan, None),
        ("backward", [math.nan, 0.0], [math.nan, -0.0], None),
        ("backward", math.nan, 1.0, "gradient"),
        ("backward", 1.0, math.nan, "gradient"),
        ("backward", math.nan, math.inf, "gradient"),
        ("backward", math.inf, -math.inf, "gradient"),
        ("backward", math.inf, 1e308, "gradient"),
        ("backward", 1e308, math.inf, "gradient"),
        ("backward", 0.0, -0.0, None),
        ("backward", [1.0], 1.0, "shape"),
        ("backward", 1.0, [1.0], "shape"),
        ("backward", [[1.0, 2.0]], [[1.0], [2.0]], "shape"),
        ("backward", [], [[]], "shape"),
        ("backward", np.float32(1), np.float64(1), "dtype"),
        ("backward", np.float64(1), np.float32(1), "dtype"),
        ("backward", 1, 1.0, "dtype"),
        ("backward", [1.0, 2.0], [1.0, 3.0], "gradient"),
        ("backward", [1.0, 2.0], [4.0, 2.0], "gradient"),
        ("backward", [1.0, 2.0], [1.0, 2.0], None),
        ("backward", [1.0, 1e-300], [1.0, 2e-300], "gradient"),
    ],
)
def test_pair_of_gradients(event: str, engine: Any, reference: Any, kind: str | None) -> None:
    assert _kind(EVENTS[event], _trace(engine), _trace(reference)) == kind


@pytest.mark.parametrize("event", ["cleargrad", "zero_grad"])
def test_none_equals_zeros_for_leaves_that_are_not_cleared(event: str) -> None:
    statement = pr.Clear((0,)) if event == "cleargrad" else pr.Zero((0,))
    case = program([leaf(3.0), leaf(2.0)], pr.Backward(0), statement)
    same = None if event == "cleargrad" else 0.0
    assert _kind(case, _trace(same, None), _trace(same, 0.0)) is None
    assert _kind(case, _trace(same, 0.0), _trace(same, None)) is None


@pytest.mark.parametrize("statement", [pr.Zero((0,)), pr.ChangeGrad(0)], ids=["zero", "change"])
def test_none_that_equalled_zeros_is_no_finding_after_an_event_that_keeps_none(
    statement: pr.Statement,
) -> None:
    """``x.grad.zero_()`` and an in-place change leave None as it is (docs/semantics.md 5.3)."""

    class NoneForZeros(TapeEngine):
        def store(self, leaf: Tensor, g: Any) -> None:
            if leaf.grad is not None or np.any(g):
                super().store(leaf, g)

    case = program([leaf(3.0)], apply("sub", 0, 0), pr.Backward(1), statement)
    assert check(case, NoneForZeros()) is None


def test_the_first_difference_counts() -> None:
    case = program([leaf(3.0)], apply("neg", 0), pr.Backward(1))
    first = Observation(0, "value", 1, np.array(-3.0)), Observation(0, "value", 1, np.array(3.0))
    then = _trace(1.0).observations[0], _trace(-1.0).observations[0]
    engine, reference = Trace([first[1], then[0]]), Trace([first[0], then[1]])
    assert _kind(case, engine, reference) == "value"


@pytest.mark.parametrize(
    ("engine", "reference", "kind"),
    [
        (None, None, None),
        (1, None, "exception"),
        (None, 1, "no-exception"),
        (1, 1, None),
        (0, 1, "exception"),
        (1, 0, "no-exception"),
        (-1, None, "exception"),
    ],
)
def test_failures(engine: int | None, reference: int | None, kind: str | None) -> None:
    assert _kind(BACKWARD, _trace(failure=engine), _trace(failure=reference)) == kind


def test_a_difference_before_a_failure_counts_first() -> None:
    assert _kind(BACKWARD, _trace(1.0, failure=2), _trace(2.0)) == "gradient"


@pytest.mark.parametrize("missing", ["engine", "reference"])
def test_one_trace_that_shows_less_without_a_failure_is_a_finding(missing: str) -> None:
    more, less = _trace(1.0, 2.0), _trace(1.0)
    pair = (less, more) if missing == "engine" else (more, less)
    assert _kind(BACKWARD, *pair) == "shape"


def test_error_over_bound_is_a_number_beside_equal_infinities() -> None:
    finding = compare(BACKWARD, _trace([math.inf, 1.0]), _trace([math.inf, 2.0]))
    assert finding is not None
    assert finding.error_over_bound is not None
    assert finding.error_over_bound > 1e10


@pytest.mark.parametrize("ulps", [1, -1])
def test_an_exact_program_allows_not_even_one_bit(ulps: int) -> None:
    other = np.nextafter(6.0, 6.0 + ulps)
    assert _kind(BACKWARD, _trace(other), _trace(6.0)) == "gradient"


@pytest.mark.parametrize("ulps", [1, -1, 2, -2])
def test_an_inexact_program_allows_a_few_bits(ulps: int) -> None:
    case = program([leaf(3.0)], apply("exp", 0), pr.Backward(1))
    exact = np.exp(3.0)
    assert _kind(case, _trace(exact + ulps * np.spacing(exact)), _trace(exact)) is None


@pytest.mark.parametrize("relative", [1e-9, -1e-9, 1e-12])
def test_an_inexact_program_allows_no_more(relative: float) -> None:
    case = program([leaf(3.0)], apply("exp", 0), pr.Backward(1))
    trace = execute(case, TORCH)
    places = [o._replace(array=o.array * (1 + relative)) for o in trace.observations]
    assert _kind(case, Trace(places), trace) == "value"
    assert _kind(case, Trace([trace.observations[0], *places[1:]]), trace) == "gradient"


def test_equal_bits_are_asked_only_of_engines_that_declare_them() -> None:
    case = program([leaf(0.1), leaf(0.3)], apply("mul", 0, 1), pr.Backward(2))
    engine, reference = _trace(np.nextafter(0.3, 1)), _trace(0.3)
    assert compare(case, engine, reference) is None
    finding = compare(case, engine, reference, Tolerance(case, bitwise=True))
    assert finding is not None
    assert finding.kind == "gradient"
    assert finding.error_over_bound is not None
    assert 0.5 < finding.error_over_bound < 4
