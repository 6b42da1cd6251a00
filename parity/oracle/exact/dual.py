"""Values with their derivatives: dual numbers, nested for second and higher order.

A *dual number* of level k is p + t * e, where e * e = 0: ``p`` is the value, ``t`` what
it changes by in each of several directions. Both are dual numbers of a lower level or
arrays, which have level 0. Arrays hold the elements of a value in C order on
the last axis; the directions of level k lie on axis ``-1 - k``. A tangent of
None is zero whatever the numbers are.

A rule that is written with these functions has all its derivatives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from parity.oracle.exact import numbers as nu
from parity.oracle.exact.numbers import Array

Value: TypeAlias = "Array | Dual"
#: A value and its change at some level.
Parts: TypeAlias = "tuple[Value, Value | None]"


@dataclass(eq=False, slots=True)
class Dual:
    """``p`` and its change ``t`` in the directions of ``level``."""

    level: int
    p: Value
    t: Value


def level_of(a: Value) -> int:
    """The level of a dual number; 0 for an array."""
    return a.level if isinstance(a, Dual) else 0


def parts(a: Value, level: int) -> Parts:
    """Value and change of ``a`` at ``level``, which is not below its own."""
    if isinstance(a, Dual) and a.level == level:
        return a.p, a.t
    return a, None


def split(a: Value, b: Value) -> tuple[int, Parts, Parts]:
    """The higher of two levels, and the parts of both numbers at it."""
    level = max(level_of(a), level_of(b))
    return level, parts(a, level), parts(b, level)


def dual(level: int, p: Value, t: Value | None) -> Value:
    """Return a dual number, or its value if there is no tangent."""
    return p if t is None else Dual(level, p, t)


def base(a: Value) -> Array:
    """The value without any derivative."""
    while isinstance(a, Dual):
        a = a.p
    return a


def linear(function: Callable[[Array], Array], a: Value) -> Value:
    """A linear function: the same for the value and each change."""
    if isinstance(a, Dual):
        return Dual(a.level, linear(function, a.p), linear(function, a.t))
    return function(a)


def weighed(weights: Array, a: Value) -> Value:
    """Return ``a`` times constants; zero times infinity or nan is zero."""
    return linear(lambda x: nu.push(x, weights), a)


def piecewise(a: Value, value: Callable[[Array], Array], weights: Array) -> Value:
    """``value`` of ``a``, and changes times ``weights``: a function with kinks."""
    if isinstance(a, Dual):
        return Dual(a.level, piecewise(a.p, value, weights), weighed(weights, a.t))
    return value(a)


def tangent_sum(a: Value | None, b: Value | None) -> Value | None:
    if a is None or b is None:
        return b if a is None else a
    return add(a, b)


def neg(a: Value) -> Value:
    return linear(np.negative, a)


def add(a: Value, b: Value) -> Value:
    level, (p, t), (q, u) = split(a, b)
    if level == 0:
        return nu.add(base(p), base(q))
    return dual(level, add(p, q), tangent_sum(t, u))


def sub(a: Value, b: Value) -> Value:
    if isinstance(a, Dual) or isinstance(b, Dual):
        return add(a, neg(b))
    return nu.sub(a, b)


def mul(a: Value, b: Value) -> Value:
    """The product: ``(p + t e) (q + u e) = p q + (p u + q t) e``."""
    return _product(a, b, nu.mul)


def push(v: Value, t: Value) -> Value:
    """Return a slope times a tangent; a zero tangent gives zero even for an infinite slope."""
    return _product(v, t, nu.push)


def _product(a: Value, b: Value, times: Callable[[Array, Array], Array]) -> Value:
    level, (p, t), (q, u) = split(a, b)
    if level == 0:
        return times(base(p), base(q))
    first = None if u is None else push(p, u)
    second = None if t is None else push(q, t)
    return dual(level, _product(p, q, times), tangent_sum(first, second))


def div(a: Value, b: Value) -> Value:
    """Return the quotient ``q = a / b``, with the tangent ``(da - q db) / b``."""
    level, (p, t), (q, u) = split(a, b)
    if level == 0:
        return nu.div(base(p), base(q))
    quotient = div(p, q)
    change = tangent_sum(t, None if u is None else neg(push(quotient, u)))
    assert change is not None
    return Dual(level, quotient, push(div(nu.constant(1), q), change))


def unary(
    function: Callable[[Array], Array], slope: Callable[[Value, Value], Value]
) -> Callable[[Value], Value]:
    """A function of arrays of exact numbers, with all its derivatives.

    ``slope``: its derivative from the operand and the result, made of functions of this module.
    """

    def apply(a: Value) -> Value:
        if isinstance(a, Dual):
            y = apply(a.p)
            return Dual(a.level, y, push(slope(a.p, y), a.t))
        return function(a)

    return apply


def gather(a: Value, index: Any) -> Value:
    """Return the elements at ``index``; -1 is a zero."""
    if index.size and index.min() < 0:
        return linear(lambda x: np.insert(x, x.shape[-1], 0, -1)[..., index], a)
    return linear(lambda x: x[..., index], a)


def total(a: Value) -> Value:
    """The sum over the last axis."""
    return linear(nu.total, a)


def joined(values: tuple[Value, ...]) -> Value:
    """Concatenate the elements of several values."""
    level = max(map(level_of, values))
    if level == 0:
        arrays = [base(v) for v in values]
        leading = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
        return np.concatenate([np.broadcast_to(a, (*leading, a.shape[-1])) for a in arrays], -1)
    pairs = [parts(v, level) for v in values]
    tangents = [np.zeros(base(v).shape[-1], object) if t is None else t for v, t in pairs]
    return Dual(level, joined(tuple(p for p, _ in pairs)), joined(tuple(tangents)))


def chosen(mask: Any, a: Value) -> Value:
    """``a`` where the mask is true, zero elsewhere."""
    return linear(lambda x: np.where(mask, x, 0), a)
