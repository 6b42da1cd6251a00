"""Shrink a program with a finding to the smallest one with the same kind of finding.

The search is greedy: it tries every step of ``parity.diagnose.shrink_passes`` that makes the
program simpler, takes the first that keeps the finding, and starts again until none does. Programs
are small, so that this takes a few hundred runs.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection
from typing import Any

from parity.diagnose.repair import GRADIENT_VALUES, choices_of, simplest_wrong_shape
from parity.diagnose.shrink_passes import (
    LEAF_VALUES,
    PLAIN_VALUES,
    Freedom,
    simpler,
    with_other_operation,
)
from parity.engines.base import Engine
from parity.engines.runner import AnyEngine, as_runner
from parity.language import program as pr
from parity.language.shapes import Shape, size
from parity.language.table import OPS
from parity.oracle.check import check_program
from parity.oracle.finding import Finding

#: Kinds that a finding may change into: a wrong result often shows earlier in a smaller program.
SIMPLER: dict[str, frozenset[str]] = {
    "accumulation": frozenset({"gradient"}),
    "second-order": frozenset({"gradient", "accumulation"}),
    "exception": frozenset({"shape", "gradient", "dtype"}),
}
#: Runs after which the search stops with the smallest program so far.
BUDGET = 4000

Check = Callable[[pr.Program], Finding | None]


def reduce_program(
    program: pr.Program,
    finding: Finding,
    check: Check,
    budget: int = BUDGET,
    freedom: Freedom = Freedom.ALL,
) -> tuple[pr.Program, Finding]:
    """Return the smallest program with the same kind of finding, and that finding.

    ``check`` returns the finding on a program, or None; it may be called ``budget`` times.
    """
    tried, may_rerun = {program}, reruns_freed_graph(program)
    smaller = True
    while smaller:
        smaller, cost = False, _cost(program)
        for candidate in simpler(program, finding.statement, freedom):
            if candidate in tried or _cost(candidate) >= cost:
                continue
            tried.add(candidate)
            if not may_rerun and reruns_freed_graph(candidate):
                continue  # correct engines may differ there (docs/semantics.md 1.2)
            if budget <= 0:
                return program, finding
            budget -= 1
            found = check(candidate)
            if found is None or not _alike(found, finding):
                continue
            if finding.non_finite or not found.non_finite:  # new inf or nan: other faults
                program, finding, smaller = candidate, found, True
                break
    return program, finding


def _alike(small: Finding, finding: Finding) -> bool:
    """Whether a finding may replace another one.

    An exception must come from the same place, and a nan is another fault than a wrong number.
    """
    same_place = small.place == finding.place or small.kind != finding.kind
    same_class = small.left_numbers == finding.left_numbers
    return small.kind in _same_kinds(finding) and same_place and same_class


def _same_kinds(finding: Finding) -> frozenset[str]:
    return SIMPLER.get(finding.kind, frozenset()) | {finding.kind}


def reruns_freed_graph(program: pr.Program) -> bool:
    """Return whether a backward runs operations that an earlier one freed."""
    graphs: list[frozenset[int]] = [frozenset()] * len(program.leaves)
    infos = program.infos
    recorded: frozenset[int] = frozenset()
    freed: frozenset[int] = frozenset()
    for number, (s, defined) in enumerate(zip(program.statements, program.defined, strict=True)):
        if isinstance(s, pr.Backward):
            if graphs[s.value] & freed:
                return True
            if s.create_graph:
                recorded |= graphs[s.value]
            elif not s.retain_graph:
                freed |= graphs[s.value]
        graph = frozenset({number}).union(*(graphs[i] for i in s.operands()))
        if isinstance(s, pr.TakeGrad):  # of what was recorded, at most
            graph |= recorded
        graphs += [frozenset() if infos[i].requires_grad is False else graph for i in defined]
    return False


def _cost(program: pr.Program) -> tuple[Any, ...]:
    """Return the size of a program, to compare: the most important criterion first."""
    positions = _positions(len(OPS), next(reversed(OPS)))
    applied = [s for s in program.statements if isinstance(s, pr.Apply)]
    backwards = [s for s in program.statements if isinstance(s, pr.Backward)]
    infos = program.infos
    gradients = [(s.gradient, infos[s.value].shape) for s in backwards if s.gradient is not None]
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
        sum(_mismatch_cost(g.shape, root) for g, root in gradients),
        sum(positions[s.op] for s in applied),
        _attribute_rank(program),
        sum(len(s.leaf_operands()) for s in program.statements),
        sum(_unlike(leaf.values, LEAF_VALUES) for leaf in program.leaves),
        sum(
            _unlike(g.values, GRADIENT_VALUES[: None if g.shape == root else 1])
            for g, root in gradients
        ),
        sum(sum(s.operands()) for s in program.statements),
        [(*s.operands(), *s.leaf_operands()) for s in program.statements],
    )


@functools.lru_cache(maxsize=1)
def _positions(count: int, last: str) -> dict[str, int]:
    """Return the position of each operation; the table changes at its end, if at all."""
    return {name: position for position, name in enumerate(OPS)}


def _mismatch_cost(gradient: Shape, root: Shape) -> int:
    """Return the cost of a gradient of the wrong shape; 0 for the simplest one."""
    return 0 if gradient in (root, simplest_wrong_shape(root)) else size(gradient) + len(gradient)


def _unlike(values: tuple[float, ...], pattern: tuple[float, ...]) -> int:
    """Return how far values are from a repeated pattern; plain values cost less than others."""
    ranks = {v: 1 + i for i, v in enumerate(PLAIN_VALUES)}
    pairs = zip(values, itertools.cycle(pattern), strict=False)
    return sum(0 if v == usual else ranks.get(v, 1 + len(ranks)) for v, usual in pairs)


def _attribute_rank(program: pr.Program) -> int:
    """Return how far attributes are from the simplest ones of their operations."""
    rank = 0
    for s in program.statements:
        if isinstance(s, pr.Apply) and s.attrs:
            choices = choices_of(program, s)
            rank += choices.index(s.attrs) if s.attrs in choices else len(choices)
    return rank


def reduced(
    program: pr.Program,
    finding: Finding,
    engine: AnyEngine,
    reference: Engine,
    freedom: Freedom = Freedom.ALL,
    unless: Callable[[pr.Program, Finding], bool] = lambda program, finding: False,
) -> tuple[pr.Program, Finding]:
    """Return the smallest program on which engine and reference differ alike, and the finding.

    Programs on which ``unless`` is true are passed over: they show another fault.

    An engine that runs into the time limit has a shorter one in each step; the smallest program
    then runs with the full limit again. Most engines keep no state between programs, so that a
    process in which no other program ran before is tried only at the end.
    """

    def check(p: pr.Program) -> Finding | None:
        found = check_program(p, engine, reference)
        if found is None or not _alike(found, finding):  # the question costs more
            return None
        return None if unless(p, found) else found

    def search() -> tuple[pr.Program, Finding]:
        return reduce_program(program, finding, check, freedom=freedom)

    runner = as_runner(engine)
    if not runner.isolated:
        return search()
    if finding.stopped:
        with runner.impatient(finding.kind == "time"):
            small, _ = search()
        with runner.impatient(False):
            again = check(small)
        if again is None or again.kind != finding.kind:
            return program, finding
        return small, again
    small, found = search()
    with runner.fresh_process():
        again = check(small)
        if again is not None and again.kind == found.kind:
            return small, again
        return search()


#: Operations that replace another one, to see whether a finding depends on it.
_OTHERS = 8


def depends_on_operation(
    number: int, program: pr.Program, finding: Finding, check: Check, ops: Collection[str]
) -> bool:
    """Return whether most other operations in place of a statement's do not show a finding.

    ``ops``: those that are tried.
    """
    others = (p for p in with_other_operation(program, number) if _operation(p, number) in ops)
    tried = list(itertools.islice(others, _OTHERS))
    findings = list(map(check, tried))
    kinds = _same_kinds(finding)
    alike = sum(f is not None and f.kind in kinds for f in findings)
    return not tried or 2 * alike < len(tried)


def _operation(program: pr.Program, number: int) -> str:
    statement = program.statements[number]
    return statement.op if isinstance(statement, pr.Apply) else ""
