"""Linear algebra: matmul, dot, outer, einsum of two operands, linear."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero.functions.arithmetic import add, mul
from dezero.functions.shape import reshape
from dezero.graph import Data, record
from dezero.modes import Config, restricted
from dezero.primitive import BroadcastTo, Primitive, SumTo
from dezero.variable import Operand, Variable, as_array, as_variable, variable_on


class MatMul(Primitive):
    """Matrix product; vectors and stacks of matrices as in NumPy's ``matmul``."""

    __slots__ = ()
    saves = (0, 1)

    def forward(self, a: Data, b: Data) -> Data:
        # For lengths that do not fit the error is that of matmul.
        return a.dot(b) if _are_matrices(a, b) and a.shape[1] == len(b) else a @ b

    def backward(self, gy: Any, saved: Any) -> Any:
        a, b = saved
        ea, eb = self.edges
        if gy.__class__ is np.ndarray and _are_matrices(a, b):
            return None if ea is None else gy.dot(b.T), None if eb is None else a.T.dot(gy)
        return (
            None if ea is None else _gradient_left(gy, a, b),
            None if eb is None else _gradient_right(gy, a, b),
        )


def _are_matrices(a: Data, b: Data) -> bool:
    """Whether ``a.dot(b)`` is ``a @ b`` in every bit, in half the time where they are small.

    With a length of 1 the two may add in different orders, by how the arrays lie in memory.
    """
    return a.ndim == 2 == b.ndim and 1 not in a.shape and 1 not in b.shape


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
    node = MatMul()
    try:
        a, b = x0._data, x1._data  # type: ignore[union-attr]
    except AttributeError:
        return node(x0, x1)
    edges = x0._node, x1._node  # type: ignore[union-attr]
    if a.dtype is not b.dtype or (restricted.threads and not Config.enable_backprop):
        return node(x0, x1)
    # Of one dtype: no gradient is cast, and most of what `Primitive` does is not needed.
    y = node.forward(a, b)
    if edges == (None, None):
        return variable_on(y, None)
    record(node, edges, (a, b))
    return variable_on(y, node)


def dot(x0: Operand, x1: Operand) -> Variable:
    """The inner product of two vectors; ValueError for other shapes."""
    x0, x1 = as_variable(as_array(x0)), as_variable(as_array(x1))
    if x0.ndim != 1 or x1.ndim != 1:
        raise ValueError(f"dot: needs two vectors, got shapes {x0.shape} and {x1.shape}")
    return matmul(x0, x1)


def outer(x0: Operand, x1: Operand) -> Variable:
    """All products of the elements of two vectors, a matrix; ValueError for other shapes."""
    x0, x1 = as_variable(as_array(x0)), as_variable(as_array(x1))
    if x0.ndim != 1 or x1.ndim != 1:
        raise ValueError(f"outer: needs two vectors, got shapes {x0.shape} and {x1.shape}")
    return mul(reshape(x0, (-1, 1)), x1)


class Einsum(Primitive):
    """Einstein's sum of two operands, each index at most once an operand."""

    __slots__ = ("a", "b", "y")
    saves = (0, 1)
    fresh = False  # NumPy returns views where it can

    def __init__(self, a: str, b: str, y: str) -> None:
        self.a, self.b, self.y = a, b, y

    def forward(self, a: Data, b: Data) -> Data:
        return np.einsum(f"{self.a},{self.b}->{self.y}", a, b)

    def backward(self, gy: Any, saved: Any) -> Any:
        a, b = saved
        ea, eb = self.edges
        return (
            None if ea is None else _einsum_gradient(gy, self.y, b, self.b, self.a, a.shape),
            None if eb is None else _einsum_gradient(gy, self.y, a, self.a, self.b, b.shape),
        )


def _einsum_gradient(
    gy: Any, y: str, other: Any, names: str, wanted: str, shape: tuple[int, ...]
) -> Any:
    """``gy`` times the other operand, summed to the indices of ``wanted``.

    An index that only ``wanted`` has was summed over: its gradient is repeated.
    """
    known = "".join(c for c in wanted if c in y or c in names)
    gx = Einsum.on(gy, other, a=y, b=names, y=known)
    # Lengths of 1 are broadcast, also here: sums undo that, and the reverse repeats.
    lengths = tuple(n for c, n in zip(wanted, shape, strict=True) if c in known)
    summed = tuple(1 if n == 1 else m for n, m in zip(lengths, gx.shape, strict=True))
    if gx.shape != summed:
        gx = SumTo.on(gx, shape=summed)
    gx = gx.reshape(tuple(summed[known.index(c)] if c in known else 1 for c in wanted))
    return gx if gx.shape == shape else BroadcastTo.on(gx, shape=shape)


def einsum(subscripts: str, x0: Operand, x1: Operand) -> Variable:
    """``numpy.einsum`` of two operands, with the result's indices given: ``"ij,jk->ik"``.

    Raises ValueError for other forms (one operand, no arrow, "...", an index
    twice in one operand).
    """
    left, arrow, y = subscripts.replace(" ", "").partition("->")
    a, comma, b = left.partition(",")
    names = (a, b, y)
    simple = all(name.isalpha() or not name for name in names) and all(
        len(set(name)) == len(name) for name in names
    )
    if not (arrow and comma and simple and set(y) <= set(a + b)):
        raise ValueError(
            f'einsum: {subscripts!r} is not of the form "ij,jk->ik" with each index once an operand'
        )
    return Einsum(a, b, y)(x0, x1)


def linear(x: Operand, W: Operand, b: Operand | None = None) -> Variable:
    """``x @ W + b`` (W has a row an input and a column an output, as in the book)."""
    y = matmul(x, W)
    return y if b is None else add(y, b)
