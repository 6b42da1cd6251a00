"""Two traces to a finding: the first thing on which an engine and the reference differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.engines.trace import STOPPED, UNSUPPORTED, Observation, Trace
from parity.language import program as pr
from parity.oracle.finding import KINDS, Finding, Kind
from parity.oracle.tolerance import Tolerance


def compare(
    program: pr.Program,
    engine: Trace,
    reference: Trace,
    bitwise: bool = False,
    tolerance: Tolerance | None = None,
) -> Finding | None:
    """The first difference, or None.

    Arrays are compared by bits first; only where they differ is it asked how
    much they may (``parity.oracle.tolerance``; ``bitwise``: the engine declares that it
    sums in PyTorch's order). None and zeros are the same gradient after a
    backward (semantics.md 5.3, 11.2), but not after a clear or a zero. ``tolerance``:
    another one than that of the program.
    """
    tolerance = tolerance or Tolerance(program, bitwise)
    stand_ins: set[int] = set()  # leaves where None stood for zeros, or zeros for None
    pairs = zip(engine.observations, reference.observations, strict=False)
    for place, (e, r) in enumerate(pairs):
        a, b = e.array, r.array
        if e[:3] != r[:3]:
            return _of_counts(engine, reference, min(e.statement, r.statement))
        if a is b or (
            a is not None
            and b is not None
            and a.dtype == b.dtype
            and a.shape == b.shape
            and a.tobytes() == b.tobytes()
        ):
            continue
        if e.what == "held" and (a is None or b is None):
            continue  # copies say nothing of the buffer itself
        if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
            if e.which in stand_ins and _keeps_none(program, e):
                return None  # None stays None where zeros are changed: no more can be said
            finding = _of_form(program, e, r, place, tolerance)
            stand_ins.add(e.which)
        else:
            finding = _of_values(program, e, r, place, tolerance)
        if finding is not None:
            return finding
    if engine.failure is None and reference.failure is None:
        if len(engine.observations) != len(reference.observations):
            return _of_counts(engine, reference, len(program.statements))
        return None
    return _of_failures(engine, reference)


def _keeps_none(program: pr.Program, e: Observation) -> bool:
    """Whether ``e`` follows an event that leaves None as it is (semantics.md 2.3)."""
    statement = _statement(program, e.statement)
    return isinstance(statement, (pr.Zero, pr.ChangeGrad)) and e.which in pr.leaf_operands(
        statement
    )


def _of_counts(engine: Trace, reference: Trace, number: int) -> Finding:
    """One of two runs showed more than the other: an operation with another number of outputs."""
    counts = [sum(o.statement == number for o in t.observations) for t in (engine, reference)]
    return Finding(Kind.SHAPE, number, "value", 0, f"{counts[0]} arrays", f"{counts[1]} arrays")


def _of_failures(engine: Trace, reference: Trace) -> Finding | None:
    e, r = engine.failure, reference.failure
    if e is not None and (r is None or e.statement < r.statement + (e.kind in STOPPED)):
        if e.kind == UNSUPPORTED:
            return None
        return Finding(
            KINDS[e.kind], e.statement, "exception", 0, e.text() + e.location(), "no exception"
        )
    if r is not None and (e is None or r.statement < e.statement):
        return Finding(Kind.NO_EXCEPTION, r.statement, "exception", 0, "no exception", r.text())
    return None


def _statement(program: pr.Program, number: int) -> pr.Statement | None:
    return program.statements[number] if 0 <= number < len(program.statements) else None


def _of_form(
    program: pr.Program, e: Observation, r: Observation, place: int, tolerance: Tolerance
) -> Finding | None:
    """A difference in presence, shape or dtype."""
    a, b = e.array, r.array
    statement = _statement(program, e.statement)
    details = (e.statement, e.what, e.which, a, b)
    if a is not None and b is not None:
        return (
            Finding(Kind.SHAPE, *details) if a.shape != b.shape else Finding(Kind.DTYPE, *details)
        )
    if isinstance(statement, pr.Clear) and e.which in statement.leaves:
        return Finding(Kind.CLEAR, *details)
    if isinstance(statement, pr.Zero) and e.which in statement.leaves:
        return Finding(Kind.ZERO, *details)
    present = b if a is None else a
    assert present is not None
    if not np.any(present):
        return None
    with np.errstate(all="ignore"):  # None is as good as a zero that rounding made something else
        error = np.abs(present.astype(np.float64))
        if tolerance.excess(place, error, np.zeros_like(error)) is None:
            return None
        allowed = tolerance.bound(place, present)
    kind = Kind.MISSING_GRADIENT if a is None else Kind.SPURIOUS_GRADIENT
    return Finding(kind, *details, allowed=allowed)


def _of_values(
    program: pr.Program, e: Observation, r: Observation, place: int, tolerance: Tolerance
) -> Finding | None:
    """A difference in values that is larger than rounding explains."""
    a, b = e.array, r.array
    assert a is not None
    assert b is not None
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():  # zeros of different sign, or other bits of nan
        return None
    with np.errstate(all="ignore"):
        error = np.where(same, 0.0, np.abs(a.astype(np.float64) - b.astype(np.float64)))
        error = np.where(np.isnan(error), np.inf, error)
        excess = tolerance.excess(place, error, b)
        if excess is None:
            return None
        worst = float(np.max(excess))
        allowed = tolerance.bound(place, b)
    ratio = worst if np.isfinite(worst) else None
    kind = _kind_of_value(program, e)
    return Finding(kind, e.statement, e.what, e.which, a, b, ratio, allowed=allowed)


def _kind_of_value(program: pr.Program, e: Observation) -> Kind:
    statement = _statement(program, e.statement)
    if e.what == "gradient":
        return Kind.ALIAS
    if e.what == "held":
        return Kind.ZERO
    if e.what == "value":
        if isinstance(statement, pr.TakeGrad):
            return Kind.GRADIENT
        return Kind.VALUE if statement is not None else Kind.ALIAS  # leaves, seen again at the end
    kind = _KIND_OF_GRAD.get(type(statement))
    return _of_backward(program, e.statement) if kind is None else kind


def _of_backward(program: pr.Program, number: int) -> Kind:
    before = program.statements[:number]
    if any(isinstance(s, pr.TakeGrad) for s in before):
        return Kind.SECOND_ORDER
    return Kind.ACCUMULATION if any(isinstance(s, pr.Backward) for s in before) else Kind.GRADIENT


_KIND_OF_GRAD: dict[type[Any], Kind] = {
    pr.Clear: Kind.CLEAR,
    pr.Zero: Kind.ZERO,
    pr.ChangeGrad: Kind.ALIAS,
    pr.ChangeGradient: Kind.ALIAS,
}
