"""One program on an engine and the reference: a finding, or none."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator

from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks, without_quirks
from parity.engines.runner import Remote
from parity.engines.trace import Trace
from parity.language.program import Apply, Program
from parity.oracle.compare import compare
from parity.oracle.exact.engine import Exact
from parity.oracle.finding import Finding
from parity.oracle.tolerance import Tolerance

#: Programs that run on one side before they run on the other.
BATCH = 32


def check_program(
    program: Program, engine: Engine, reference: Engine, lacks: Counter[str] | None = None
) -> Finding | None:
    """Run ``program`` on both and compare; the first difference, or None.

    A program that asks for what the engine does not have shows nothing, nor does one
    that leaves the real numbers beside the exact evaluation, which has no opinion on
    it. Equal bits are asked for only where both sum in PyTorch's order. What inexact
    programs may differ by is estimated with disturbed runs of PyTorch, whatever the
    reference is (``parity.oracle.tolerance``); exact programs may not differ at all. The
    reference follows the quirks of the engine (``quirks.table``). ``lacks`` counts what the
    adapter says that the engine lacks, where that ended a run (``engines.Unsupported``).
    """
    ((_, finding),) = check_programs((program,), engine, reference, lacks)
    return finding


def check_programs(
    programs: Iterable[Program],
    engine: Engine,
    reference: Engine,
    lacks: Counter[str] | None = None,
    batch: int = BATCH,
) -> Iterator[tuple[Program, Finding | None]]:
    """Each program in turn with what ``check_program`` says of it, in less time.

    ``batch`` programs run on the engine, then on the reference: what a side works with
    stays in the caches of the processor. So many are read before the first is given back;
    one by one where the engine is in another process, which works ahead by itself.
    """
    if isinstance(engine, Remote):
        batch = 1
    reference = with_quirks(reference, engine.quirks)
    bitwise = engine.bitwise and reference.bitwise
    programs = iter(programs)
    while some := list(itertools.islice(programs, batch)):
        ours = [_run(p, engine) if supports(engine, p) else None for p in some]
        theirs = [
            None if mine is None else _run(p, reference) for p, mine in zip(some, ours, strict=True)
        ]
        for program, mine, right in zip(some, ours, theirs, strict=True):
            if lacks is not None and mine is not None and mine.lacks is not None:
                lacks[mine.lacks] += 1
            if mine is None or right is None:
                yield program, None
                continue
            tolerance = Tolerance(program, bitwise, engine.quirks)
            finding = compare(program, mine, right, tolerance=tolerance)
            if finding is not None:
                finding.non_finite = right.non_finite
            yield program, finding


def _run(program: Program, engine: Engine) -> Trace | None:
    """What the engine shows; None where an exact evaluation leaves the real numbers."""
    inner = without_quirks(engine)
    if not isinstance(inner, Exact):
        return execute(program, engine)
    before = inner.edges
    trace = execute(program, engine)
    return trace if inner.edges == before else None


def supports(engine: Engine, program: Program) -> bool:
    """Whether the engine has the operations, dtypes and dimensions of a program."""
    ops, dtypes, limit = engine.ops, engine.dtypes, engine.max_ndim
    return (
        all(s.op in ops for s in program.statements if isinstance(s, Apply))
        and all(leaf.dtype in dtypes for leaf in program.leaves)
        and (limit is None or all(len(info.shape) <= limit for info in program.infos))
    )
