"""One program on an engine and the reference: a finding, or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from parity.compare import Finding, compare
from parity.engines.base import Engine
from parity.engines.exact import Exact
from parity.engines.remote import Remote
from parity.execute import execute
from parity.program import Apply, Program
from parity.quirks import with_quirks, without_quirks
from parity.reduce import reduce_program
from parity.tolerance import Tolerance


def check_program(
    program: Program, engine: Engine, reference: Engine, lacks: Counter[str] | None = None
) -> Finding | None:
    """Run ``program`` on both and compare; the first difference, or None.

    A program that asks for what the engine does not have shows nothing, nor does one
    that leaves the real numbers beside the exact evaluation, which has no opinion on
    it. Equal bits are asked for only where both sum in PyTorch's order. What inexact
    programs may differ by is estimated with disturbed runs of PyTorch, whatever the
    reference is (``parity.tolerance``); exact programs may not differ at all. The
    reference follows the quirks of the engine (``parity.quirks``). ``lacks`` counts what the
    adapter says that the engine lacks, where that ended a run (``engines.Unsupported``).
    """
    if not supports(engine, program):
        return None
    reference = with_quirks(reference, engine.quirks)
    before = _edges(engine, reference)
    ours, theirs = execute(program, engine), execute(program, reference)
    if lacks is not None and ours.lacks is not None:
        lacks[ours.lacks] += 1
    if _edges(engine, reference) > before:
        return None
    bitwise = engine.bitwise and reference.bitwise
    return compare(program, ours, theirs, tolerance=Tolerance(program, bitwise, engine.quirks))


def _edges(*engines: Engine) -> int:
    """How often exact evaluations left the real numbers."""
    return sum(e.edges for e in map(without_quirks, engines) if isinstance(e, Exact))


def reduced(
    program: Program, finding: Finding, engine: Engine, reference: Engine
) -> tuple[Program, Finding]:
    """The smallest program on which the two still differ in that way, and the finding there.

    An engine that does not come back is not waited for as long in each step; the
    smallest program is then given the whole time.
    """

    def check(p: Program) -> Finding | None:
        return check_program(p, engine, reference)

    if not isinstance(engine, Remote):
        return reduce_program(program, finding, check)
    if not finding.stopped:
        return _reduced_alone(program, finding, engine, check)
    with engine.haste(finding.kind == "time"):
        small, _ = reduce_program(program, finding, check)
    with engine.haste(False):
        again = check(small)
    if again is None or again.kind != finding.kind:
        return program, finding
    return small, again


def _reduced_alone(
    program: Program, finding: Finding, engine: Remote, check: Callable[[Program], Finding | None]
) -> tuple[Program, Finding]:
    """The smallest program that differs in a process in which no other ran before.

    Most engines keep nothing between programs, so that is asked only at the end.
    """
    small, found = reduce_program(program, finding, check)
    with engine.alone():
        again = check(small)
        if again is not None and again.kind == found.kind:
            return small, again
        return reduce_program(program, finding, check)


def supports(engine: Engine, program: Program) -> bool:
    """Whether the engine has the operations, dtypes and dimensions of a program."""
    used = {s.op for s in program.statements if isinstance(s, Apply)}
    dtypes = {leaf.dtype for leaf in program.leaves}
    return (
        used <= engine.ops.keys()
        and dtypes <= set(engine.dtypes)
        and (
            engine.max_ndim is None
            or all(len(info.shape) <= engine.max_ndim for info in program.infer())
        )
    )
