"""Run programs on the engine under test and the reference, and compare them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace

from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import BATCH, AnyEngine, as_runner
from parity.engines.trace import Trace
from parity.language.program import Program
from parity.oracle.compare import compare
from parity.oracle.finding import Finding
from parity.oracle.rounded_operations import tolerance_of
from parity.oracle.stability import Stability
from parity.oracle.tolerance import Tolerance


def check_program(
    program: Program, engine: AnyEngine, reference: Engine, unsupported: Counter[str] | None = None
) -> Finding | None:
    """Run a program on the engine and the reference, and compare the traces.

    Exact programs must give equal results. For others the allowed difference is estimated with
    perturbed runs of PyTorch (``parity.oracle.tolerance``). The reference has the quirks of the
    engine (``parity.engines.quirks``). None also if the engine does not support the program, or
    if one side is the exact evaluation and a value is not a real number. ``unsupported`` counts
    the messages of ``parity.engines.Unsupported`` that ended runs.
    """
    ((_, finding),) = check_programs((program,), engine, reference, unsupported)
    return finding


def check_programs(
    programs: Iterable[Program],
    engine: AnyEngine,
    reference: Engine,
    unsupported: Counter[str] | None = None,
    batch: int = BATCH,
    stability: Stability | None = None,
    leave_out: bool = False,
) -> Iterator[tuple[Program, Finding | None]]:
    """Check several programs in order, faster than by ``check_program``.

    ``batch`` programs run on the engine, then on the reference, which makes better use of the
    processor's caches. That many programs are read before the first result is yielded. A
    worker process runs ahead instead, and results are yielded one by one. ``stability`` counts
    programs that run twice on the engine; the second run is not compared with the reference.
    ``leave_out``: as of ``Runner.run_many``.
    """
    runner = as_runner(engine)
    reference = with_quirks(reference, runner.quirks)
    bitwise = runner.bitwise and reference.bitwise
    stability = stability or Stability(sampled=0)
    for runs in runner.run_many(stability.doubled(programs), batch, leave_out):
        traces = stability.first_runs(runs)
        expected = [None if trace is None else execute(p, reference) for p, trace in traces]
        for (program, ours), theirs in zip(traces, expected, strict=True):
            if unsupported is not None and ours is not None and ours.unsupported is not None:
                unsupported[ours.unsupported] += 1
            if ours is None or theirs is None:
                yield program, None
                continue
            tolerance = tolerance_of(program, bitwise, runner.quirks, reference, theirs)
            yield program, compared(program, ours, theirs, tolerance)


def check_repeatedly(
    program: Program, engine: AnyEngine, reference: Engine
) -> Iterator[Finding | None]:
    """Yield the finding of one run after the other, without end.

    A run with the same result as an earlier one, bit for bit, is not compared again.
    """
    runner = as_runner(engine)
    reference = with_quirks(reference, runner.quirks)
    bitwise = runner.bitwise and reference.bitwise
    known: dict[Hashable, Finding | None] = {}
    while True:
        if not runner.supports(program):
            yield None
            continue
        ours = runner.run(program)
        if (result := ours.result()) not in known:
            theirs = execute(program, reference)
            tolerance = tolerance_of(program, bitwise, runner.quirks, reference, theirs)
            known[result] = compared(program, ours, theirs, tolerance)
        yield known[result]


def compared(program: Program, ours: Trace, theirs: Trace, tolerance: Tolerance) -> Finding | None:
    """Compare two runs; the finding keeps them."""
    if ours.left_reals or theirs.left_reals:
        return None
    finding = compare(program, ours, theirs, tolerance=tolerance)
    if finding is None:
        return None
    return replace(finding, non_finite=theirs.non_finite, trace=ours, right=tolerance.right)
