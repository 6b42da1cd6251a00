"""Judge the last backward of a program by the engine itself, without a reference.

The program runs again, without that backward, for other values of the leaves. An earlier backward
with ``create_graph`` stays, so that gradients of gradients are judged by differences of the
engine's own gradients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from parity.engines.runner import Runner
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.language.table import OPS
from parity.oracle.neighbours import Placement, judge_among_neighbours
from parity.oracle.own_forward import (
    Array,
    Judgement,
    Outcome,
    Partial,
    judge_gradient,
    wrong_partials,
)

#: A backward that adds less than this part to a gradient cannot be told from it.
_LEAST_PART = 1e-5


@dataclass(frozen=True)
class Question:
    """The last backward of a program, and what to run to judge it (``question_of``).

    Attributes
    ----------
    program
        The program up to that backward.
    runner
        The engine.
    seed
        The gradient that the backward starts from.
    gradients
        What it added to the gradient of each leaf.
    """

    program: pr.Program
    runner: Runner
    seed: Array
    gradients: list[Array]

    @property
    def leaves(self) -> list[Array]:
        return [leaf.array() for leaf in self.program.leaves]

    @property
    def wanted(self) -> list[bool]:
        return [leaf.requires_grad for leaf in self.program.leaves]

    @property
    def is_single(self) -> bool:
        """Whether the program is one operation and one backward."""
        return [type(s) for s in self.program.statements] == [pr.Apply, pr.Backward]

    @property
    def chains_kinks(self) -> bool:
        """Whether one of several operations has a kink.

        At kinks of several operations the chain rule need not give the derivative of the whole:
        ``max(min(x), x)`` is ``x``, and its gradient need not be 1.
        """
        ops = [OPS[s.op] for s in self.program.statements if isinstance(s, pr.Apply)]
        return len(ops) > 1 and any(op.kinks or not op.smooth for op in ops)

    @property
    def in_domain(self) -> bool:
        """Whether leaves lie in the domain of the operation, if there is one only."""
        applied = self.program.statements[0]
        if not self.is_single or not isinstance(applied, pr.Apply):
            return True
        domains = OPS[applied.op].domains(len(applied.inputs))
        arrays = self.leaves
        return all(
            domain.contains(arrays[i]) for domain, i in zip(domains, applied.inputs, strict=True)
        )

    def judged(self, random: np.random.Generator) -> Judgement:
        """Judge the gradients by the engine's own forward."""
        if self.chains_kinks or not self.in_domain:
            return Judgement(Outcome.UNDECIDED)
        given = self.leaves, [self.seed], self.gradients
        return judge_gradient(self.forwards, *given, random, self.wanted)

    def wrong_partials(self, random: np.random.Generator) -> list[Partial]:
        """Return the entries that are wrong, with the values that are right."""
        given = self.leaves, [self.seed], self.gradients
        return wrong_partials(self.forwards, *given, random, self.wanted)

    def placed(self, random: np.random.Generator) -> Placement:
        """Judge the gradients of a single operation by those at points around."""
        given = self.leaves, self.gradients, random, self.wanted
        return judge_among_neighbours(self.gradients_at, *given)

    def forwards(self, points: Sequence[Sequence[Array]]) -> list[list[Array] | None]:
        """Return the value that the backward starts from, for other leaves."""
        root = _last(self.program).value
        before = self.program.statements[:-1]
        values = (value_of(trace, root) for trace in self.traces(points, before))
        return [None if value is None else [value] for value in values]

    def gradients_at(self, points: Sequence[Sequence[Array]]) -> list[list[Array] | None]:
        """Return what the backward adds to the gradients, for other leaves."""
        traces = self.traces(points, self.program.statements)
        return [None if t is None else added_gradients(self.program, t) for t in traces]

    def traces(
        self, points: Sequence[Sequence[Array]], statements: tuple[pr.Statement, ...]
    ) -> Iterator[Trace | None]:
        """Run statements for other values of the leaves; None where that fails."""
        programs = [
            pr.Program(
                tuple(
                    pr.Leaf(old.shape, tuple(a.ravel().tolist()), old.dtype, old.requires_grad)
                    for old, a in zip(self.program.leaves, arrays, strict=True)
                ),
                statements,
            )
            for arrays in points
        ]
        for runs in self.runner.run_many(programs):
            for _, trace in runs:
                yield None if trace is None or trace.failure is not None else trace


def question_of(program: pr.Program, trace: Trace, runner: Runner) -> Question | None:
    """Return the question whether the last backward of a program is right, or None.

    There is none where the gradients are not those of a function of the leaves: after detach,
    ``no_grad`` or changes of gradients, if the run failed, or if a gradient has another shape.

    Examples
    --------
    >>> from parity.engines.adapters.torch import Torch
    >>> from parity.engines.runner import as_runner
    >>> from parity.language.text_format import program_from_text
    >>> program = program_from_text("x0 = leaf(3.0)\\nx1 = exp(x0)\\nbackward(x1)")
    >>> runner = as_runner(Torch())
    >>> question = question_of(program, runner.run(program), runner)
    >>> str(question.judged(np.random.default_rng(0)).outcome)
    'right'
    """
    places = [n for n, s in enumerate(program.statements) if isinstance(s, pr.Backward)]
    if not places or (trace.failure is not None and trace.failure.statement <= places[-1]):
        return None
    program = pr.Program(program.leaves, program.statements[: places[-1] + 1])
    if not _is_function(program, bool(runner.quirks)):
        return None
    last = _last(program)
    value = value_of(trace, last.value)
    gradients = added_gradients(program, trace)
    if value is None or gradients is None:
        return None
    seed = np.ones_like(value) if last.gradient is None else last.gradient.array()
    return Question(program, runner, seed, gradients) if seed.shape == value.shape else None


def _last(program: pr.Program) -> pr.Backward:
    last = program.statements[-1]
    assert isinstance(last, pr.Backward)
    return last


def _is_function(program: pr.Program, quirks: bool) -> bool:
    """Whether the last backward differentiates a function of the leaves in PyTorch's sense."""
    *before, _ = program.statements
    earlier = [s for s in before if isinstance(s, pr.Backward)]
    if quirks and earlier:  # gradients may not add up
        return False
    if any(isinstance(s, pr.TakeGrad) for s in before):
        return all(s.create_graph for s in earlier) and all(map(_keeps_derivatives, before))
    return all(map(_keeps_derivatives, before))


def _keeps_derivatives(statement: pr.Statement) -> bool:
    if isinstance(statement, pr.Apply):
        return not statement.no_grad
    return isinstance(statement, (pr.Backward, pr.TakeGrad, pr.Clear, pr.Drop))


def value_of(trace: Trace | None, which: int) -> Array | None:
    """Return the value of a tensor from a trace, None if it is not there."""
    found = (o.array for o in trace.observations if o[1:3] == ("value", which)) if trace else ()
    return next(iter(found), None)


def added_gradients(program: pr.Program, trace: Trace) -> list[Array] | None:
    """Return what the last backward added to the gradient of each leaf.

    None if a shape is another, or if the gradients before hide what was added.
    """
    number = len(program.statements) - 1
    grads = [o for o in trace.observations if o.what == "grad"]
    before = {o.which: o.array for o in grads if o.statement < number}
    after = {o.which: o.array for o in grads if o.statement == number}
    added = []
    for i, leaf in enumerate(program.leaves):
        new, old = (np.zeros(leaf.shape) if g is None else g for g in (after[i], before.get(i)))
        if new.shape != leaf.shape or old.shape != leaf.shape:
            return None
        with np.errstate(all="ignore"):
            change = new.astype(np.float64) - old
        if old.any() and np.abs(change).max() < _LEAST_PART * np.abs(old).max():
            return None
        added.append(change)
    return added
