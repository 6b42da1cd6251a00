"""``Triage``: assigns the failing programs of an engine to its causes, and reduces the others.

What each operation does alone and how the tape combines them is found first
(``parity.diagnose.operations``, ``parity.diagnose.model``). A program on which this model gives
the results of the engine is explained and costs nothing more. One that is not explained is reduced,
without replacing operations and only through programs that are not explained either, so that one
fault cannot slide into another. It then is a cause of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Hashable, Iterator
from dataclasses import replace

import numpy as np

from parity._util.process import fuzzing_runtime
from parity.diagnose.causes import (
    UNEXPLAINED,
    WRONG_OPERATION,
    Category,
    Cause,
    category_of,
)
from parity.diagnose.defects import DEFECTS
from parity.diagnose.model import Model, fit
from parity.diagnose.operation_causes import used_by
from parity.diagnose.operations import OperationTable, measure_operations
from parity.diagnose.shrink import depends_on_operation, reduced
from parity.diagnose.shrink_passes import Freedom
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import QUIRKS, contradicting, with_quirks
from parity.engines.runner import AnyEngine, as_runner
from parity.language import program as pr
from parity.language.program import Program
from parity.oracle.check import check_program
from parity.oracle.compare import compare, statement_at
from parity.oracle.finding import Finding, Kind
from parity.oracle.probes import Probe
from parity.oracle.rounded_operations import tolerance_of


class Triage:
    """The causes of one engine.

    The table of operations and the model are made when they are first needed, so that an engine
    without a failing program costs nothing.
    """

    def __init__(
        self, engine: AnyEngine, reference: Engine, ops: Collection[str] | None = None
    ) -> None:
        self.engine, self.reference, self.ops = as_runner(engine), reference, ops

    @functools.cached_property
    def table(self) -> OperationTable:
        """Every operation alone."""
        with fuzzing_runtime():
            return measure_operations(self.engine, self.reference, self.ops)

    @functools.cached_property
    def model(self) -> Model:
        """The measured operations on the fitted tape."""
        table = self.table
        with fuzzing_runtime():
            self.engine.restart()  # the programs of the table may have left something behind
            model = fit(self.engine, self.reference, table)
            self.engine.restart()
        for cause in model.causes:
            cause.programs = 0  # what explains the programs of the fit is not counted
        return model

    def causes(self) -> list[Cause]:
        """Return the causes of the model, the worst first."""
        several = [*self.model.causes, *self.model.operation_causes]
        shown = (cause for cause in several if cause.witness is not None)
        return sorted(shown, key=lambda cause: cause.category.rank)

    def explains(self, program: Program, finding: Finding) -> bool:
        """Return whether the model gives the results of the engine, and differs itself."""
        trace = finding.trace
        if trace is not None and not finding.stopped and self.model.names_all(program):
            return self.model.explains(program, trace, finding)  # which causes is not asked
        return bool(self.blame(program, finding))

    def blame(self, program: Program, finding: Finding) -> tuple[Cause, ...]:
        """Return the causes that explain a failing program; none if the model does not."""
        if finding.trace is None:
            return ()
        if finding.stopped:
            return self._stopping(program, finding)
        causes = self.model.blame(program, finding.trace, finding)
        for cause in causes:
            if cause.witness is None:  # the programs of the fit show it beside others only
                cause.witness, cause.finding = program, finding
        return causes

    def _stopping(self, program: Program, finding: Finding) -> tuple[Cause, ...]:
        """Return the cause that an operation alone stops the engine, if the program stops at it.

        Nothing of it runs on the model, which would have to stop.
        """
        last = statement_at(program, finding.statement)
        applied = [last] if isinstance(last, pr.Apply) else program.statements
        ops = {s.op for s in applied if isinstance(s, pr.Apply)}
        for cause in self.model.operation_causes:
            if cause.finding is None or cause.witness is None or not cause.ops & ops:
                continue
            statement = statement_at(cause.witness, cause.finding.statement)
            if cause.finding.kind == finding.kind and isinstance(statement, type(last)):
                return (cause,)
        return ()

    def reduced(self, program: Program, finding: Finding) -> tuple[Program, Finding]:
        """Reduce a program that no cause explains to the smallest one of that sort."""
        sides = self.engine, self.reference
        return reduced(program, finding, *sides, Freedom.REWIRE, unless=self.explains)

    def key(self, program: Program, finding: Finding) -> Hashable:
        """Return what reduced programs of one fault share.

        That is the place of an exception, or the operations on which it depends.
        """
        if finding.kind is Kind.NO_EXCEPTION:
            return finding.kind, str(finding.reference)
        ops = self.operations_of(program, finding)
        return finding.place or ops or category_of(finding)

    def operations_of(self, program: Program, finding: Finding) -> frozenset[str]:
        """Return the operations that show a finding, and others in their place do not."""
        if alone := only_operation(program):
            return frozenset({alone})
        right = set(self.engine.ops) - self.table.suspicious()
        return frozenset(
            s.op
            for number, s in enumerate(program.statements)
            if isinstance(s, pr.Apply)
            and depends_on_operation(number, program, finding, self._unexplained, right)
        )

    def _unexplained(self, program: Program) -> Finding | None:
        """Return the finding on a program, or None if there is none or a cause explains it."""
        if not self.engine.supports(program):
            return None
        finding = check_program(program, self.engine, self.reference)
        return None if finding is None or self.explains(program, finding) else finding

    def consequence_of(self, program: Program, finding: Finding) -> Cause | None:
        """Return the cause of an operation of which a reduced program shows a consequence.

        That is what the model does not follow: second derivatives, what becomes of a gradient of a
        wrong shape or dtype, and what is computed from an operand that was overwritten.
        """
        second = _takes_gradients(program)
        ops = self.operations_of(program, finding)
        used = ops.union(*map(used_by, ops))
        for cause in self.model.operation_causes:
            kind = cause.finding.kind if cause.finding is not None else ""
            form = kind in (Kind.SHAPE, Kind.DTYPE)
            if cause.ops & ops and (form or (second and _takes_gradients(cause.witness))):
                return cause
            if second and cause.ops & used and kind != Kind.EXCEPTION:
                return cause
            if cause.ops & ops and _overwrites_operands(cause):
                return cause
        return None

    @staticmethod
    def likely_cause(program: Program, causes: Collection[Cause]) -> Cause | None:
        """Return the cause of an operation whose second derivatives a program may run through.

        ``causes``: those of which reduced programs have shown consequences of that sort.
        """
        if not _takes_gradients(program):
            return None
        ops = {s.op for s in program.statements if isinstance(s, pr.Apply)}
        return next((cause for cause in causes if cause.ops & ops), None)

    def unexplained(self, program: Program, finding: Finding) -> Cause:
        """Return the cause that is a reduced program by itself."""
        ops = self.operations_of(program, finding)
        name, sentence = UNEXPLAINED, f"{finding.says}, whatever the operations are"
        operation = only_operation(program)
        if operation and finding.kind in WRONG_OPERATION:
            name, sentence = operation, WRONG_OPERATION[finding.kind].format(operation)
            if finding.what == "grad" and finding.kind in (Kind.SHAPE, Kind.DTYPE):
                sentence = sentence.replace("the result of", "the gradient of")
        elif ops:
            name, sentence = _in_programs_with(ops, finding)
        category = category_of(finding)
        quirk = next(self._explaining_quirks(program, finding), "")
        if quirk:
            category, sentence = Category.CONVENTION, QUIRKS[quirk].description
        return Cause(category, name, sentence, "", program, finding, quirk, ops=ops)

    def narrow(self, cause: Cause, program: Program, finding: Finding) -> None:
        """Leave to a cause the operations that matter in another program of it as well."""
        common = cause.ops & self.operations_of(program, finding)
        if common and common != cause.ops and cause.finding is not None:
            cause.ops = common
            cause.name, cause.sentence = _in_programs_with(common, cause.finding)

    def _explaining_quirks(self, program: Program, finding: Finding) -> Iterator[str]:
        """Yield the quirks that, added to those of the engine, explain the difference."""
        own = self.engine.quirks
        if finding.trace is None:
            return
        for name in QUIRKS:
            quirks = own | {name}
            if name in own or contradicting(quirks):
                continue
            theirs = execute(program, with_quirks(self.reference, quirks))
            bitwise = self.engine.bitwise and self.reference.bitwise
            tolerance = tolerance_of(program, bitwise, quirks, self.reference)
            if compare(program, finding.trace, theirs, tolerance=tolerance) is None:
                yield name

    def cause_of_probe(self, probe: Probe, finding: Finding) -> Cause | None:
        """Return the cause of a probe's finding: a defect that fails it alike, or the probe.

        None if the tape of the model fails it alike: its causes are there already.
        """
        tape = self.model.engine_of_tape()
        if tape is not None and _fails_alike(probe, finding, probe.first(tape)):
            return None
        for defect in DEFECTS.values():
            if defect.probe == probe.name and _fails_alike(probe, finding, probe.first(defect())):
                sentence = defect.description
                cause = Cause(category_of(finding), defect.name, sentence, finding=finding)
                return replace(cause, code=defect.code, mend=defect.mend)
        cause = Cause(category_of(finding), probe.name, finding.says, finding=finding)
        return replace(cause, code=probe.code, mend=probe.mend)


def only_operation(program: Program) -> str:
    """Return the operation of a program that has no other one and no reuse, else ""."""
    if not program.statements:
        return ""
    applied, *after = program.statements
    if not isinstance(applied, pr.Apply) or len(set(applied.inputs)) < len(applied.inputs):
        return ""
    root = len(program.leaves)
    plain = all(isinstance(e, pr.Backward) and e == pr.Backward(root, e.gradient) for e in after)
    return applied.op if plain and len(after) < 2 else ""


def _overwrites_operands(cause: Cause) -> bool:
    """Return whether the values of leaves are others at the end of the witness of a cause."""
    if cause.witness is None or cause.finding is None or cause.finding.trace is None:
        return False
    leaves, end = cause.witness.leaves, len(cause.witness.statements)
    return any(
        not np.array_equal(o.array, leaves[o.which].array(), equal_nan=True)
        for o in cause.finding.trace.observations
        if (o.statement, o.what) == (end, "value") and o.array is not None
    )


def _in_programs_with(ops: frozenset[str], finding: Finding) -> tuple[str, str]:
    """Return name and sentence of a cause that shows in programs with these operations."""
    names = " and ".join(f"`{op}`" for op in sorted(ops))
    return ", ".join(sorted(ops)), f"{finding.says}, in programs with {names}"


def _takes_gradients(program: Program | None) -> bool:
    """Return whether a program differentiates a gradient."""
    statements = program.statements if program is not None else ()
    return any(isinstance(s, pr.TakeGrad) for s in statements)


def _fails_alike(probe: Probe, finding: Finding, other: Finding | None) -> bool:
    if other is None or other.statement != finding.statement:
        return False
    if other.statement:  # a step with a number of its own identifies the fault
        return True
    return other.kind == finding.kind
