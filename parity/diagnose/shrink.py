"""From a program that shows a difference to the smallest one that does.

Greedy: try every way to make the program one step simpler, take the first that
still shows the same kind of finding, and start again until none does. Programs
are small, so this takes a few hundred runs.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from parity.diagnose.shrink_passes import (
    GRADIENT_VALUES,
    LEAF_VALUES,
    PLAIN_VALUES,
    Freedom,
    simpler,
    simplest_misfit,
    with_other_operation,
)
from parity.engines.base import Engine
from parity.engines.runner import AnyEngine, Runner, as_runner
from parity.language import program as pr
from parity.language.program import Program
from parity.language.shapes import Shape, size
from parity.language.table import OPS, attribute_choices
from parity.oracle.check import check_program
from parity.oracle.finding import Finding

#: Kinds that a finding may turn into on the way: what is wrong later is often wrong at once.
SIMPLER: dict[str, frozenset[str]] = {
    "accumulation": frozenset({"gradient"}),
    "second-order": frozenset({"gradient", "accumulation"}),
    "exception": frozenset({"shape", "gradient", "dtype"}),
}
#: Runs after which the smallest program so far is taken.
BUDGET = 4000

Check = Callable[[pr.Program], Finding | None]


def reduce_program(
    program: pr.Program,
    finding: Finding,
    check: Check,
    budget: int = BUDGET,
    freedom: Freedom = Freedom.ALL,
) -> tuple[pr.Program, Finding]:
    """The smallest program found on which ``check`` gives the same kind of finding."""
    search = _Search(program, finding, check, budget, freedom)
    while search.step():
        pass
    return search.program, search.finding


class _Search:
    def __init__(
        self,
        program: pr.Program,
        finding: Finding,
        check: Check,
        budget: int,
        freedom: Freedom,
    ) -> None:
        self.program = program
        self.finding = finding
        self.check = check
        self.budget = budget
        self.freedom = freedom
        self.tried: set[pr.Program] = {program}
        self.may_rerun = reruns_freed_graph(program)

    def step(self) -> bool:
        """Take one simplification; False if there is none."""
        cost = _cost(self.program)
        for candidate in simpler(self.program, self.finding.statement, self.freedom):
            if candidate in self.tried or _cost(candidate) >= cost:
                continue
            self.tried.add(candidate)
            if not self.may_rerun and reruns_freed_graph(candidate):
                continue  # engines may refuse that where PyTorch does not (semantics.md 1.2)
            if self.budget <= 0:
                return False
            self.budget -= 1
            finding = self.check(candidate)
            if finding is not None and self.is_same(finding):
                self.program, self.finding = candidate, finding
                return True
        return False

    def is_same(self, finding: Finding) -> bool:
        """Whether it may be the fault that is reduced.

        A pole that the program did not reach has faults of its own.
        """
        kinds = SIMPLER.get(self.finding.kind, frozenset()) | {self.finding.kind}
        return finding.kind in kinds and (self.finding.non_finite or not finding.non_finite)


def reruns_freed_graph(program: pr.Program) -> bool:
    """Whether a backward runs operations that an earlier one freed."""
    behind: list[frozenset[int]] = [frozenset()] * len(program.leaves)
    infos = program.infos
    recorded: frozenset[int] = frozenset()
    freed: frozenset[int] = frozenset()
    for number, (s, defined) in enumerate(zip(program.statements, program.defined, strict=True)):
        if isinstance(s, pr.Backward):
            if behind[s.value] & freed:
                return True
            if s.create_graph:
                recorded |= behind[s.value]
            elif not s.retain_graph:
                freed |= behind[s.value]
        graph = frozenset({number}).union(*(behind[i] for i in pr.operands(s)))
        if isinstance(s, pr.TakeGrad):  # of what was recorded, at most
            graph |= recorded
        behind += [frozenset() if infos[i].requires_grad is False else graph for i in defined]
    return False


def _cost(program: pr.Program) -> tuple[Any, ...]:
    """What makes a program large, the most important first."""
    applied = [s for s in program.statements if isinstance(s, pr.Apply)]
    backwards = [s for s in program.statements if isinstance(s, pr.Backward)]
    gradients = _gradients(program)
    return (
        len(program.statements),
        len(program.leaves),
        sum(s.create_graph + s.retain_graph for s in backwards)
        + len(gradients)
        + sum(s.no_grad for s in applied)
        + sum(leaf.dtype != "float64" for leaf in program.leaves)
        + sum(not leaf.requires_grad for leaf in program.leaves)
        + sum(isinstance(s, pr.Drop) for s in program.statements),
        sum(2 * bool(leaf.shape) + size(leaf.shape) + len(leaf.shape) for leaf in program.leaves),
        sum(_misfit(g.shape, root) for g, root in gradients),
        sum(map(list(OPS).index, (s.op for s in applied))),
        _attribute_rank(program),
        sum(len(pr.leaf_operands(s)) for s in program.statements),
        sum(_unlike(leaf.values, LEAF_VALUES) for leaf in program.leaves),
        sum(_unlike(g.values, _usual(g.shape, root)) for g, root in gradients),
        sum(sum(pr.operands(s)) for s in program.statements),
        [(*pr.operands(s), *pr.leaf_operands(s)) for s in program.statements],
    )


def _gradients(program: pr.Program) -> list[tuple[pr.Constant, Shape]]:
    """The gradients of backwards, each with the shape of its root, which may be another."""
    infos = program.infos
    return [
        (s.gradient, infos[s.value].shape)
        for s in program.statements
        if isinstance(s, pr.Backward) and s.gradient is not None
    ]


def _misfit(gradient: Shape, root: Shape) -> int:
    """How far the shape of a gradient is from one that fits or is simply wrong."""
    return 0 if gradient in (root, simplest_misfit(root)) else size(gradient) + len(gradient)


def _usual(gradient: Shape, root: Shape) -> tuple[float, ...]:
    return GRADIENT_VALUES if gradient == root else GRADIENT_VALUES[:1]


def _unlike(values: tuple[float, ...], pattern: tuple[float, ...]) -> int:
    """How far values are from a pattern that repeats; plain ones are nearer than others."""
    ranks = {v: 1 + i for i, v in enumerate(PLAIN_VALUES)}
    usual = itertools.cycle(pattern)
    return sum(
        0 if v == p else ranks.get(v, 1 + len(ranks)) for v, p in zip(values, usual, strict=False)
    )


def _attribute_rank(program: pr.Program) -> int:
    """How far attributes are from the simplest of their operations."""
    infos = program.infos
    rank = 0
    for s in program.statements:
        if isinstance(s, pr.Apply) and s.attrs:
            choices = attribute_choices(s.op, tuple(infos[i].shape for i in s.inputs))
            rank += choices.index(s.attrs) if s.attrs in choices else len(choices)
    return rank


#: Operations that are tried in place of one, to see whether a finding depends on it.
_OTHERS = 8


def reduced(
    program: Program,
    finding: Finding,
    engine: AnyEngine,
    reference: Engine,
    freedom: Freedom = Freedom.ALL,
) -> tuple[Program, Finding]:
    """The smallest program on which the two still differ in that way, and the finding there.

    ``freedom``: what the steps may do beside dropping and simplifying.
    An engine that does not come back is not waited for as long in each step; the
    smallest program is then given the whole time.
    """

    def check(p: Program) -> Finding | None:
        return check_program(p, engine, reference)

    runner = as_runner(engine)
    if not runner.isolated:
        return reduce_program(program, finding, check, freedom=freedom)
    if not finding.stopped:
        return _reduced_in_fresh_processes(program, finding, runner, check, freedom)
    with runner.impatient(finding.kind == "time"):
        small, _ = reduce_program(program, finding, check, freedom=freedom)
    with runner.impatient(False):
        again = check(small)
    if again is None or again.kind != finding.kind:
        return program, finding
    return small, again


def depends_on_operation(
    number: int, program: Program, finding: Finding, engine: AnyEngine, reference: Engine
) -> bool:
    """Whether most operations in place of that of a statement do not show the finding."""
    kinds = SIMPLER.get(finding.kind, frozenset()) | {finding.kind}
    others = (p for p in with_other_operation(program, number) if as_runner(engine).supports(p))
    tried = list(itertools.islice(others, _OTHERS))
    findings = [check_program(p, engine, reference) for p in tried]
    return 2 * sum(f is not None and f.kind in kinds for f in findings) < len(tried)


def _reduced_in_fresh_processes(
    program: Program,
    finding: Finding,
    runner: Runner,
    check: Callable[[Program], Finding | None],
    freedom: Freedom,
) -> tuple[Program, Finding]:
    """The smallest program that differs in a process in which no other ran before.

    Most engines keep nothing between programs, so that is asked only at the end.
    """
    small, found = reduce_program(program, finding, check, freedom=freedom)
    with runner.fresh_process():
        again = check(small)
        if again is not None and again.kind == found.kind:
            return small, again
        return reduce_program(program, finding, check, freedom=freedom)
