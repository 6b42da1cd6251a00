"""Functions of each element: exponentials, trigonometry, kinks, the larger of two."""

from __future__ import annotations

from typing import Any

import numpy as np

from dezero.broadcast import Binary
from dezero.graph import Array, Data
from dezero.primitive import OUTPUT, Unary, floating, native
from dezero.variable import Operand, Variable


class Exp(Unary):
    __slots__ = ()
    saves = (OUTPUT,)
    forward = floating(np.exp)

    def backward(self, gy: Any, saved: Any) -> Any:
        (y,) = saved
        return gy * y


class Log(Unary):
    __slots__ = ()
    saves = (0,)
    forward = floating(np.log)

    def backward(self, gy: Any, saved: Any) -> Any:
        (x,) = saved
        return gy / x


class Sin(Unary):
    __slots__ = ()
    saves = (0,)
    forward = floating(np.sin)

    def backward(self, gy: Any, saved: Any) -> Any:
        (x,) = saved
        return gy * Cos.on(x)


class Cos(Unary):
    __slots__ = ()
    saves = (0,)
    forward = floating(np.cos)

    def backward(self, gy: Any, saved: Any) -> Any:
        (x,) = saved
        return gy * -Sin.on(x)


class Tanh(Unary):
    __slots__ = ()
    saves = (OUTPUT,)
    forward = floating(np.tanh)

    def backward(self, gy: Any, saved: Any) -> Any:
        (y,) = saved
        return gy * (1 - y * y)


def _logistic(x: Data) -> Data:
    with np.errstate(over="ignore"):  # exp(-x) may be inf: the result 0 is right
        return 1 / (1 + np.exp(-x))


class Sigmoid(Unary):
    __slots__ = ()
    saves = (OUTPUT,)

    forward = floating(_logistic)

    def backward(self, gy: Any, saved: Any) -> Any:
        (y,) = saved
        return gy * (1 - y) * y


class Select(Unary):
    """``x`` where the mask is false, 0 where it is true: never 0 * inf."""

    __slots__ = ("mask",)

    def __init__(self, mask: Array) -> None:
        self.mask = mask

    def forward(self, x: Data) -> Data:
        return np.where(self.mask, x.dtype.type(0), x)[()]

    def backward(self, gy: Any, saved: Any) -> Any:
        return Select.on(gy, mask=self.mask)


class Relu(Unary):
    """max(x, 0); the gradient is 0 at 0 and 1 at nan (semantics.md 9)."""

    __slots__ = ()
    saves = (OUTPUT,)

    def forward(self, x: Data) -> Data:
        return np.maximum(x.dtype.type(0), x)

    def backward(self, gy: Any, saved: Any) -> Any:
        (y,) = saved
        return Select.on(gy, mask=_data(y) <= 0)


class Absolute(Unary):
    """|x|; the gradient is 0 at 0 and at nan (semantics.md 9)."""

    __slots__ = ()
    saves = (0,)
    forward = native(np.absolute)

    def backward(self, gy: Any, saved: Any) -> Any:
        (x,) = saved
        x = _data(x)
        return gy * np.subtract(x > 0, x < 0, dtype=gy.dtype)


class Maximum(Binary):
    """The larger; a tie halves the gradient, nan gives it to both (semantics.md 9)."""

    __slots__ = ()
    saves = (0, 1)
    forward = native(np.maximum)
    #: Whether the first operand loses against the second.
    loses: Any = np.less

    def backward(self, gy: Any, saved: Any) -> Any:
        a, b = saved
        a, b = _data(a), _data(b)
        tie = np.equal(a, b)
        half = Select.on(gy, mask=~tie) / 2
        shared = Select.on(gy, mask=tie) + half if np.any(tie) else gy
        return (
            Select.on(shared, mask=type(self).loses(a, b)),
            Select.on(shared, mask=type(self).loses(b, a)),
        )


class Minimum(Maximum):
    """The smaller; ties and nan as in Maximum."""

    __slots__ = ()
    forward = native(np.minimum)
    loses = np.greater


def _data(x: Any) -> Data:
    """The raw data of something that a formula treats as a constant."""
    return x._data if isinstance(x, Variable) else x


def exp(x: Operand) -> Variable:
    """e to the x."""
    return Exp()(x)


def log(x: Operand) -> Variable:
    """The natural logarithm; nan below 0, where the gradient is 1 / x all the same."""
    return Log()(x)


def sin(x: Operand) -> Variable:
    """The sine of x in radians."""
    return Sin()(x)


def cos(x: Operand) -> Variable:
    """The cosine of x in radians."""
    return Cos()(x)


def tanh(x: Operand) -> Variable:
    """The hyperbolic tangent."""
    return Tanh()(x)


def sigmoid(x: Operand) -> Variable:
    """1 / (1 + e**-x)."""
    return Sigmoid()(x)


def relu(x: Operand) -> Variable:
    """max(x, 0); the gradient is 0 at 0."""
    return Relu()(x)


def absolute(x: Operand) -> Variable:
    """|x|; the gradient is 0 at 0."""
    return Absolute()(x)


def maximum(x0: Operand, x1: Operand) -> Variable:
    """The larger of two, element by element; at ties each gets half the gradient."""
    return Maximum()(x0, x1)


def minimum(x0: Operand, x1: Operand) -> Variable:
    """The smaller of two, element by element; at ties each gets half the gradient."""
    return Minimum()(x0, x1)
