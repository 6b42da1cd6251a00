"""``measure_operations``: every operation of an engine alone, compared with the reference.

The table of its results says in which cells (``parity.diagnose.cells``) an operation is right, is
wrong or raises. ``parity.diagnose.operation_causes`` groups the cells that fail into causes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from parity._util.process import fuzzing_runtime
from parity.diagnose.causes import Cause
from parity.diagnose.cells import Cell, Outcome, Scope, cells_of
from parity.diagnose.cells import CellResult as CellResult
from parity.diagnose.operation_causes import causes_of
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import Runner
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.language.table import OPS
from parity.oracle.adjudicate import adjudicate
from parity.oracle.compare import compare
from parity.oracle.own_reference import OwnReference
from parity.oracle.rounded_operations import tolerance_of
from parity.oracle.tolerance import Tolerance

#: Cells of an operation without rules that run although none of them fails: there are hundreds of
#: such operations.
FIRST = 10
#: Engines that are made anew to find out whether a program disturbs later ones, at most.
_RENEWALS = 40
#: An error, relative to the largest number, that no rounding in a cell comes to.
_LARGE = 2.0**-10


@dataclass(eq=False)
class OperationTable:
    """What an engine does in every cell of its operations."""

    engine: Runner
    reference: Engine
    results: list[CellResult] = field(default_factory=list)

    def of(self, op: str) -> list[CellResult]:
        """Return the results of one operation."""
        return [r for r in self.results if r.cell.op == op]

    def suspicious(self, explained: Collection[CellResult] = ()) -> frozenset[str]:
        """Return the operations with a failing cell that is not among ``explained``."""
        known = set(explained)
        return frozenset(r.cell.op for r in self.results if r.fails and r not in known)

    def causes(self, explained: Collection[CellResult] = ()) -> list[Cause]:
        """Return the causes of the failing cells that are not among ``explained``."""
        known = set(explained)
        of_op: dict[str, list[CellResult]] = {}
        for result in self.results:
            if result not in known:
                of_op.setdefault(result.cell.op, []).append(result)
        causes = causes_of(of_op, self.engine, self.reference)
        return sorted(causes, key=lambda cause: cause.category.rank)


def measure_operations(
    engine: Runner, reference: Engine, ops: Collection[str] | None = None
) -> OperationTable:
    """Run every cell of the operations that the engine declares, or of ``ops`` among them.

    Cells on which the reference raises or is not finite are left out, and those in which a
    convention decides.
    """
    scope = Scope.of(engine)
    names = [name for name in OPS if name in engine.ops and (ops is None or name in ops)]
    first = [cell for name in names for cell in cells_of(name, scope, _first(name))]
    table = OperationTable(engine, reference)
    engine.forget_stops()  # operations that random programs left out have a cause too
    with fuzzing_runtime():
        table.results = list(results_of(first, engine, reference, leave_out=True))
        suspicious = table.suspicious()
        wrong = [n for n in names if _first(n) and n in suspicious]
        run = {result.cell.program for result in table.results}
        rest = [c for name in wrong for c in cells_of(name, scope) if c.program not in run]
        table.results += results_of(rest, engine, reference, leave_out=True)
        return _undisturbed(table)


def _first(name: str) -> int | None:
    """Return how many cells of an operation run at first: the others only if one of them fails."""
    return None if OPS[name].has_rules else FIRST


def results_of(
    cells: Collection[Cell], engine: Runner, reference: Engine, leave_out: bool = False
) -> Iterator[CellResult]:
    """Run cells on both sides and compare them.

    What PyTorch lacks is compared with the forward of the engine itself. ``leave_out``: without
    operations that end the process of the engine again and again (``Runner.run_many``).
    """
    right, own = with_quirks(reference, engine.quirks), OwnReference(engine)
    bitwise = engine.bitwise and right.bitwise
    of_program = {cell.program: cell for cell in cells}
    for runs in engine.run_many(of_program, leave_out=leave_out):
        for program, ours in runs:
            if ours is None and leave_out and engine.leaves_out(program):
                continue
            judge = own if OPS[of_program[program].op].torch is None else right
            theirs = execute(program, judge)
            if not _is_comparable(program, theirs):
                continue
            tolerance = tolerance_of(program, bitwise, engine.quirks, judge, theirs)
            result = _result(of_program[program], ours, theirs, tolerance)
            if not _is_convention(result, engine, reference):
                yield result


def _is_comparable(program: pr.Program, theirs: Trace) -> bool:
    """Return whether the reference has finite results.

    Where a second derivative is zero, engines may as well have a constant as gradient, from which
    no backward starts.
    """
    if theirs.failure is not None or theirs.non_finite or theirs.left_reals:
        return False
    if not any(isinstance(s, pr.TakeGrad) for s in program.statements):
        return True
    last = len(program.statements) - 1
    grads = (o.array for o in theirs.observations if o.statement == last and o.what == "grad")
    return any(g is not None and g.any() for g in grads)


def _result(cell: Cell, ours: Trace | None, theirs: Trace, tolerance: Tolerance) -> CellResult:
    if ours is None or ours.unsupported is not None:
        return CellResult(cell, ours, None, Outcome.UNSUPPORTED)
    if ours.left_reals:
        return CellResult(cell, ours, None, Outcome.UNSUPPORTED)
    finding = compare(cell.program, ours, theirs, tolerance=tolerance)
    if finding is None:
        return CellResult(cell, ours, None, Outcome.RIGHT)
    outcome = Outcome.RAISES if finding.what == "exception" else Outcome.WRONG
    return CellResult(cell, ours, replace(finding, trace=ours, right=tolerance.right), outcome)


def _is_convention(result: CellResult, engine: Runner, reference: Engine) -> bool:
    """Return whether a gradient differs at a kink for which neither side is wrong.

    Operations with rules have quirks for it, which say so.
    """
    program, finding = result.cell.program, result.finding
    op = OPS[result.cell.op]
    if finding is None or op.has_rules or not op.kinks or finding.what != "grad":
        return False
    return adjudicate(program, finding, engine, reference).convention


def _undisturbed(table: OperationTable) -> OperationTable:
    """Run failing cells again, each on a new engine, if some fail after other programs only."""
    known = table.engine.left_out  # each ended several processes already
    failing = [r for r in table.results if r.fails and r.cell.op not in known]
    # The last of each operation, on one new engine: where an earlier one disturbs, some are right.
    samples = [r.cell for r in {(r.cell.op, r.outcome): r for r in failing}.values()]
    if not samples:
        return table
    again = results_of(samples, table.engine.renewed(), table.reference)
    if all(result.fails for result in again):
        return table
    new = {r.cell: again for r, again in zip(failing, _alone(failing, table), strict=False)}
    table.results = [new.get(r.cell, r) for r in table.results]
    return table


def _alone(results: Iterable[CellResult], table: OperationTable) -> Iterator[CellResult]:
    """Yield the results of the same cells on engines that no other program disturbed.

    What fails runs again on a new engine, since programs before may have disturbed the engine.
    """
    engine, renewals = table.engine, 0
    for result in results:
        again = next(results_of([result.cell], engine, table.reference), result)
        if again.fails and renewals < _RENEWALS:
            engine, renewals = engine.renewed(), renewals + 1
            again = next(results_of([result.cell], engine, table.reference), result)
        if again.fails:  # an engine that is not deterministic may fail twice
            again = next(results_of([result.cell], engine, table.reference), result)
        yield again
