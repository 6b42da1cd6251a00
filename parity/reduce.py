"""From a program that shows a difference to the smallest one that does.

Greedy: try every way to make the program one step simpler, take the first that
still shows the same kind of finding, and start again until none does. Programs
are small, so this takes a few hundred runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from parity import program as pr
from parity.compare import Finding
from parity.ops import OPS, attribute_choices, output_shapes
from parity.shapes import Shape, size

#: Kinds that a finding may turn into on the way: what is wrong later is often wrong at once.
SIMPLER: dict[str, frozenset[str]] = {
    "accumulation": frozenset({"gradient"}),
    "second-order": frozenset({"gradient", "accumulation"}),
    "exception": frozenset({"shape", "gradient", "dtype"}),
}
#: Gradients that are put in place of one whose shape no longer fits.
_GRADIENT_VALUES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
_LEAF_VALUES = (3.0, 2.0, 4.0, 5.0, 7.0, 6.0)
_SIMPLE_SHAPES: tuple[Shape, ...] = ((), (2,), (2, 2), (2, 3))
#: Leaves up to which a computed value may be replaced by one.
_MOST_LEAVES = 4
#: Runs after which the smallest program so far is taken.
BUDGET = 4000

Check = Callable[[pr.Program], Finding | None]


def reduce_program(
    program: pr.Program, finding: Finding, check: Check, budget: int = BUDGET
) -> tuple[pr.Program, Finding]:
    """The smallest program found on which ``check`` gives the same kind of finding."""
    search = _Search(program, finding, check, budget)
    while search.step():
        pass
    return search.program, search.finding


class _Search:
    def __init__(self, program: pr.Program, finding: Finding, check: Check, budget: int) -> None:
        self.program = program
        self.finding = finding
        self.check = check
        self.budget = budget
        self.tried: set[pr.Program] = {program}
        self.may_rerun = reruns_freed_graph(program)

    def step(self) -> bool:
        """Take one simplification; False if there is none."""
        cost = _cost(self.program)
        for candidate in _simpler(self.program, self.finding.statement):
            if candidate in self.tried or _cost(candidate) >= cost:
                continue
            self.tried.add(candidate)
            if not self.may_rerun and reruns_freed_graph(candidate):
                continue  # engines may refuse that where PyTorch does not (semantics.md 1.2)
            if self.budget <= 0:
                return False
            self.budget -= 1
            finding = self.check(candidate)
            if finding is not None and finding.kind in self.kinds():
                self.program, self.finding = candidate, finding
                return True
        return False

    def kinds(self) -> frozenset[str]:
        return SIMPLER.get(self.finding.kind, frozenset()) | {self.finding.kind}


def reruns_freed_graph(program: pr.Program) -> bool:
    """Whether a backward runs operations that an earlier one freed."""
    behind: list[frozenset[int]] = [frozenset()] * len(program.leaves)
    infos = program.infer()
    recorded: frozenset[int] = frozenset()
    freed: frozenset[int] = frozenset()
    for number, (s, defined) in enumerate(zip(program.statements, program.defined(), strict=True)):
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
    return (
        len(program.statements),
        len(program.leaves),
        sum(s.create_graph + s.retain_graph + (s.gradient is not None) for s in backwards)
        + sum(s.no_grad for s in applied)
        + sum(leaf.dtype != "float64" for leaf in program.leaves)
        + sum(not leaf.requires_grad for leaf in program.leaves)
        + sum(isinstance(s, pr.Drop) for s in program.statements),
        sum(2 * bool(leaf.shape) + size(leaf.shape) + len(leaf.shape) for leaf in program.leaves),
        sum(_rank(s) for s in applied),
        sum(len(pr.leaf_operands(s)) for s in program.statements),
        sum(_unlike(leaf.values, _LEAF_VALUES) for leaf in program.leaves),
        sum(_unlike(s.gradient.values, _GRADIENT_VALUES) for s in backwards if s.gradient),
        sum(sum(pr.operands(s)) for s in program.statements),
        [pr.operands(s) for s in program.statements],
    )


def _unlike(values: tuple[float, ...], pattern: tuple[float, ...]) -> int:
    """How many values differ from a pattern that repeats."""
    return sum(v != pattern[i % len(pattern)] for i, v in enumerate(values))


def _rank(statement: pr.Apply) -> int:
    """How far an operation and its attributes are from the simplest."""
    return 4 * list(OPS).index(statement.op) + len(repr(statement.attrs))


def _simpler(program: pr.Program, last: int) -> Iterator[pr.Program]:
    """Programs that are one step simpler, the largest steps first; valid ones only."""
    for candidate in _candidates(program, last):
        fitting = repaired(candidate)
        if fitting is not None:
            yield fitting


def _candidates(program: pr.Program, last: int) -> Iterator[pr.Program]:
    if last + 1 < len(program.statements):
        yield replace(program, statements=program.statements[: max(last, 0) + 1])
    for number in reversed(range(len(program.statements))):
        yield from _without_statement(program, number)
    for number in range(len(program.statements)):
        yield from _cut_off(program, number)
    for i in reversed(range(len(program.leaves))):
        yield from _without_leaf(program, i)
    for shape in _SIMPLE_SHAPES:
        yield _with_leaves(program, lambda leaf, s=shape: _reshaped(leaf, s))  # type: ignore[misc]
    yield _with_leaves(program, lambda leaf: replace(leaf, dtype="float64"))
    yield _with_leaves(program, lambda leaf: replace(leaf, values=_pattern(leaf.shape)))
    for i, leaf in enumerate(program.leaves):
        for simple in _simpler_leaves(leaf):
            leaves = (*program.leaves[:i], simple, *program.leaves[i + 1 :])
            yield replace(program, leaves=leaves)
    for number, statement in enumerate(program.statements):
        for other in _simpler_statements(program, statement):
            statements = (*program.statements[:number], other, *program.statements[number + 1 :])
            yield replace(program, statements=statements)


def _pattern(shape: Shape) -> tuple[float, ...]:
    return tuple(_LEAF_VALUES[i % len(_LEAF_VALUES)] for i in range(size(shape)))


def _reshaped(leaf: pr.Leaf, shape: Shape) -> pr.Leaf:
    values = (leaf.values + _pattern(shape))[: size(shape)]
    return replace(leaf, shape=shape, values=values)


def _with_leaves(program: pr.Program, change: Callable[[pr.Leaf], pr.Leaf]) -> pr.Program:
    return replace(program, leaves=tuple(map(change, program.leaves)))


def _simpler_leaves(leaf: pr.Leaf) -> Iterator[pr.Leaf]:
    for shape in _SIMPLE_SHAPES:
        yield _reshaped(leaf, shape)
    for axis, n in enumerate(leaf.shape):
        yield _reshaped(leaf, (*leaf.shape[:axis], *leaf.shape[axis + 1 :]))
        if n > 1:
            yield _reshaped(leaf, (*leaf.shape[:axis], n - 1, *leaf.shape[axis + 1 :]))
    yield replace(leaf, requires_grad=True)
    yield replace(leaf, dtype="float64")
    yield replace(leaf, values=_pattern(leaf.shape))


def _simpler_statements(program: pr.Program, s: pr.Statement) -> Iterator[pr.Statement]:
    if isinstance(s, pr.Apply):
        yield replace(s, no_grad=False)
        for name in OPS:
            arity = OPS[name].arity
            if name != s.op and arity:
                yield replace(s, op=name, attrs=(), inputs=(s.inputs * arity)[:arity])
        infos = program.infer()
        for attrs in attribute_choices(s.op, tuple(infos[i].shape for i in s.inputs)):
            yield replace(s, attrs=attrs)
        yield replace(s, inputs=tuple(sorted(s.inputs)))
        for place, value in enumerate(s.inputs):
            for other in range(value):
                yield replace(s, inputs=(*s.inputs[:place], other, *s.inputs[place + 1 :]))
    elif isinstance(s, pr.Backward):
        yield replace(s, gradient=None)
        yield replace(s, create_graph=False)
        yield replace(s, retain_graph=False)
        if s.gradient is not None:
            n = len(s.gradient.values)
            yield replace(s, gradient=replace(s.gradient, values=_GRADIENT_VALUES[:1] * n))
            yield replace(s, gradient=replace(s.gradient, values=(_GRADIENT_VALUES * n)[:n]))
        for value in range(s.value):
            yield replace(s, value=value)
    elif isinstance(s, (pr.Clear, pr.Zero)):
        for leaf in s.leaves:
            yield replace(s, leaves=(leaf,))
    elif isinstance(s, (pr.TakeGrad, pr.ChangeGrad)):
        for leaf in range(s.leaf):
            yield replace(s, leaf=leaf)


def _without_statement(program: pr.Program, number: int) -> Iterator[pr.Program]:
    """The program without one statement; what it defined is replaced by an earlier value."""
    defined = program.defined()[number]
    rest = program.statements[:number] + program.statements[number + 1 :]
    if not defined:
        yield replace(program, statements=rest)
        return
    first = defined[0]
    read = pr.operands(program.statements[number])
    for substitute in dict.fromkeys((*read, *reversed(range(first)))):
        mapping = _Renumber(first, len(defined), substitute)
        statements = tuple(mapping.statement(s) if n >= number else s for n, s in enumerate(rest))
        yield replace(program, statements=statements)


def _cut_off(program: pr.Program, number: int) -> Iterator[pr.Program]:
    """The program with a leaf of its own in place of what a statement computes."""
    defined = program.defined()[number]
    new = len(program.leaves)
    if len(defined) != 1 or new >= _MOST_LEAVES:
        return
    info = program.infer()[defined[0]]
    leaf = pr.Leaf(info.shape, _pattern(info.shape), info.dtype)
    rest = program.statements[:number] + program.statements[number + 1 :]
    mapping = _Renumber(defined[0], 1, new, inserted=new)
    yield pr.Program((*program.leaves, leaf), tuple(map(mapping.statement, rest)))


def _without_leaf(program: pr.Program, leaf: int) -> Iterator[pr.Program]:
    if len(program.leaves) < 2:
        return
    leaves = program.leaves[:leaf] + program.leaves[leaf + 1 :]
    for substitute in range(len(program.leaves)):
        if substitute != leaf:
            mapping = _Renumber(leaf, 1, substitute)
            statements = tuple(map(mapping.statement, program.statements))
            yield pr.Program(leaves, tuple(map(mapping.events, statements)))


class _Renumber:
    """Values ``first`` and on, ``count`` of them, are gone: ``substitute`` takes their place.

    ``inserted``: before it a value was put in that has its number now.
    """

    def __init__(
        self, first: int, count: int, substitute: int, inserted: int | None = None
    ) -> None:
        self.first = first
        self.count = count
        self.inserted = inserted
        self.replacement = substitute if substitute < first else substitute - count

    def value(self, v: int) -> int:
        if self.inserted is not None:
            if v == self.first:
                return self.inserted
            return v + 1 if self.inserted <= v < self.first else v
        if v < self.first:
            return v
        return v - self.count if v >= self.first + self.count else self.replacement

    def statement(self, s: Any) -> Any:
        if isinstance(s, pr.Apply):
            return replace(s, inputs=tuple(map(self.value, s.inputs)))
        if isinstance(s, (pr.Detach, pr.Backward, pr.Drop)):
            return replace(s, value=self.value(s.value))
        return s

    def events(self, s: Any) -> Any:
        """The same for statements that name leaves."""
        if isinstance(s, (pr.Clear, pr.Zero)):
            return replace(s, leaves=tuple(sorted({self.value(i) for i in s.leaves})))
        if isinstance(s, (pr.TakeGrad, pr.ChangeGrad)):
            return replace(s, leaf=self.value(s.leaf))
        return s


def repaired(program: pr.Program) -> pr.Program | None:
    """The program with attributes and gradients that fit its shapes, or None if none do."""
    infos = [leaf.info() for leaf in program.leaves]
    statements: list[pr.Statement] = []
    try:
        for s in program.statements:
            if isinstance(s, pr.Apply):
                s = _with_fitting_attrs(s, [infos[i] for i in s.inputs])
            elif isinstance(s, pr.Backward) and s.gradient is not None:
                s = replace(s, gradient=_fitting_gradient(s.gradient, infos[s.value]))
            elif isinstance(s, pr.Backward) and size(infos[s.value].shape) != 1:
                s = replace(s, gradient=_fitting_gradient(None, infos[s.value]))
            infos += pr.outputs_of(s, infos)
            statements.append(s)
        result = replace(program, statements=tuple(statements))
        result.validate()
    except (pr.ProgramError, IndexError):
        return None
    return result


def _with_fitting_attrs(s: pr.Apply, inputs: list[pr.Info]) -> pr.Apply:
    shapes = tuple(info.shape for info in inputs)
    names = tuple(name for name, _ in s.attrs)
    if names == tuple(sorted(OPS[s.op].attrs)) and output_shapes(s.op, shapes, s.attrs):
        return s
    for attrs in attribute_choices(s.op, shapes):
        if output_shapes(s.op, shapes, attrs) is not None:
            return replace(s, attrs=attrs)
    raise pr.ProgramError("no attributes fit")


def _fitting_gradient(gradient: pr.Constant | None, info: pr.Info) -> pr.Constant:
    if gradient is not None and (gradient.shape, gradient.dtype) == (info.shape, info.dtype):
        return gradient
    n = size(info.shape)
    values = ((gradient.values if gradient else ()) + _GRADIENT_VALUES * (n + 1))[:n]
    return pr.Constant(info.shape, values, info.dtype)
