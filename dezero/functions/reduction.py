"""Functions along axes: sums, means, extremes, products, norms, softmax."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from dezero.functions.elementwise import Exp, Select, raw
from dezero.functions.shape import Concat
from dezero.graph import Data
from dezero.primitive import OUTPUT, BroadcastTo, Unary, as_float, expand
from dezero.variable import Operand, Variable, as_array, as_variable

Axis = int | Sequence[int] | None


class Sum(Unary):
    __slots__ = ("axis", "keepdims", "x_shape")

    def __init__(self, axis: Axis, keepdims: bool) -> None:
        self.axis: Any = tuple(axis) if isinstance(axis, Iterable) else axis
        self.keepdims = keepdims

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        reduce: Any = np.add.reduce
        return reduce(x, self.axis, keepdims=self.keepdims)

    def backward(self, gy: Any, saved: Any) -> Any:
        gy = gy.reshape(kept_shape(self.x_shape, self.axis))
        if isinstance(gy, Variable):
            return BroadcastTo.on(gy, shape=self.x_shape)
        return expand(gy, self.x_shape)


class Mean(Sum):
    __slots__ = ()

    def count(self) -> int:
        kept = kept_shape(self.x_shape, self.axis)
        return int(np.prod([n for n, k in zip(self.x_shape, kept, strict=True) if k == 1]))

    def forward(self, x: Data) -> Data:
        y = super().forward(x)
        with np.errstate(invalid="ignore"):  # the mean of nothing is nan
            return y / y.dtype.type(self.count())

    def backward(self, gy: Any, saved: Any) -> Any:
        return super().backward(gy / builtins.max(self.count(), 1), saved)


def reduced_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """``shape`` without the axes that were summed over."""
    axes = _axes(len(shape), axis)
    return tuple(n for i, n in enumerate(shape) if i not in axes)


@functools.lru_cache(maxsize=1024)
def kept_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """``shape`` with 1 in place of each axis that was summed over."""
    axes = _axes(len(shape), axis)
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def _axes(ndim: int, axis: Axis) -> set[int]:
    if axis is None or not ndim:
        return set(range(ndim))
    return {a % ndim for a in (axis if isinstance(axis, Iterable) else (axis,))}


def _kept(y: Any, x_shape: tuple[int, ...], axis: Axis) -> Any:
    """A result or its gradient with the axes that were reduced, of length 1."""
    return y.reshape(kept_shape(x_shape, axis))


def largest(x: Data, axis: Axis) -> Data:
    """The largest elements over ``axis``, which is kept; -inf of none."""
    reduce: Any = np.maximum.reduce
    return reduce(x, axis, keepdims=True, initial=-np.inf)


class Max(Sum):
    """The largest over axes; ties share the gradient equally, nan makes it nan (amax)."""

    __slots__ = ()
    saves = (0, OUTPUT)
    reduce: Any = np.maximum.reduce

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        axis = tuple(range(x.ndim)) if self.axis is None else self.axis
        return type(self).reduce(x, axis, keepdims=self.keepdims)

    def backward(self, gy: Any, saved: Any) -> Any:
        x, y = map(raw, saved)
        chosen = x == _kept(y, self.x_shape, self.axis)
        axis = tuple(range(x.ndim)) if self.axis is None else self.axis
        count = np.add.reduce(chosen, axis, keepdims=True, dtype=gy.dtype)
        # As in PyTorch nothing is masked: an infinite gradient is nan where it is not chosen. No
        # element equals nan, then all get nan.
        chosen = chosen.astype(gy.dtype)
        return _kept(gy, self.x_shape, self.axis) * chosen / np.where(count == 0, np.nan, count)


class Min(Max):
    """The smallest over axes; ties and nan as in Max."""

    __slots__ = ()
    reduce = np.minimum.reduce


class CumSum(Unary):
    """Sums up to each element along an axis; ``reverse``: from each element on."""

    __slots__ = ("axis", "reverse")

    def __init__(self, axis: int, reverse: bool = False) -> None:
        self.axis = axis
        self.reverse = reverse

    def forward(self, x: Data) -> Data:
        if not x.ndim:
            return x
        if self.reverse:
            return np.flip(np.cumsum(np.flip(x, self.axis), self.axis), self.axis)
        return np.cumsum(x, self.axis)

    def backward(self, gy: Any, saved: Any) -> Any:
        return CumSum.on(gy, axis=self.axis, reverse=not self.reverse)


class LogSumExp(Sum):
    """log(sum(e**x)) without overflow."""

    __slots__ = ()
    saves = (0, OUTPUT)

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        x = as_float(x)
        top = largest(x, self.axis)
        top = np.where(np.isfinite(top), top, 0)  # a sum of nothing, or of infinities
        total = np.add.reduce(np.exp(x - top), self.axis, keepdims=True)
        y = (np.log(total) + top).astype(x.dtype, copy=False)
        return y if self.keepdims else y.reshape(reduced_shape(self.x_shape, self.axis))[()]

    def backward(self, gy: Any, saved: Any) -> Any:
        x, y = saved
        weights = Exp.on(x - _kept(y, self.x_shape, self.axis))
        return _kept(gy, self.x_shape, self.axis) * weights


class Softmax(Unary):
    """e**x over its sum along an axis."""

    __slots__ = ("axis",)
    saves = (OUTPUT,)

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, x: Data) -> Data:
        x = as_float(x)
        e = np.exp(x - largest(x, self.axis))
        return e / np.add.reduce(e, self.axis, keepdims=True)

    def backward(self, gy: Any, saved: Any) -> Any:
        (y,) = saved
        return (gy - Sum.on(gy * y, axis=self.axis, keepdims=True)) * y


class LogSoftmax(Softmax):
    """The logarithm of softmax, also where that underflows."""

    __slots__ = ()

    def forward(self, x: Data) -> Data:
        if not x.size:
            return x
        x = as_float(x)
        shifted = x - largest(x, self.axis)
        return shifted - np.log(np.add.reduce(np.exp(shifted), self.axis, keepdims=True))

    def backward(self, gy: Any, saved: Any) -> Any:
        (y,) = saved
        return gy - Exp.on(y) * Sum.on(gy, axis=self.axis, keepdims=True)


class Norm(Sum):
    """The 2-norm over axes; its gradient at 0 is 0."""

    __slots__ = ()
    saves = (0, OUTPUT)

    def forward(self, x: Data) -> Data:
        x = as_float(x)
        return np.sqrt(super().forward(x * x))

    def backward(self, gy: Any, saved: Any) -> Any:
        x, y = saved
        y, gy = _kept(y, self.x_shape, self.axis), _kept(gy, self.x_shape, self.axis)
        zero = raw(y) == 0
        # Where the norm is 0 nothing is divided by it, and the gradient is 0.
        scale = Select.on(gy, mask=zero) / (y + zero.astype(gy.dtype))
        return Undefined.on(x, mask=np.broadcast_to(zero, self.x_shape)) * scale


class Undefined(Unary):
    """The same values; the derivative is nan where the mask is true, as that of a norm's at 0."""

    __slots__ = ("mask",)
    fresh = False

    def __init__(self, mask: Any) -> None:
        self.mask = mask

    def forward(self, x: Data) -> Data:
        return x

    def backward(self, gy: Any, saved: Any) -> Any:
        return gy * np.where(self.mask, np.nan, 1.0).astype(gy.dtype)


class Prod(Sum):
    """The product over axes; exact where elements are 0.

    As in PyTorch, gradients are quotients where no element is 0: nan at infinities.
    """

    __slots__ = ()
    saves = (0, OUTPUT)

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        reduce: Any = np.multiply.reduce
        return reduce(x, self.axis, keepdims=self.keepdims)

    def backward(self, gy: Any, saved: Any) -> Any:
        x, y = saved
        gy = _kept(gy, self.x_shape, self.axis)
        if self.x_shape and raw(x).all():
            return gy * (_kept(y, self.x_shape, self.axis) / x)
        return gy * _others(x, kept_shape(self.x_shape, self.axis))


def _others(x: Any, kept: tuple[int, ...]) -> Any:
    """For each element the product of the others that are multiplied with it.

    Nothing is divided by: zeros are exact. Over several axes it is the product of
    the others along the last one, times the same of the products along it.
    """
    axes = [i for i, (n, k) in enumerate(zip(x.shape, kept, strict=True)) if k != n]
    if not axes or 0 in x.shape:
        return np.ones(x.shape, x.dtype)
    axis = axes[-1]
    before = (slice(None),) * axis
    parts = [x[(*before, slice(i, i + 1))] for i in range(x.shape[axis])]
    left, right = _running_products(parts), _running_products(parts[::-1])[::-1]
    inner = [p * r for p, r in zip(left[1:-1], right[1:-1], strict=True)]
    others = [right[0], *inner, left[-1]]
    along = Concat.on(*others, axis=axis)
    if len(axes) == 1:
        return along
    return _others(parts[0] * right[0], (*kept[:axis], 1, *kept[axis + 1 :])) * along


def _running_products(parts: list[Any]) -> list[Any]:
    """The products of all parts before each; None for the first."""
    products = [None, parts[0]]
    for part in parts[1:-1]:
        products.append(products[-1] * part)
    return products


def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The sum over ``axis`` (an int, several, or None for all)."""
    return Sum(axis, keepdims)(x)


def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The mean over ``axis`` (an int, several, or None for all); nan of no elements."""
    return Mean(axis, keepdims)(x)


def max(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The largest element over ``axis``; ties share the gradient (PyTorch's ``amax``)."""
    return Max(axis, keepdims)(x)


def min(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The smallest element over ``axis``; ties share the gradient (PyTorch's ``amin``)."""
    return Min(axis, keepdims)(x)


def prod(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The product over ``axis``; gradients are exact where elements are 0."""
    return Prod(axis, keepdims)(x)


def var(x: Operand, axis: Axis = None, keepdims: bool = False, correction: float = 1) -> Variable:
    """The variance over ``axis``: squares summed over n - ``correction`` (PyTorch's default)."""
    x = as_variable(as_array(x))
    n = x.size // _product(reduced_shape(x.shape, axis))
    centred = x - mean(x, axis, keepdims=True)
    return sum(centred * centred, axis, keepdims) / float(builtins.max(n - correction, 0))


def _product(lengths: tuple[int, ...]) -> int:
    return builtins.max(int(np.prod(lengths)), 1)


def norm(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The 2-norm over ``axis``; its gradient at 0 is 0."""
    return Norm(axis, keepdims)(x)


def cumsum(x: Operand, axis: int) -> Variable:
    """Sums up to each element along an axis."""
    return CumSum(axis)(x)


def logsumexp(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """log(sum(e**x)) over ``axis``, without overflow."""
    return LogSumExp(axis, keepdims)(x)


def softmax(x: Operand, axis: int = 1) -> Variable:
    """e**x over its sum along ``axis`` (1 by default, as in the book)."""
    return Softmax(axis)(x)


def log_softmax(x: Operand, axis: int = 1) -> Variable:
    """The logarithm of ``softmax``, also where that underflows."""
    return LogSoftmax(axis)(x)
