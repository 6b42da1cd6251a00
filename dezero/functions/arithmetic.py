"""Arithmetic: add, sub, mul, div, neg, pow, square."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from dezero.binary import Binary
from dezero.functions.elementwise import Log, Select, raw
from dezero.graph import Data
from dezero.primitive import OUTPUT, Unary, floating, native
from dezero.variable import Operand, Variable


class Add(Binary):
    __slots__ = ()
    fresh = False
    forward = native(operator.add)

    def backward(self, gy: Any, saved: Any) -> Any:
        return gy, gy


class Sub(Binary):
    __slots__ = ()
    fresh = False
    forward = native(operator.sub)

    def backward(self, gy: Any, saved: Any) -> Any:
        return gy, None if self.edges[1] is None else -gy


class Mul(Binary):
    __slots__ = ()
    saves = (0, 1)
    crossed = True
    forward = native(operator.mul)

    def backward(self, gy: Any, saved: Any) -> Any:
        a, b = saved
        return None if b is None else gy * b, None if a is None else gy * a


class Div(Binary):
    __slots__ = ()
    saves = (1, OUTPUT)
    forward = native(operator.truediv)

    def backward(self, gy: Any, saved: Any) -> Any:
        b, y = saved
        ea, eb = self.edges
        return None if ea is None else gy / b, None if eb is None else -gy * (y / b)


class Reciprocal(Unary):
    """1 / x. PyTorch computes ``c / x`` as ``c * (1 / x)`` (semantics.md 15.7)."""

    __slots__ = ()
    saves = (OUTPUT,)

    def forward(self, x: Data) -> Data:
        return 1 / x

    def backward(self, gy: Any, saved: Any) -> Any:
        (y,) = saved
        return -gy * (y * y)


class Neg(Unary):
    __slots__ = ()
    forward = native(operator.neg)

    def backward(self, gy: Any, saved: Any) -> Any:
        return -gy


class Square(Unary):
    __slots__ = ()
    saves = (0,)

    def forward(self, x: Data) -> Data:
        return x * x

    def backward(self, gy: Any, saved: Any) -> Any:
        (x,) = saved
        return gy * (2 * x)


def _power(x: Any, exponent: float) -> Any:
    """``x ** exponent`` with PyTorch's roundings for exponents that it treats apart."""
    special = _POWERS.get(exponent)
    return x**exponent if special is None else special(x)


_POWERS: dict[float, Callable[[Any], Any]] = {
    3: lambda x: x * x * x,
    2: lambda x: x * x,
    -2: lambda x: 1 / (x * x),
    0.5: lambda x: Sqrt.on(x),
    -0.5: lambda x: 1 / Sqrt.on(x),
}


class Sqrt(Unary):
    """The square root: -0.0 of -0.0 and nan of -inf, unlike ``(-inf) ** 0.5`` of a scalar."""

    __slots__ = ()
    saves = (OUTPUT,)
    forward = floating(np.sqrt)

    def backward(self, gy: Any, saved: Any) -> Any:
        (y,) = saved
        return gy / (2 * y)


class Pow(Unary):
    """``x ** exponent`` for a Python number."""

    __slots__ = ("exponent",)
    saves = (0,)

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def forward(self, x: Data) -> Data:
        return _power(x, self.exponent)

    def backward(self, gy: Any, saved: Any) -> Any:
        (x,) = saved
        p = self.exponent
        if p == 0:  # zero everywhere, also at infinity and nan (semantics.md 9)
            return Select.on(gy, mask=np.True_)
        if p == 1:  # one everywhere
            return gy * 1.0
        return gy * (p * _power(x, p - 1))


def _as_wide(x: Any, y: Any) -> Any:
    """An operand in the dtype of the result, in which PyTorch computes its gradient."""
    if isinstance(x, (int, float)) and not isinstance(x, np.generic):
        return y.dtype.type(x)
    return x if x.dtype == y.dtype else x.astype(y.dtype)


class PowVariable(Binary):
    """``a ** b`` of two operands; 0 ** 0 has the gradients (0, 0) (semantics.md 9)."""

    __slots__ = ()
    saves = (0, 1, OUTPUT)
    forward = native(operator.pow)

    def backward(self, gy: Any, saved: Any) -> Any:
        a, b, y = saved
        ea, eb = self.edges
        a, b = _as_wide(a, y), _as_wide(b, y)
        da = db = None
        if ea is not None:
            da = Select.on(gy * (b * PowVariable.on(a, b - 1)), mask=raw(b) == 0)
        if eb is not None:
            with np.errstate(divide="ignore", invalid="ignore"):  # log 0, where it is not used
                db = gy * Select.on(y * Log.on(a), mask=(raw(a) == 0) & (raw(b) >= 0))
        return da, db


def add(x0: Operand, x1: Operand) -> Variable:
    """``x0 + x1``."""
    return Add()(x0, x1)


def sub(x0: Operand, x1: Operand) -> Variable:
    """``x0 - x1``."""
    return Sub()(x0, x1)


def mul(x0: Operand, x1: Operand) -> Variable:
    """``x0 * x1``."""
    return Mul()(x0, x1)


def div(x0: Operand, x1: Operand) -> Variable:
    """``x0 / x1``; a Python number over a Variable is rounded as in PyTorch, ``x0 * (1 / x1)``."""
    if isinstance(x0, (int, float)) and not isinstance(x0, np.generic):
        reciprocal = Reciprocal()(x1)
        return reciprocal if x0 == 1 else Mul()(reciprocal, x0)
    return Div()(x0, x1)


def neg(x: Operand) -> Variable:
    """``-x``."""
    return Neg()(x)


def sqrt(x: Operand) -> Variable:
    """The square root; its gradient at 0 is inf."""
    return Sqrt()(x)


def pow(x: Operand, exponent: Operand) -> Variable:
    """``x ** exponent`` for a number, an array or a Variable."""
    if not isinstance(exponent, (int, float, np.number)):
        return PowVariable()(x, exponent)
    return Pow(exponent.item() if isinstance(exponent, np.generic) else exponent)(x)


def square(x: Operand) -> Variable:
    """``x * x``."""
    return Square()(x)
