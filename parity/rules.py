"""What a row of the table of operations consists of, and the rules that rows share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from parity import shapes as sh
from parity import spans as sp
from parity.shapes import Attrs

#: A bound of a value's magnitude (a power of two) and the number of binary places it needs.
Grid = tuple[float, int]


def grid_sum(*grids: Grid, terms: int = 2) -> Grid:
    return max(g[0] for g in grids) + math.log2(max(terms, 1)), max(g[1] for g in grids)


def grid_product(*grids: Grid, terms: int = 1) -> Grid:
    return sum(g[0] for g in grids) + math.log2(max(terms, 1)), sum(g[1] for g in grids)


ONE: Grid = (0.0, 0)


@dataclass(frozen=True)
class Exact:
    """When an operation is exact on dyadic numbers (small multiples of a power of two).

    ``value`` bounds the result, ``slopes`` the derivative for each operand, both
    from the operands' grids, the sizes of the operands and the attributes.
    """

    value: Callable[..., Grid]
    slopes: Callable[..., tuple[Grid, ...]]


def moved(grids: tuple[Grid, ...], sizes: tuple[int, ...], attrs: dict[str, Any]) -> Grid:
    return grid_sum(*grids, terms=1)


def unit(
    grids: tuple[Grid, ...], sizes: tuple[int, ...], attrs: dict[str, Any]
) -> tuple[Grid, ...]:
    return tuple(ONE for _ in grids)


def scalar_grid(c: float) -> Grid:
    return sp.magnitude((c, c)), binary_places(c)


def binary_places(c: float) -> int:
    return float(c).as_integer_ratio()[1].bit_length() - 1


#: Elements move or are chosen: selection, shapes, indices.
MOVES = Exact(moved, unit)
SUMS = Exact(lambda g, s, a: grid_sum(*g), unit)
#: A sum over elements of one operand.
TOTALS = Exact(lambda g, s, a: grid_sum(*g, terms=s[0]), unit)
PRODUCTS = Exact(lambda g, s, a: grid_product(*g), lambda g, s, a: tuple(reversed(g)))
#: Sums of products of elements.
MATMUL = Exact(lambda g, s, a: grid_product(*g, terms=s[0]), lambda g, s, a: tuple(reversed(g)))
#: Ties halve the gradient.
TIES = Exact(moved, lambda g, s, a: ((0.0, 1), (0.0, 1)))
SQUARE = Exact(lambda g, s, a: grid_product(g[0], g[0]), lambda g, s, a: ((g[0][0] + 1, g[0][1]),))
SCALAR_SUM = Exact(lambda g, s, a: grid_sum(g[0], scalar_grid(a["c"])), unit)
SCALAR_PRODUCT = Exact(
    lambda g, s, a: grid_product(g[0], scalar_grid(a["c"])),
    lambda g, s, a: (scalar_grid(a["c"]),),
)


@dataclass(frozen=True)
class Op:
    """One operation.

    ``torch``: an expression over ``a``, ``b``, ``d`` (``xs`` where ``arity`` is 0, any
    number) and the attributes' names. ``shape``: a rule of ``parity.shapes``.
    ``choices``: the attributes that fit given shapes, simplest first.
    ``span``, ``domain``: rules of ``parity.spans``. ``exact``: how it is exact
    on dyadic numbers, or None. ``rounded``: whether IEEE 754 fixes value and
    gradient, so that engines must agree in every bit on any numbers, or a function
    of the attributes that says so. ``ulps``: the error of a good implementation,
    in units in the last place. ``slope_ulps``: the error of the derivatives
    and, relative to the operand, of the value, where something cancels inside
    (``1 - y * y`` for tanh). ``sums``: whether elements of one operand are
    summed; the span rule then gets their number as ``n``. ``spreads``: whether an
    element of the operand may reach several results. ``saves``: whether PyTorch keeps
    operands or the result for backward, and so notices a freed graph (semantics.md
    1.2). ``promotes``: whether it takes operands of mixed dtypes.
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
    sums: bool = False
    spreads: bool = False
    saves: bool = False
    promotes: bool = True

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
