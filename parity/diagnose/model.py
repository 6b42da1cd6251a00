"""``fit``: a model of an engine, from its operations alone and its tape.

The model says of any program whether it shows what the engine shows, and which causes it needs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from parity.diagnose.causes import Category, Cause
from parity.diagnose.cell_evidence import CellEvidence
from parity.diagnose.cells import CellResult
from parity.diagnose.operations import OperationTable
from parity.diagnose.shrink import reruns_freed_graph
from parity.diagnose.tape import Combination, Sample, Tape, formulas, without_value
from parity.diagnose.tape_fit import Claim, TapeFit
from parity.diagnose.tape_programs import tape_programs
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import Runner, operations_of
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.oracle.check import compared
from parity.oracle.finding import Finding
from parity.oracle.rounded_operations import tolerance_of

#: The share of the samples that a combination must explain for all its values to be claimed.
SHARE = 0.98
#: Samples that must need a value where the combination explains less.
LEAST = 3


@dataclass(eq=False)
class Model:
    """What explains an engine: measured operations, and wrong values of a tape."""

    engine: Runner
    reference: Engine
    table: OperationTable
    tape: Tape
    combination: Combination = ()
    causes: list[Cause] = field(default_factory=list)
    #: Failing cells that the tape explains, not the operation.
    explained_cells: list[CellResult] = field(default_factory=list)
    #: How many programs were compared, and how many of them the model explains.
    of: int = 0
    explained: int = 0

    def __post_init__(self) -> None:
        self.suspicious = self.table.suspicious(self.explained_cells)
        self._of_value = {cause.name: cause for cause in self.causes}

    def explains(self, program: pr.Program, trace: Trace, finding: Finding | None = None) -> bool:
        """Return whether the model shows on a program what the engine showed."""
        sample = self._sample(program, trace, finding)
        return self._agrees(self.combination, self.suspicious & sample.ops, sample)

    def names_all(self, program: pr.Program) -> bool:
        """Return whether a program that the model explains needs a cause that is known.

        That is so if each fault has a cause with a witness, and each operation a formula.
        """
        return self._named and operations_of(program) <= formulas()

    @functools.cached_property
    def _named(self) -> bool:
        causes = [*self.causes, *self.operation_causes]
        of_ops = frozenset[str]().union(*(cause.ops for cause in self.operation_causes))
        return (
            all(v.name in self._of_value for v in self.combination if v.is_fault)
            and self.suspicious <= of_ops
            and all(cause.witness is not None for cause in causes)
        )

    def blame(
        self, program: pr.Program, trace: Trace, finding: Finding | None = None
    ) -> tuple[Cause, ...]:
        """Return the causes that an explanation needs, operations first; none if there is none.

        ``finding``: what differs, if it is known; otherwise the program is compared again.
        """
        sample = self._sample(program, trace, finding)
        values, measured = self.combination, self.suspicious & sample.ops
        if not self._agrees(values, measured, sample):
            return ()
        for value in values:
            if self._agrees(fewer := without_value(values, value), measured, sample):
                values = fewer
        for op in sorted(measured & formulas()):
            if self._agrees(values, measured - {op}, sample):
                measured -= {op}
        wrong = dict.fromkeys(c for op in sorted(measured) for c in self._of_operation(op, sample))
        return (*wrong, *(self._of_value[v.name] for v in values if v.name in self._of_value))

    def _of_operation(self, op: str, sample: Sample) -> list[Cause]:
        """Return the causes of an operation; of several those that show in the same way."""
        causes = [c for c in self.operation_causes if op in c.ops]
        kind = sample.finding and sample.finding.observed
        return [c for c in causes if c.finding is not None and c.finding.observed == kind] or causes

    def engine_of_tape(self) -> Engine | None:
        """Return an engine with right operations and the fitted tape; None if that is right."""
        cls = self.tape.engine_class(self.combination, frozenset()) if self.causes else None
        return cls() if cls is not None else None

    @property
    def operation_causes(self) -> list[Cause]:
        if self._operation_causes is None:
            self._operation_causes = self.table.causes(self.explained_cells)
        return self._operation_causes

    _operation_causes: list[Cause] | None = None

    def _agrees(self, values: Combination, measured: frozenset[str], sample: Sample) -> bool:
        # What the engine of the defects lacks is measured too: it has no formula for it.
        return self.tape.agrees(values, sample, measured | (sample.ops - formulas()))

    def _sample(self, program: pr.Program, trace: Trace, finding: Finding | None = None) -> Sample:
        right = with_quirks(self.reference, self.engine.quirks)
        if finding is not None and trace.failure is None:  # the reference's run tells no more
            return Sample.of(program, trace, Trace(), finding, self.engine)
        theirs = execute(program, right)
        return _compared(program, trace, theirs, self.engine, right)


def fit(engine: Runner, reference: Engine, table: OperationTable) -> Model:
    """Fit the tape of an engine, given the table of its operations."""
    tape = Tape(engine)
    samples = list(_samples(tape_programs(engine), engine, reference))
    failing = [s for s in samples if s.finding is not None]
    cells = _cells(table, engine, reference)
    if not failing and not any(r.fails for r in cells):
        return Model(engine, reference, table, tape, of=len(samples), explained=len(samples))
    evidence = CellEvidence(tape, cells)
    search = TapeFit(tape, samples, evidence)
    best = search.best()
    explained = sum(search.agrees(best, s) for s in samples)
    claims = search.claims(best)
    if explained < SHARE * len(samples):  # what could be a fault of another step is not named
        claims = [c for c in claims if c.of_one_step and len(c.needed) >= LEAST]
    causes = [_cause(claim, _witness(claim, best, search)) for claim in claims]
    cells_explained = evidence.explained_by(best)
    return Model(
        engine, reference, table, tape, best, causes, cells_explained, len(samples), explained
    )


def _samples(programs: Iterable[pr.Program], engine: Runner, reference: Engine) -> Iterator[Sample]:
    right = with_quirks(reference, engine.quirks)
    for runs in engine.run_many(programs, leave_out=True):
        for program, ours in runs:
            if ours is None or ours.unsupported is not None:
                continue
            theirs = execute(program, right)
            raises = ours.failure is not None and theirs.failure is None
            if raises and reruns_freed_graph(program):
                continue  # correct engines may raise there (docs/semantics.md 1.2)
            yield _compared(program, ours, theirs, engine, right)


def _compared(
    program: pr.Program, ours: Trace, theirs: Trace, engine: Runner, right: Engine
) -> Sample:
    bitwise = engine.bitwise and right.bitwise
    tolerance = tolerance_of(program, bitwise, engine.quirks, right, theirs)
    finding = compared(program, ours, theirs, tolerance)
    return Sample.of(program, ours, theirs, finding, engine)


def _cells(table: OperationTable, engine: Runner, reference: Engine) -> dict[CellResult, Sample]:
    """Return the cells that ran, as samples; the reference raises in none of them."""
    samples = {
        r: Sample.of(r.cell.program, r.trace, Trace(), r.finding, engine)
        for r in table.results
        if r.trace is not None and r.trace.unsupported is None
    }
    for sample in samples.values():
        if "second" not in sample.features:
            sample.features -= {"branches"}  # one node runs in no other order
    return samples


def _cause(claim: Claim, witness: Sample | None) -> Cause:
    """Return the cause of a claimed value."""
    value, defect = claim.value, claim.value.defect
    return Cause(
        Category(defect.category) if defect else Category.CONVENTION,
        value.name,
        value.description,
        witness=None if witness is None else witness.program,
        finding=None if witness is None else witness.finding,
        quirk=value.quirk,
        code=defect.code if defect else "",
        mend=defect.mend if defect else "",
        alternatives=tuple(v.description for v in claim.alternatives),
    )


def _witness(claim: Claim, best: Combination, search: TapeFit) -> Sample | None:
    """Return the smallest program of a defect if it shows there, else the first that needs it."""
    fewer, measured = without_value(best, claim.value), search.cells.suspicious(best)
    smallest = claim.value.defect.smallest if claim.value.defect else None
    own = [
        s
        for s in search.samples
        if s.program == smallest
        and search.agrees(best, s)
        and not search.tape.agrees(fewer, s, measured)
    ]
    shown = (s for s in (*own, *claim.needed) if s.finding is not None)
    return next(shown, None)
