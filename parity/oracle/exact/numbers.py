"""Exact arithmetic on arrays of Python numbers.

An element is an ``int`` or a ``Fraction`` as long as the operations keep numbers
rational, else a ``Decimal`` of ``DIGITS`` digits. Arithmetic is that of ``decimal``,
not of mpmath, because it is in C (a product takes 0.1 us, not 0.7 us), and because
it refuses to be added to a Fraction, where mpmath silently takes the Fraction as a
float of double precision. mpmath computes functions (``parity.oracle.exact.functions``).

Elements that leave the real numbers (inf, nan) are Decimals as well. Whatever
makes one sets the flag ``InvalidOperation`` or ``DivisionByZero`` of the
decimal context; ``left_reals`` reads it. Run all of this in ``precise``.
"""

from __future__ import annotations

import decimal
import functools
import math
import operator
from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal, DivisionByZero, InvalidOperation
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Element: TypeAlias = int | Fraction | Decimal
Array: TypeAlias = NDArray[Any]

DIGITS = 50
#: Bits of numerator and denominator beyond which a rational number becomes a Decimal.
LONGEST = 1500
NAN = Decimal("NaN")


def precise() -> AbstractContextManager[decimal.Context]:
    """A context of decimal in which this module's functions work; it has no flags yet."""
    return decimal.localcontext(_context([InvalidOperation, DivisionByZero]))


def _context(traps: list[type[decimal.DecimalException]]) -> decimal.Context:
    return decimal.Context(prec=DIGITS, traps=traps, Emin=decimal.MIN_EMIN, Emax=decimal.MAX_EMAX)


def left_reals(context: decimal.Context) -> bool:
    """Whether something was not a real number since ``precise`` gave ``context``."""
    return bool(context.flags[InvalidOperation] or context.flags[DivisionByZero])


def leave_reals() -> None:
    """Note that something is not a real number."""
    decimal.getcontext().flags[InvalidOperation] = True


def element(x: float) -> Element:
    """The very number that a float is."""
    if not math.isfinite(x):
        return Decimal(x)
    return int(x) if x == int(x) else Fraction(x)


def array_of(elements: list[Any]) -> Array:
    result = np.empty(len(elements), object)
    result[:] = elements
    return result


def constant(c: float) -> Array:
    """A number as an array that broadcasts."""
    return array_of([element(float(c))])


def from_floats(array: Array) -> Array:
    """The flat array of the very numbers in an array of floats."""
    return array_of([element(x) for x in array.ravel().tolist()])


def to_floats(array: Array, dtype: str) -> Array:
    """The nearest floats; too large ones become infinite, which is noted."""
    flat = np.array([_float(x) for x in array.ravel().tolist()], np.float64)
    with np.errstate(over="ignore"):
        result: Array = flat.astype(dtype)
    if not np.isfinite(result).all():
        leave_reals()
    return result


def _float(x: Element) -> float:
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf


def to_decimal(x: Element) -> Decimal:
    """Return a number as a Decimal, rounded to ``DIGITS``."""
    if isinstance(x, Decimal):
        return x
    if isinstance(x, int):
        return +Decimal(x)
    return Decimal(x.numerator) / Decimal(x.denominator)


def elementwise(function: Callable[..., Any]) -> Callable[..., Array]:
    """Return a function of numbers as one of arrays, which broadcast."""
    on_arrays: Callable[..., Array] = np.frompyfunc(function, function.__code__.co_argcount, 1)
    return on_arrays


decimals = elementwise(to_decimal)


#: Invalid operations give nan in it, as IEEE 754 has it.
_QUIET = _context([])


def _ieee(name: str, x: Element, y: Element) -> Decimal:
    """Apply an operation to Decimals, and record a result that is not finite."""
    result: Decimal = getattr(_QUIET, name)(to_decimal(x), to_decimal(y))
    if not result.is_finite():
        leave_reals()
    return result


def _safe(
    fast: Callable[[Array, Array], Array], slow: Callable[..., Element], masks: bool = False
) -> Callable[[Array, Array], Array]:
    """``fast``; with Decimals where kinds are mixed, ``slow`` where numbers are not real.

    ``masks``: some results are zero although an operand is nan, which ``fast`` would propagate.
    """
    every = elementwise(slow)

    def operation(a: Array, b: Array) -> Array:
        if masks and left_reals(decimal.getcontext()):
            return every(a, b)
        try:
            return fast(a, b)
        except (decimal.DecimalException, TypeError):
            a, b = decimals(a), decimals(b)
        try:
            return fast(a, b)
        except decimal.DecimalException:
            return every(a, b)

    return operation


add = _safe(operator.add, lambda x, y: _ieee("add", x, y))
sub = _safe(operator.sub, lambda x, y: _ieee("subtract", x, y))
mul = _safe(operator.mul, lambda x, y: _ieee("multiply", x, y))
#: A product that is zero where the second factor is, even if the first is infinite or nan.
push = _safe(operator.mul, lambda v, t: 0 if t == 0 else _ieee("multiply", v, t), masks=True)


def _divided(x: Element, y: Element) -> Element:
    if isinstance(x, Decimal) or isinstance(y, Decimal) or y == 0:
        return _ieee("divide", x, y)
    quotient = Fraction(x, y)
    return quotient.numerator if quotient.denominator == 1 else quotient


div = elementwise(_divided)


def total(a: Array) -> Array:
    """The sum over the last axis."""
    if a.shape[-1] == 1:
        return a[..., 0]
    try:
        return np.asarray(a.sum(-1), object)
    except (decimal.DecimalException, TypeError):
        return functools.reduce(add, np.moveaxis(a, -1, 0), np.zeros(a.shape[:-1], object))


def shortened(a: Array) -> Array:
    """Return ``a``, as Decimals if a rational number in it has become very long."""
    rationals = [x for x in a.flat if not isinstance(x, Decimal)]
    lengths = [n.bit_length() for x in rationals for n in (x.numerator, x.denominator)]
    return decimals(a) if max(lengths, default=0) > LONGEST else a


_compare = elementwise(lambda x, y: 2 if x != x or y != y else (x > y) - (x < y))


def compare(a: Array, b: Array) -> NDArray[np.int64]:
    """By element: -1, 0 or 1 as ``a`` is smaller, equal or larger; 2 if one of them is nan."""
    return np.asarray(_compare(a, b)).astype(np.int64)


def sign(a: Array) -> NDArray[np.int64]:
    """``compare`` with zero."""
    return compare(a, array_of([0]))


def extreme(a: Array, side: int) -> Array:
    """The largest (``side`` 1) or smallest (-1) numbers along the last axis."""
    best: Array = a[..., 0]
    for k in range(1, a.shape[-1]):
        best = np.where(compare(a[..., k], best) == side, a[..., k], best)
    return best
