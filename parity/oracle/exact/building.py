"""What the rules of the exact evaluation are built from.

All arrays are flat, so an operation is index maps, which say where the elements
of the operands go, and arithmetic on dual numbers (``parity.oracle.exact.dual``). An index
map is found by running NumPy on the numbers of the elements.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity.language.shapes import Shape
from parity.oracle.exact import dual
from parity.oracle.exact.dual import Value

Index: TypeAlias = NDArray[np.int64]
#: Results with their shapes.
Results: TypeAlias = list[tuple[Value, Shape]]
#: Whether the gradient for operand ``i`` depends on variables, from which operands require
#: a gradient and the attributes.
NonlinearIn: TypeAlias = Callable[[int, tuple[bool, ...], dict[str, Any]], bool]


@dataclass(frozen=True, slots=True)
class ExactRule:
    """How the exact evaluation computes an operation, with all derivatives.

    Most rules are made by ``elementwise``, ``moving``, ``reducing``, ``along`` or
    ``products``. A gradient that is not linear can be differentiated again
    (docs/semantics.md 7.1).
    """

    #: From the shapes of the operands, the attributes and the operands.
    run: Callable[..., Results]
    nonlinear: NonlinearIn


def linear(i: int, needs: tuple[bool, ...], attrs: dict[str, Any]) -> bool:
    """Linear, or piecewise so with pieces that depend on no derivative."""
    return False


def bilinear(i: int, needs: tuple[bool, ...], attrs: dict[str, Any]) -> bool:
    """A product of the first two operands."""
    return i < 2 and needs[1 - i]


def nonlinear(i: int, needs: tuple[bool, ...], attrs: dict[str, Any]) -> bool:
    return True


def numbers(shape: Shape) -> Index:
    """The numbers of the elements of an array."""
    return np.arange(math.prod(shape)).reshape(shape)


def broadcast(x: Value, shape: Shape, out: Shape) -> Value:
    return x if shape == out else dual.gather(x, np.broadcast_to(numbers(shape), out).ravel())


def elementwise(function: Callable[..., Value], nonlinear_in: NonlinearIn = nonlinear) -> ExactRule:
    """A function of numbers, on operands that broadcast against each other."""

    def run(shapes: tuple[Shape, ...], attrs: dict[str, Any], *xs: Value) -> Results:
        out = np.broadcast_shapes(*shapes)
        spread = [broadcast(x, shape, out) for x, shape in zip(xs, shapes, strict=True)]
        return [(function(*spread, **attrs), out)]

    return ExactRule(run, nonlinear_in)


def moving(function: Callable[..., Any]) -> ExactRule:
    """Elements go elsewhere: ``function`` of NumPy arrays; -1 in its result is a zero."""

    def run(shapes: tuple[Shape, ...], attrs: dict[str, Any], *xs: Value) -> Results:
        firsts = itertools.accumulate(map(math.prod, shapes), initial=0)
        operands = [numbers(s) + first for s, first in zip(shapes, firsts, strict=False)]
        moved = function(*operands, **attrs)
        x = xs[0] if len(xs) == 1 else dual.joined(xs)
        maps = map(np.asarray, moved if isinstance(moved, (list, tuple)) else [moved])
        return [(dual.gather(x, index.ravel()), index.shape) for index in maps]

    return ExactRule(run, linear)


def axis_groups(shape: Shape, *, axis: Any, keepdims: bool, **rest: Any) -> tuple[Index, Shape]:
    """The elements that a reduction over axes puts together, and the shape of its result."""
    ndim = len(shape)
    axes = range(ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    reduced = sorted({a % ndim for a in axes}) if ndim else []
    kept = [i for i in range(ndim) if i not in reduced]
    rows = math.prod(shape[i] for i in kept)
    columns = math.prod(shape[i] for i in reduced)
    index = numbers(shape).transpose(kept + reduced).reshape(rows, columns)
    lengths = [1 if i in reduced else n for i, n in enumerate(shape)]
    return index, tuple(lengths) if keepdims else tuple(shape[i] for i in kept)


def reducing(
    function: Callable[..., Value],
    nonlinear_in: NonlinearIn = nonlinear,
    groups: Callable[..., tuple[Index, Shape]] = axis_groups,
) -> ExactRule:
    """``function`` of the elements of each group, which lie on the last axis."""

    def run(shapes: tuple[Shape, ...], attrs: dict[str, Any], a: Value) -> Results:
        index, shape = groups(shapes[0], **attrs)
        rest = {k: v for k, v in attrs.items() if k not in ("axis", "keepdims", "shape")}
        return [(function(dual.gather(a, index), **rest), shape)]

    return ExactRule(run, nonlinear_in)


def along(function: Callable[[Value], Value]) -> ExactRule:
    """``function`` of the lines along an axis, from lines to lines."""

    def run(shapes: tuple[Shape, ...], attrs: dict[str, Any], a: Value) -> Results:
        index, _ = axis_groups(shapes[0], axis=attrs["axis"], keepdims=False)
        lines = function(dual.gather(a, index))
        flat = dual.linear(lambda x: x.reshape(*x.shape[:-2], index.size), lines)
        return [(dual.gather(flat, np.argsort(index.ravel())), shapes[0])]

    return ExactRule(run, nonlinear)


def sum_to_groups(operand: Shape, *, shape: Shape) -> tuple[Index, Shape]:
    """The elements that are summed when an operand is reduced to ``shape``."""
    aligned = (1,) * (len(operand) - len(shape)) + tuple(shape)
    axes = tuple(i for i, (n, m) in enumerate(zip(operand, aligned, strict=True)) if n != m)
    return axis_groups(operand, axis=axes, keepdims=True)[0], tuple(shape)


def running_groups(shape: Shape, *, axis: int) -> tuple[Index, Shape]:
    """For each element those up to it along an axis."""
    order = np.moveaxis(numbers(shape), axis, -1)
    n = order.shape[-1]
    rows = np.where(np.tri(n, dtype=bool), order[..., None, :], -1)  # (..., n, n)
    return np.moveaxis(rows, -2, axis % len(shape)).reshape(math.prod(shape), n), shape


def products(pairs: Callable[..., tuple[Index, Index, Shape]]) -> ExactRule:
    """Sums of products of elements of two operands; a third one is added.

    ``pairs`` gives the elements of either operand for each term, one row per result.
    """

    def run(
        shapes: tuple[Shape, ...], attrs: dict[str, Any], a: Value, b: Value, *bias: Value
    ) -> Results:
        left, right, out = pairs(*shapes[:2], **attrs)
        y = dual.total(dual.mul(dual.gather(a, left), dual.gather(b, right)))
        for x, shape in zip(bias, shapes[2:], strict=True):
            y = dual.add(y, broadcast(x, shape, out))
        return [(y, out)]

    return ExactRule(run, bilinear)


def einsum_pairs(a: Shape, b: Shape, *, subscripts: str) -> tuple[Index, Index, Shape]:
    """The terms of an einsum of two operands."""
    left, right, result = subscripts.replace("->", ",").split(",")
    names = result + "".join(sorted({c for c in left + right if c not in result}))
    lengths = dict(zip(left + right, a + b, strict=True))
    out = tuple(lengths[c] for c in result)
    everything = tuple(lengths[c] for c in names)
    table = (math.prod(out), math.prod(everything[len(out) :]))
    index_a, index_b = (
        np.einsum(f"{letters},{names}->{names}", numbers(shape), np.ones(everything, np.int64))
        for letters, shape in ((left, a), (right, b))
    )
    return index_a.reshape(table), index_b.reshape(table), out


def matmul_pairs(a: Shape, b: Shape) -> tuple[Index, Index, Shape]:
    """The terms of a matrix product; axes before the last two broadcast."""
    left = numbers(a) if len(a) > 1 else numbers(a)[None, :]
    right = numbers(b) if len(b) > 1 else numbers(b)[:, None]
    left = left[..., :, None, :]  # (..., i, 1, k)
    right = np.swapaxes(right, -1, -2)[..., None, :, :]  # (..., 1, j, k)
    left, right = np.broadcast_arrays(left, right)
    *stack, rows, columns, terms = left.shape
    out = (*stack, *((rows,) if len(a) > 1 else ()), *((columns,) if len(b) > 1 else ()))
    table = (math.prod(out), terms)
    return left.reshape(table), right.reshape(table), out
