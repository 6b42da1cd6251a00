"""What a row of the table of operations consists of, and the rules that rows share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from parity.language import intervals as sp
from parity.language import shapes as sh
from parity.language.shapes import Attrs

#: A grid ``(steps, places)``: values are multiples of ``2 ** -places``, at most ``steps`` of
#: them away from zero. None: not exact.
Grid = tuple[int, int]


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


ONE: Grid = (1, 0)
HALF: Grid = (1, 1)


@dataclass(frozen=True)
class Exact:
    """When an operation is exact on dyadic numbers (small multiples of a power of two).

    ``value`` bounds the result, ``slopes`` the derivative for each operand, both
    from the operands' grids, the sizes of the operands and the attributes; None
    where they are not exact.
    """

    value: Callable[..., Grid | None]
    slopes: Callable[..., tuple[Grid, ...] | None]


def _moved(grids: tuple[Grid, ...], sizes: tuple[int, ...], attrs: dict[str, Any]) -> Grid:
    return grid_hull(*grids)


def _unit(
    grids: tuple[Grid, ...], sizes: tuple[int, ...], attrs: dict[str, Any]
) -> tuple[Grid, ...]:
    return tuple(ONE for _ in grids)


#: Elements move or are chosen: selection, shapes, indices.
MOVES = Exact(_moved, _unit)
SUMS = Exact(lambda g, s, a: grid_sum(*g), _unit)
#: A sum over elements of one operand.
TOTALS = Exact(lambda g, s, a: grid_times(g[0], s[0]), _unit)
PRODUCTS = Exact(lambda g, s, a: grid_product(*g), lambda g, s, a: tuple(reversed(g)))
#: Sums of products of elements.
MATMUL = Exact(
    lambda g, s, a: grid_times(grid_product(*g), s[0]), lambda g, s, a: tuple(reversed(g))
)
#: Ties halve the gradient.
TIES = Exact(_moved, lambda g, s, a: (HALF, HALF))
SQUARE = Exact(lambda g, s, a: grid_product(g[0], g[0]), lambda g, s, a: (grid_times(g[0], 2),))
SCALAR_SUM = Exact(lambda g, s, a: grid_sum(g[0], grid_of([a["c"]])), _unit)
SCALAR_PRODUCT = Exact(
    lambda g, s, a: grid_product(g[0], grid_of([a["c"]])), lambda g, s, a: (grid_of([a["c"]]),)
)


@dataclass(frozen=True)
class Op:
    """One operation.

    ``torch``: an expression over ``a``, ``b``, ``d`` (``xs`` where ``arity`` is 0, any
    number) and the attributes' names. ``shape``: a rule of ``parity.language.shapes``.
    ``choices``: the attributes that fit given shapes, simplest first.
    ``span``, ``domain``: rules of ``parity.language.intervals``. ``exact``: how it is exact
    on dyadic numbers, or None. ``rounded``: whether IEEE 754 fixes value and
    gradient, so that engines must agree in every bit on any numbers, or a function
    of the attributes that says so. ``ulps``: the error of a good implementation,
    in units in the last place. ``slope_ulps``: the error of the derivatives
    and, relative to the operand, of the value, where something cancels inside
    (``1 - y * y`` for tanh). ``divides``: whether gradients divide by the operand what
    the value multiplied, so that second derivatives cancel large terms. ``sums``:
    whether elements of one operand are summed; the span rule then gets their number
    as ``n``. ``spreads``: whether an element of the operand may reach several
    results. ``saves``: whether PyTorch keeps operands or the result for backward,
    and so notices a freed graph (semantics.md 1.2). ``promotes``: whether it takes
    operands of mixed dtypes. ``reorders``: whether the result or its gradient is a view
    whose elements do not lie in memory one after another, in the order of the axes.
    """

    name: str
    arity: int
    torch: str
    shape: sh.ShapeRule = sh.elementwise
    choices: Callable[..., list[dict[str, Any]]] | None = None
    attrs: tuple[str, ...] = ()
    span: sp.SpanRule = sp.hull
    domain: sp.Domain = sp.anywhere
    exact: Exact | None = None
    rounded: bool | Callable[..., bool] = False
    ulps: float = 1.0
    slope_ulps: float = 0.0
    divides: bool = False
    sums: bool = False
    spreads: bool = False
    saves: bool = False
    promotes: bool = True
    reorders: bool = False

    @functools.cached_property
    def function(self) -> Callable[..., Any]:
        """PyTorch's function, compiled from the row's expression."""
        return eval(self.source, {"torch": torch})  # type: ignore[no-any-return]

    def is_rounded(self, attrs: Attrs) -> bool:
        """Whether IEEE 754 fixes value and gradient with these attributes."""
        return self.rounded(**dict(attrs)) if callable(self.rounded) else self.rounded

    @property
    def source(self) -> str:
        """PyTorch's function as the text of a lambda."""
        parameters = ["a", "b", "d"][: self.arity] if self.arity else ["*xs"]
        keywords = ([] if not self.attrs or not self.arity else ["*"]) + list(self.attrs)
        return f"lambda {', '.join(parameters + keywords)}: {self.torch}"
