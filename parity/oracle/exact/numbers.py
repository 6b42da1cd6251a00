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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
_TRAPS = [InvalidOperation, DivisionByZero]
NAN = Decimal("NaN")


@contextmanager
def precise() -> Iterator[decimal.Context]:
    """A context of decimal in which this module's functions work; it has no flags yet."""
    with decimal.localcontext(_context(_TRAPS)) as context:
        yield context


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
    """A flat array of Python numbers."""
    result = np.empty(len(elements), object)
    result[:] = elements
    return result


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
    universal = np.frompyfunc(function, function.__code__.co_argcount, 1)

    def on_arrays(*arrays: Array) -> Array:
        result: Array = universal(*arrays)
        return result

    return on_arrays


decimals = elementwise(to_decimal)


@functools.cache
def _quiet() -> decimal.Context:
    """A context in which invalid operations give nan, as IEEE 754 has it."""
    return _context([])


def _ieee(name: str, x: Element, y: Element) -> Decimal:
    """Apply an operation to Decimals, and record a result that is not finite."""
    result: Decimal = getattr(_quiet(), name)(to_decimal(x), to_decimal(y))
    if not result.is_finite():
        leave_reals()
    return result


def _pushed(v: Element, t: Element) -> Element:
    """Return a slope times a tangent; zero for a zero tangent, even if the slope is infinite."""
    return 0 if t == 0 else _ieee("multiply", v, t)


def _weighed(w: Element, x: Element) -> Element:
    """Return a weight times a number; zero for a zero weight, even if the number is infinite."""
    return 0 if w == 0 else _ieee("multiply", w, x)


def _safe(
    fast: Callable[[Array, Array], Array], slow: Callable[[Any, Any], Any], masks: bool = False
) -> Callable[[Array, Array], Array]:
    """``fast``; with Decimals where kinds are mixed, ``slow`` where numbers are not real.

    ``masks``: some results are zero although an operand is nan, which ``fast`` would propagate.
    """
    every = np.frompyfunc(slow, 2, 1)

    def operation(a: Array, b: Array) -> Array:
        if masks and left_reals(decimal.getcontext()):
            careful: Array = every(a, b)
            return careful
        try:
            return fast(a, b)
        except TypeError:
            a, b = decimals(a), decimals(b)
        except decimal.DecimalException:
            pass
        try:
            return fast(a, b)
        except (decimal.DecimalException, TypeError):
            result: Array = every(a, b)
            return result

    return operation


add = _safe(lambda a, b: a + b, lambda x, y: _ieee("add", x, y))
sub = _safe(lambda a, b: a - b, lambda x, y: _ieee("subtract", x, y))
mul = _safe(lambda a, b: a * b, lambda x, y: _ieee("multiply", x, y))
push = _safe(lambda a, b: a * b, _pushed, masks=True)
weigh = _safe(lambda a, b: a * b, _weighed, masks=True)


def neg(a: Array) -> Array:
    return np.negative(a)


def _divided(x: Element, y: Element) -> Element:
    if isinstance(x, Decimal) or isinstance(y, Decimal) or y == 0:
        if y == 0 or y != y:
            return _ieee("divide", x, y)
        try:
            return to_decimal(x) / to_decimal(y)
        except decimal.DecimalException:
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
        result = np.zeros(a.shape[:-1], object)
        for k in range(a.shape[-1]):
            result = add(result, a[..., k])
        return result


def shortened(a: Array) -> Array:
    """Return ``a``, as Decimals if a rational number in it has become very long."""
    return decimals(a) if any(map(_is_long, a.flat)) else a


def _is_long(x: Element) -> bool:
    if isinstance(x, Decimal):
        return False
    return max(x.numerator.bit_length(), x.denominator.bit_length()) > LONGEST


def _compared(x: Element, y: Element) -> int:
    """-1, 0 or 1; 2 if one of them is nan."""
    if x != x or y != y:
        return 2
    if isinstance(x, Decimal) != isinstance(y, Decimal) and not _infinite(x) and not _infinite(y):
        x, y = Fraction(x), Fraction(y)
    return (x > y) - (x < y)


def _infinite(x: Element) -> bool:
    return isinstance(x, Decimal) and x.is_infinite()


_compare = np.frompyfunc(_compared, 2, 1)


def compare(a: Array, b: Array) -> NDArray[np.int64]:
    """By element: -1, 0 or 1 as ``a`` is smaller, equal or larger; 2 if one of them is nan."""
    return np.asarray(_compare(a, b)).astype(np.int64)


def sign(a: Array) -> NDArray[np.int64]:
    """``compare`` with zero."""
    return compare(a, array_of([0]))
