"""Adjudication: decide by a third, exact evaluation whether the engine or the reference is wrong.

The program runs on ``parity.oracle.exact.engine``, which has exact numbers and forward-mode
derivatives and is independent of both sides. A verdict is undecided, with the reason in its
note, only for

- programs with values that are not real numbers (infinity, nan, overflow);
- programs with an operation for which the exact evaluation has no rule, where the forward of
  the engine does not settle it (``parity.oracle.own_verdict``);
- exceptions of a second backward through a graph of gradients that an earlier backward may have
  freed: whether it did depends on the tensors that PyTorch saves, which are not modelled;
- programs on which the exact evaluation raises and both sides do not, and findings of probes.
"""

from __future__ import annotations

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
from parity.oracle.exactness import is_exact, is_rounded
from parity.oracle.finding import Finding, Kind
from parity.oracle.own_verdict import own_verdict
from parity.oracle.rounded_operations import tolerance_of
from parity.oracle.verdict import ENGINE, ILL_CONDITIONED, REFERENCE, Verdict


def adjudicate(
    program: pr.Program, finding: Finding, engine: AnyEngine, reference: Engine
) -> Verdict:
    """Decide which side is wrong in a finding.

    Both sides are compared with the exact evaluation at the observation of the finding, with the
    bounds of ``parity.oracle.tolerance`` and the quirks of the engine. The finding is
    ill-conditioned if both are within the bounds, or if rounding put a value on another side
    of a kink. If neither is within the bounds, the engine is wrong and the note says that the
    reference is too. An engine that declares ``Engine.bitwise`` is wrong where IEEE 754
    determines every bit and one differs.
    """
    if finding.stopped:
        return Verdict(ENGINE)
    recorder = _Recorder()
    used = {s.op for s in program.statements if isinstance(s, pr.Apply)}
    if not used <= recorder.ops.keys():
        return own_verdict(program, finding, engine, reference)
    exact = execute(program, with_quirks(recorder, engine.quirks), recorder.on_statement)
    if recorder.left_reals_count:
        return Verdict(None, "a value is not a real number")
    # The run that differed: an engine that is not deterministic may agree in another one.
    ours = finding.trace or as_runner(engine).run(program)
    theirs = execute(program, with_quirks(reference, engine.quirks))
    if finding.what == "exception":
        return _verdict_on_exception(program, finding, exact)
    if exact.failure is not None and exact.failure.statement <= finding.statement:
        return Verdict(None, f"the exact evaluation raises: {exact.failure.text()}")
    bits = engine.bitwise and reference.bitwise and is_rounded(program)
    without_rounding = is_exact(program)
    kink = (
        None
        if bits or without_rounding
        else _crossed_kink(program, finding, recorder, ours, theirs)
    )
    if kink is not None:
        note = f"rounding decides on which side of its kink an operand of {kink} is"
        return Verdict(ILL_CONDITIONED, note)
    theirs_differs = _differs(program, finding, theirs, exact, engine.quirks)
    if _differs(program, finding, ours, exact, engine.quirks):
        return Verdict(ENGINE, "the reference is wrong as well" if theirs_differs else "")
    if theirs_differs:
        return Verdict(REFERENCE)
    if bits:
        note = "rounding explains the difference, but the engine declares bitwise"
        return Verdict(ENGINE, note, bits=True)
    if without_rounding:
        return Verdict(ENGINE, "the difference did not come again")
    return Verdict(ILL_CONDITIONED, "both are within the error bounds")


class _Recorder(Exact):
    """The exact evaluation, which records the tensors whose values are read, by statement.

    Quirks read values as well, but earlier: the last ones of a statement are its results.
    """

    def __init__(self) -> None:
        super().__init__()
        self.read: list[list[Node]] = []

    def on_statement(self, number: int) -> None:
        self.read.append([])

    def value(self, t: Node) -> Any:
        if self.read:
            self.read[-1].append(t)
        return super().value(t)


def _verdict_on_exception(program: pr.Program, finding: Finding, exact: Trace) -> Verdict:
    """Decide by whether the exact evaluation raises at the same statement."""
    number = finding.statement
    before = program.statements[: max(number, 0)]
    taken = any(isinstance(s, pr.TakeGrad) for s in before)
    backwards = [s for s in before if isinstance(s, pr.Backward)]
    kept = all(s.create_graph or s.retain_graph for s in backwards)
    if taken and not (kept and finding.observed is Kind.EXCEPTION):
        return Verdict(None, "the graph of a gradient may have been freed")
    failed = exact.failure.statement if exact.failure else None
    if failed is not None and failed < number:
        return Verdict(None, "the exact evaluation raises earlier")
    engine_raised = finding.observed != "no-exception"
    return Verdict(ENGINE if engine_raised == (failed is None or failed > number) else REFERENCE)


def _differs(
    program: pr.Program, finding: Finding, trace: Trace, exact: Trace, quirks: frozenset[str]
) -> bool:
    """Return whether a run differs from the exact one in the observation of the finding."""
    number = finding.statement
    if isinstance(finding.engine, str):  # the operation has another number of outputs
        ours, expected = ([o[:3] for o in t.observations if o[0] == number] for t in (trace, exact))
        return ours != expected
    key = (number, finding.what, finding.which)
    index = next(i for i, o in enumerate(exact.observations) if o[:3] == key)
    observed = next((o for o in trace.observations if o[:3] == key), None)
    if observed is None:
        return True
    shown = Trace([*exact.observations[:index], observed])
    right = Trace(exact.observations[: index + 1])
    return compare(program, shown, right, tolerance_of(program, quirks=quirks)) is not None


def _crossed_kink(
    program: pr.Program, finding: Finding, recorder: _Recorder, *traces: Trace
) -> str | None:
    """Return the first operation whose operands are on different sides of a kink in the runs."""
    runs = [dict(enumerate(nu.from_floats(leaf.array()) for leaf in program.leaves))]
    for trace in traces:
        values = [o for o in reversed(trace.observations) if o.what == "value"]
        finite = {
            o.which: o.array for o in values if o.array is not None and np.isfinite(o.array).all()
        }
        runs.append(runs[0] | {i: nu.from_floats(array) for i, array in finite.items()})
    for numbers, read in zip(program.defined, recorder.read, strict=False):
        results = read[len(read) - len(numbers) :]
        runs[0].update((i, t.exact) for i, t in zip(numbers, results, strict=False))
    for statement in program.statements[: finding.statement + 1]:
        if not isinstance(statement, pr.Apply) or statement.op not in SIDES:
            continue
        if not all(i in run for run in runs for i in statement.inputs):
            continue
        attrs = keywords(statement.op, statement.attrs)
        of_runs = []
        for run in runs:
            operands = [run[i].reshape(program.infos[i].shape) for i in statement.inputs]
            of_runs.append(sides(statement.op, operands, attrs))
        if any(s != of_runs[0] for s in of_runs):
            return statement.op
    return None
