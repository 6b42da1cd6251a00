"""The table of operations: one row an operation.

A row says all that the harness knows of an operation, PyTorch's way to compute
it included. Adding an operation to the harness is adding a row.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from parity import shapes as sh
from parity import spans as sp
from parity.shapes import Attrs, Shape, ShapeError

#: A bound of a value's magnitude (a power of two) and the number of binary places it needs.
Grid = tuple[float, int]


def _grid_sum(*grids: Grid, terms: int = 2) -> Grid:
    return max(g[0] for g in grids) + math.log2(max(terms, 1)), max(g[1] for g in grids)


def _grid_product(*grids: Grid, terms: int = 1) -> Grid:
    return sum(g[0] for g in grids) + math.log2(max(terms, 1)), sum(g[1] for g in grids)


_ONE: Grid = (0.0, 0)


@dataclass(frozen=True)
class Exact:
    """When an operation is exact on dyadic numbers (small multiples of a power of two).

    ``value`` bounds the result, ``slopes`` the derivative for each operand, both
    from the operands' grids, the sizes of the operands and the attributes.
    """

    value: Callable[..., Grid]
    slopes: Callable[..., tuple[Grid, ...]]


def _moved(grids: tuple[Grid, ...], sizes: tuple[int, ...], attrs: dict[str, Any]) -> Grid:
    return _grid_sum(*grids, terms=1)


def _unit(
    grids: tuple[Grid, ...], sizes: tuple[int, ...], attrs: dict[str, Any]
) -> tuple[Grid, ...]:
    return tuple(_ONE for _ in grids)


def _scalar_grid(c: float) -> Grid:
    return sp.magnitude((c, c)), _binary_places(c)


def _binary_places(c: float) -> int:
    return float(c).as_integer_ratio()[1].bit_length() - 1


#: Elements move or are chosen: selection, shapes, indices.
MOVES = Exact(_moved, _unit)
SUMS = Exact(lambda g, s, a: _grid_sum(*g), _unit)
#: A sum over elements of one operand.
TOTALS = Exact(lambda g, s, a: _grid_sum(*g, terms=s[0]), _unit)
PRODUCTS = Exact(lambda g, s, a: _grid_product(*g), lambda g, s, a: tuple(reversed(g)))
MATMUL = Exact(lambda g, s, a: _grid_product(*g, terms=s[0]), lambda g, s, a: tuple(reversed(g)))
#: Ties halve the gradient.
TIES = Exact(_moved, lambda g, s, a: ((0.0, 1), (0.0, 1)))
SQUARE = Exact(lambda g, s, a: _grid_product(g[0], g[0]), lambda g, s, a: ((g[0][0] + 1, g[0][1]),))
SCALAR_SUM = Exact(lambda g, s, a: _grid_sum(g[0], _scalar_grid(a["c"])), _unit)
SCALAR_PRODUCT = Exact(
    lambda g, s, a: _grid_product(g[0], _scalar_grid(a["c"])),
    lambda g, s, a: (_scalar_grid(a["c"]),),
)


@dataclass(frozen=True)
class Op:
    """One operation.

    ``torch``: an expression over ``a``, ``b`` (``xs`` where ``arity`` is 0, any
    number) and the attributes' names. ``shape``: a rule of ``parity.shapes``.
    ``choices``: the attributes that fit given shapes, simplest first.
    ``span``, ``domain``: rules of ``parity.spans``. ``exact``: how it is exact
    on dyadic numbers, or None. ``rounded``: whether IEEE 754 fixes value and
    gradient, so that engines must agree in every bit on any numbers, or a function
    of the attributes that says so. ``ulps``: the error of a good implementation,
    in units in the last place. ``slope_ulps``: the absolute error of the derivative,
    in units of roundoff, where it is computed from the result with cancellation
    (``1 - y * y``). ``sums``: whether elements of one operand are
    summed; the span rule then gets their number as ``n``. ``spreads``: whether an
    element of the operand may reach several results. ``saves``: whether PyTorch keeps
    operands or the result for backward, and so notices a freed graph (semantics.md 1.2).
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
        parameters = ["a", "b"][: self.arity] if self.arity else ["*xs"]
        keywords = ([] if not self.attrs or not self.arity else ["*"]) + list(self.attrs)
        return f"lambda {', '.join(parameters + keywords)}: {self.torch}"


def _scalars(*values: float) -> Callable[..., list[dict[str, Any]]]:
    return lambda *shapes: [{"c": c} for c in values]


def _exponents(*shapes: Shape) -> list[dict[str, Any]]:
    return [{"exponent": p} for p in (2, 3, 1, 0, -1, 0.5, 1.5, -2, 4)]


def _exact_power(grids: tuple[Grid, ...], sizes: Any, attrs: dict[str, Any]) -> Grid:
    p = attrs["exponent"]
    if p not in (0, 1, 2, 3):
        return math.inf, 0
    return _grid_product(_ONE, *grids * p)


def _exact_power_slope(
    grids: tuple[Grid, ...], sizes: Any, attrs: dict[str, Any]
) -> tuple[Grid, ...]:
    p = attrs["exponent"]
    if p not in (0, 1, 2, 3):
        return ((math.inf, 0),)
    magnitude, places = _grid_product(_ONE, *grids * max(p - 1, 0))
    return ((magnitude + 2, places),)


def _exact_mean_slope(
    grids: tuple[Grid, ...], sizes: tuple[int, ...], attrs: dict[str, Any]
) -> tuple[Grid, ...]:
    # The count divides the size, so it is a power of two if the size is one.
    n = sizes[0]
    return ((0.0, n.bit_length() - 1) if n and n & (n - 1) == 0 else (math.inf, 0),)


def _exact_mean(grids: tuple[Grid, ...], sizes: tuple[int, ...], attrs: dict[str, Any]) -> Grid:
    (slope,) = _exact_mean_slope(grids, sizes, attrs)
    return _grid_product(TOTALS.value(grids, sizes, attrs), slope)


_SHAPE_ATTR = ("shape",)
_REDUCTION = ("axis", "keepdims")

_ROWS = [
    Op("add", 2, "a + b", span=sp.add, exact=SUMS, rounded=True),
    Op("mul", 2, "a * b", saves=True, span=sp.mul, exact=PRODUCTS, rounded=True),
    Op("sub", 2, "a - b", span=sp.sub, exact=SUMS, rounded=True),
    Op("neg", 1, "-a", span=sp.neg, exact=MOVES, rounded=True),
    Op("square", 1, "torch.square(a)", saves=True, span=sp.square, exact=SQUARE, rounded=True),
    Op(
        "div",
        2,
        "a / b", saves=True,
        span=sp.div,
        domain=lambda a, b: sp.not_zero(b),
        rounded=True,
    ),
    Op(
        "pow",
        1,
        "a ** exponent", saves=True,
        choices=_exponents,
        attrs=("exponent",),
        span=sp.power,
        domain=sp.power_domain,
        exact=Exact(_exact_power, _exact_power_slope),
        rounded=lambda exponent: exponent in (0, 1, 2, 3),
        ulps=4,
    ),
    Op("exp", 1, "torch.exp(a)", saves=True, span=sp.increasing(math.exp),
       domain=sp.small, ulps=4),
    Op("log", 1, "torch.log(a)", saves=True, span=sp.increasing(math.log),
       domain=sp.positive, ulps=4),
    Op("sin", 1, "torch.sin(a)", saves=True, span=sp.within(-1, 1), domain=sp.small, ulps=4),
    Op("cos", 1, "torch.cos(a)", saves=True, span=sp.within(-1, 1), domain=sp.small, ulps=4),
    Op("tanh", 1, "torch.tanh(a)", saves=True, span=sp.within(-1, 1), domain=sp.small,
       ulps=4, slope_ulps=8),
    Op("sigmoid", 1, "torch.sigmoid(a)", saves=True, span=sp.within(0, 1), domain=sp.small,
       ulps=4, slope_ulps=4),
    Op("relu", 1, "torch.relu(a)", saves=True, span=sp.increasing(lambda x: max(x, 0.0)),
       exact=MOVES, rounded=True),
    Op("absolute", 1, "torch.abs(a)", saves=True, span=sp.absolute, exact=MOVES, rounded=True),
    Op("maximum", 2, "torch.maximum(a, b)", saves=True, exact=TIES, rounded=True),
    Op("minimum", 2, "torch.minimum(a, b)", saves=True, exact=TIES, rounded=True),
    Op(
        "matmul",
        2,
        "a @ b", saves=True,
        shape=sh.matmul,
        span=lambda a, b, n: sp.total(sp.mul(a, b), n=n),
        exact=MATMUL,
        sums=True,
    ),
    Op(
        "sum",
        1,
        "torch.sum(a, dim=axis, keepdim=keepdims)",
        shape=sh.reduction,
        choices=sh.reduction_choices,
        attrs=_REDUCTION,
        span=lambda a, n, **attrs: sp.total(a, n=n),
        exact=TOTALS,
        sums=True,
    ),
    Op(
        "mean",
        1,
        "torch.mean(a, dim=axis, keepdim=keepdims)",
        shape=sh.reduction,
        choices=sh.reduction_choices,
        attrs=_REDUCTION,
        exact=Exact(_exact_mean, _exact_mean_slope),
    ),
    Op("reshape", 1, "a.reshape(shape)", shape=sh.reshape, choices=sh.reshape_choices,
       attrs=_SHAPE_ATTR, exact=MOVES, rounded=True),
    Op("transpose", 1, "a.permute(axes)", shape=sh.transpose, choices=sh.transpose_choices,
       attrs=("axes",), exact=MOVES, rounded=True),
    Op("broadcast_to", 1, "a.broadcast_to(shape)", shape=sh.broadcast_to,
       choices=sh.broadcast_to_choices, attrs=_SHAPE_ATTR, exact=MOVES, rounded=True, spreads=True),
    Op(
        "sum_to",
        1,
        "a.sum_to_size(shape).clone()",  # without clone it may return `a` itself
        shape=sh.sum_to,
        choices=sh.sum_to_choices,
        attrs=_SHAPE_ATTR,
        span=lambda a, n, **attrs: sp.total(a, n=n),
        exact=TOTALS,
        sums=True,
    ),
    Op("get_item", 1, "a[index]", shape=sh.get_item, choices=sh.get_item_choices,
       attrs=("index",), exact=MOVES, rounded=True, spreads=True),
    Op("concat", 0, "torch.cat(xs, dim=axis)", shape=sh.concat, choices=sh.concat_choices,
       attrs=("axis",), exact=MOVES, rounded=True),
    Op("split", 1, "torch.split(a, sizes, dim=axis)", shape=sh.split, choices=sh.split_choices,
       attrs=("axis", "sizes"), exact=MOVES, rounded=True),
    # Python scalars on either side.
    Op("add_scalar", 1, "a + c", choices=_scalars(1.0, 2, -0.5, 0.0), attrs=("c",),
       span=sp.with_scalar(sp.add), exact=SCALAR_SUM, rounded=True),
    Op("mul_scalar", 1, "a * c", saves=True, choices=_scalars(2.0, 3, -0.5, -1, 0.0), attrs=("c",),
       span=sp.with_scalar(sp.mul), exact=SCALAR_PRODUCT, rounded=True),
    Op("sub_scalar", 1, "a - c", choices=_scalars(1.0, 2, -0.5), attrs=("c",),
       span=sp.with_scalar(sp.sub), exact=SCALAR_SUM, rounded=True),
    Op("rsub_scalar", 1, "c - a", choices=_scalars(1.0, 2, -0.5), attrs=("c",),
       span=sp.with_scalar(sp.sub, left=True), exact=SCALAR_SUM, rounded=True),
    Op("div_scalar", 1, "a / c", saves=True, choices=_scalars(2.0, 3, -0.5), attrs=("c",),
       span=sp.with_scalar(sp.div), rounded=True),
    Op("rdiv_scalar", 1, "c / a", saves=True, choices=_scalars(1.0, 2, -0.5), attrs=("c",),
       span=sp.with_scalar(sp.div, left=True), domain=sp.not_zero, rounded=True),
]  # fmt: skip

#: Every operation by name, simplest first.
OPS: dict[str, Op] = {op.name: op for op in _ROWS}


@functools.lru_cache(maxsize=65536)
def output_shapes(name: str, shapes: tuple[Shape, ...], attrs: Attrs) -> tuple[Shape, ...] | None:
    """The shapes of an operation's outputs, or None where it does not apply."""
    try:
        return OPS[name].shape(*shapes, **dict(attrs))
    except ShapeError:
        return None


@functools.lru_cache(maxsize=65536)
def attribute_choices(name: str, shapes: tuple[Shape, ...]) -> tuple[Attrs, ...]:
    """The attributes that fit operands of these shapes, simplest first."""
    choices = OPS[name].choices
    if choices is None:
        return ((),)
    return tuple(tuple(sorted(choice.items())) for choice in choices(*shapes))


@functools.lru_cache(maxsize=65536)
def keywords(attrs: Attrs) -> dict[str, Any]:
    """Attributes as an engine gets them: an index is a Python index. Not to be changed."""
    return {k: _REAL.get(k, lambda v: v)(v) for k, v in attrs}


_REAL: dict[str, Callable[[Any], Any]] = {"index": sh.real_index}


def output_span(op: Op, spans: list[sp.Span], shapes: tuple[Shape, ...], attrs: Attrs) -> sp.Span:
    """Between which bounds the results lie."""
    keywords = dict(attrs)
    if op.sums:
        keywords["n"] = max(sh.size(shapes[0]), 1)
    return op.span(*spans, **keywords)


def result_dtype(name: str, dtypes: list[str], shapes: tuple[Shape, ...]) -> str | None:
    """The dtype of a result, or None for mixtures that PyTorch refuses or promotes otherwise.

    NumPy promotes by dtype, PyTorch lets 0-d operands give way (semantics.md 8.2).
    """
    if len(set(dtypes)) == 1:
        return dtypes[0]
    if name == "matmul" or len({len(shape) > 0 for shape in shapes}) > 1:
        return None
    return "float64"
