"""Two traces to a finding: the first thing on which an engine and the reference differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from parity.engines.execute import UNSUPPORTED, Observation, Trace
from parity.language import program as pr
from parity.oracle.tolerance import Tolerance


@dataclass(eq=False)
class Finding(Exception):  # noqa: N818 - the contract's word
    """A difference between an engine and the reference; one subclass a kind.

    ``engine``, ``reference``: the arrays that differ (None: no gradient), or a
    text where an exception is concerned. ``error_over_bound``: the difference as
    a multiple of what is allowed, None where that is no number. ``statement``: its number in
    the program; that of the step where a probe of ``parity.oracle.probes`` tells its steps apart.
    """

    kind: ClassVar[str] = ""
    says: ClassVar[str] = ""
    statement: int
    what: str
    which: int
    engine: Any
    reference: Any
    error_over_bound: float | None = None
    #: By element, the largest difference that is allowed; None where it is no question of size.
    allowed: Any = None
    #: The program that shows it, where it is raised out of a property.
    program: pr.Program | None = None
    #: Whether the reference shows inf or nan anywhere in the program.
    non_finite: bool = False

    @property
    def stopped(self) -> bool:
        """Whether the process of the engine ended, or was ended, in the middle of a program."""
        return self.what == "exception" and self.kind in STOPPED

    def __str__(self) -> str:
        return f"{self.kind}: {self.says}"


#: Kinds of findings on an engine that did not come back.
STOPPED = frozenset({"crash", "time", "memory"})


KINDS: dict[str, type[Finding]] = {}


def _kind(name: str, says: str) -> type[Finding]:
    """A class of its own for each kind, so that Hypothesis tells failures apart."""
    title = "".join(part.capitalize() for part in name.split("-")) + "Finding"
    cls = type(title, (Finding,), {"kind": name, "says": says, "__module__": __name__})
    KINDS[name] = cls
    return cls


Value = _kind("value", "a forward value differs")
Gradient = _kind("gradient", "a gradient differs")
MissingGradient = _kind("missing-gradient", "there is no gradient where PyTorch has one")
SpuriousGradient = _kind("spurious-gradient", "there is a gradient where PyTorch has none")
Accumulation = _kind("accumulation", "a gradient is wrong only from the second backward on")
Clear = _kind("clear", "cleargrad does not make the gradient None")
Zero = _kind("zero", "zero_ does not fill the gradient with zeros in place")
Alias = _kind("alias", "arrays share memory: changing one changes another")
Dtype = _kind("dtype", "a dtype differs")
Shape = _kind("shape", "a shape differs")
SecondOrder = _kind("second-order", "a gradient of a gradient differs")
Raised = _kind("exception", "the engine raised, PyTorch did not")
NotRaised = _kind("no-exception", "PyTorch raised, the engine did not")
Depth = _kind("depth", "a deep graph exhausts the stack")
Time = _kind("time", "the work grows faster than the graph, or does not end")
Leak = _kind("leak", "a graph that was dropped stays in memory")
Crash = _kind("crash", "the engine ends the process that it runs in")
Memory = _kind("memory", "a small program takes more memory than it may")


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
    return Shape(number, "value", 0, f"{counts[0]} arrays", f"{counts[1]} arrays")


def _of_failures(engine: Trace, reference: Trace) -> Finding | None:
    e, r = engine.failure, reference.failure
    if e is not None and (r is None or e.statement < r.statement + (e.kind in STOPPED)):
        if e.kind == UNSUPPORTED:
            return None
        return KINDS[e.kind](e.statement, "exception", 0, e.text() + e.place(), "no exception")
    if r is not None and (e is None or r.statement < e.statement):
        return NotRaised(r.statement, "exception", 0, "no exception", r.text())
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
        return Shape(*details) if a.shape != b.shape else Dtype(*details)
    if isinstance(statement, pr.Clear) and e.which in statement.leaves:
        return Clear(*details)
    if isinstance(statement, pr.Zero) and e.which in statement.leaves:
        return Zero(*details)
    present = b if a is None else a
    assert present is not None
    if not np.any(present):
        return None
    with np.errstate(all="ignore"):  # None is as good as a zero that rounding made something else
        error = np.abs(present.astype(np.float64))
        if tolerance.excess(place, error, np.zeros_like(error)) is None:
            return None
        allowed = tolerance.bound(place, present)
    kind = MissingGradient if a is None else SpuriousGradient
    return kind(*details, allowed=allowed)


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
    return kind(e.statement, e.what, e.which, a, b, ratio, allowed=allowed)


def _kind_of_value(program: pr.Program, e: Observation) -> type[Finding]:
    statement = _statement(program, e.statement)
    if e.what == "gradient":
        return Alias
    if e.what == "held":
        return Zero
    if e.what == "value":
        if isinstance(statement, pr.TakeGrad):
            return Gradient
        return Value if statement is not None else Alias  # leaves, seen again at the end
    kind = _KIND_OF_GRAD.get(type(statement))
    return _of_backward(program, e.statement) if kind is None else kind


def _of_backward(program: pr.Program, number: int) -> type[Finding]:
    before = program.statements[:number]
    if any(isinstance(s, pr.TakeGrad) for s in before):
        return SecondOrder
    return Accumulation if any(isinstance(s, pr.Backward) for s in before) else Gradient


_KIND_OF_GRAD: dict[type[Any], type[Finding]] = {
    pr.Clear: Clear,
    pr.Zero: Zero,
    pr.ChangeGrad: Alias,
    pr.ChangeGradient: Alias,
}
