"""Functions of one number to the digits of ``parity.oracle.exact.numbers``.

``decimal`` has exponential, logarithm and root; the others come from mpmath.
"""

from __future__ import annotations

import decimal
import functools
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

from mpmath.ctx_mp import MPContext

from parity.oracle.exact import numbers as nu
from parity.oracle.exact.numbers import Array, Element, leave_reals, to_decimal

#: With the digits lost where something cancels.
_PRECISION = nu.DIGITS + 30
#: mpmath with a precision of its own: that of ``mpmath.mp`` is for everybody.
_MP = MPContext()
_MP.dps = _PRECISION
_PI = Decimal(_MP.nstr(_MP.pi, _PRECISION))
#: Below it a series of two terms is exact to ``DIGITS``.
_TINY = Decimal("1e-25")
#: Beyond it tanh and the normal distribution are as far from their limits as no float is.
_FLAT = Decimal(1000)
#: Digits in front of the point that no float has.
_FLOATS_END = 310


def on_arrays(function: Callable[[Decimal], Decimal]) -> Callable[[Array], Array]:
    """Return ``function``, which has more digits inside, for arrays; nan outside its domain."""

    @functools.lru_cache(maxsize=8192)
    def known(x: Decimal) -> Decimal:
        try:
            with decimal.localcontext(prec=_PRECISION):
                result = function(x)
        except decimal.DecimalException:
            return nu.NAN
        return +result

    def every(x: Element) -> Element:
        d = to_decimal(x)
        y = d if d.is_nan() else known(d)
        if not y.is_finite():
            leave_reals()
        return y

    return nu.elementwise(every)


def _mpmath(function: Callable[[Any], Any], x: Decimal) -> Decimal:
    """A function of mpmath; nan for numbers too large for a float.

    There are further digits for those of ``x`` in front of the point.
    """
    if not x.is_finite() or x.adjusted() > _FLOATS_END:
        return nu.NAN
    with _MP.workdps(_PRECISION + max(x.adjusted(), 0)):
        numerator, denominator = x.as_integer_ratio()
        return Decimal(_MP.nstr(function(_MP.mpf(numerator) / denominator), _PRECISION))


def _sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


def _density(x: Decimal) -> Decimal:
    return (-x * x / 2).exp() / (2 * _PI).sqrt()


exp = on_arrays(Decimal.exp)
log = on_arrays(Decimal.ln)
sqrt = on_arrays(Decimal.sqrt)
sigmoid = on_arrays(_sigmoid)
#: The density of the normal distribution.
density = on_arrays(_density)


@on_arrays
def sin(x: Decimal) -> Decimal:
    return x - x**3 / 6 if abs(x) < _TINY else _mpmath(_MP.sin, x)


@on_arrays
def cos(x: Decimal) -> Decimal:
    return 1 - x * x / 2 if abs(x) < _TINY else _mpmath(_MP.cos, x)


@on_arrays
def tanh(x: Decimal) -> Decimal:
    if abs(x) < _TINY:
        return x - x**3 / 3
    return Decimal(1).copy_sign(x) if abs(x) > _FLAT else _mpmath(_MP.tanh, x)


@on_arrays
def softplus(x: Decimal) -> Decimal:
    """log(1 + exp(x)), and x itself above 20: PyTorch's definition."""
    if x > 20:
        return x
    e = x.exp()
    return e - e * e / 2 if e < _TINY else (1 + e).ln()


@on_arrays
def softplus_slope(x: Decimal) -> Decimal:
    return Decimal(1) if x > 20 else _sigmoid(x)


@on_arrays
def normal(x: Decimal) -> Decimal:
    """The share of the normal distribution below ``x``."""
    if abs(x) > _FLAT:
        return Decimal(int(x > 0))
    return Decimal("0.5") + x * _density(x) if abs(x) < _TINY else _mpmath(_MP.ncdf, x)


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
        return nu.NAN
    if not x.is_finite() or not p.is_finite() or x == 0:
        leave_reals()
        return Decimal(math.pow(float(x), float(p))) if x else Decimal("Infinity")
    with decimal.localcontext(prec=_PRECISION):
        result = (p * x.ln()).exp()
    return +result


#: ``a ** b`` by element.
power = nu.elementwise(_raised)
