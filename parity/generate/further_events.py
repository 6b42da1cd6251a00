"""Events of the builder for blocks, operations in place and functions of the user.

A value may be changed in place if its memory is its own. What an operation may have saved of it is
*stale* then: no backward runs through that operation any more, except where PyTorch has to raise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from parity.generate.builder import Builder
from parity.language import program as pr
from parity.language.blocks import MODES
from parity.language.in_place import IN_PLACE
from parity.language.intervals import LIMIT, Interval
from parity.language.shapes import size
from parity.language.table import OPS
from parity.language.user import USER_FUNCTIONS

#: Operations whose results have memory of their own, in every engine.
_FRESH = frozenset({"add", "sub", "mul", "neg", "square", "mul_scalar", "exp", "div"})
#: Operations that save nothing of their operands and share no memory with them.
_SAVES_NOTHING = frozenset({"add", "sub", "neg", "add_scalar", "sub_scalar", "mul_scalar"})
#: What the events apply, the simplest first.
_APPLIED = ("mul", "add", "square", "neg")
#: Blocks that are open at the same time.
_DEEPEST = 3
_NUMBERS = (2.0, -1.0, 0.5, 3.0, -2.0)


# Blocks.


def enter(builder: Builder, value: int, b: int, extra: int) -> None:
    """Begin a block; within another one only if ``parity`` can restore the mode."""
    nests = "enable_grad" in builder.abilities
    if len(builder.modes) < (_DEEPEST if nests else 1):
        _enter(builder, "enable_grad" if nests and b % 3 == 1 else "no_grad")


def _enter(builder: Builder, mode: str) -> None:
    builder.modes.append(mode)
    builder.statements.append(pr.Enter(mode))


def leave(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """End the innermost block, and compute something right after it."""
    if not builder.modes:
        return None
    builder.modes.pop()
    raises = extra % 3 == 0 and "enable_grad" in builder.abilities
    builder.statements.append(pr.Leave(raises))
    return _applied(builder, value, b)


def _applied(builder: Builder, value: int, b: int) -> int | None:
    """Apply an operation to a value and a leaf, or to the value."""
    names = [name for name in _APPLIED if name in builder.ops]
    leaf = b % len(builder.leaves)
    for k in range(len(names)):
        op = OPS[names[(b // 4 + k) % len(names)]]
        inputs = (value, leaf) if op.arity == 2 else (value,)
        result = builder.apply_one(op, inputs)
        if result is not None:
            return result
    return None


def block(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """A whole block, or two, with values made in each and after each; they meet in the end."""
    nests = "enable_grad" in builder.abilities
    steps = _BLOCKS[b % len(_BLOCKS)] if nests else _BLOCKS[0]
    if len(builder.modes) >= (_DEEPEST - 1 if nests else 1):
        return None
    made = [value]
    for k, step in enumerate(steps):
        if step in MODES:
            _enter(builder, step)
            continue
        builder.modes.pop()
        builder.statements.append(pr.Leave(step == "raise"))
        result = _applied(builder, made[-1] if (extra >> k) & 1 else value, b + extra + k)
        made += [] if result is None else [result]
    joins = [OPS[name] for name in ("add", "mul") if name in builder.ops]
    last = made[-1]
    for other in made[1:-1]:
        joined = builder.apply_one(joins[extra % len(joins)], (last, other)) if joins else None
        last = last if joined is None else joined
    return last


_BLOCKS: tuple[tuple[str, ...], ...] = (
    ("no_grad", "end"),
    ("no_grad", "raise"),
    ("no_grad", "enable_grad", "end", "end"),
    ("no_grad", "no_grad", "end", "end"),
    ("no_grad", "enable_grad", "raise", "end"),
    ("enable_grad", "no_grad", "end", "end"),
    ("no_grad", "no_grad", "raise", "end"),
)


# Operations in place.


def change(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Change a value in place: this one, or a new one that is computed from it."""
    target: int | None = value
    if value < len(builder.leaves) or not _is_own(builder, value):
        target = _applied(builder, value, b)
    if target is None or not _is_own(builder, target):
        return None
    changed = _change(builder, target, b, extra)
    return target if changed else None


def update(builder: Builder, value: int, b: int, extra: int) -> None:
    """Change a leaf under ``no_grad``, as an optimizer does, or a computed value."""
    target = value if b % 3 == 1 else b % len(builder.leaves)
    if "no_grad" not in builder.abilities or builder.modes or not _is_own(builder, target):
        return
    _enter(builder, "no_grad")
    _change(builder, target, b, extra)
    builder.modes.pop()
    builder.statements.append(pr.Leave())


def _is_own(builder: Builder, value: int) -> bool:
    """Whether no other value shares the memory of a value, in any engine."""
    if value in builder.dropped:
        return False
    first = len(builder.leaves)
    for statement in builder.statements:
        outputs = len(statement.outputs(builder.infos))
        op = statement.op if isinstance(statement, pr.Apply) else ""
        if first <= value < first + outputs and op not in _FRESH:
            return False
        first += outputs
        shares = isinstance(statement, pr.Detach) or (op and op not in _FRESH | _SAVES_NOTHING)
        if shares and value in statement.operands():
            return False
    return True


def _change(builder: Builder, target: int, b: int, extra: int) -> bool:
    """Append an operation in place, of those that the engine has and that fit."""
    names = [name for name in IN_PLACE if name in builder.abilities]
    if "set_item_" in names and extra % 4 == 3:  # fits few shapes, and so comes first
        extra = names.index("set_item_")
    for k in range(len(names)):
        name = names[(extra + k) % len(names)]
        others = _others(builder, target, name, b)
        attrs: tuple[tuple[str, object], ...] = ()
        if name == "mul_scalar_":
            attrs = (("c", _NUMBERS[b % len(_NUMBERS)]),)
        elif name == "set_item_":
            attrs = (("index", b % builder.infos[target].shape[0]),) if others else ()
        if others is None:
            continue
        interval = _INTERVALS[name](*(builder.intervals[i] for i in (target, *others)))
        if 3 * max(-interval[0], interval[1]) <= (2.0**12 if builder.exact else LIMIT):
            _append(builder, pr.InPlace(name, target, others, attrs), interval)
            if name == "copy_" and "mul_scalar_" in builder.abilities:
                # A change after it shows whether both still share memory.
                scaled = pr.InPlace("mul_scalar_", target, (), (("c", 2.0),))
                _append(builder, scaled, _scaled(interval))
            return True
    return False


def _others(builder: Builder, target: int, name: str, b: int) -> tuple[int, ...] | None:
    """Return the further operands of an operation in place; None if none fit."""
    if not IN_PLACE[name].inputs:
        return ()
    info = builder.infos[target]
    part = info.shape
    if name == "set_item_":
        if not info.shape or not size(info.shape):
            return None
        part = info.shape[1:]
    count = len(builder.infos)
    for k in range(count):
        other = (b + k) % count
        shape, dtype = builder.infos[other].shape, builder.infos[other].dtype
        fits = shape == part or (shape == () and size(part) > 0)
        if fits and dtype == info.dtype and other not in (target, *builder.dropped):
            return (other,)
    return _sum_of_leaf(builder, info.dtype) if size(part) else None


def _sum_of_leaf(builder: Builder, dtype: str) -> tuple[int, ...] | None:
    """Return a new value without axes as an operand, which fits every shape."""
    for i, leaf in enumerate(builder.leaves):
        if leaf.dtype == dtype and "sum" in builder.ops:
            total = builder.apply_one(OPS["sum"], (i,))
            if total is not None and builder.infos[total].shape == ():
                return (total,)
    return None


def _append(builder: Builder, statement: pr.InPlace, interval: Interval) -> None:
    """Append an operation in place, and note what it does to the graph."""
    target, bit = statement.target, 1 << len(builder.statements)
    builder.stale |= _saving(builder, target)
    infos = [builder.infos[i] for i in statement.operands()]
    builder.statements.append(statement)
    builder.intervals[target] = interval
    if builder.quiet:
        return
    requires = pr.requires_gradient(infos)
    builder.infos[target] = pr.info_of(infos[0].shape, infos[0].dtype, requires)
    if requires is not False:
        builder.graph[target] |= bit
        for i in statement.inputs:
            builder.graph[target] |= builder.graph[i]
            builder.reach[target] |= builder.reach[i]


def _saving(builder: Builder, value: int) -> int:
    """Return the statements that may have saved a value, as bits."""
    found, first = 0, len(builder.leaves)
    for number, s in enumerate(builder.statements):
        outputs = len(s.outputs(builder.infos))
        reads = value in s.operands()
        if isinstance(s, pr.Apply):
            made = first <= value < first + outputs and s.op in ("exp", "div")
            saves = made or (reads and s.op not in _SAVES_NOTHING)
        elif isinstance(s, pr.InPlace):
            operation = IN_PLACE[s.op]
            saves = operation.saves_input if value in s.inputs else operation.saves_result and reads
        else:
            saves = isinstance(s, pr.User) and reads
        found |= saves << number
        first += outputs
    return found


def _hull(*intervals: Interval) -> Interval:
    return min(low for low, _ in intervals), max(high for _, high in intervals)


def _product(a: Interval, b: Interval) -> Interval:
    products = [x * y for x in a for y in b]
    return min(products), max(products)


def _scaled(a: Interval) -> Interval:
    largest = 3 * max(abs(a[0]), abs(a[1]))
    return -largest, largest


_INTERVALS: dict[str, Callable[..., Interval]] = {
    "add_": lambda a, b: (a[0] + b[0], a[1] + b[1]),
    "sub_": lambda a, b: (a[0] - b[1], a[1] - b[0]),
    "mul_": _product,
    "mul_scalar_": _scaled,
    "zero_": lambda a: (0.0, 0.0),
    "copy_": lambda a, b: b,
    "relu_": lambda a: (max(a[0], 0.0), max(a[1], 0.0)),
    "set_item_": _hull,
}


def detach_in_place(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Compute a value and make it a constant at once."""
    result = _applied(builder, value, b)
    if result is None:
        return None
    info = builder.infos[result]
    builder.infos[result] = pr.info_of(info.shape, info.dtype, False)
    builder.graph[result] = builder.reach[result] = 0
    builder.statements.append(pr.DetachInPlace(result))
    return result


def refused(builder: Builder, extra: int) -> None:
    """End with what PyTorch refuses: a changed value that was saved, or a leaf that is changed."""
    while builder.modes:
        builder.modes.pop()
        builder.statements.append(pr.Leave())
    if extra % 4 == 1:
        _saved_changed(builder, extra)
    elif extra % 16 == 2 and "mul_scalar_" in builder.abilities:
        leaf = next((i for i, x in enumerate(builder.leaves) if x.requires_grad), None)
        if leaf is not None:
            builder.statements.append(pr.InPlace("mul_scalar_", leaf, (), (("c", 2.0),)))


def _saved_changed(builder: Builder, extra: int) -> None:
    """Change a value that every formula has to save, and run backward from what used it."""
    if "mul_scalar_" not in builder.abilities:
        return
    for result, saved in _must_save(builder):
        shape = builder.infos[saved].shape
        # The number in an array without axes is copied by many engines.
        if not shape or not size(shape) or not _is_own(builder, saved):
            continue
        if builder.graph[result] & builder.stale or result in builder.dropped:
            continue
        scaled = pr.InPlace("mul_scalar_", saved, (), (("c", 2.0),))
        if saved < len(builder.leaves):
            if "no_grad" not in builder.abilities:
                continue
            builder.statements += [pr.Enter("no_grad"), scaled, pr.Leave()]
        else:
            builder.statements.append(scaled)
        builder._backward(result, extra, create_graph=False)
        return


def _must_save(builder: Builder) -> list[tuple[int, int]]:
    """Return pairs of a recorded result and a value without which its gradient is unknown."""
    found, first = [], len(builder.leaves)
    infos = builder.infos
    for s in builder.statements:
        if isinstance(s, pr.Apply) and not s.no_grad and infos[first].requires_grad:
            if s.op == "mul":
                a, b = s.inputs
                found += [(first, x) for x, y in ((a, b), (b, a)) if infos[y].requires_grad]
            elif s.op == "square":
                found.append((first, s.inputs[0]))
        first += len(s.outputs(infos))
    return found[::-1]


# Functions of the user.


def user(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Call a function of the user, often twice: the calls must not share what they save."""
    names = list(USER_FUNCTIONS)
    name = names[b % len(names)]
    second = (b // 4) % len(builder.infos)
    first = _called(builder, name, _inputs(builder, name, value, second), extra)
    if first is None or extra % 2:
        return first
    again = first if extra % 4 else b % len(builder.leaves)
    other = _called(builder, name, _inputs(builder, name, again, value), extra >> 2)
    joins = [OPS[op] for op in ("mul", "add") if op in builder.ops]
    if other is None or not joins:
        return first
    joined = builder.apply_one(joins[extra // 4 % len(joins)], (first, other))
    return other if joined is None else joined


def _inputs(builder: Builder, name: str, value: int, second: int) -> tuple[int, ...]:
    """Return the inputs of a function; the value twice where the second one does not fit."""
    if USER_FUNCTIONS[name].inputs == 1:
        return (value,)
    a, b = builder.infos[value], builder.infos[second]
    fits = (a.shape, a.dtype) == (b.shape, b.dtype) and second not in builder.dropped
    return (value, second if fits else value)


def _called(builder: Builder, name: str, inputs: Sequence[int], extra: int) -> int | None:
    """Append a call; of several outputs one, or what joins them."""
    if not builder.dropped.isdisjoint(inputs):
        return None
    largest = max(max(-low, high) for low, high in (builder.intervals[i] for i in inputs))
    bound = max(largest * largest, 2 * largest, 1.0)
    if bound > (2.0**12 if builder.exact else LIMIT):
        return None
    statement = pr.User(name, tuple(inputs))
    results = statement.outputs(builder.infos)
    chosen = builder.define(statement, results, (-bound, bound), extra)
    if len(results) > 1 and extra % 3 == 0 and "add" in builder.ops:
        joined = builder.apply_one(OPS["add"], (chosen, builder.siblings[chosen]))
        return chosen if joined is None else joined
    return chosen


#: Events by the names that profiles have for them.
FURTHER_EVENTS: dict[str, Callable[[Builder, int, int, int], int | None]] = {
    "enter": enter,
    "leave": leave,
    "block": block,
    "change": change,
    "update": update,
    "detach_in_place": detach_in_place,
    "user": user,
}
#: Endings of programs, in addition to those of the builder.
FURTHER_ENDINGS: dict[str, Callable[[Builder, int], None]] = {"refused": refused}
