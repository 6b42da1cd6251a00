"""Intervals: between which bounds the values of an operation lie, given those of its operands.

The generator keeps an interval for every value. So it asks for a logarithm only
where the operand is positive and for an exponential only where the result is
finite, and most programs stay away from nan and infinity, which would hide what
is compared.

A rule gets an interval for each operand and the attributes as keywords; it may be
wider than the values, never narrower.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Interval: TypeAlias = tuple[float, float]
IntervalRule: TypeAlias = Callable[..., Interval]
Domain: TypeAlias = Callable[..., bool]

#: Values beyond it are not worth computing on.
LIMIT = 2.0**40


def hull(*operands: Interval, **attrs: Any) -> Interval:
    """The values of the operands, moved or chosen."""
    return min(s[0] for s in operands), max(s[1] for s in operands)


# Rules of operations, by their names.


def add(a: Interval, b: Interval) -> Interval:
    return a[0] + b[0], a[1] + b[1]


def sub(a: Interval, b: Interval) -> Interval:
    return a[0] - b[1], a[1] - b[0]


def neg(a: Interval) -> Interval:
    return -a[1], -a[0]


def mul(a: Interval, b: Interval) -> Interval:
    ends = [p * q for p in a for q in b]
    return min(ends), max(ends)


def div(a: Interval, b: Interval) -> Interval:
    return mul(a, (1 / b[1], 1 / b[0]))


def square(a: Interval) -> Interval:
    low, high = absolute(a)
    return low * low, high * high


def absolute(a: Interval) -> Interval:
    low, high = sorted((abs(a[0]), abs(a[1])))
    return 0.0 if a[0] <= 0 <= a[1] else low, high


def power(a: Interval, *, exponent: float) -> Interval:
    """``a ** exponent``."""
    high = max(abs(a[0]), abs(a[1]))
    if a[0] > 0:
        ends = sorted((a[0] ** exponent, a[1] ** exponent))
        return ends[0], ends[1]
    return (0.0 if exponent % 2 == 0 else -(high**exponent)), high**exponent


def power_of(a: Interval, b: Interval) -> Interval:
    """``a ** b`` of a positive ``a``."""
    ends = [x**y for x in a for y in b]
    return min(ends), max(ends)


def increasing(function: Callable[[float], float]) -> IntervalRule:
    """The rule of an increasing function."""
    return lambda a: (function(a[0]), function(a[1]))


def within(low: float, high: float) -> IntervalRule:
    """The rule of a function with values between two bounds."""
    return lambda *operands, **attrs: (low, high)


def total(a: Interval, *, n: int, **attrs: Any) -> Interval:
    """A sum of up to ``n`` elements."""
    return min(0.0, a[0] * n), max(0.0, a[1] * n)


def repeated(a: Interval, *, n: int, **attrs: Any) -> Interval:
    """The product of ``n`` elements."""
    high = max(abs(a[0]), abs(a[1]), 1.0) ** n
    return (0.0 if a[0] >= 0 else -high), high


def with_scalar(rule: IntervalRule, *, left: bool = False) -> IntervalRule:
    """A rule of two operands, one of which is the scalar ``c``."""
    return lambda a, *, c: rule((c, c), a) if left else rule(a, (c, c))


# Domains: whether an operation is applied to operands with these intervals.


def anywhere(*operands: Interval, **attrs: Any) -> bool:
    return True


def positive(a: Interval, **attrs: Any) -> bool:
    return a[0] >= 2.0**-10


def not_zero(a: Interval, **attrs: Any) -> bool:
    return a[0] >= 2.0**-10 or a[1] <= -(2.0**-10)


def small(a: Interval, **attrs: Any) -> bool:
    return a[0] >= -20 and a[1] <= 20


def within_ten(a: Interval) -> bool:
    return a[0] >= -10 and a[1] <= 10


def power_domain(a: Interval, *, exponent: float) -> bool:
    return exponent in (0, 1, 2, 3) or positive(a)
