"""Broadcasting and its inverse, and the functions of two operands that broadcast.

Shapes are compared, never sizes: an operand of shape (0, 1) and a result of
shape (0, 3) have the same size.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from dezero.graph import Data, grad_dtype, record
from dezero.modes import Config
from dezero.primitive import OUTPUT, Primitive, Unary, constant
from dezero.variable import Variable, variable_on

Shape = tuple[int, ...]


def sum_to_shape(x: Data, shape: Shape) -> Data:
    """Sum an array over the axes along which ``shape`` was broadcast to its shape."""
    lead = x.ndim - len(shape)
    axes = (*range(lead), *(i for i, n in enumerate(shape, lead) if n == 1 and x.shape[i] != 1))
    return np.add.reduce(x, axes, keepdims=True).reshape(shape)


def expand(x: Data, shape: Shape) -> Data:
    """A new array of ``shape`` filled with ``x`` broadcast (np.broadcast_to is slower)."""
    y = np.empty(shape, x.dtype)
    y[...] = x
    return y


class BroadcastTo(Unary):
    """An array repeated along new and size-1 axes; a read-only view, as in NumPy."""

    __slots__ = ("shape", "x_shape")
    fresh = False

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        return np.broadcast_to(x, self.shape)

    def backward(self, gy: Any) -> Any:
        return gy if gy.shape == self.x_shape else SumTo.on(gy, shape=self.x_shape)


class SumTo(Unary):
    """The inverse: a sum over the axes along which ``shape`` broadcasts to the input's."""

    __slots__ = ("shape", "x_shape")
    fresh = False

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def forward(self, x: Data) -> Data:
        self.x_shape = x.shape
        if x.shape == self.shape:
            return x
        if np.broadcast_shapes(x.shape, self.shape) != x.shape:
            raise ValueError(f"sum_to: shape {self.shape} does not broadcast to {x.shape}")
        return sum_to_shape(x, self.shape)

    def backward(self, gy: Any) -> Any:
        return gy if gy.shape == self.x_shape else BroadcastTo.on(gy, shape=self.x_shape)


class Cast(Unary):
    """The same values in another dtype; the gradient is cast back."""

    __slots__ = ("dtype", "x_dtype")
    fresh = False

    def __init__(self, dtype: Any) -> None:
        self.dtype = np.dtype(dtype)

    def forward(self, x: Data) -> Data:
        self.x_dtype = grad_dtype(x)
        return x.astype(self.dtype)

    def backward(self, gy: Any) -> Any:
        return gy.astype(self.x_dtype)


class Binary(Primitive):
    """Two inputs that are broadcast against each other; backward undoes the broadcast."""

    __slots__ = ()
    #: Whether input i is saved only for the gradient of the other one.
    crossed: ClassVar[bool] = False

    def __call__(self, a: Any, b: Any) -> Variable:  # type: ignore[override]
        if isinstance(a, Variable):
            xa, ea = a._data, a._node
        else:
            xa, ea = constant(a), None
        if isinstance(b, Variable):
            xb, eb = b._data, b._node
        else:
            xb, eb = constant(b), None
            if xa is a:  # two constants: not two Python scalars
                xa, xb = np.asarray(xa), np.asarray(xb)
        y = self.forward(xa, xb)
        if (ea is None and eb is None) or not Config.enable_backprop:
            return variable_on(y, None)
        if self.crossed:
            saved = (None if eb is None else xa, None if ea is None else xb)
        else:
            saved = tuple([y if i == OUTPUT else (xb if i else xa) for i in self.saves])
        record(self, (ea, eb), saved)
        shape, dtype = y.shape, y.dtype
        if (ea is not None and (xa.shape != shape or xa.dtype != dtype)) or (
            eb is not None and (xb.shape != shape or xb.dtype != dtype)
        ):
            self.fix = (
                None if ea is None else (xa.shape, grad_dtype(xa)),
                None if eb is None else (xb.shape, grad_dtype(xb)),
            )
        return variable_on(y, self)

    def fixed(self, gxs: tuple[Any, ...]) -> tuple[Any, ...]:
        """The gradients in the shapes and dtypes of the inputs: summed first, then cast (8.3)."""
        return super().fixed(
            tuple(
                gx
                if gx is None or fix is None or gx.shape == fix[0]
                else SumTo.on(gx, shape=fix[0])
                for gx, fix in zip(gxs, self.fix or (), strict=True)
            )
        )
