"""Events that apply operations to values: twins, poles behind a mask, views, detached values."""

from __future__ import annotations

import math
from collections.abc import Callable

from parity.generate.builder import UNKNOWN, Builder
from parity.generate.special_values import POLES
from parity.language import program as pr
from parity.language.shapes import Attrs, Shape, size
from parity.language.table import OPS

#: Operations that give a view in NumPy, or whose gradient is one.
_TWISTS = (
    *("transpose", "transpose", "flip", "transpose", "sum", "transpose", "moveaxis", "transpose"),
    *("get_item", "transpose", "flip", "sum", "broadcast_to"),
)
#: Attributes that are tried of each.
_TRIED = 4


def twins(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Apply one operation to two leaves of the same shape, and combine the results."""
    shapes = [leaf.shape for leaf in builder.leaves]
    second = next((j for j in range(1, len(shapes)) if shapes[j] in shapes[:j]), None)
    names = sorted(name for name in builder.ops if OPS[name].arity == 1)
    if second is None or not names:
        return None
    op = OPS[names[b % len(names)]]
    pair = (shapes.index(shapes[second]), second)
    left, right = (builder.apply_as(op, (i,), extra, b, False) for i in pair)
    joins = [name for name in ("add", "mul", "sub") if name in builder.ops]
    if left is None or right is None or not joins:
        return None
    return builder.apply_as(OPS[joins[extra % len(joins)]], (left, right), 0, b, False)


def masked(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """An operation at a pole, behind a ``where`` that chooses another value there."""
    leaf = b % len(builder.leaves)
    names = [name for name in POLES if name in builder.ops]
    shape = builder.leaves[leaf].shape
    if "where" not in builder.ops or not names or not shape or not size(shape):
        return None
    op = OPS[names[extra % len(names)]]
    made = builder.apply_as(op, (value, leaf)[2 - op.arity :], extra // len(names), b, False)
    if made is None or builder.infos[made].shape != shape:
        return None
    rows = builder.leaves[leaf].array().reshape(-1, shape[-1])
    condition = tuple(bool((column > 0).all()) for column in rows.T)
    where = pr.Apply("where", (made, leaf), (("condition", condition),))
    return builder.define(where, where.results([builder.infos[i] for i in where.inputs]), UNKNOWN)


def beside(builder: Builder, value: int, b: int, extra: int) -> int | None:
    """Combine a value with a detached one on the same numbers."""
    names = [name for name in ("mul", "div", "power", "add") if name in builder.ops]
    detached = builder.detach(value, b, extra)
    if detached is None or not names:
        return detached
    pair = (value, detached) if extra % 2 else (detached, value)
    both = builder.apply_as(OPS[names[b % len(names)]], pair, extra, 0, False)
    return detached if both is None else both


def newest_wide(builder: Builder) -> int:
    """The newest value of more than one element; the first leaf if there is none."""
    wide = (i for i in reversed(range(len(builder.infos))) if size(builder.infos[i].shape) > 1)
    return next((i for i in wide if i not in builder.dropped), 0)


def twist(builder: Builder, value: int, b: int, extra: int) -> None:
    """Move, slice or broadcast a value, so that its gradient is a view."""
    names = [name for name in _TWISTS if name in builder.ops]
    before = builder.infos[value].shape
    for k in range(_TRIED * len(names)):
        name, number = names[(b + k // _TRIED) % len(names)], extra + k
        inferred = builder.inferred(name, (before,), number)
        if inferred is None or not _moves(inferred.attrs, before, inferred.outputs[0]):
            continue
        if builder.apply_as(OPS[name], (value,), number, 0) is not None:
            return


def _moves(attrs: Attrs, before: Shape, after: Shape) -> bool:
    """Return whether a twist moves elements, and leaves some."""
    axes = [n for n in before if n > 1]
    several = math.prod(after) > 1 and (len(axes) > 1 or math.prod(after) != math.prod(before))
    return several and tuple(range(len(before))) not in dict(attrs).values()


#: The events by name.
VALUE_EVENTS: dict[str, Callable[[Builder, int, int, int], int | None]] = {
    "twins": twins,
    "masked": masked,
    "beside": beside,
}
