"""Events of ``Builder`` that add the statements of the tape (``parity.language.tape_statements``).

As the methods of ``Builder`` each takes a value and two bytes, and returns the value it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from parity.generate.builder import UNKNOWN, Builder
from parity.generate.pools import gradient_values
from parity.language import program as pr
from parity.language.shapes import size
from parity.language.table import OPS

Event: TypeAlias = Callable[[Builder, int, int, int], int | None]

#: Hooks that are there at most.
_MOST_HOOKS = 4


def hook(builder: Builder, value: int, b: int, extra: int) -> None:
    """Set a hook, or two of different kinds on one value: their order shows."""
    chosen = _hookable(builder, value, b)
    kinds = [k for k, (op, _) in pr.HOOKS.items() if not op or op in builder.ops]
    if chosen is None or builder.recorded:
        return
    first = extra % len(kinds)
    for kind in (kinds[first], kinds[first - 1])[: 2 if extra >= 96 else 1]:
        if len(builder.hooked) < _MOST_HOOKS:
            builder.hooked[builder.hooks] = chosen
            builder.statements.append(pr.Hook(chosen, kind, builder.hooks))
            builder.hooks += 1


def remove(builder: Builder, value: int, b: int, extra: int) -> None:
    """Take a hook away."""
    if builder.hooked:
        number = list(builder.hooked)[b % len(builder.hooked)]
        del builder.hooked[number]
        builder.statements.append(pr.RemoveHook(number))


def retain_grad(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Keep the gradient of a value, which often has a hook or is used twice afterwards.

    Of a leaf, where that does nothing, one time in sixteen.
    """
    chosen = _hookable(builder, value, b, computed=b % 16 != 0)
    if chosen is None or builder.recorded:
        return None
    builder.retains = True
    builder.statements.append(pr.RetainGrad(chosen))
    if extra >= 192 and "hook" in builder.abilities:
        hook(builder, chosen, 1, extra)
    reusing = [name for name in ("add", "mul") if name in builder.ops]
    if extra % 2 or not reusing:
        return None
    return builder.apply(OPS[reusing[extra // 2 % len(reusing)]], chosen, chosen, b, 0)


def set_grad(builder: Builder, value: int, b: int, extra: int) -> None:
    """Give a leaf a gradient."""
    leaf = b % len(builder.leaves)
    if not builder.leaves[leaf].requires_grad:
        return
    builder.statements.append(pr.SetGrad(leaf, _gradient(builder, leaf, extra)))
    builder.have_grad |= 1 << leaf
    builder.fresh &= ~(1 << leaf)
    builder.gradient_passed = True


def backward_many(builder: Builder, value: int, b: int, extra: int) -> None:
    """Run backward from up to three values: unrelated, behind each other, or the same twice."""
    roots = _roots(builder, value, b)
    if not roots:
        return
    gradients = _gradients(builder, roots, extra)
    reached = [i for i in range(len(builder.leaves)) if _reach(builder, roots) >> i & 1]
    inputs = None
    if extra % 2:
        able = [i for i, leaf in enumerate(builder.leaves) if leaf.requires_grad]
        first = b % len(able)
        inputs = tuple(able[first : first + 1 + extra // 4 % 2])
    recorded = _may_record(builder) and extra % 16 == 6
    statement = pr.BackwardMany(roots, inputs, gradients, False, recorded)
    _append(builder, statement, roots)
    arrived = sum(1 << i for i in reached if inputs is None or i in inputs)
    builder.have_grad |= arrived
    builder.fresh = arrived if recorded else 0
    builder.recorded |= _ran(builder, roots) | 1 << builder.backwards[-1][0] if recorded else 0
    if builder.fresh:
        builder._second_order(extra)
        builder.fresh = 0


def grad(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Ask for gradients as values; some are differentiated again, up to third order."""
    roots = _roots(builder, value, b)[: 1 + (b % 3 == 0)]
    if not roots:
        return None
    if extra % 3 < 2:
        while builder.hooked:
            remove(builder, value, 0, 0)
    if not _may_record(builder) or builder.recorded or extra % 3 > 1:
        return _grad(builder, roots, b, extra, recorded=False)
    factor = -1
    for _ in range(1 + extra // 3 % 2):  # the second and third order
        result = _grad(builder, roots, b, extra, recorded=True, factor=factor)
        if result is not None:
            factor = _leaf_behind(builder, _input_of(builder, result))
        root = None if result is None else _times_its_input(builder, result)
        if root is None:
            return result
        roots = (root,)
    if extra // 6 % 2:
        builder._backward(roots[0], extra, create_graph=False)
        return roots[0]
    return _grad(builder, roots, b, extra, recorded=False, factor=factor)


#: The events by the names that profiles use.
TAPE_EVENTS: dict[str, Event] = {
    "hook": hook,
    "remove": remove,
    "retain_grad": retain_grad,
    "set_grad": set_grad,
    "backward_many": backward_many,
    "grad": grad,
}


def _live(builder: Builder, value: int) -> bool:
    """Whether a value is there and surely requires a gradient."""
    return value not in builder.dropped and builder.infos[value].requires_grad is True


def _hookable(builder: Builder, value: int, b: int, computed: bool = False) -> int | None:
    """The value, or if it may have no hook the newest one that may."""
    first = len(builder.leaves) if computed else 0
    newest = range(len(builder.infos) - 1, first - 1, -1)
    leaves = () if computed or b % 4 else (b // 4 % len(builder.leaves),)
    candidates: tuple[int, ...] = (*leaves, value, *newest)
    for v in candidates:
        if v >= first and _live(builder, v) and v not in builder.siblings:
            return v
    return None


def _roots(builder: Builder, value: int, b: int) -> tuple[int, ...]:
    """Values that may be roots together, by a byte."""
    newest = [v for v in range(len(builder.infos) - 1, -1, -1) if _live(builder, v)]
    if not newest:
        return ()
    last = value if _live(builder, value) else newest[0]
    if last < len(builder.leaves) and b % 8:  # most passes have something to do
        last = newest[0]
        if last < len(builder.leaves):
            return ()
    behind = [v for v in newest if _depends(builder, last, v) and v != last] or newest
    other = {0: newest[-1], 1: last, 2: behind[0], 3: newest[0]}[b % 4]
    third = newest[b // 4 % len(newest)]
    roots = (last, other, third) if b % 8 == 7 else (last, other)
    return roots[::-1] if b % 16 >= 8 else roots


def _own(builder: Builder, value: int) -> int:
    """The statement that made a value, as a bit; 0 for leaves."""
    graph = builder.graph[value]
    return 1 << graph.bit_length() - 1 if graph else 0


def _depends(builder: Builder, root: int, value: int) -> bool:
    """Whether a value is a root or behind it."""
    if root == value or value >= len(builder.leaves):
        return root == value or bool(builder.graph[root] & _own(builder, value))
    return bool(builder.reach[root] >> value & 1)


def _reach(builder: Builder, roots: Sequence[int]) -> int:
    found = 0
    for root in roots:
        found |= builder.reach[root]
    return found


def _ran(builder: Builder, roots: Sequence[int]) -> int:
    found = 0
    for root in roots:
        found |= builder.graph[root]
    return found


def _append(builder: Builder, statement: pr.Pass, roots: Sequence[int]) -> None:
    builder.gradient_passed = any(g is not None for g in statement.gradients)
    builder.backwards.append((len(builder.statements), _ran(builder, roots)))
    if not isinstance(statement, pr.Grad):
        builder.statements.append(statement)


def _may_record(builder: Builder) -> bool:
    return "grad_tensor" in builder.abilities and not (builder.hooked or builder.retains)


def _gradient(builder: Builder, value: int, extra: int) -> pr.Constant:
    info = builder.infos[value]
    values = gradient_values(size(info.shape), extra, builder.exact, patterns=builder.patterns)
    return pr.Constant(info.shape, values, info.dtype)


def _gradients(
    builder: Builder, roots: Sequence[int], extra: int
) -> tuple[pr.Constant | None, ...]:
    """A gradient for each root where one is needed, and often where none is."""
    found = tuple(
        None
        if size(builder.infos[root].shape) == 1 and extra % 8 < 3
        else _gradient(builder, root, extra + 3 * number)
        for number, root in enumerate(roots)
    )
    return found if any(found) else ()


def _grad(
    builder: Builder,
    roots: tuple[int, ...],
    b: int,
    extra: int,
    recorded: bool,
    factor: int = -1,
) -> int | None:
    """Append a ``grad`` from these roots; one of its results that is not None.

    ``factor``: a value that is among its inputs, and whose gradient is returned; -1 for none.
    """
    hooked = {v for v in builder.hooked.values() if v >= len(builder.leaves)}
    asked = [
        v
        for v in range(len(builder.infos))
        if _live(builder, v) and v not in builder.siblings and v not in hooked
    ]
    if builder.recorded:  # which other values a second derivative goes through, formulas decide
        asked = [v for v in asked if v < len(builder.leaves)]
    used = [v for v in asked if any(_depends(builder, root, v) for root in roots)]
    if not used:
        return None
    first = factor if factor >= 0 else used[b % len(used)]
    inputs = dict.fromkeys((first, asked[extra % len(asked)]))
    if b % 4 == 0:
        inputs |= dict.fromkeys((asked[(b + extra) % len(asked)],))
    wanted = first
    chosen = tuple(inputs) if extra % 32 < 16 else tuple(inputs)[::-1]
    is_used = [v in used for v in chosen]
    # In second order what an engine counts as used hangs on its formulas.
    second = bool(builder.recorded)
    allow = second or not all(is_used)
    statement = pr.Grad(roots, chosen, _gradients(builder, roots, extra), False, recorded, allow)
    _append(builder, statement, roots)
    builder.recorded |= _ran(builder, roots) | 1 << len(builder.statements) if recorded else 0
    if not recorded:
        statement = replace(statement, retain_graph=extra % 32 == 1)
    first = len(builder.infos)
    results = statement.outputs(builder.infos)
    builder.define(statement, results, UNKNOWN)
    for number in range(len(results)):
        builder.siblings.pop(first + number, None)
        if not is_used[number] or second:
            builder.dropped.add(first + number)  # it may be None
    return first + chosen.index(wanted)


def _times_its_input(builder: Builder, result: int) -> int | None:
    """A gradient times the value that it is of: that surely requires a gradient."""
    if "mul" not in builder.ops:
        return None
    return builder._define_unbounded(pr.Apply("mul", (result, _input_of(builder, result))))


def _leaf_behind(builder: Builder, value: int) -> int:
    """A leaf on which a value depends."""
    return next(i for i in range(len(builder.leaves)) if _depends(builder, value, i))


def _input_of(builder: Builder, result: int) -> int:
    """The value of which a result of the last statement is the gradient."""
    statement = builder.statements[-1]
    assert isinstance(statement, pr.Grad)
    return statement.inputs[result - len(builder.infos)]
