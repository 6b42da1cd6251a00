"""Dyadic grids: when arithmetic is exact, so that results must agree in every bit.

A dyadic number is a multiple of a power of two. As long as a result needs no more
bits than a significand has, floating-point arithmetic on dyadic numbers is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

#: A grid ``(steps, places)``: values are multiples of ``2 ** -places``, at most ``steps`` of
#: them away from zero.
Grid: TypeAlias = tuple[int, int]
Grids: TypeAlias = tuple[Grid, ...]
Sizes: TypeAlias = tuple[int, ...]

ONE: Grid = (1, 0)
HALF: Grid = (1, 1)


def grid_sum(*grids: Grid) -> Grid:
    """The grid of a sum."""
    places = max(g[1] for g in grids)
    return sum(g[0] << (places - g[1]) for g in grids), places


def grid_hull(*grids: Grid) -> Grid:
    """The grid of a choice."""
    places = max(g[1] for g in grids)
    return max(g[0] << (places - g[1]) for g in grids), places


def grid_product(*grids: Grid) -> Grid:
    """The grid of a product."""
    return math.prod(g[0] for g in grids), sum(g[1] for g in grids)


def grid_times(grid: Grid, terms: int) -> Grid:
    """The grid of a sum of several values on one grid."""
    return grid[0] * max(terms, 1), grid[1]


def grid_of(numbers: Iterable[float]) -> Grid:
    """The grid of given finite numbers."""
    ratios = [float(v).as_integer_ratio() for v in numbers]
    places = max((d.bit_length() - 1 for _, d in ratios), default=0)
    return max((abs(n) << (places - d.bit_length() + 1) for n, d in ratios), default=0), places


@dataclass(frozen=True)
class DyadicRule:
    """On which grid the results and derivatives of an operation lie.

    Both functions get the grids of the operands, their sizes and the attributes, and
    return None where the operation is not exact.
    """

    value: Callable[..., Grid | None]
    #: The grid of the derivative for each operand.
    slopes: Callable[..., Grids | None]


def _moved(grids: Grids, sizes: Sizes, attrs: dict[str, Any]) -> Grid:
    return grid_hull(*grids)


def _unit(grids: Grids, sizes: Sizes, attrs: dict[str, Any]) -> Grids:
    return (ONE,) * len(grids)


def _swapped(grids: Grids, sizes: Sizes, attrs: dict[str, Any]) -> Grids:
    return grids[::-1]


def _power(grids: Grids, sizes: Sizes, attrs: dict[str, Any]) -> Grid | None:
    p = attrs["exponent"]
    return grid_product(ONE, *grids * int(p)) if p in (0, 1, 2, 3) else None


def _power_slopes(grids: Grids, sizes: Sizes, attrs: dict[str, Any]) -> Grids | None:
    lower = _power(grids, sizes, {"exponent": max(attrs["exponent"] - 1, 0)})
    return (grid_times(lower, 3),) if lower and attrs["exponent"] in (0, 1, 2, 3) else None


def _mean(grids: Grids, sizes: Sizes, attrs: dict[str, Any]) -> Grid | None:
    slopes = _mean_slopes(grids, sizes, attrs)
    return grid_product(grid_times(grids[0], sizes[0]), slopes[0]) if slopes else None


def _mean_slopes(grids: Grids, sizes: Sizes, attrs: dict[str, Any]) -> Grids | None:
    # The count divides the size, so it is a power of two if the size is one.
    n = sizes[0]
    return ((1, n.bit_length() - 1),) if n and n & (n - 1) == 0 else None


#: Elements move or are chosen: selection, shapes, indices.
MOVES = DyadicRule(_moved, _unit)
SUMS = DyadicRule(lambda g, s, a: grid_sum(*g), _unit)
#: A sum over elements of one operand.
TOTALS = DyadicRule(lambda g, s, a: grid_times(g[0], s[0]), _unit)
PRODUCTS = DyadicRule(lambda g, s, a: grid_product(*g), _swapped)
#: Sums of products of elements.
MATMUL = DyadicRule(lambda g, s, a: grid_times(grid_product(*g), s[0]), _swapped)
LINEAR = DyadicRule(
    lambda g, s, a: grid_sum(grid_times(grid_product(g[0], g[1]), s[0]), g[2]),
    lambda g, s, a: (g[1], g[0], ONE),
)
#: Ties halve the gradient.
TIES = DyadicRule(_moved, lambda g, s, a: (HALF, HALF))
SQUARE = DyadicRule(
    lambda g, s, a: grid_product(g[0], g[0]), lambda g, s, a: (grid_times(g[0], 2),)
)
SCALAR_SUM = DyadicRule(lambda g, s, a: grid_sum(g[0], grid_of([a["c"]])), _unit)
SCALAR_PRODUCT = DyadicRule(
    lambda g, s, a: grid_product(g[0], grid_of([a["c"]])), lambda g, s, a: (grid_of([a["c"]]),)
)
#: Powers with the exponents 0 to 3.
INTEGER_POWER = DyadicRule(_power, _power_slopes)
#: The mean of a power of two of elements.
MEAN = DyadicRule(_mean, _mean_slopes)
#: The largest or smallest of several elements. Up to all of them tie, and 1 / 3 of a gradient is
#: not dyadic.
EXTREMES = DyadicRule(_moved, lambda g, s, a: (HALF,) if s[0] <= 2 else None)
#: The product of all elements.
POWERS = DyadicRule(
    lambda g, s, a: grid_product(ONE, *g * s[0]),
    lambda g, s, a: (grid_product(ONE, *g * max(s[0] - 1, 0)),),
)
#: Moved, or a bound with two binary places.
BOUNDED = DyadicRule(lambda g, s, a: grid_hull(g[0], (8, 2)), _unit)
#: At most one more than the operand.
FLOORS = DyadicRule(lambda g, s, a: grid_sum(g[0], ONE), _unit)
