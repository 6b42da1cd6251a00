"""Functions with kinks, and what PyTorch takes for their slopes there (docs/semantics.md 9)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

from parity.oracle.exact import dual
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.dual import Value
from parity.oracle.exact.numbers import Array, Element

_NAN = 2  # what nu.compare says of nan


def _objects(mask: Any) -> Array:
    """A mask as weights 0 and 1."""
    return np.asarray(mask).astype(np.int64).astype(object)


def relu(a: Value) -> Value:
    """0 at both zeros; 1 at nan."""
    return dual.chosen(nu.sign(dual.base(a)) > 0, a)


def absolute(a: Value) -> Value:
    """Slope 0 at zero and at nan."""
    s = nu.sign(dual.base(a))
    weights = np.where(s == _NAN, 0, s).astype(object)
    return dual.piecewise(a, np.abs, weights)


def leaky_relu(a: Value, *, slope: float) -> Value:
    """``slope`` at zero and at nan."""
    s = nu.sign(dual.base(a))
    weights = np.where(s == 1, nu.array_of([1]), nu.array_of([nu.element(float(slope))]))
    return dual.piecewise(a, lambda x: nu.mul(weights, x), weights)


def sign(a: Value) -> Value:
    """Slope 0 everywhere; 0 of nan."""
    s = nu.sign(dual.base(a))
    value = np.where(s == _NAN, 0, s).astype(object)
    return dual.piecewise(a, lambda x: value, np.zeros(1, object))


def _floored(x: Element) -> Element:
    finite = not isinstance(x, Decimal) or x.is_finite()
    return math.floor(x) if finite else x


_floor = np.frompyfunc(_floored, 1, 1)


def floor(a: Value) -> Value:
    """Slope 0 everywhere."""
    return dual.piecewise(a, _floor, np.zeros(1, object))


def clip(a: Value, *, x_min: float | None, x_max: float | None) -> Value:
    """Slope 1 at both bounds; 0 at nan."""
    x = dual.base(a)
    inside = nu.sign(x) != _NAN
    value = x
    for bound, side in ((x_min, -1), (x_max, 1)):
        if bound is not None:
            limit = nu.array_of([nu.element(float(bound))])
            inside &= nu.compare(x, limit) != side
            value = np.where(nu.compare(value, limit) == side, limit, value)
    return dual.piecewise(a, lambda x: value, _objects(inside))


def _selected(a: Value, b: Value, side: int) -> Value:
    """Return the larger (``side`` 1) or smaller; ties share the gradient, and nan propagates."""
    order = nu.compare(dual.base(a), dual.base(b))
    of_a, of_b = (_SHARES[order * k] for k in (side, -side))
    of_a[order == _NAN] = of_b[order == _NAN] = 1
    return dual.add(dual.weighed(of_a, a), dual.weighed(of_b, b))


#: Shares of the gradient for an operand that ties, is selected, or is not selected.
_SHARES = nu.array_of([nu.element(0.5), 1, 0])


def larger(a: Value, b: Value) -> Value:
    return _selected(a, b, 1)


def smaller(a: Value, b: Value) -> Value:
    return _selected(a, b, -1)


def extreme(g: Value, side: int) -> Value:
    """Return the largest (``side`` 1) or smallest of each group; ties share, and nan propagates."""
    x = dual.base(g)
    best = x[..., 0]
    for k in range(1, x.shape[-1]):
        best = np.where(nu.compare(x[..., k], best) == side, x[..., k], best)
    ties = nu.compare(x, best[..., None]) == 0
    weights = nu.div(_objects(ties), np.maximum(ties.sum(-1, keepdims=True), 1).astype(object))
    undefined = (nu.sign(x) == _NAN).any(-1, keepdims=True)
    if undefined.any():
        nu.leave_reals()
        weights = np.where(undefined, nu.array_of([nu.NAN]), weights)
    return dual.total(dual.weighed(weights, g))
