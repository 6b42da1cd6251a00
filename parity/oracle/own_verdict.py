"""``own_verdict``: which side of a finding is wrong, by the forwards of both sides.

It takes the place of the exact evaluation for programs with an operation that has no exact rule.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parity.engines.base import Engine
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import AnyEngine, Runner, as_runner
from parity.language import program as pr
from parity.language.table import OPS
from parity.oracle.combined import Evidence, combined_verdict
from parity.oracle.finding import Finding
from parity.oracle.own_forward import Outcome
from parity.oracle.own_programs import Question, question_of
from parity.oracle.tolerance import seed_of
from parity.oracle.verdict import ENGINE, Verdict


def own_verdict(
    program: pr.Program, finding: Finding, engine: AnyEngine, reference: Engine
) -> Verdict:
    """Return the verdict on a finding: a gradient is compared with differences of the forward."""
    if finding.what == "exception":
        raised = finding.observed != "no-exception"
        return Verdict(ENGINE, "PyTorch computes it") if raised else Verdict(None)
    if finding.what == "value" or finding.engine is None:
        return combined_verdict(Evidence(values_differ=finding.what == "value"))
    question = _question(program, finding, as_runner(engine))
    if question is None:
        return Verdict(None, "no single backward of a function of the leaves decides")
    theirs = _question(program, finding, as_runner(with_quirks(reference, engine.quirks)))
    own = question.judged(_random(program)).outcome
    evidence = Evidence(
        own,
        gradient_differs=True,
        finite=_is_finite(finding.engine),
        reference_finite=_is_finite(finding.reference),
    )
    if question.is_single and own is not Outcome.RIGHT and is_smooth(program):
        evidence = replace(evidence, around=question.placed(_random(program)).surroundings)
    if theirs is not None and own is Outcome.RIGHT:
        evidence = replace(evidence, reference=theirs.judged(_random(program)).outcome)
    return combined_verdict(evidence)


def _question(program: pr.Program, finding: Finding, runner: Runner) -> Question | None:
    """Return the question of the backward at which a finding was observed."""
    shown = pr.Program(program.leaves, program.statements[: finding.statement + 1])
    if not shown.statements or not isinstance(shown.statements[-1], pr.Backward):
        return None
    return question_of(shown, runner.run(shown), runner)


def is_smooth(program: pr.Program) -> bool:
    """Return whether all operations of a program have a derivative almost everywhere."""
    return all(OPS[s.op].smooth for s in program.statements if isinstance(s, pr.Apply))


def _random(program: pr.Program) -> np.random.Generator:
    return np.random.default_rng(seed_of(program))


def _is_finite(array: object) -> bool:
    return isinstance(array, np.ndarray) and bool(np.isfinite(array).all())
