"""The third opinion: which of two sides is wrong, by an evaluation that is like neither.

The program is run on ``parity.oracle.exact.engine``: exact numbers, derivatives going
forward. Undecided, with the reason in the note, are only
- programs that leave the real numbers (infinity, nan, floats that overflow);
- whether a backward may run again through a graph of gradients: which arrays such
  a graph keeps depends on formulas that this evaluation does not have;
- programs that it refuses while both sides go on, and findings without a program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import AnyEngine, as_runner
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.language.table import keywords
from parity.oracle.compare import compare
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.engine import Exact
from parity.oracle.exact.graph import Node
from parity.oracle.exact.kinks import SIDES, sides
from parity.oracle.exactness import is_rounded
from parity.oracle.finding import Finding
from parity.oracle.tolerance import Tolerance

ENGINE, REFERENCE, ILL_CONDITIONED = "engine", "reference", "ill-conditioned"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``wrong``: "engine", "reference", "ill-conditioned" (no finding) or None (undecided).

    ``bits``: rounding explains the difference, but the engine declares equal bits.
    """

    wrong: str | None
    note: str = ""
    bits: bool = False


#: The verdict on what has no program.
UNDECIDED = Verdict(None)


def no_findings(count: int) -> str:
    """What is said of so many differences that are ill-conditioned."""
    return f"{count} differences are no findings: rounding decides there"


def adjudicate(
    program: pr.Program, finding: Finding, engine: AnyEngine, reference: Engine
) -> Verdict:
    """Say which side is wrong in a finding on a program.

    Both sides are compared with the exact evaluation where the finding is, with
    the bounds of ``parity.oracle.tolerance``, all in the dialect of the engine
    (``parity.engines.quirks.table``). If neither is too far from it, or if rounding put one of them
    on another side of a kink, the program decides nothing. If both are, the engine is
    wrong all the same, and the note says that it is not alone. An engine that declares
    equal bits (``Engine.bitwise``) is wrong where IEEE 754 fixes every bit and one differs.
    """
    if finding.stopped:
        return Verdict(ENGINE)
    judge = _Judge()
    exact = execute(program, with_quirks(judge, engine.quirks), judge.at)
    if judge.left_reals_count:
        return Verdict(None, "the program leaves the real numbers")
    ours = as_runner(engine).run(program)
    theirs = execute(program, with_quirks(reference, engine.quirks))
    if finding.what == "exception":
        return _of_exceptions(program, finding, exact)
    if exact.failure is not None and exact.failure.statement <= finding.statement:
        return Verdict(None, f"the exact evaluation raises: {exact.failure.text()}")
    bits = engine.bitwise and reference.bitwise and is_rounded(program)
    kink = None if bits else _parted(program, finding, judge, ours, theirs)
    if kink is not None:
        return Verdict(ILL_CONDITIONED, f"rounding decides on which side of a kink {kink} is")
    ours_differs, theirs_differs = (
        _differs(program, finding, trace, exact, engine.quirks) for trace in (ours, theirs)
    )
    if bits and not ours_differs and not theirs_differs:
        return _BITS
    return _VERDICTS[ours_differs, theirs_differs]


_BITS = Verdict(ENGINE, "rounding explains it, but the engine declares equal bits", bits=True)
_VERDICTS = {
    (True, False): Verdict(ENGINE),
    (False, True): Verdict(REFERENCE),
    (True, True): Verdict(ENGINE, "the reference is wrong as well"),
    (False, False): Verdict(ILL_CONDITIONED, "both are as near as rounding allows"),
}


class _Judge(Exact):
    """Remembers values before they are rounded to floats, by statement.

    Quirks look at values as well, but before: the last of a statement are its results.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[Node]] = []

    def at(self, number: int) -> None:
        """Statement ``number`` begins."""
        self.seen.append([])

    def value(self, t: Node) -> Any:
        if self.seen:
            self.seen[-1].append(t)
        return super().value(t)


def _of_exceptions(program: pr.Program, finding: Finding, exact: Trace) -> Verdict:
    """One of the two raised: the exact evaluation raises there as well, or it does not."""
    number = finding.statement
    before = program.statements[: max(number, 0)]
    if any(isinstance(s, pr.TakeGrad) for s in before):
        return Verdict(None, "the graph of a gradient may have been freed")
    failed = exact.failure.statement if exact.failure else None
    if failed is not None and failed < number:
        return Verdict(None, "the exact evaluation raises before")
    engine_raised = finding.kind != "no-exception"
    return Verdict(ENGINE if engine_raised == (failed is None or failed > number) else REFERENCE)


def _differs(
    program: pr.Program, finding: Finding, trace: Trace, exact: Trace, quirks: frozenset[str]
) -> bool:
    """Whether a run differs from the exact one in the observation of the finding."""
    number = finding.statement
    if isinstance(finding.engine, str):  # the numbers of arrays differ
        return _shown(trace, number) != _shown(exact, number)
    key = (number, finding.what, finding.which)
    place = next(i for i, o in enumerate(exact.observations) if o[:3] == key)
    observed = next((o for o in trace.observations if o[:3] == key), None)
    if observed is None:
        return True
    same = exact.observations[:place]
    ours, right = Trace([*same, observed]), Trace([*same, exact.observations[place]])
    return compare(program, ours, right, tolerance=Tolerance(program, quirks=quirks)) is not None


def _shown(trace: Trace, number: int) -> list[tuple[Any, ...]]:
    return [o[:3] for o in trace.observations if o.statement == number]


def _parted(program: pr.Program, finding: Finding, judge: _Judge, *traces: Trace) -> str | None:
    """The first operation up to the finding at whose kink the runs stand on different sides."""
    infos = program.infos
    leaves = dict(enumerate(nu.from_floats(leaf.array()) for leaf in program.leaves))
    exact = dict(leaves)
    for numbers, seen in zip(program.defined, judge.seen, strict=False):
        results = seen[len(seen) - len(numbers) :]
        exact.update((i, t.exact) for i, t in zip(numbers, results, strict=False))
    runs = [exact, *({**leaves, **_values(trace)} for trace in traces)]
    for statement in program.statements[: finding.statement + 1]:
        if not isinstance(statement, pr.Apply) or statement.op not in SIDES:
            continue
        if not all(i in run for run in runs for i in statement.inputs):
            continue
        shapes = [infos[i].shape for i in statement.inputs]
        found = []
        for run in runs:
            operands = [run[i].reshape(s) for i, s in zip(statement.inputs, shapes, strict=True)]
            found.append(sides(statement.op, operands, keywords(statement.attrs)))
        if any(f != found[0] for f in found):
            return statement.op
    return None


def _values(trace: Trace) -> dict[int, nu.Array]:
    """The values that a run showed, as the very numbers that the floats are."""
    return {
        o.which: nu.from_floats(np.asarray(o.array))
        for o in reversed(trace.observations)
        if o.what == "value" and o.array is not None and np.isfinite(o.array).all()
    }
