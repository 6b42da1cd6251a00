"""Functions with kinks, and what PyTorch takes for their slopes there (docs/semantics.md 9).

On which side of a kink or pole an operand lies decides the derivative (``sides``). Two evaluations
that differ by rounding alone may stand on different sides; what they give then says nothing of
either.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from parity.oracle.exact import dual
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.building import axis_groups
from parity.oracle.exact.dual import Value
from parity.oracle.exact.numbers import Array, Element

_NAN = 2  # what nu.compare says of nan


def objects(mask: Any) -> Array:
    """A mask as weights 0 and 1."""
    return np.asarray(mask).astype(np.int64).astype(object)


def _sign_without_nan(a: Value) -> Array:
    """-1, 0 or 1; 0 of nan."""
    s = nu.sign(dual.base(a))
    return np.where(s == _NAN, 0, s).astype(object)


def relu(a: Value) -> Value:
    """0 at both zeros; 1 at nan."""
    return dual.chosen(nu.sign(dual.base(a)) > 0, a)


def absolute(a: Value) -> Value:
    """Slope 0 at zero and at nan."""
    return dual.piecewise(a, np.abs, _sign_without_nan(a))


def leaky_relu(a: Value, *, slope: float) -> Value:
    """``slope`` at zero and at nan."""
    s = nu.sign(dual.base(a))
    weights = np.where(s == 1, nu.constant(1), nu.constant(slope))
    return dual.piecewise(a, lambda x: nu.mul(weights, x), weights)


def sign(a: Value) -> Value:
    """Slope 0 everywhere; 0 of nan."""
    value = _sign_without_nan(a)
    return dual.piecewise(a, lambda x: value, np.zeros(1, object))


def floor(a: Value) -> Value:
    """Slope 0 everywhere."""

    def floored(x: Element) -> Element:
        finite = not isinstance(x, Decimal) or x.is_finite()
        return math.floor(x) if finite else x

    return dual.piecewise(a, nu.elementwise(floored), np.zeros(1, object))


def clip(a: Value, *, x_min: float | None, x_max: float | None) -> Value:
    """Slope 1 at both bounds; 0 at nan."""
    x = dual.base(a)
    inside = nu.sign(x) != _NAN
    value = x
    for bound, side in ((x_min, -1), (x_max, 1)):
        if bound is not None:
            limit = nu.constant(bound)
            inside &= nu.compare(x, limit) != side
            value = np.where(nu.compare(value, limit) == side, limit, value)
    return dual.piecewise(a, lambda x: value, objects(inside))


def selected(a: Value, b: Value, side: int) -> Value:
    """Return the larger (``side`` 1) or smaller; ties share the gradient, and nan propagates."""
    order = nu.compare(dual.base(a), dual.base(b))
    of_a, of_b = (_SHARES[order * k] for k in (side, -side))
    of_a[order == _NAN] = of_b[order == _NAN] = 1
    return dual.add(dual.weighed(of_a, a), dual.weighed(of_b, b))


#: Shares of the gradient for an operand that ties, is selected, or is not selected.
_SHARES = nu.array_of([nu.element(0.5), 1, 0])


def extreme(g: Value, side: int) -> Value:
    """Return the largest (``side`` 1) or smallest of each group; ties share, and nan propagates."""
    x = dual.base(g)
    ties = nu.compare(x, nu.extreme(x, side)[..., None]) == 0
    weights = nu.div(objects(ties), np.maximum(ties.sum(-1, keepdims=True), 1).astype(object))
    undefined = (nu.sign(x) == _NAN).any(-1, keepdims=True)
    if undefined.any():
        nu.leave_reals()
        weights = np.where(undefined, nu.constant(math.nan), weights)
    return dual.total(dual.weighed(weights, g))


def _of_extreme(side: int) -> Callable[..., Any]:
    def compare(a: Array, *, axis: Any, keepdims: bool) -> Any:
        groups = a.ravel()[axis_groups(a.shape, axis=axis, keepdims=keepdims)[0]]
        return nu.compare(groups, nu.extreme(groups, side)[:, None])

    return compare


#: From operands and attributes to numbers that say where the operands lie.
SIDES: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(
        ("relu", "absolute", "leaky_relu", "sign", "sqrt", "log", "norm", "rdiv_scalar"),
        lambda a, **attrs: nu.sign(a),
    ),
    # Powers with natural exponents have no kink.
    "pow": lambda a, exponent: nu.sign(a) if exponent < 0 or exponent % 1 else 0,
    "power": lambda a, b: [nu.sign(a), nu.sign(b)],
    "div": lambda a, b: nu.sign(b),
    "maximum": nu.compare,
    "minimum": nu.compare,
    "clip": lambda a, x_min, x_max: [
        nu.compare(a, nu.constant(c)) for c in (x_min, x_max) if c is not None
    ],
    "max": _of_extreme(1),
    "min": _of_extreme(-1),
    "floor": lambda a: [math.floor(x) for x in a.flat],
    "softplus": lambda a: nu.compare(a, nu.constant(20)),
}


def sides(op: str, operands: list[Array], attrs: dict[str, Any]) -> list[Any]:
    """Return the sides of finite operands of an operation of ``SIDES``, to be compared."""
    found = SIDES[op](*operands, **attrs)
    return [np.asarray(part).tolist() for part in (found if isinstance(found, list) else [found])]
