"""``compare``: the first difference between the traces of an engine and the reference."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.engines.trace import STOPPED, UNSUPPORTED, Observation, Trace
from parity.language import program as pr
from parity.oracle.finding import KINDS, Finding, Kind
from parity.oracle.tolerance import Tolerance, same


def compare(
    program: pr.Program, engine: Trace, reference: Trace, tolerance: Tolerance | None = None
) -> Finding | None:
    """Return the first difference of two traces of one program, or None.

    Arrays are compared bit by bit first, and by the bounds of ``tolerance`` where they differ. A
    gradient of None equals one of zeros after a backward (PyTorch rule: docs/semantics.md 5.3,
    11.2), but not after a clear or a zero.
    """
    if tolerance is None:
        from parity.oracle.rounded_operations import tolerance_of  # PyTorch, where it is needed

        tolerance = tolerance_of(program)
    tolerance.between(engine, reference)
    none_or_zeros: set[int] = set()  # leaves with None on one side and zeros on the other
    pairs = zip(engine.observations, reference.observations, strict=False)
    for index, (e, r) in enumerate(pairs):
        a, b = e.array, r.array
        if e[:3] != r[:3]:
            return _count_difference(engine, reference, min(e.statement, r.statement))
        if a is b or (e.what == "held" and (a is None or b is None)):
            continue  # an engine that returns copies of gradients holds None
        finding = None
        if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
            if e.which in none_or_zeros and _keeps_none(program, e):
                return None  # None stays None where zeros change: later gradients must differ
            finding = _form_difference(program, e, r, index, tolerance)
            none_or_zeros.add(e.which)
        elif a.tobytes() != b.tobytes():
            finding = _value_difference(program, e, r, index, tolerance)
        if finding is not None:
            return finding
    if engine.failure is not None or reference.failure is not None:
        return _failure_difference(engine, reference)
    if len(engine.observations) != len(reference.observations):
        return _count_difference(engine, reference, len(program.statements))
    return None


def _keeps_none(program: pr.Program, e: Observation) -> bool:
    """Return whether ``e`` follows an event that does not change None (docs/semantics.md 2.3)."""
    statement = statement_at(program, e.statement)
    kept = statement.leaf_operands() if isinstance(statement, (pr.Zero, pr.ChangeGrad)) else ()
    return e.which in kept


def statement_at(program: pr.Program, number: int) -> pr.Statement | None:
    """Return a statement; None for what comes before the first or after the last one."""
    return program.statements[number] if 0 <= number < len(program.statements) else None


def _count_difference(engine: Trace, reference: Trace, number: int) -> Finding:
    """Return the finding that an operation has another number of outputs than in PyTorch."""
    counts = [sum(o.statement == number for o in t.observations) for t in (engine, reference)]
    return Finding(Kind.SHAPE, number, "value", 0, f"{counts[0]} arrays", f"{counts[1]} arrays")


def _failure_difference(engine: Trace, reference: Trace) -> Finding | None:
    """Return the finding that one side raised earlier, or alone."""
    e, r = engine.failure, reference.failure
    if r is not None and r.kind == UNSUPPORTED and (e is None or r.statement <= e.statement):
        return None  # PyTorch lacks the second derivatives of some operations
    if e is not None and (r is None or e.statement < r.statement + (e.kind in STOPPED)):
        if e.kind == UNSUPPORTED:
            return None
        text = e.text() + e.location()
        what = KINDS[e.kind], e.statement, "exception", 0, text, "no exception"
        return Finding(*what, place=e.place())
    if r is not None and (e is None or r.statement < e.statement):
        return Finding(Kind.NO_EXCEPTION, r.statement, "exception", 0, "no exception", r.text())
    return None


def _form_difference(
    program: pr.Program, e: Observation, r: Observation, index: int, tolerance: Tolerance
) -> Finding | None:
    """Return a difference in presence, shape or dtype."""
    a, b = e.array, r.array
    statement = statement_at(program, e.statement)
    details = (*e[:3], a, b)
    if a is not None and b is not None:
        return Finding(Kind.SHAPE if a.shape != b.shape else Kind.DTYPE, *details)
    if isinstance(statement, (pr.Clear, pr.Zero)) and e.which in statement.leaves:
        return Finding(_KIND_OF_GRAD[type(statement)], *details)
    present = b if a is None else a
    assert present is not None
    if not np.any(present):
        return None
    with np.errstate(all="ignore"):  # rounding may have turned a zero into a small number
        error = np.abs(present.astype(np.float64))
        if tolerance.excess(index, error, np.zeros_like(error)) is None:
            return None
        allowed = tolerance.bound(index, present)
    kind = Kind.MISSING_GRADIENT if a is None else Kind.SPURIOUS_GRADIENT
    return Finding(kind, *details, allowed=allowed)


def _value_difference(
    program: pr.Program, e: Observation, r: Observation, index: int, tolerance: Tolerance
) -> Finding | None:
    """Return a difference in values that exceeds the error bound."""
    a, b = e.array, r.array
    assert a is not None
    assert b is not None
    equal = same(a, b)
    if equal.all():  # zeros with other signs or nans with other bits
        return None
    with np.errstate(all="ignore"):
        error = np.where(equal, 0.0, np.abs(a.astype(np.float64) - b.astype(np.float64)))
        error = np.where(np.isnan(error), np.inf, error)
        excess = tolerance.excess(index, error, b)
        if excess is None:
            return None
        worst = float(np.max(excess))
        allowed = tolerance.bound(index, b)
    ratio = worst if np.isfinite(worst) else None
    return Finding(_kind_of_value(program, e), *e[:3], a, b, ratio, allowed)


def _kind_of_value(program: pr.Program, e: Observation) -> Kind:
    statement = statement_at(program, e.statement)
    if e.what == "gradient":
        return Kind.ALIAS
    if e.what == "held":
        return Kind.ZERO
    if e.what == "value":
        if isinstance(statement, pr.TakeGrad):
            return Kind.GRADIENT
        return Kind.VALUE if statement is not None else Kind.ALIAS  # leaves are observed at the end
    if type(statement) in _KIND_OF_GRAD:
        return _KIND_OF_GRAD[type(statement)]
    before = program.statements[: e.statement]
    if any(isinstance(s, pr.TakeGrad) for s in before):
        return Kind.SECOND_ORDER
    return Kind.ACCUMULATION if any(isinstance(s, pr.Backward) for s in before) else Kind.GRADIENT


_KIND_OF_GRAD: dict[type[Any], Kind] = {
    pr.Clear: Kind.CLEAR,
    pr.Zero: Kind.ZERO,
    pr.ChangeGrad: Kind.ALIAS,
    pr.ChangeGradient: Kind.ALIAS,
}
