"""Events that make many statements: a value of many uses, long chains, loops of training."""

from __future__ import annotations

from collections.abc import Callable

from parity.generate.builder import Builder
from parity.language.table import OPS

#: How often a value is used, the usual numbers first; powers of two and their neighbours.
_USES = (2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 31, 5, 32, 33, 64, 17, 64, 4, 9, 2)
#: How many statements a chain has.
_LENGTHS = (40, 65, 100, 129, 40, 200, 65, 257)
#: How many steps a loop of training has.
_STEPS = 10
#: Operations that keep numbers small when they follow each other.
_CHAINS = (("add", "sub"), ("add",), ("sub", "add", "neg"), ("add", "mul_scalar", "sub"))
_JOINS = ("concat", "stack")


def fan(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Use a value many times: as operands of one operation, or in a chain."""
    uses = _USES[extra % len(_USES)]
    joins = [name for name in _JOINS if name in builder.ops]
    if b % 4 == 3 and joins:
        op = OPS[joins[b // 4 % len(joins)]]
        joined = builder.apply_as(op, (value,) * uses, extra, b)
        return value if joined is None else joined
    first = builder.apply_as(OPS["add"], (value, value), 0, 0) if "add" in builder.ops else None
    return _chained(builder, value if first is None else first, value, uses - 2, b)


def chain(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Apply operations one after the other, on the newest value and on a leaf."""
    return _chained(builder, value, b % len(builder.leaves), _LENGTHS[extra % len(_LENGTHS)], b)


def _chained(builder: Builder, value: int, other: int, count: int, b: int) -> int:
    """Apply ``count`` operations to ``value``, with ``other`` as second operand where one is."""
    names = [name for name in _CHAINS[b // 16 % len(_CHAINS)] if name in builder.ops]
    last = value
    for k in range(count if names else 0):
        op = OPS[names[k % len(names)]]
        inputs = ((last, other) if (b >> 2) % 2 or k % 3 else (other, last))[: op.arity]
        found = builder.apply_as(op, inputs, 0, 0)
        if found is None or builder.infos[found].shape != builder.infos[last].shape:
            break
        last = found
    return last


def fork(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Two graphs that share a part: a backward from each of two results of one value."""
    names = [name for name in ("square", "mul", "add", "sum", "neg") if name in builder.ops]
    last = None
    for k in (b, b // 8 + 1) if names else ():
        op = OPS[names[k % len(names)]]
        found = builder.apply_as(op, (value, value)[: op.arity], 0, 0)
        if found is not None:
            builder.backward(found, 0, extra)
            last = found
    return last


def loop(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Ten steps forward and back on the leaves, with gradients cleared, zeroed or added up."""
    after = (Builder.clear, Builder.zero, None)[b % 3]
    needs = {Builder.clear: "clear_grad", Builder.zero: "zero_grad"}
    first, last = 0, len(builder.leaves) - 1
    loss: int | None = None
    for _ in range(_STEPS):
        loss = _forward(builder, first, last, extra)
        if loss is None or not builder.infos[loss].requires_grad:
            return loss
        builder.backward(loss, 0, extra)
        if after is not None and needs[after] in builder.abilities:
            after(builder, loss, 0, 0)
    return loss


def _forward(builder: Builder, weight: int, data: int, extra: int) -> int | None:
    """A few operations from leaves to a loss."""
    found: int | None = None
    value = weight
    names = ("mul", "tanh", "sub", "square", "sum") if extra % 2 else ("mul", "add", "sum")
    for name in names:
        op = OPS[name]
        if name in builder.ops:
            found = builder.apply_as(op, (value, data)[: op.arity], 0, 0)
            value = value if found is None else found
    return None if value == weight else value


#: The events by name.
WIDE_EVENTS: dict[str, Callable[[Builder, int, int, int], int | None]] = {
    "fan": fan,
    "chain": chain,
    "fork": fork,
    "loop": loop,
}
