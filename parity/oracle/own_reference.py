"""``OwnReference``: an engine's own forward in the place of a reference.

A run of it is the engine's own run, in which a gradient that the forward contradicts is replaced by
what the forward says. So every comparison, reduction and report works as with PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parity.engines.base import ProgramEngine
from parity.engines.runner import Runner
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.language.shapes import size
from parity.oracle.neighbours import Surroundings
from parity.oracle.own_forward import Outcome
from parity.oracle.own_programs import Question, question_of
from parity.oracle.own_verdict import is_smooth
from parity.oracle.tolerance import seed_of
from parity.oracle.verdict import OWN_FORWARD

#: Gradients at a kink that no convention explains.
_WRONG_AT_KINK = (Surroundings.ISOLATED, Surroundings.OUTSIDE)
#: An entry of the gradient of a leaf, and what it should be.
Entry = tuple[int, tuple[int, ...], float]


class OwnReference(ProgramEngine):
    """Judges gradients of a runner's engine; ``parity check --reference self``.

    Values are taken as they are. A backward that raises although the forward works is wrong. Where
    nothing can be said, as after ``detach``, a run is that of the engine.
    """

    name = OWN_FORWARD
    is_strict = True

    def __init__(self, runner: Runner) -> None:
        self.runner = runner

    def run_program(self, program: pr.Program) -> Trace:
        trace = self.runner.run(program)
        if trace.failure is not None:
            return self._without_failure(program, trace)
        question = question_of(program, trace, self.runner)
        if question is None:
            return trace
        return _corrected(program, trace, question, list(self._wrong(question)))

    @staticmethod
    def _without_failure(program: pr.Program, trace: Trace) -> Trace:
        """Return the run without a failure in a backward; one of the forward is taken as it is."""
        assert trace.failure is not None
        number = trace.failure.statement
        if not 0 <= number < len(program.statements):
            return trace
        failed, before = program.statements[number], program.statements[:number]
        if not isinstance(failed, pr.Backward) or not all(map(_records, before)):
            return trace
        root, given = program.infos[failed.value], failed.gradient
        fits = size(root.shape) == 1 if given is None else given.shape == root.shape
        return Trace(trace.observations) if fits and root.requires_grad else trace

    @staticmethod
    def _wrong(question: Question) -> Iterator[Entry]:
        """Yield the entries of gradients that are wrong."""
        random = np.random.default_rng(seed_of(question.program))
        outcome = question.judged(random).outcome
        if outcome is Outcome.WRONG:
            partials = question.wrong_partials(random)
            yield from ((p.leaf, p.index, p.expected) for p in partials)
            if partials:
                return
        if outcome is not Outcome.RIGHT and question.is_single and is_smooth(question.program):
            placed = question.placed(random)
            if placed.surroundings in _WRONG_AT_KINK:
                leaf = 0 if placed.leaf is None else placed.leaf
                index = placed.index or (0,) * question.leaves[leaf].ndim
                yield leaf, index, (placed.low + placed.high) / 2


def _records(statement: pr.Statement) -> bool:
    return isinstance(statement, pr.Apply) and not statement.no_grad


def _corrected(program: pr.Program, trace: Trace, question: Question, wrong: list[Entry]) -> Trace:
    """Return a run with the right numbers in the gradients after the last backward."""
    if not wrong:
        return trace
    number = len(question.program.statements) - 1
    observations = list(trace.observations)
    for place, seen in enumerate(observations):
        if seen.statement == number and seen.what == "grad":
            entries = [(i, value) for leaf, i, value in wrong if leaf == seen.which]
            right = _replaced(seen.array, question.gradients[seen.which], entries)
            observations[place] = seen._replace(array=right)
    return Trace(observations)


def _replaced(
    array: NDArray[np.float64] | None,
    added: NDArray[np.float64],
    entries: list[tuple[tuple[int, ...], float]],
) -> NDArray[np.float64] | None:
    if not entries:
        return array
    right = np.zeros(added.shape) if array is None else np.array(array)
    for index, value in entries:
        right[index] = right[index] - added[index] + value if np.isfinite(right[index]) else value
    return right
