"""On which side of a kink or pole the operands of an operation lie.

The side decides the derivative. Two evaluations that differ by rounding alone may
stand on different sides; what they give then says nothing of either.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from parity.oracle.exact import numbers as nu
from parity.oracle.exact.lowering import axis_groups
from parity.oracle.exact.numbers import Array

#: From operands and attributes to numbers that say where the operands lie.
Side = Callable[..., Any]


def _of_zero(a: Array, **attrs: Any) -> Any:
    return nu.sign(a)


def _of_exponent(a: Array, *, exponent: float) -> Any:
    """Powers with natural exponents have no kink."""
    return nu.sign(a) if exponent < 0 or exponent % 1 else 0


def _of_divisor(a: Array, b: Array) -> Any:
    return nu.sign(b)


def _of_bounds(a: Array, *, x_min: float | None, x_max: float | None) -> Any:
    limits = [nu.element(float(c)) for c in (x_min, x_max) if c is not None]
    return [nu.compare(a, nu.array_of([c])) for c in limits]


def _of_extreme(side: int) -> Side:
    def compare(a: Array, *, axis: Any, keepdims: bool) -> Any:
        index, _ = axis_groups(a.shape, axis=axis, keepdims=keepdims)
        groups = a.ravel()[index]
        best = groups[:, 0]
        for k in range(1, groups.shape[1]):
            best = np.where(nu.compare(groups[:, k], best) == side, groups[:, k], best)
        return nu.compare(groups, best[:, None])

    return compare


def _floor(a: Array) -> Any:
    return [math.floor(x) for x in a.flat]


SIDES: dict[str, Side] = {
    **dict.fromkeys(("relu", "absolute", "leaky_relu", "sign"), _of_zero),
    **dict.fromkeys(("sqrt", "log", "norm", "rdiv_scalar"), _of_zero),
    "pow": _of_exponent,
    "power": lambda a, b: [nu.sign(a), nu.sign(b)],
    "div": _of_divisor,
    "maximum": nu.compare,
    "minimum": nu.compare,
    "clip": _of_bounds,
    "max": _of_extreme(1),
    "min": _of_extreme(-1),
    "floor": _floor,
    "softplus": lambda a: nu.compare(a, nu.array_of([20])),
}


def sides(op: str, operands: list[Array], attrs: dict[str, Any]) -> list[Any] | None:
    """Return the sides of finite operands, to be compared; None for smooth operations."""
    side_of = SIDES.get(op)
    if side_of is None:
        return None
    found = side_of(*operands, **attrs)
    parts = found if isinstance(found, list) else [found]
    return [np.asarray(part).tolist() for part in parts]
