"""Functions that move elements: reshape, transpose, broadcast, index, concat, split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from dezero.graph import Data
from dezero.primitive import BroadcastTo, Cast, Primitive, Splitting, SumTo, Unary
from dezero.variable import Operand, Variable, as_array, as_variable


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


class Stack(Primitive):
    """One node for all inputs, so that their gradients arrive in the order of the inputs."""

    __slots__ = ("axis",)
    fresh = False

    def __init__(self, axis: int) -> None:
        self.axis = axis

    def forward(self, *xs: Data) -> Data:
        return np.stack(xs, self.axis)

    def backward(self, gy: Any, saved: Any) -> Any:
        before = (slice(None),) * (self.axis % gy.ndim)
        return tuple(gy[(*before, i)] for i in range(len(self.edges)))


class Split(Splitting):
    __slots__ = ("sections", "axis")

    def __init__(self, sections: int | list[int], axis: int) -> None:
        self.sections = sections
        self.axis = axis

    def forward(self, x: Data) -> Data:
        return np.split(x, self.sections, self.axis)

    def backward(self, *gys: Any) -> Any:
        return Concat.on(*gys, axis=self.axis)


class Flip(Unary):
    """The order along axes reversed; a view."""

    __slots__ = ("axis",)
    fresh = False

    def __init__(self, axis: int | tuple[int, ...] | None) -> None:
        self.axis = axis

    def forward(self, x: Data) -> Data:
        return np.flip(x, self.axis)

    def backward(self, gy: Any, saved: Any) -> Any:
        return Flip.on(gy, axis=self.axis)


class Pad(Unary):
    """Zeros around."""

    __slots__ = ("widths", "x_shape")
    fresh = False

    def __init__(self, widths: tuple[tuple[int, int], ...]) -> None:
        self.widths = widths

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        return np.pad(x, self.widths)

    def backward(self, gy: Any, saved: Any) -> Any:
        index = tuple(
            slice(before, before + n)
            for (before, _), n in zip(self.widths, self.x_shape, strict=True)
        )
        return gy[index]


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


def stack(xs: Sequence[Operand], axis: int = 0) -> Variable:
    """Several of one shape joined along a new axis."""
    if not xs:
        raise ValueError("stack: needs at least one array")
    return Stack(axis)(*xs)


def squeeze(x: Operand, axis: int | Sequence[int] | None = None) -> Variable:
    """Without the axes of length 1, or without the given ones of them."""
    x = as_variable(as_array(x))
    return reshape(x, np.squeeze(x.data, axis).shape)


def expand_dims(x: Operand, axis: int | Sequence[int]) -> Variable:
    """With new axes of length 1."""
    x = as_variable(as_array(x))
    return reshape(x, np.expand_dims(x.data, axis).shape)


def moveaxis(x: Operand, source: int | Sequence[int], destination: int | Sequence[int]) -> Variable:
    """Axes moved to other places, as ``numpy.moveaxis``; a view."""
    x = as_variable(as_array(x))
    # What NumPy does with an array whose lengths tell its axes apart.
    numbered = np.broadcast_to(0, tuple(range(1, x.ndim + 1)))
    return transpose(x, [n - 1 for n in np.moveaxis(numbered, source, destination).shape])


def flip(x: Operand, axis: int | Sequence[int] | None = None) -> Variable:
    """The order along axes reversed, along all by default; a view."""
    return Flip(tuple(axis) if isinstance(axis, Sequence) else axis)(x)


def pad(x: Operand, pad_width: Sequence[tuple[int, int]]) -> Variable:
    """Zeros before and after along each axis: one pair of numbers an axis."""
    x = as_variable(as_array(x))
    if len(pad_width) != x.ndim:
        raise ValueError(f"pad: needs {x.ndim} pairs, one an axis, got {len(pad_width)}")
    return Pad(tuple((int(a), int(b)) for a, b in pad_width))(x) if x.ndim else x


def take_along_axis(x: Operand, indices: Any, axis: int) -> Variable:
    """Elements by number along an axis, as ``numpy.take_along_axis``.

    ``indices``: integers with as many dimensions as ``x``; what is taken several
    times gets the sum of the gradients.
    """
    x = as_variable(as_array(x))
    numbers = np.asarray(_raw(indices))
    axis = normalize_axis_index(axis, x.ndim)
    if numbers.ndim != x.ndim:
        raise ValueError(f"take_along_axis: indices have {numbers.ndim} dimensions, not {x.ndim}")
    index = [np.arange(n).reshape((-1,) + (1,) * (x.ndim - 1 - i)) for i, n in enumerate(x.shape)]
    index[axis] = numbers
    try:
        np.broadcast_shapes(*(places.shape for places in index))
    except ValueError:
        raise ValueError(
            f"take_along_axis: indices of shape {numbers.shape} do not fit {x.shape} along {axis}"
        ) from None
    return get_item(x, tuple(index))
