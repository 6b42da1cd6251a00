"""Functions of one number to the digits of ``parity.oracle.exact.numbers``."""

from __future__ import annotations

import decimal
import functools
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

from parity.oracle.exact.numbers import (
    DIGITS,
    NAN,
    Array,
    Element,
    elementwise,
    leave_reals,
    to_decimal,
)

#: Digits lost where something cancels.
_GUARD = 30
#: Below it a series of two terms is exact to ``DIGITS``.
_TINY = Decimal("1e-25")
#: Beyond it the error function is 1 to ``DIGITS``.
_FLAT = Decimal(11)


def on_arrays(function: Callable[[Decimal], Element]) -> Callable[[Array], Array]:
    """``function`` by element: nan of nan, and of what is outside its domain."""

    @functools.lru_cache(maxsize=8192)
    def known(x: Decimal) -> Element:
        try:
            return function(x)
        except decimal.DecimalException:
            leave_reals()
            return NAN

    def every(x: Element) -> Element:
        d = to_decimal(x)
        if d.is_nan():
            leave_reals()
            return d
        y = known(d)
        if isinstance(y, Decimal) and not y.is_finite():
            leave_reals()
        return y

    return elementwise(every)


def _guarded(function: Callable[[Decimal], Decimal]) -> Callable[[Decimal], Decimal]:
    """``function`` with more digits inside."""

    def apply(x: Decimal) -> Decimal:
        with decimal.localcontext() as context:
            context.prec = DIGITS + _GUARD
            result = function(x)
        return +result

    return apply


def _arctan_of_inverse(n: int) -> Fraction:
    """arctan(1 / n) to more digits than are used."""
    terms = int((DIGITS + 3 * _GUARD) / (2 * math.log10(n))) + 1
    return sum((Fraction((-1) ** k, (2 * k + 1) * n ** (2 * k + 1)) for k in range(terms)), _ZERO)


_ZERO = Fraction(0)


@functools.cache
def _pi() -> Decimal:
    """pi by Machin's formula, with digits to spare for large arguments of sin."""
    exact = 16 * _arctan_of_inverse(5) - 4 * _arctan_of_inverse(239)
    with decimal.localcontext() as context:
        context.prec = DIGITS + 2 * _GUARD
        return Decimal(exact.numerator) / Decimal(exact.denominator)


def _series(x: Decimal, n: int) -> Decimal:
    """x**n / n! - x**(n + 2) / (n + 2)! + ...: sin from 1 on, cos from 0 on."""
    term = x if n else Decimal(1)
    result, square = term, x * x
    while abs(term) > Decimal(10) ** -(DIGITS + _GUARD):
        n += 2
        term = -term * square / (n * (n - 1))
        result += term
    return result


def _reduced(x: Decimal) -> Decimal:
    """``x`` without whole turns."""
    if not x.is_finite():
        leave_reals()
        return NAN
    with decimal.localcontext() as context:
        context.prec = DIGITS + 2 * _GUARD
        turn = 2 * _pi()
        return x - turn * (x / turn).to_integral_value()


def _sin(x: Decimal) -> Decimal:
    return _series(_reduced(x), 1)


def _cos(x: Decimal) -> Decimal:
    return _series(_reduced(x), 0)


def _tanh(x: Decimal) -> Decimal:
    if abs(x) < _TINY:
        return x - x**3 / 3
    e = (-2 * abs(x)).exp()
    return ((1 - e) / (1 + e)).copy_sign(x)


def _sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


def _softplus(x: Decimal) -> Decimal:
    """log(1 + exp(x)), and x itself above 20: PyTorch's definition."""
    if x > 20:
        return x
    e = x.exp()
    return e - e * e / 2 if e < _TINY else (1 + e).ln()


def _softplus_slope(x: Decimal) -> Decimal:
    return Decimal(1) if x > 20 else _sigmoid(x)


def _normal(x: Decimal) -> Decimal:
    """The share of the normal distribution below ``x``: terms of one sign, so nothing cancels."""
    z = x / Decimal(2).sqrt()
    if abs(z) > _FLAT:
        return Decimal(int(x > 0))
    term, n = 2 * z / _pi().sqrt() * (-z * z).exp(), 0
    result = term
    while abs(term) > Decimal(10) ** -(DIGITS + _GUARD):
        n += 1
        term = term * 2 * z * z / (2 * n + 1)
        result += term
    return (1 + result) / 2


def _density(x: Decimal) -> Decimal:
    """The density of the normal distribution."""
    return (-x * x / 2).exp() / (2 * _pi()).sqrt()


def _log(x: Decimal) -> Decimal:
    if x == 0:
        leave_reals()
    return x.ln()


exp = on_arrays(lambda x: x.exp())
log = on_arrays(_log)
sqrt = on_arrays(lambda x: x.sqrt())
sin = on_arrays(_guarded(_sin))
cos = on_arrays(_guarded(_cos))
tanh = on_arrays(_guarded(_tanh))
sigmoid = on_arrays(_guarded(_sigmoid))
softplus = on_arrays(_guarded(_softplus))
softplus_slope = on_arrays(_guarded(_softplus_slope))
normal = on_arrays(_guarded(_normal))
density = on_arrays(_guarded(_density))


def _raised(x: Element, p: Element) -> Element:
    """``x ** p`` as IEEE 754's pow has it."""
    if p == 0:
        return 1
    finite = not isinstance(p, Decimal) or p.is_finite()
    if finite and p == int(p):
        return _raised_to_integer(x, int(p))
    if x == 0 and p > 0:
        return 0
    return _raised_by_logarithm(to_decimal(x), to_decimal(p))


def _raised_to_integer(x: Element, p: int) -> Element:
    if x == 0 and p < 0:
        leave_reals()
        return Decimal("-Infinity" if p % 2 and str(x).startswith("-") else "Infinity")
    if isinstance(x, Decimal):
        return x**p
    if abs(p) > 64:
        return to_decimal(x) ** p
    return Fraction(x) ** p if p < 0 else x**p


def _raised_by_logarithm(x: Decimal, p: Decimal) -> Decimal:
    if x.is_nan() or p.is_nan() or x < 0:
        leave_reals()
        return NAN
    if not x.is_finite() or not p.is_finite() or x == 0:
        leave_reals()
        return Decimal(math.pow(float(x), float(p))) if x else Decimal("Infinity")
    with decimal.localcontext() as context:
        context.prec = DIGITS + _GUARD
        result = (p * x.ln()).exp()
    return +result


#: ``a ** b`` by element.
power = elementwise(_raised)
