"""Functions of each element: exponentials, trigonometry, kinks, the larger of two."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dezero.binary import Binary
from dezero.graph import Array, Data
from dezero.primitive import OUTPUT, Primitive, Unary, floating, native
from dezero.variable import Operand, Variable, as_array, as_variable


def raw(x: Any) -> Data:
    """The raw data of something that a formula treats as a constant."""
    return x._data if isinstance(x, Variable) else x


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
        return Select.on(gy, mask=raw(y) <= 0)


class LeakyRelu(Unary):
    """x above 0, ``slope * x`` elsewhere; the gradient at 0 and nan is the slope."""

    __slots__ = ("slope",)
    saves = (0,)

    def __init__(self, slope: float) -> None:
        self.slope = slope

    def forward(self, x: Data) -> Data:
        return np.where(x > 0, x, x * self.slope)[()]

    def backward(self, gy: Any, saved: Any) -> Any:
        (x,) = saved
        return Where.on(gy, gy * self.slope, mask=raw(x) > 0)


class Softplus(Unary):
    """log(1 + e**x), without overflow; x itself above 20, with a gradient of 1, as in PyTorch."""

    __slots__ = ()
    saves = (0,)

    @staticmethod
    def _value(x: Data) -> Data:
        y = np.maximum(x, 0) + np.log1p(np.exp(-np.absolute(x)))
        return np.where(x > 20, x, y)

    forward = floating(_value)

    def backward(self, gy: Any, saved: Any) -> Any:
        (x,) = saved
        gx = gy * Sigmoid.on(x)
        straight = raw(x) > 20
        if not straight.any():
            return gx
        return Select.on(gx, mask=straight) + Select.on(gy, mask=~straight)


class Erf(Unary):
    """The error function, element by element: NumPy has none."""

    __slots__ = ()
    saves = (0,)

    @staticmethod
    def _value(x: Data) -> Data:
        values = [math.erf(v) for v in x.ravel().tolist()]
        return np.array(values, x.dtype).reshape(x.shape)[()]

    forward = floating(_value)

    def backward(self, gy: Any, saved: Any) -> Any:
        (x,) = saved
        return gy * (Exp.on(-(x * x)) * (2 / math.sqrt(math.pi)))


class Constant(Unary):
    """A function whose gradient is zero everywhere: ``sign``, ``floor``."""

    __slots__ = ("compute",)

    def __init__(self, compute: Any) -> None:
        self.compute = compute

    def forward(self, x: Data) -> Data:
        return self.compute(x)

    def backward(self, gy: Any, saved: Any) -> Any:
        return Select.on(gy, mask=np.True_)


class Clip(Unary):
    """Bounded below and above; the gradient is 1 at the bounds and 0 at nan (semantics.md 9)."""

    __slots__ = ("low", "high")
    saves = (0,)

    def __init__(self, low: float | None, high: float | None) -> None:
        self.low = low
        self.high = high

    def forward(self, x: Data) -> Data:
        # Not NumPy's clip, which lets -0.0 and 0.0 pass in another way than PyTorch's.
        y: Any = x
        if self.low is not None:
            y = np.where(x < self.low, x.dtype.type(self.low), y)
        if self.high is not None:
            y = np.where(y > self.high, x.dtype.type(self.high), y)
        return y[()]

    def backward(self, gy: Any, saved: Any) -> Any:
        x = raw(saved[0])
        inside = x == x  # not at nan
        if self.low is not None:
            inside = inside & (x >= self.low)
        if self.high is not None:
            inside = inside & (x <= self.high)
        return Select.on(gy, mask=np.logical_not(inside))


class Where(Primitive):
    """``a`` where the mask is true, else ``b``."""

    __slots__ = ("mask",)
    broadcasts = True

    def __init__(self, mask: Array) -> None:
        self.mask = mask

    def forward(self, a: Data, b: Data) -> Data:
        y: Any = np.where(self.mask, a, b)
        return y[()]

    def backward(self, gy: Any, saved: Any) -> Any:
        return Select.on(gy, mask=~self.mask), Select.on(gy, mask=self.mask)


class Absolute(Unary):
    """|x|; the gradient is 0 at 0 and at nan (semantics.md 9)."""

    __slots__ = ()
    saves = (0,)
    forward = native(np.absolute)

    def backward(self, gy: Any, saved: Any) -> Any:
        (x,) = saved
        x = raw(x)
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
        a, b = raw(a), raw(b)
        tie = np.equal(a, b)
        shared = Where.on(gy / 2, gy, mask=tie) if np.any(tie) else gy
        return (
            Select.on(shared, mask=type(self).loses(a, b)),
            Select.on(shared, mask=type(self).loses(b, a)),
        )


class Minimum(Maximum):
    """The smaller; ties and nan as in Maximum."""

    __slots__ = ()
    forward = native(np.minimum)
    loses = np.greater


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


def leaky_relu(x: Operand, slope: float = 0.2) -> Variable:
    """x above 0, ``slope * x`` elsewhere (the book's default slope, PyTorch's is 0.01)."""
    return LeakyRelu(slope)(x)


def softplus(x: Operand) -> Variable:
    """log(1 + e**x), without overflow."""
    return Softplus()(x)


def gelu(x: Operand) -> Variable:
    """x times the normal distribution function at x: the exact form, as in PyTorch.

    The error function is computed element by element: slow on large arrays.
    """
    x = as_variable(as_array(x))
    return x * 0.5 * (1.0 + Erf()(x * math.sqrt(0.5)))


def sign(x: Operand) -> Variable:
    """-1, 0 or 1; 0 for nan as in PyTorch. The gradient is zero."""
    return Constant(_sign)(x)


def _sign(x: Data) -> Data:
    return np.subtract(x > 0, x < 0, dtype=x.dtype) if x.dtype.kind == "f" else np.sign(x)


def floor(x: Operand) -> Variable:
    """The largest integer that is not above x. The gradient is zero."""
    return Constant(np.floor)(x)


def clip(x: Operand, x_min: float | None = None, x_max: float | None = None) -> Variable:
    """x bounded below and above by numbers; the gradient at the bounds is 1.

    Raises ValueError if neither bound is given.
    """
    if x_min is None and x_max is None:
        raise ValueError("clip: needs x_min, x_max or both")
    return Clip(x_min, x_max)(x)


def where(condition: Any, x0: Operand, x1: Operand) -> Variable:
    """``x0`` where the condition (an array of booleans) is true, else ``x1``.

    What is not chosen gets a gradient of 0; where that meets an infinite
    derivative further back, nan comes out (semantics.md 9).
    """
    mask = np.asarray(condition.data if isinstance(condition, Variable) else condition, np.bool_)
    return Where(mask)(x0, x1)
