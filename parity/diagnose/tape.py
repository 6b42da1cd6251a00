"""A tape with wrong values of its parameters, run over an engine's measured operations.

``Tape`` says of a combination of values whether it shows on a program what the engine shows.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.parameters import PARAMETERS, combined
from parity.diagnose.features import features_of
from parity.diagnose.measured import CannotTell, Measured, MeasuredTape
from parity.diagnose.orders import ORDERS
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import QUIRKS, contradicting, with_quirks
from parity.engines.runner import Runner
from parity.engines.trace import STOPPED, Trace
from parity.language import program as pr
from parity.oracle.choices import Choice
from parity.oracle.compare import compare
from parity.oracle.exactness import is_exact
from parity.oracle.finding import Finding
from parity.oracle.rounded_operations import NormwiseTolerance, have_rules
from parity.oracle.tolerance import Tolerance, same


class DefectTolerance(Tolerance):
    """Error bounds for two engines with the same defect: a few roundings in exact programs too.

    Wrong results of an exact program need not be exact.
    """

    strict = False

    @functools.cached_property
    def exact(self) -> bool:
        """Whether correct engines have no rounding errors on the program."""
        return is_exact(self.program)

    def _sampled(self, index: int, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.zeros(shape) if self.exact else super()._sampled(index, shape)

    def _without_errors(self, choices: Sequence[Choice] = ()) -> Trace:
        if choices:  # they are those of wrong values, not those of the reference
            return self._run(0.0, self._seed, choices)[0]
        return super()._without_errors()


class NormwiseDefectTolerance(DefectTolerance, NormwiseTolerance):
    """The same for programs with operations that have no rules."""


@dataclass(frozen=True)
class Value:
    """A wrong value of a parameter, in one of its forms; or an order of correct engines."""

    name: str
    description: str
    #: The place of its parameter in ``PARAMETERS``: a combination has one value of each.
    rank: int
    when: frozenset[str]
    #: The named defect, and the form of it that a tape inherits from.
    defect: type[Defect] | None = None
    form: type[Defect] | None = None
    quirk: str = ""

    @property
    def is_fault(self) -> bool:
        return bool(self.name)


#: Values of one combination, in the order of their parameters.
Combination: TypeAlias = tuple[Value, ...]


@functools.cache
def values() -> tuple[Value, ...]:
    """Return all values that programs can show, in all forms."""
    found = []
    for rank, parameter in enumerate(PARAMETERS):
        for cls in parameter.values:
            if cls.smallest is not None:
                for form in (cls, *vars(cls).get("forms", ())):
                    fields = cls.name, cls.description, rank, parameter.when, cls, form, cls.quirk
                    found.append(Value(*fields))
        for name in parameter.quirks:
            text = QUIRKS[name].description
            found.append(Value(name, text, rank, parameter.when, quirk=name))
    return tuple(found)


@functools.cache
def formulas() -> frozenset[str]:
    """Return the operations of which the engine of the defects has a formula."""
    return frozenset(TapeEngine().ops)


@functools.cache
def orders() -> tuple[Value, ...]:
    """Return the orders of correct engines as values of the first parameter, without a name."""
    return tuple(Value("", "", 0, PARAMETERS[0].when, form=form) for form in ORDERS)


def with_value(combination: Combination, value: Value) -> Combination:
    """Return the combination with one value more, in place of that of the same parameter."""
    kept = (v for v in combination if v.rank != value.rank)
    return tuple(sorted((*kept, value), key=lambda v: v.rank))


def without_value(combination: Combination, value: Value) -> Combination:
    return tuple(v for v in combination if v != value)


@dataclass(eq=False)
class Sample:
    """A program with the run of the engine, and what differs from the reference."""

    program: pr.Program
    ours: Trace
    finding: Finding | None
    #: The statement at which the reference raises, too: which exception is not compared; or None.
    raises: int | None
    features: frozenset[str]
    ops: frozenset[str]
    tolerance: DefectTolerance

    @staticmethod
    def of(
        program: pr.Program, ours: Trace, theirs: Trace, finding: Finding | None, engine: Runner
    ) -> Sample:
        raises = None if theirs.failure is None else theirs.failure.statement
        ops = frozenset(s.op for s in program.statements if isinstance(s, pr.Apply))
        kind = DefectTolerance if have_rules(program) else NormwiseDefectTolerance
        right = finding.right if finding is not None else None
        tolerance = kind(program, quirks=engine.quirks, right=right)
        return Sample(program, ours, finding, raises, features_of(program), ops, tolerance)

    def shows(self, trace: Trace) -> bool:
        """Return whether a run of a model is what the engine did, exceptions included."""
        if self._is_right(trace):
            return False
        ours, theirs = self.ours.failure, trace.failure
        if (ours is None) != (theirs is None):
            return False
        if ours is not None and theirs is not None:
            if ours.statement != theirs.statement or isinstance(theirs.error, CannotTell):
                return False
            alike = ours.text().partition(":")[0] == theirs.text().partition(":")[0]
            stopped = ours.kind in STOPPED or ours.kind == "depth"
            if not alike and (stopped or ours.statement != self.raises):
                return False
        return compare(self.program, self.ours, trace, tolerance=self.tolerance) is None

    def _is_right(self, trace: Trace) -> bool:
        """Return whether a run has the number of the reference where the engine clearly has not.

        That needs no error bound of its own.
        """
        f = self.finding
        if f is None or f.allowed is None or (f.error_over_bound or 0.0) < _CLEAR:
            return False
        for o in trace.observations:
            if o[:3] == (f.statement, f.what, f.which):
                return o.array is not None and _within(o.array, f.reference, f.allowed)
        return False


#: An error of so many times its bound stays one next to numbers within the bound.
_CLEAR = 4.0


def _within(array: NDArray[Any], right: NDArray[Any], allowed: NDArray[Any]) -> bool:
    if array.shape != right.shape or array.dtype != right.dtype:
        return False
    with np.errstate(all="ignore"):
        return bool((same(array, right) | (np.abs(array - right) <= allowed)).all())


class Tape:
    """Runs combinations over the measured operations of one engine, each once on a sample."""

    def __init__(self, engine: Runner) -> None:
        self.engine = engine
        self.measured = Measured(engine)
        #: How many programs ran on models.
        self.runs = 0
        self._agreements: dict[tuple[Combination, frozenset[str], int], bool] = {}
        self._samples: dict[int, Sample] = {}

    def agrees(self, combination: Combination, sample: Sample, suspicious: frozenset[str]) -> bool:
        """Return whether a tape shows on a sample what the engine shows.

        ``suspicious``: operations that are measured; the others are taken to be right.
        """
        relevant = tuple(v for v in combination if not v.when.isdisjoint(sample.features | _ANY))
        measured = suspicious & sample.ops
        if not measured and not any(v.is_fault for v in relevant):
            return sample.finding is None
        key = (relevant, measured, id(sample))
        if key not in self._agreements:
            self._samples[id(sample)] = sample  # so that its id stays its own
            self._agreements[key] = self._agrees(relevant, measured, sample)
        return self._agreements[key]

    def _agrees(self, combination: Combination, measured: frozenset[str], sample: Sample) -> bool:
        trace = self.run(combination, measured, sample.program)
        if trace is None or sample.shows(trace):
            return trace is not None
        if not measured or trace.failure is None:
            return False
        trace = self.run(combination, measured, sample.program, raises=False)
        return trace is not None and sample.shows(trace)

    def run(
        self,
        combination: Combination,
        measured: frozenset[str],
        program: pr.Program,
        raises: bool = True,
    ) -> Trace | None:
        """Run a program on a tape; None if its values exclude each other.

        ``raises``: as ``MeasuredTape.raises``.
        """
        quirks = self.engine.quirks | {v.quirk for v in combination if v.quirk and not v.form}
        cls = self.engine_class(combination, measured, raises)
        if cls is None or contradicting(quirks):
            return None
        model = cls()
        self.runs += 1

        def at(number: int) -> None:
            model.statement = program.statements[number]  # type: ignore[attr-defined]

        wrapped: Engine = with_quirks(model, quirks)
        return execute(program, wrapped, at if measured else None)

    @functools.cache  # noqa: B019 - the cache is as old as the tape
    def engine_class(
        self, combination: Combination, measured: frozenset[str], raises: bool = True
    ) -> type[Defect] | None:
        """Return the engine that has these values; None if they exclude each other."""
        parts = [v.form for v in combination if v.form is not None]
        try:
            if not measured:
                return combined(parts)
            attributes = {"measured": self.measured, "suspicious": measured, "raises": raises}
            return combined([*parts, MeasuredTape], **attributes)
        except TypeError:  # one inherits from another
            return None


_ANY = frozenset({"any"})
