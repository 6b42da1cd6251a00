"""``DiagnosisProbe``: a program that ran on the engine under test, to be run on defects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.diagnose.defects.base import Defect
from parity.diagnose.traversals import other_traversals
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import AnyEngine, as_runner
from parity.engines.trace import STOPPED, Trace
from parity.language import program as pr
from parity.oracle.compare import compare
from parity.oracle.exactness import is_exact
from parity.oracle.finding import Finding
from parity.oracle.tolerance import Tolerance


class DefectTolerance(Tolerance):
    """Error bounds for two engines with the same defect: a few roundings in exact programs too.

    Wrong results of an exact program need not be exact.
    """

    strict = False

    @cached_property
    def exact(self) -> bool:
        """Whether correct engines have no rounding errors on the program."""
        return is_exact(self.program)

    def _sampled(self, index: int, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.zeros(shape) if self.exact else super()._sampled(index, shape)


@dataclass
class DiagnosisProbe:
    """A program with the traces of the engine and the reference, and the difference of these."""

    program: pr.Program
    engine: Trace
    reference: Trace
    finding: Finding | None
    #: The error bounds for the comparison with defects.
    tolerance: DefectTolerance
    #: Whether a defect gives the same results, by name, as far as it was compared.
    agreements: dict[str, bool] = field(default_factory=dict)

    @staticmethod
    def of(program: pr.Program, engine: AnyEngine, reference: Engine) -> DiagnosisProbe:
        """Run a program on the engine and the reference."""
        quirks, bitwise = engine.quirks, engine.bitwise and reference.bitwise
        ours = as_runner(engine).run(program)
        theirs = execute(program, with_quirks(reference, quirks))
        finding = compare(program, ours, theirs, tolerance=Tolerance(program, bitwise, quirks))
        tolerance = DefectTolerance(program, quirks=quirks)
        return DiagnosisProbe(program, ours, theirs, finding, tolerance)

    @property
    def reference_raised(self) -> bool:
        """Whether the reference raised an exception."""
        return self.reference.failure is not None

    def differs_in_bits_only(self) -> bool:
        """Return whether rounding explains the difference between engine and reference."""
        return compare(self.program, self.engine, self.reference, tolerance=self.tolerance) is None

    def agrees(self, defect: type[Defect]) -> bool:
        """Return whether the defect, one of its forms or traversals gives the same results."""
        if defect.name not in self.agreements:
            orders = other_traversals(defect) if self.branches else ()  # type: ignore[arg-type]
            forms = vars(defect).get("forms", ())  # not inherited: combinations have none
            self.agreements[defect.name] = any(map(self._agrees, (defect, *orders, *forms)))
        return self.agreements[defect.name]

    @cached_property
    def branches(self) -> bool:
        """Whether nodes can run in several orders: some operation has two operands or more."""
        return any(isinstance(s, pr.Apply) and len(s.inputs) > 1 for s in self.program.statements)

    def _agrees(self, defect: type[Defect]) -> bool:
        # A new engine each time, since defects may keep state.
        trace = execute(self.program, with_quirks(defect(), self.tolerance.quirks))
        alike = _abnormal_end(trace) == _abnormal_end(self.engine)
        return alike and compare(self.program, self.engine, trace, tolerance=self.tolerance) is None


Defects = Sequence[type[Defect]]
Probes = Sequence[DiagnosisProbe]


def _abnormal_end(trace: Trace) -> str:
    """Return the kind of failure if it is a crash, a limit or a RecursionError, else ""."""
    kind = trace.failure.kind if trace.failure else ""
    return kind if kind in STOPPED or kind == "depth" else ""
