"""Value and gradient of each operation on the engine that defects are built on.

A gradient is a vector-Jacobian product (VJP). Values are computed on NumPy arrays.
A VJP gets the gradient of the result, the result, the operands and the attributes:
all arrays, or all tensors where the gradients themselves are to be differentiated. It
may leave gradients in the shape to which operands were broadcast; the engine sums them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from parity.diagnose.defects.tensor import Tensor, raw


class Rule(NamedTuple):
    """An operation on the engine that defects are built on: its result and its gradients."""

    #: The result from the operands (arrays) and the attributes, which are keywords.
    value: Callable[..., Any]
    #: The gradients of the operands, from the gradient of the result, the result, the operands and
    #: the attributes. Where there are several results, the first two are tuples.
    vjp: Callable[..., tuple[Any, ...]]


def do(name: str, *xs: Any, **attrs: Any) -> Any:
    """An operation by its name on arrays or, if one is among them, on tensors."""
    tensor = next((x for x in xs if isinstance(x, Tensor)), None)
    if tensor is None:
        rule = RULES.get(name) or INNER.get(name) or rules_of_rows()[name]
        return rule.value(*xs, **attrs)
    return tensor.engine.functions[name](*map(tensor.lifted, xs), **attrs)


# Reductions and broadcasting.


def kept(shape: tuple[int, ...], axis: Any) -> tuple[int, ...]:
    """``shape`` after a reduction that keeps the axes with length 1."""
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis) % len(shape)
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def count(shape: tuple[int, ...], axis: Any) -> int:
    pairs = zip(shape, kept(shape, axis), strict=True)
    return int(np.prod([n for n, m in pairs if m == 1], dtype=int))


def spread(g: Any, shape: tuple[int, ...], axis: Any) -> Any:
    """The gradient of a sum over ``axis``, with or without that axis, in ``shape``."""
    return do("broadcast_to", g.reshape(kept(shape, axis)), shape=shape)


def _sum_to(a: Any, shape: tuple[int, ...]) -> Any:
    a = a.sum(tuple(range(a.ndim - len(shape))))
    axes = tuple(i for i, n in enumerate(shape) if n == 1)
    return a.sum(axes, keepdims=True).reshape(shape)


def _extreme_vjp(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
    """All that are largest share the gradient."""
    shape = kept(a.shape, axis)
    largest = (raw(a) == raw(y).reshape(shape)).astype(a.dtype)
    return (g.reshape(shape) * largest / largest.sum(axis, keepdims=True),)


# Elementwise.


def _larger_vjp(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, ...]:
    """The larger operand gets the gradient; where they are equal each gets half."""
    left, right = raw(a), raw(b)
    halves = g * np.where(left == right, 0.5, 1.0)
    return do("select", halves, keep=~(left < right)), do("select", halves, keep=~(left > right))


def _pow_vjp(g: Any, y: Any, a: Any, exponent: float) -> tuple[Any, ...]:
    if exponent == 0:
        return (do("select", g, keep=np.zeros(g.shape, bool)),)
    return (g * (exponent * do("pow", a, exponent=exponent - 1)),)


def _power_vjp(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, ...]:
    base, exponent = raw(a), raw(b)
    flat = np.broadcast_to(exponent == 0, g.shape)
    return (
        do("select", g * (b * do("power", a, b - 1)), keep=~flat),
        do("select", g * (y * do("log", a)), keep=~((base == 0) & (exponent >= 0))),
    )


def _clip_vjp(g: Any, y: Any, a: Any, x_min: Any, x_max: Any) -> tuple[Any, ...]:
    """Pass the gradient on for elements within the bounds, bounds included."""
    low, high = -np.inf if x_min is None else x_min, np.inf if x_max is None else x_max
    return (do("select", g, keep=(raw(a) >= low) & (raw(a) <= high)),)


def _norm_vjp(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
    """``a / y``; 0 where the norm is 0."""
    shape = kept(a.shape, axis)
    zero = (raw(y) == 0).astype(a.dtype).reshape(shape)
    return (g.reshape(shape) * (a / (y.reshape(shape) + zero)),)


def _logsumexp(a: Any, axis: Any, keepdims: bool) -> Any:
    largest = a.max(axis, keepdims=True)
    total = np.exp(a - largest).sum(axis, keepdims=keepdims)
    return np.log(total) + largest.reshape(total.shape)


def _logsumexp_vjp(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
    shape = kept(a.shape, axis)
    return (g.reshape(shape) * do("exp", a - y.reshape(shape)),)


# Matrices, shapes and indices.


def swapped(a: Any) -> Any:
    axes = tuple(range(a.ndim))
    return a.transpose((*axes[:-2], axes[-1], axes[-2]))


def matrices(g: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Gradient and factors of a product, vectors as matrices."""
    left = a if a.ndim > 1 else a.reshape((1, *a.shape))
    right = b if b.ndim > 1 else b.reshape((*b.shape, 1))
    stack = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    return g.reshape((*stack, left.shape[-2], right.shape[-1])), left, right


def _matmul_vjp(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, ...]:
    g, left, right = matrices(g, a, b)
    return (
        do("sum_to", g @ swapped(right), shape=left.shape).reshape(a.shape),
        do("sum_to", swapped(left) @ g, shape=right.shape).reshape(b.shape),
    )


def _transpose_vjp(g: Any, y: Any, a: Any, axes: tuple[int, ...]) -> tuple[Any, ...]:
    places = np.argsort([axis % len(axes) for axis in axes])
    return (g.transpose(tuple(map(int, places))),)


def _put(g: Any, shape: tuple[int, ...], index: Any) -> Any:
    """Zeros with ``g`` added at an index: the gradient of ``get_item``."""
    result = np.zeros(shape, g.dtype)
    # NumPy crashes on a gradient of a wrong shape (a defect's) where this raises ValueError.
    np.add.at(result, index, np.broadcast_to(g, result[index].shape))
    return result


def _along(axis: int, ndim: int, item: Any) -> tuple[Any, ...]:
    return (slice(None),) * (axis % ndim) + (item,)


def _concat_vjp(g: Any, y: Any, *xs: Any, axis: int) -> tuple[Any, ...]:
    stops = np.cumsum([x.shape[axis] for x in xs])
    slices = [slice(int(n) - x.shape[axis], int(n)) for n, x in zip(stops, xs, strict=True)]
    return tuple(g[_along(axis, g.ndim, item)] for item in slices)


def _where_vjp(g: Any, y: Any, a: Any, b: Any, condition: tuple[bool, ...]) -> tuple[Any, ...]:
    chosen = np.broadcast_to(np.array(condition, bool), g.shape)
    return do("select", g, keep=chosen), do("select", g, keep=~chosen)


#: The operations that programs use, by their names in ``parity.language.table.OPS``.
RULES: dict[str, Rule] = {
    "add": Rule(lambda a, b: a + b, lambda g, y, a, b: (g, g)),
    "mul": Rule(lambda a, b: a * b, lambda g, y, a, b: (g * b, g * a)),
    "sub": Rule(lambda a, b: a - b, lambda g, y, a, b: (g, -g)),
    "neg": Rule(lambda a: -a, lambda g, y, a: (-g,)),
    "square": Rule(lambda a: a * a, lambda g, y, a: (g * (2 * a),)),
    "div": Rule(lambda a, b: a / b, lambda g, y, a, b: (g / b, -g * (a / b / b))),
    "pow": Rule(lambda a, exponent: a**exponent, _pow_vjp),
    "exp": Rule(np.exp, lambda g, y, a: (g * y,)),
    "log": Rule(np.log, lambda g, y, a: (g / a,)),
    "sin": Rule(np.sin, lambda g, y, a: (g * do("cos", a),)),
    "cos": Rule(np.cos, lambda g, y, a: (-g * do("sin", a),)),
    "tanh": Rule(np.tanh, lambda g, y, a: (g * (1 - y * y),)),
    "relu": Rule(
        lambda a: np.maximum(a, 0), lambda g, y, a: (do("select", g, keep=~(raw(y) <= 0)),)
    ),
    "sqrt": Rule(np.sqrt, lambda g, y, a: (g / (2 * y),)),
    "absolute": Rule(np.abs, lambda g, y, a: (g * np.sign(raw(a)),)),
    "sign": Rule(np.sign, lambda g, y, a: (do("select", g, keep=np.zeros(g.shape, bool)),)),
    "clip": Rule(lambda a, x_min, x_max: np.clip(a, x_min, x_max), _clip_vjp),
    "maximum": Rule(np.maximum, _larger_vjp),
    "minimum": Rule(np.minimum, lambda g, y, a, b: _larger_vjp(g, y, a, b)[::-1]),
    "power": Rule(lambda a, b: a**b, _power_vjp),
    "matmul": Rule(lambda a, b: a @ b, _matmul_vjp),
    "sum": Rule(
        lambda a, axis, keepdims: a.sum(axis, keepdims=keepdims),
        lambda g, y, a, axis, keepdims: (spread(g, a.shape, axis),),
    ),
    "mean": Rule(
        lambda a, axis, keepdims: a.sum(axis, keepdims=keepdims) / count(a.shape, axis),
        lambda g, y, a, axis, keepdims: (spread(g, a.shape, axis) / count(a.shape, axis),),
    ),
    "max": Rule(lambda a, axis, keepdims: a.max(axis, keepdims=keepdims), _extreme_vjp),
    "min": Rule(lambda a, axis, keepdims: a.min(axis, keepdims=keepdims), _extreme_vjp),
    "norm": Rule(
        lambda a, axis, keepdims: np.sqrt((a * a).sum(axis, keepdims=keepdims)), _norm_vjp
    ),
    "logsumexp": Rule(_logsumexp, _logsumexp_vjp),
    "broadcast_to": Rule(
        lambda a, shape: np.broadcast_to(a, shape).copy(),
        lambda g, y, a, shape: (do("sum_to", g, shape=a.shape),),
    ),
    "sum_to": Rule(_sum_to, lambda g, y, a, shape: (do("broadcast_to", g, shape=a.shape),)),
    "reshape": Rule(
        lambda a, shape: a.reshape(shape), lambda g, y, a, shape: (g.reshape(a.shape),)
    ),
    "transpose": Rule(lambda a, axes: a.transpose(axes), _transpose_vjp),
    "get_item": Rule(
        lambda a, index: a[index],
        lambda g, y, a, index: (do("put", g, shape=a.shape, index=index),),
    ),
    "slice_backwards": Rule(
        lambda a, axis, start, stop, step: a[_along(axis, a.ndim, slice(start, stop, step))],
        lambda g, y, a, axis, start, stop, step: (
            do("put", g, shape=a.shape, index=_along(axis, a.ndim, slice(start, stop, step))),
        ),
    ),
    "transpose_all": Rule(
        np.transpose, lambda g, y, a: (g.transpose(tuple(reversed(range(len(a.shape))))),)
    ),
    "squeeze_all": Rule(np.squeeze, lambda g, y, a: (g.reshape(a.shape),)),
    "concat": Rule(lambda *xs, axis: np.concatenate(xs, axis), _concat_vjp),
    "stack": Rule(
        lambda *xs, axis: np.stack(xs, axis),
        lambda g, y, *xs, axis: tuple(g[_along(axis, g.ndim, i)] for i in range(len(xs))),
    ),
    "split": Rule(
        lambda a, axis, sizes: tuple(np.split(a, np.cumsum(sizes)[:-1], axis)),
        lambda gs, ys, a, axis, sizes: (do("concat", *gs, axis=axis),),
    ),
    "where": Rule(lambda a, b, condition: np.where(np.array(condition, bool), a, b), _where_vjp),
    "add_scalar": Rule(lambda a, c: a + c, lambda g, y, a, c: (g,)),
    "mul_scalar": Rule(lambda a, c: a * c, lambda g, y, a, c: (g * c,)),
    "sub_scalar": Rule(lambda a, c: a - c, lambda g, y, a, c: (g,)),
    "rsub_scalar": Rule(lambda a, c: c - a, lambda g, y, a, c: (-g,)),
    "div_scalar": Rule(lambda a, c: a / c, lambda g, y, a, c: (g / c,)),
    "rdiv_scalar": Rule(lambda a, c: c / a, lambda g, y, a, c: (-(g * c) / (a * a),)),
}

#: Operations that only the formulas use.
INNER: dict[str, Rule] = {
    "put": Rule(_put, lambda g, y, a, shape, index: (g[index],)),
    "select": Rule(
        lambda a, keep: np.where(keep, a, 0).astype(a.dtype),
        lambda g, y, a, keep: (do("select", g, keep=keep),),
    ),
    "cast": Rule(lambda a, dtype: a.astype(dtype), lambda g, y, a, dtype: (g.astype(a.dtype),)),
}


def rules_of_rows() -> dict[str, Rule]:
    """The rules of the operations that have one in their row (``Operation.vjp``)."""
    # Scripts copy this source without the table, where nothing else in them needs it.
    table = sys.modules.get("parity.language.table")
    rows = table.with_vjp() if table else ()
    return {op.name: Rule(*op.vjp) for op in rows}
