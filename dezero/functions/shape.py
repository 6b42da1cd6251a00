"""Functions that move elements: reshape, transpose, broadcast, index, concat, split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dezero.broadcast import BroadcastTo, Cast, SumTo
from dezero.graph import Data
from dezero.primitive import Primitive, Splitting, Unary
from dezero.variable import Operand, Variable


class Reshape(Unary):
    __slots__ = ("shape", "x_shape")
    fresh = False

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        return x.reshape(self.shape)

    def backward(self, gy: Any, saved: Any) -> Any:
        return gy.reshape(self.x_shape)


class Transpose(Unary):
    __slots__ = ("axes",)
    fresh = False

    def __init__(self, axes: tuple[int, ...] | None) -> None:
        self.axes = axes

    def forward(self, x: Data) -> Data:
        return x.transpose(self.axes)

    def backward(self, gy: Any, saved: Any) -> Any:
        if self.axes is None:
            return gy.transpose()
        n = len(self.axes)
        inverse = sorted(range(n), key=[axis % n for axis in self.axes].__getitem__)
        return gy.transpose(inverse)


class GetItem(Unary):
    """``x[index]``; an element that is taken several times gets the sum of the gradients."""

    __slots__ = ("index", "x_shape")

    def __init__(self, index: Any) -> None:
        self.index = index

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        return x[self.index]

    def backward(self, gy: Any, saved: Any) -> Any:
        return PutItem.on(gy, index=self.index, shape=self.x_shape)


class PutItem(Unary):
    """Zeros of ``shape`` with ``x`` added at ``index``: the transpose of GetItem."""

    __slots__ = ("index", "shape")
    fresh = False

    def __init__(self, index: Any, shape: tuple[int, ...]) -> None:
        self.index = index
        self.shape = shape

    def forward(self, x: Data) -> Data:
        y = np.zeros(self.shape, x.dtype)
        if is_basic(self.index):  # takes each element once at most
            y[self.index] = x
        else:
            np.add.at(y, self.index, x)
        return y

    def backward(self, gy: Any, saved: Any) -> Any:
        return GetItem.on(gy, index=self.index)


class Concat(Primitive):
    __slots__ = ("axis", "lengths")
    fresh = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: Data) -> Data:
        self.lengths = [x.shape[self.axis] for x in xs]
        return np.concatenate(xs, self.axis)

    def backward(self, gy: Any, saved: Any) -> Any:
        axis = self.axis % gy.ndim
        ends = np.cumsum(self.lengths).tolist()
        return tuple(
            gy[(slice(None),) * axis + (slice(end - n, end),)]
            for n, end in zip(self.lengths, ends, strict=True)
        )


class Split(Splitting):
    __slots__ = ("sections", "axis")

    def __init__(self, sections: int | list[int], axis: int) -> None:
        self.sections = sections
        self.axis = axis

    def forward(self, x: Data) -> Data:
        return np.split(x, self.sections, self.axis)

    def backward(self, *gys: Any) -> Any:
        return Concat.on(*gys, axis=self.axis)


def is_basic(index: Any) -> bool:
    """Whether an index consists of integers, slices, None and Ellipsis only."""
    items = index if isinstance(index, tuple) else (index,)
    return all(
        item is None
        or item is Ellipsis
        or (isinstance(item, (slice, int, np.integer)) and not isinstance(item, bool))
        for item in items
    )


def _raw(index: Any) -> Any:
    """An index without Variables."""
    if isinstance(index, tuple):
        return tuple(_raw(item) for item in index)
    return index.data if isinstance(index, Variable) else index


def reshape(x: Operand, shape: int | Sequence[int]) -> Variable:
    """The same elements in another shape; one length may be -1. A view where NumPy gives one."""
    return Reshape((shape,) if isinstance(shape, int) else tuple(shape))(x)


def transpose(x: Operand, axes: Sequence[int] | None = None) -> Variable:
    """The axes in another order, reversed by default; a view."""
    return Transpose(None if axes is None else tuple(axes))(x)


def broadcast_to(x: Operand, shape: Sequence[int]) -> Variable:
    """``x`` repeated to ``shape`` by NumPy's rules; a read-only view."""
    return BroadcastTo(tuple(shape))(x)


def sum_to(x: Operand, shape: Sequence[int]) -> Variable:
    """``x`` summed to ``shape``, from which it could have been broadcast; else ValueError."""
    return SumTo(tuple(shape))(x)


def get_item(x: Operand, index: Any) -> Variable:
    """``x[index]`` for any NumPy index; repeated elements sum their gradients."""
    return GetItem(_raw(index))(x)


def concat(xs: Sequence[Operand], axis: int = 0) -> Variable:
    """Several joined along an existing axis; dtypes are promoted as in NumPy."""
    if not xs:
        raise ValueError("concat: needs at least one array")
    return Concat(axis)(*xs)


def split(
    x: Operand, indices_or_sections: int | Sequence[int], axis: int = 0
) -> tuple[Variable, ...]:
    """Parts along an axis, as ``numpy.split``: a number of equal parts, or where to cut.

    Raises ValueError if equal parts are not possible.
    """
    sections = indices_or_sections
    return Split(sections if isinstance(sections, int) else list(sections), axis)(x)


def cast(x: Operand, dtype: Any) -> Variable:
    """``x`` in another dtype; the gradient is cast back."""
    return Cast(dtype)(x)
