"""Reductions: sum and mean over all axes or some."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from dezero.broadcast import BroadcastTo, expand
from dezero.graph import Data
from dezero.primitive import Unary
from dezero.variable import Operand, Variable

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
        return super().backward(gy / max(self.count(), 1), saved)


def kept_shape(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """``shape`` with 1 in place of each axis that was summed over."""
    if axis is None:
        return (1,) * len(shape)
    axes = (
        {a % len(shape) for a in (axis if isinstance(axis, Iterable) else (axis,))} if shape else ()
    )
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def sum(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The sum over ``axis`` (an int, several, or None for all)."""
    return Sum(axis, keepdims)(x)


def mean(x: Operand, axis: Axis = None, keepdims: bool = False) -> Variable:
    """The mean over ``axis`` (an int, several, or None for all); nan of no elements."""
    return Mean(axis, keepdims)(x)
