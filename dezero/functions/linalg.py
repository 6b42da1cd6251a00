"""Linear algebra: matmul."""

from __future__ import annotations

import operator
from typing import Any

from dezero.broadcast import SumTo
from dezero.primitive import Primitive, native
from dezero.variable import Operand, Variable


class MatMul(Primitive):
    """Matrix product; vectors and stacks of matrices as in NumPy's ``matmul``."""

    __slots__ = ()
    saves = (0, 1)
    forward = native(operator.matmul)

    def backward(self, gy: Any, saved: Any) -> Any:
        a, b = saved
        ea, eb = self.edges
        return (
            None if ea is None else _gradient_left(gy, a, b),
            None if eb is None else _gradient_right(gy, a, b),
        )


def _swapped(x: Any) -> Any:
    """A stack of matrices, each transposed."""
    return x.transpose((*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _summed(gx: Any, shape: tuple[int, ...]) -> Any:
    """The gradient summed over the axes along which a stack was broadcast."""
    return gx if gx.shape == shape else SumTo.on(gx, shape=shape)


def _as_matrices(gy: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """Vectors as matrices of one row (left) or column (right), and gy to match."""
    if a.ndim == 1:
        a = a.reshape((1, *a.shape))
        gy = gy.reshape((*gy.shape[:-1], 1, *gy.shape[-1:]) if b.ndim > 1 else (1,))
    if b.ndim == 1:
        b = b.reshape((*b.shape, 1))
        gy = gy.reshape((*gy.shape, 1))
    return gy, a, b


def _gradient_left(gy: Any, a: Any, b: Any) -> Any:
    gy, matrix, b = _as_matrices(gy, a, b)
    return _summed(gy @ _swapped(b), matrix.shape).reshape(a.shape)


def _gradient_right(gy: Any, a: Any, b: Any) -> Any:
    gy, a, matrix = _as_matrices(gy, a, b)
    return _summed(_swapped(a) @ gy, matrix.shape).reshape(b.shape)


def matmul(x0: Operand, x1: Operand) -> Variable:
    """The matrix product ``x0 @ x1`` of vectors, matrices or stacks of matrices."""
    return MatMul()(x0, x1)
