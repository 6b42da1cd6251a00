"""Shapes: what each operation makes of them, and which attributes fit them.

A shape rule raises ShapeError where the operation does not apply. Choices of
attributes are listed simplest first: the generator picks one by number, the
reducer walks to the front of the list.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any, TypeAlias

Shape: TypeAlias = tuple[int, ...]
#: Attributes as sorted pairs, so that they can be hashed; tuples stand for lists.
Attrs: TypeAlias = tuple[tuple[str, Any], ...]
ShapeRule: TypeAlias = Callable[..., tuple[Shape, ...]]
Choices: TypeAlias = Callable[..., list[dict[str, Any]]]


class ShapeError(ValueError):
    """An operation does not apply to operands of these shapes."""


def broadcast(*shapes: Shape) -> Shape:
    """The common shape by NumPy's rules."""
    ndim = max(map(len, shapes))
    result = []
    for lengths in zip(*((1,) * (ndim - len(s)) + s for s in shapes), strict=True):
        distinct = {n for n in lengths if n != 1}
        if len(distinct) > 1:
            raise ShapeError(f"shapes {shapes} do not broadcast")
        result.append(distinct.pop() if distinct else 1)
    return tuple(result)


def elementwise(*shapes: Shape, **attrs: Any) -> tuple[Shape, ...]:
    return (broadcast(*shapes),)


def matmul(a: Shape, b: Shape) -> tuple[Shape, ...]:
    if not a or not b:
        raise ShapeError("matmul of a scalar")
    left, right = (a if len(a) > 1 else (1, *a)), (b if len(b) > 1 else (*b, 1))
    if left[-1] != right[-2]:
        raise ShapeError(f"matmul of {a} and {b}")
    stack = broadcast(left[:-2], right[:-2]) if len(left) > 2 or len(right) > 2 else ()
    rows = (left[-2],) if len(a) > 1 else ()
    columns = (right[-1],) if len(b) > 1 else ()
    return ((*stack, *rows, *columns),)


def _axes(shape: Shape, axis: Any) -> set[int]:
    if axis is None:
        return set(range(len(shape)))
    axes = [axis] if isinstance(axis, int) else list(axis)
    if any(not -len(shape) <= a < len(shape) for a in axes):
        raise ShapeError(f"axis {axis} of shape {shape}")
    return {a % len(shape) for a in axes}


def reduction(a: Shape, *, axis: Any, keepdims: bool) -> tuple[Shape, ...]:
    axes = _axes(a, axis)
    if keepdims:
        return (tuple(1 if i in axes else n for i, n in enumerate(a)),)
    return (tuple(n for i, n in enumerate(a) if i not in axes),)


def _every_axis(n: int) -> tuple[int, ...]:
    """All axes, counted from the front and from the back."""
    return (*range(n), *range(-1, -n - 1, -1))


def reduction_choices(a: Shape) -> list[dict[str, Any]]:
    axes: list[Any] = [None, *_every_axis(len(a))]
    axes += list(itertools.combinations(range(len(a)), 2))
    axes += [(0, -1)] if len(a) > 1 else []
    return [{"axis": axis, "keepdims": keep} for keep in (False, True) for axis in axes]


def size(shape: Shape) -> int:
    return math.prod(shape)


def extent(shape: Shape) -> int:
    """The size of a shape whose lengths of 0 count as 1."""
    return math.prod(n or 1 for n in shape)


def among(name: str, *values: Any) -> Choices:
    """The same choices of one attribute for operands of any shapes."""
    return lambda *shapes: [{name: value} for value in values]


def reshape(a: Shape, *, shape: Shape) -> tuple[Shape, ...]:
    if size(a) != size(shape):
        raise ShapeError(f"reshape of {a} to {shape}")
    return (shape,)


def reshape_choices(a: Shape) -> list[dict[str, Any]]:
    n = size(a)
    shapes: list[Shape] = [(n,), a, a[::-1], (1, *a), (*a, 1), (n, 1), (1, n)]
    shapes += [(k, n // k) for k in (2, 3) if n and n % k == 0]
    shapes += [()] if n == 1 else []
    return [{"shape": shape} for shape in dict.fromkeys(shapes)]


def transpose(a: Shape, *, axes: tuple[int, ...]) -> tuple[Shape, ...]:
    if sorted(_axes(a, axes)) != list(range(len(a))) or len(axes) != len(a):
        raise ShapeError(f"transpose of {a} with axes {axes}")
    return (tuple(a[i] for i in axes),)


def transpose_choices(a: Shape) -> list[dict[str, Any]]:
    orders = sorted(itertools.permutations(range(len(a))), reverse=True)
    orders = orders[:-1] or orders  # the last changes nothing
    if a:  # axes may be counted from either end
        first, *others = orders[1 % len(orders)]
        orders.append((first - len(a), *others))
    return [{"axes": axes} for axes in orders]


def broadcast_to(a: Shape, *, shape: Shape) -> tuple[Shape, ...]:
    if broadcast(a, shape) != shape:
        raise ShapeError(f"{a} does not broadcast to {shape}")
    return (shape,)


def broadcast_to_choices(a: Shape) -> list[dict[str, Any]]:
    shapes: list[Shape] = [(2, *a), tuple(2 if n == 1 else n for n in a), a, (1, *a), (3, *a)]
    shapes += [(3, 1, *a)] if len(a) < 2 else []
    return [{"shape": shape} for shape in dict.fromkeys(shapes) if len(shape) <= 3]


def sum_to(a: Shape, *, shape: Shape) -> tuple[Shape, ...]:
    if broadcast(a, shape) != a:
        raise ShapeError(f"sum_to of {a} to {shape}")
    return (shape,)


def sum_to_choices(a: Shape) -> list[dict[str, Any]]:
    shapes: list[Shape] = [()]
    for drop in range(len(a) + 1):
        rest = a[drop:]
        for mask in itertools.product((True, False), repeat=len(rest)):
            shapes.append(tuple(1 if m else n for m, n in zip(mask, rest, strict=True)))
    return [{"shape": shape} for shape in dict.fromkeys(shapes)]


def fits(rule: ShapeRule, *shapes: Shape, **attrs: Any) -> bool:
    try:
        rule(*shapes, **attrs)
    except ShapeError:
        return False
    return True


def concat(*shapes: Shape, axis: int) -> tuple[Shape, ...]:
    first = shapes[0]
    (axis,) = _axes(first, axis)
    if len({(len(s), s[:axis], s[axis + 1 :]) for s in shapes}) > 1:
        raise ShapeError(f"concat of {shapes} along {axis}")
    return ((*first[:axis], sum(s[axis] for s in shapes), *first[axis + 1 :]),)


def concat_choices(*shapes: Shape) -> list[dict[str, Any]]:
    return [{"axis": axis} for axis in _every_axis(len(shapes[0]))]


def split(a: Shape, *, axis: int, sizes: tuple[int, ...]) -> tuple[Shape, ...]:
    (axis,) = _axes(a, axis)
    if sum(sizes) != a[axis] or min(sizes) < 0:
        raise ShapeError(f"split of {a} into {sizes}")
    return tuple((*a[:axis], n, *a[axis + 1 :]) for n in sizes)


def split_choices(a: Shape) -> list[dict[str, Any]]:
    found = []
    for axis in range(len(a)):
        n = a[axis]
        every = [(1, n - 1), (n - 1, 1), (1,) * n, (n,), (0, n)] if n else [(0,)]
        found += [{"axis": axis, "sizes": s} for s in dict.fromkeys(every) if s]
    found += [{**found[-1], "axis": -1}] if found else []
    return found


def along_axis(a: Shape, *, axis: Any) -> tuple[Shape, ...]:
    _axes(a, axis)
    return (a,)


def axis_choices(a: Shape) -> list[dict[str, Any]]:
    """Each axis of a shape that has no length 0."""
    return [{"axis": axis} for axis in _every_axis(len(a))] if size(a) else []


def stack(*shapes: Shape, axis: int) -> tuple[Shape, ...]:
    if len(set(shapes)) > 1:
        raise ShapeError(f"stack of {shapes}")
    return expand_dims(shapes[0], axis=axis, n=len(shapes))


def stack_choices(*shapes: Shape) -> list[dict[str, Any]]:
    return [{"axis": axis} for axis in (*range(len(shapes[0]) + 1), -1)]


def expand_dims(a: Shape, *, axis: int, n: int = 1) -> tuple[Shape, ...]:
    if not -len(a) - 1 <= axis <= len(a):
        raise ShapeError(f"new axis {axis} of {a}")
    axis %= len(a) + 1
    return ((*a[:axis], n, *a[axis:]),)


def squeeze(a: Shape, *, axis: int) -> tuple[Shape, ...]:
    (axis,) = _axes(a, axis)
    if a[axis] != 1:
        raise ShapeError(f"squeeze of {a} at {axis}")
    return ((*a[:axis], *a[axis + 1 :]),)


def squeeze_choices(a: Shape) -> list[dict[str, Any]]:
    return [{"axis": axis} for axis in _every_axis(len(a)) if a[axis] == 1]


def moveaxis(a: Shape, *, source: int, destination: int) -> tuple[Shape, ...]:
    (source,), (destination,) = _axes(a, source), _axes(a, destination)
    rest = [*a[:source], *a[source + 1 :]]
    rest.insert(destination, a[source])
    return (tuple(rest),)


def moveaxis_choices(a: Shape) -> list[dict[str, Any]]:
    pairs = itertools.product((*range(len(a)), -1), repeat=2) if a else []
    return [{"source": s, "destination": d} for s, d in pairs if s != d]


def flip_choices(a: Shape) -> list[dict[str, Any]]:
    return [{"axis": (i,)} for i in _every_axis(len(a))] + [{"axis": tuple(range(len(a)))}]


def pad(a: Shape, *, pad_width: tuple[tuple[int, int], ...]) -> tuple[Shape, ...]:
    if len(pad_width) != len(a) or any(min(pair) < 0 for pair in pad_width):
        raise ShapeError(f"pad of {a} with {pad_width}")
    return (tuple(n + before + after for n, (before, after) in zip(a, pad_width, strict=True)),)


def pad_choices(a: Shape) -> list[dict[str, Any]]:
    if not a:
        return []
    rest = ((0, 0),) * (len(a) - 1)
    return [{"pad_width": w} for w in ((*rest, (1, 0)), (*rest, (0, 2)), ((1, 1), *rest))]


def take_along_axis(a: Shape, *, indices: Any, axis: int) -> tuple[Shape, ...]:
    (axis,) = _axes(a, axis)
    shape: Shape = ()
    numbers = [indices]
    while numbers and isinstance(numbers[0], tuple):
        shape = (*shape, len(numbers[0]))
        numbers = [n for row in numbers for n in row]
    if len(shape) != len(a) or any(not -a[axis] <= n < a[axis] for n in numbers):
        raise ShapeError(f"take_along_axis of {a} with {indices}")
    others = broadcast((*a[:axis], 1, *a[axis + 1 :]), (*shape[:axis], 1, *shape[axis + 1 :]))
    return ((*others[:axis], shape[axis], *others[axis + 1 :]),)


def take_along_axis_choices(a: Shape) -> list[dict[str, Any]]:
    found: list[tuple[Any, int]] = []
    if len(a) == 1 and a[0]:
        found = [((0,), 0), ((0, 0), 0), ((a[0] - 1, 0, 0), 0)]
    elif len(a) == 2 and size(a):
        found = [(((0,) * a[1],), 0), (((a[1] - 1, 0),) * a[0], 1), (((0, 0, 0),) * a[0], -1)]
    return [{"indices": indices, "axis": axis} for indices, axis in found]


def vectors(a: Shape, b: Shape) -> tuple[Shape, ...]:
    if len(a) != 1 or len(b) != 1:
        raise ShapeError(f"vectors, not {a} and {b}")
    return ((a[0], b[0]),)


def dot(a: Shape, b: Shape) -> tuple[Shape, ...]:
    vectors(a, b)
    if a != b:
        raise ShapeError(f"dot of {a} and {b}")
    return ((),)


def einsum(a: Shape, b: Shape, *, subscripts: str) -> tuple[Shape, ...]:
    operands, _, result = subscripts.partition("->")
    left, _, right = operands.partition(",")
    # Over an index of length 0 a product with nan is nan or 0, as one sums first or last.
    if len(left) != len(a) or len(right) != len(b) or not size(a) * size(b):
        raise ShapeError(f"einsum {subscripts} of {a} and {b}")
    lengths: dict[str, int] = {}
    for name, n in (*zip(left, a, strict=True), *zip(right, b, strict=True)):
        if lengths.setdefault(name, n) != n:
            raise ShapeError(f"einsum {subscripts} of {a} and {b}")
    return (tuple(lengths[name] for name in result),)


_SUBSCRIPTS = (
    *("i,i->", "i,j->ij", "i,i->i", "i,j->i", "ij,j->i", "j,ij->i", "ij,jk->ik", "ij,ij->ij"),
    *("ij,kj->ik", "ij,ij->", "ij,jk->ki", "ij,ik->jk", "ij,i->j", ",i->i", "ij,->ji", ",->"),
)


def einsum_choices(a: Shape, b: Shape) -> list[dict[str, Any]]:
    return [{"subscripts": s} for s in _SUBSCRIPTS if fits(einsum, a, b, subscripts=s)]


def linear(x: Shape, w: Shape, b: Shape) -> tuple[Shape, ...]:
    (product,) = matmul(x, w)
    if broadcast(product, b) != product:
        raise ShapeError(f"bias {b} of {product}")
    return (product,)


def same_rows(a: Shape, b: Shape) -> tuple[Shape, ...]:
    if a != b or not a or not size(a):
        raise ShapeError(f"rows of {a} and {b}")
    return ((),)


def classes(a: Shape, *, t: tuple[int, ...]) -> tuple[Shape, ...]:
    if len(a) != 2 or not size(a) or len(t) != a[0] or not all(0 <= n < a[1] for n in t):
        raise ShapeError(f"classes {t} of scores {a}")
    return ((),)


def classes_choices(a: Shape) -> list[dict[str, Any]]:
    if len(a) != 2 or not size(a):
        return []
    return [{"t": tuple((i + k) % a[1] for i in range(a[0]))} for k in range(a[1])]


def where(a: Shape, b: Shape, *, condition: tuple[bool, ...]) -> tuple[Shape, ...]:
    shape = broadcast(a, b)
    return (broadcast(shape, (len(condition),)),)


def where_choices(a: Shape, b: Shape) -> list[dict[str, Any]]:
    shape = broadcast(a, b) if fits(elementwise, a, b) else ()
    n = shape[-1] if shape else 1
    patterns = ((True,) * n, (False,) * n, tuple(i % 2 == 0 for i in range(n)))
    return [{"condition": p} for p in dict.fromkeys(patterns)]


def some(a: Shape, *, axis: Any, keepdims: bool) -> tuple[Shape, ...]:
    """A reduction that needs an element: of no elements there is no largest."""
    if not size(a):
        raise ShapeError(f"reduction of {a}")
    return reduction(a, axis=axis, keepdims=keepdims)


def some_choices(a: Shape) -> list[dict[str, Any]]:
    return reduction_choices(a) if size(a) else []


def one_axis_choices(a: Shape) -> list[dict[str, Any]]:
    """Reductions over one axis or all."""
    return [c for c in some_choices(a) if not isinstance(c["axis"], tuple)]


def var_choices(a: Shape) -> list[dict[str, Any]]:
    """Reductions over more than one element."""
    every = [{**choice, "correction": c} for choice in some_choices(a) for c in (1, 0)]
    return [choice for choice in every if fits(variance, a, **choice)]


def variance(a: Shape, *, axis: Any, keepdims: bool, correction: int) -> tuple[Shape, ...]:
    (shape,) = some(a, axis=axis, keepdims=keepdims)
    if size(a) // max(size(shape), 1) <= correction:
        raise ShapeError(f"variance of {a} over {axis}")
    return (shape,)
