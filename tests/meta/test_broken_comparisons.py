"""The harness has defects as well: broken comparisons, each caught by a case of its own.

``catches`` runs a comparison on wrong traces. The true one passes all cases; each broken
one fails exactly the case that is there for it, so that no case can be left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from parity.engines.execute import execute
from parity.engines.trace import Failure, Observation, Trace
from parity.language import program as pr
from parity.oracle.compare import compare
from parity.oracle.finding import Finding
from parity.oracle.tolerance import Tolerance
from tests.helpers.programs import TORCH, apply, leaf, program

Compare = Callable[[pr.Program, Trace, Trace], Finding | None]


@dataclass(frozen=True)
class Case:
    """A program, what a wrong engine shows in place of one array, and the kind that it is."""

    program: pr.Program
    kind: str
    #: From the right array to the wrong one.
    wrong: Callable[[Any], Any]
    what: str = "grad"
    which: int = 0
    raises: bool = False

    def traces(self) -> tuple[Trace, Trace]:
        """The wrong engine's and the reference's."""
        right = execute(self.program, TORCH)
        failure = Failure(len(self.program.statements), ValueError("no")) if self.raises else None
        return Trace([self._shown(o) for o in right.observations], failure), right

    def _shown(self, o: Observation) -> Observation:
        last = len(self.program.statements) - 1
        if (o.statement, o.what, o.which) != (last, self.what, self.which):
            return o
        return o._replace(array=self.wrong(o.array))


def _times(*values: Any) -> pr.Program:
    """The product of leaves and 3, summed where they are vectors."""
    last = apply("sum", 1, axis=None, keepdims=False) if np.ndim(values[0]) else apply("neg", 1)
    leaves = [leaf(v) for v in values]
    return program(leaves, apply("mul_scalar", 0, c=3), replace(last, inputs=(1,)), pr.Backward(2))


def _beyond(case: pr.Program, times: float) -> Callable[[Any], Any]:
    """A gradient off by a multiple of what is allowed for it."""
    place = next(i for i, o in enumerate(execute(case, TORCH).observations) if o.what == "grad")
    return lambda a: a + times * Tolerance(case).bound(place, a)


NUMBER, VECTOR = _times(2.0), _times([2.0, 1.0, 4.0])
#: With rounding, and so large that what rounding explains is more than 1.
ROUGH = program(
    [leaf([3e17, 7e17, 1.1e17, 1.3e17])],
    apply("mul", 0, 0),
    apply("mul_scalar", 1, c=0.1),
    apply("sum", 2, axis=None, keepdims=False),
    pr.Backward(3),
)
CONSTANT = program(
    [leaf(2.0), leaf(4.0, requires_grad=False)],
    apply("mul", 0, 1),
    pr.Backward(2),
)
NARROW = program([leaf(2.0, "float32")], apply("mul_scalar", 0, c=3), pr.Backward(1))

CASES: dict[str, Case] = {
    "no gradient where there is one": Case(NUMBER, "missing-gradient", lambda a: None),
    "a gradient where there is none": Case(
        CONSTANT, "spurious-gradient", lambda a: np.array(2.0), which=1
    ),
    "wrong after the first element": Case(
        VECTOR, "gradient", lambda a: a + np.array([0.0, 0.0, 5.0])
    ),
    "three times what is allowed": Case(ROUGH, "gradient", _beyond(ROUGH, 3.0)),
    "off by a half": Case(NUMBER, "gradient", lambda a: a + 0.5),
    "an axis too many": Case(NUMBER, "shape", lambda a: a.reshape(1)),
    "not a number": Case(NUMBER, "gradient", lambda a: a * np.nan),
    "a wider dtype": Case(NARROW, "dtype", lambda a: a.astype(np.float64)),
    "an exception at the end": Case(NUMBER, "exception", lambda a: a, raises=True),
    "the sign turned": Case(NUMBER, "gradient", lambda a: -a),
    "a leaf that is changed": Case(
        program([leaf(2.0)], apply("mul_scalar", 0, c=3)), "value", lambda a: a + 7.0, "value", 1
    ),
}


def catches(compare: Compare, cases: dict[str, Case] = CASES) -> list[str]:
    """The cases that a comparison misses or takes for something else; none if it is right.

    It must also find nothing where both traces are the same, and take what is allowed.
    """
    missed = []
    for name, case in cases.items():
        finding = compare(case.program, *case.traces())
        if finding is None or finding.kind != case.kind:
            missed.append(name)
        right = case.traces()[1]
        if compare(case.program, right, right) is not None:
            missed.append(f"no difference: {name}")
    allowed = Case(ROUGH, "", _beyond(ROUGH, 0.9))
    if compare(ROUGH, *allowed.traces()) is not None:
        missed.append("what is allowed")
    return missed


# Broken comparisons: each gives the engine's arrays away to the true one.

Mend = Callable[[pr.Program, int, Observation, Observation], Any]


def _broken(mend: Mend) -> Compare:
    """A comparison that takes for the engine's array what ``mend`` makes of both."""

    def broken(case: pr.Program, engine: Trace, reference: Trace) -> Finding | None:
        pairs = zip(engine.observations, reference.observations, strict=True)
        mended = [e._replace(array=mend(case, i, e, r)) for i, (e, r) in enumerate(pairs)]
        return compare(case, Trace(mended, engine.failure), reference)

    return broken


def _numbers(function: Callable[[Any, Any], Any]) -> Compare:
    """Broken for pairs of arrays of one shape."""

    def mend(case: pr.Program, i: int, e: Observation, r: Observation) -> Any:
        a, b = e.array, r.array
        return a if a is None or b is None or a.shape != b.shape else function(a, b)

    return _broken(mend)


def _a_missing_gradient_passes(case: pr.Program, i: int, e: Observation, r: Observation) -> Any:
    return r.array if e.array is None else e.array


def _only_one_direction(case: pr.Program, i: int, e: Observation, r: Observation) -> Any:
    return None if r.array is None else e.array


def _tolerance_times_size(case: pr.Program, i: int, e: Observation, r: Observation) -> Any:
    a, b = e.array, r.array
    if a is None or b is None or a.shape != b.shape:
        return a
    return np.where(np.abs(a - b) <= b.size * Tolerance(case).bound(i, b), b, a).astype(a.dtype)


def _shapes_broadcast(case: pr.Program, i: int, e: Observation, r: Observation) -> Any:
    a, b = e.array, r.array
    if a is None or b is None or a.size != b.size:
        return a
    return np.broadcast_to(a, np.broadcast_shapes(a.shape, b.shape)).reshape(b.shape)


def _dtypes_ignored(case: pr.Program, i: int, e: Observation, r: Observation) -> Any:
    a, b = e.array, r.array
    return a if a is None or b is None else a.astype(b.dtype)


def _only_gradients(case: pr.Program, i: int, e: Observation, r: Observation) -> Any:
    return r.array if e.what == "value" else e.array


def _first_element_only(a: Any, b: Any) -> Any:
    result = b.astype(a.dtype)
    result[(0,) * b.ndim] = a[(0,) * b.ndim]
    return result


def _exceptions_ignored(case: pr.Program, engine: Trace, reference: Trace) -> Finding | None:
    return compare(case, replace(engine, failure=None), reference)


#: Each with the case that is there for it.
BROKEN: dict[str, tuple[Compare, str]] = {
    "a missing gradient passes": (
        _broken(_a_missing_gradient_passes),
        "no gradient where there is one",
    ),
    "only one direction checked": (_broken(_only_one_direction), "a gradient where there is none"),
    "the first element only": (_numbers(_first_element_only), "wrong after the first element"),
    "tolerance times array size": (_broken(_tolerance_times_size), "three times what is allowed"),
    "absolute tolerance 1": (
        _numbers(lambda a, b: np.where(np.abs(a - b) <= 1, b, a).astype(a.dtype)),
        "off by a half",
    ),
    "shapes broadcast before comparing": (_broken(_shapes_broadcast), "an axis too many"),
    "nan equal to anything": (
        _numbers(lambda a, b: np.where(np.isnan(a), b, a).astype(a.dtype)),
        "not a number",
    ),
    "dtypes ignored": (_broken(_dtypes_ignored), "a wider dtype"),
    "exceptions ignored": (_exceptions_ignored, "an exception at the end"),
    "signs ignored": (
        _numbers(lambda a, b: np.where(a == -b, b, a).astype(a.dtype)),
        "the sign turned",
    ),
    "only gradients compared": (_broken(_only_gradients), "a leaf that is changed"),
}


def test_the_true_comparison_catches_all() -> None:
    assert catches(compare) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_comparison_is_caught(name: str) -> None:
    broken, case = BROKEN[name]
    assert catches(broken) == [case]


@pytest.mark.parametrize("name", BROKEN)
def test_without_its_case_it_would_pass(name: str) -> None:
    broken, case = BROKEN[name]
    assert catches(broken, {k: v for k, v in CASES.items() if k != case}) == []


def test_each_case_is_there_for_a_broken_comparison() -> None:
    assert [case for _, case in BROKEN.values()] == list(CASES)


def test_a_comparison_that_finds_too_much_is_caught() -> None:
    def always(case: pr.Program, engine: Trace, reference: Trace) -> Finding | None:
        return compare(case, Trace(), reference)

    def strict(case: pr.Program, engine: Trace, reference: Trace) -> Finding | None:
        return compare(case, engine, reference, tolerance=Bitwise(case))

    assert len(catches(always)) >= len(CASES)
    assert "what is allowed" in catches(strict)


class Bitwise(Tolerance):
    """Allows nothing anywhere."""

    strict = True  # type: ignore[assignment]
