"""One program on an engine and the reference: a finding, or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import BATCH, AnyEngine, as_runner
from parity.language.program import Program
from parity.oracle.compare import compare
from parity.oracle.finding import Finding
from parity.oracle.tolerance import Tolerance


def check_program(
    program: Program, engine: AnyEngine, reference: Engine, unsupported: Counter[str] | None = None
) -> Finding | None:
    """Run ``program`` on both and compare; the first difference, or None.

    A program that asks for what the engine does not have shows nothing, nor does one
    that leaves the real numbers beside the exact evaluation, which has no opinion on
    it. Equal bits are asked for only where both sum in PyTorch's order. What inexact
    programs may differ by is estimated with disturbed runs of PyTorch, whatever the
    reference is (``parity.oracle.tolerance``); exact programs may not differ at all. The
    reference follows the quirks of the engine (``quirks.table``). ``unsupported`` counts what the
    adapter says that the engine lacks, where that ended a run (``engines.Unsupported``).
    """
    ((_, finding),) = check_programs((program,), engine, reference, unsupported)
    return finding


def check_programs(
    programs: Iterable[Program],
    engine: AnyEngine,
    reference: Engine,
    unsupported: Counter[str] | None = None,
    batch: int = BATCH,
) -> Iterator[tuple[Program, Finding | None]]:
    """Each program in turn with what ``check_program`` says of it, in less time.

    ``batch`` programs run on the engine, then on the reference: what a side works with
    stays in the caches of the processor. So many are read before the first is given back;
    one by one where the engine is in another process, which works ahead by itself.
    """
    runner = as_runner(engine)
    reference = with_quirks(reference, runner.quirks)
    bitwise = runner.bitwise and reference.bitwise
    for some in runner.run_many(programs, batch):
        theirs = [None if mine is None else execute(p, reference) for p, mine in some]
        for (program, mine), right in zip(some, theirs, strict=True):
            if unsupported is not None and mine is not None and mine.unsupported is not None:
                unsupported[mine.unsupported] += 1
            if mine is None or right is None or mine.left_reals or right.left_reals:
                yield program, None
                continue
            tolerance = Tolerance(program, bitwise, runner.quirks)
            finding = compare(program, mine, right, tolerance=tolerance)
            if finding is not None:
                finding = replace(finding, non_finite=right.non_finite)
            yield program, finding
