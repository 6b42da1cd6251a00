"""The table of operations: one row an operation.

A row says all that the harness knows of an operation, PyTorch's way to compute
it included. Adding an operation to the harness is adding a row.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from parity.language import intervals as sp
from parity.language import shapes as sh
from parity.language.attributes import wrong_attribute
from parity.language.dyadic import (
    BOUNDED,
    EXTREMES,
    FLOORS,
    LINEAR,
    MATMUL,
    MOVES,
    POWERS,
    PRODUCTS,
    SCALAR_PRODUCT,
    SCALAR_SUM,
    SQUARE,
    SUMS,
    TIES,
    TOTALS,
    Exact,
    _exact_mean,
    _exact_mean_slope,
    _exact_power,
    _exact_power_slope,
)
from parity.language.operation import Operation
from parity.language.shapes import Attrs, Shape


def _scalars(*values: float) -> Callable[..., list[dict[str, Any]]]:
    return lambda *shapes: [{"c": c} for c in values]


def _exponents(*shapes: Shape) -> list[dict[str, Any]]:
    return [{"exponent": p} for p in (2, 3, 1, 0, -1, 0.5, 1.5, -2, 4)]


def _clips(*shapes: Shape) -> list[dict[str, Any]]:
    bounds = ((-1.0, 2.0), (0.0, None), (None, 1.5), (0.25, 0.5))
    return [{"x_min": low, "x_max": high} for low, high in bounds]


_SHAPE_ATTR = ("shape",)
_REDUCTION = ("axis", "keepdims")

_ROWS = [
    Operation("add", 2, "a + b", span=sp.add, exact=SUMS, rounded=True),
    Operation("mul", 2, "a * b", saves=True, span=sp.mul, exact=PRODUCTS, rounded=True),
    Operation("sub", 2, "a - b", span=sp.sub, exact=SUMS, rounded=True),
    Operation("neg", 1, "-a", span=sp.neg, exact=MOVES, rounded=True),
    Operation("square", 1, "torch.square(a)", saves=True, span=sp.square, exact=SQUARE, rounded=True),
    Operation(
        "div",
        2,
        "a / b", saves=True,
        span=sp.div,
        domain=lambda a, b: sp.not_zero(b),
        rounded=True,
    ),
    Operation(
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
    Operation("exp", 1, "torch.exp(a)", saves=True, span=sp.increasing(math.exp),
       domain=sp.small, ulps=4),
    Operation("log", 1, "torch.log(a)", saves=True, span=sp.increasing(math.log),
       domain=sp.positive, ulps=4),
    Operation("sin", 1, "torch.sin(a)", saves=True, span=sp.within(-1, 1), domain=sp.small, ulps=4),
    Operation("cos", 1, "torch.cos(a)", saves=True, span=sp.within(-1, 1), domain=sp.small, ulps=4),
    Operation("tanh", 1, "torch.tanh(a)", saves=True, span=sp.within(-1, 1), domain=sp.small,
       ulps=4, slope_ulps=8),
    Operation("sigmoid", 1, "torch.sigmoid(a)", saves=True, span=sp.within(0, 1), domain=sp.small,
       ulps=4, slope_ulps=4),
    Operation("relu", 1, "torch.relu(a)", saves=True, span=sp.increasing(lambda x: max(x, 0.0)),
       exact=MOVES, rounded=True),
    # The sign may be computed as x / abs(x), whose own derivative is a difference of quotients.
    Operation("absolute", 1, "torch.abs(a)", saves=True, span=sp.absolute, exact=MOVES, rounded=True,
       slope_ulps=1, divides=True),
    Operation("maximum", 2, "torch.maximum(a, b)", saves=True, exact=TIES, rounded=True),
    Operation("minimum", 2, "torch.minimum(a, b)", saves=True, exact=TIES, rounded=True),
    Operation(
        "matmul",
        2,
        "a @ b",
        saves=True,
        promotes=False,
        shape=sh.matmul,
        span=lambda a, b, n: sp.total(sp.mul(a, b), n=n),
        exact=MATMUL,
        sums=True,
    ),
    Operation(
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
    Operation(
        "mean",
        1,
        "torch.mean(a, dim=axis, keepdim=keepdims)",
        shape=sh.reduction,
        choices=sh.some_choices,  # of nothing it is nan, of which engines make what they like
        attrs=_REDUCTION,
        exact=Exact(_exact_mean, _exact_mean_slope),
    ),
    Operation("reshape", 1, "a.reshape(shape)", shape=sh.reshape, choices=sh.reshape_choices,
       attrs=_SHAPE_ATTR, exact=MOVES, rounded=True),
    Operation("transpose", 1, "a.permute(axes)", shape=sh.transpose, choices=sh.transpose_choices,
       attrs=("axes",), exact=MOVES, rounded=True, reorders=True),
    Operation("broadcast_to", 1, "a.broadcast_to(shape)", shape=sh.broadcast_to,
       choices=sh.broadcast_to_choices, attrs=_SHAPE_ATTR, exact=MOVES, rounded=True, spreads=True),
    Operation(
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
    Operation("get_item", 1, "a[index]", shape=sh.get_item, choices=sh.get_item_choices,
       attrs=("index",), exact=MOVES, rounded=True, spreads=True),
    Operation("concat", 0, "torch.cat(xs, dim=axis)", shape=sh.concat, choices=sh.concat_choices,
       attrs=("axis",), exact=MOVES, rounded=True, reorders=True),
    Operation("split", 1, "torch.split(a, sizes, dim=axis)", shape=sh.split, choices=sh.split_choices,
       attrs=("axis", "sizes"), exact=MOVES, rounded=True),
    # Python scalars on either side.
    Operation("add_scalar", 1, "a + c", choices=_scalars(1.0, 2, -0.5, 0.0), attrs=("c",),
       span=sp.with_scalar(sp.add), exact=SCALAR_SUM, rounded=True),
    Operation("mul_scalar", 1, "a * c", saves=True, choices=_scalars(2.0, 3, -0.5, -1, 0.0), attrs=("c",),
       span=sp.with_scalar(sp.mul), exact=SCALAR_PRODUCT, rounded=True),
    Operation("sub_scalar", 1, "a - c", choices=_scalars(1.0, 2, -0.5), attrs=("c",),
       span=sp.with_scalar(sp.sub), exact=SCALAR_SUM, rounded=True),
    Operation("rsub_scalar", 1, "c - a", choices=_scalars(1.0, 2, -0.5), attrs=("c",),
       span=sp.with_scalar(sp.sub, left=True), exact=SCALAR_SUM, rounded=True),
    Operation("div_scalar", 1, "a / c", saves=True, choices=_scalars(2.0, 3, -0.5), attrs=("c",),
       span=sp.with_scalar(sp.div), rounded=True),
    Operation("rdiv_scalar", 1, "c / a", saves=True, choices=_scalars(1.0, 2, -0.5), attrs=("c",),
       span=sp.with_scalar(sp.div, left=True), domain=sp.not_zero, rounded=True),
    Operation("sqrt", 1, "torch.sqrt(a)", saves=True, span=sp.increasing(math.sqrt),
       domain=sp.positive, ulps=2),
    Operation("power", 2, "a ** b", saves=True, span=sp.power_of,
       domain=lambda a, b: sp.positive(a) and sp.within_ten(b), ulps=8),
    Operation("clip", 1, "torch.clamp(a, x_min, x_max)", saves=True, attrs=("x_max", "x_min"),
       choices=_clips, exact=BOUNDED, rounded=True),
    Operation("where", 2, "torch.where(torch.tensor(condition, dtype=torch.bool), a, b)", shape=sh.where,
       choices=sh.where_choices, attrs=("condition",), exact=MOVES, rounded=True),
    Operation("sign", 1, "torch.sign(a)", span=sp.within(-1, 1), exact=MOVES, rounded=True),
    Operation("floor", 1, "torch.floor(a)", span=lambda a: (a[0] - 1, a[1]), exact=FLOORS, rounded=True),
    Operation("leaky_relu", 1, "torch.nn.functional.leaky_relu(a, slope)", saves=True, attrs=("slope",),
       choices=lambda a: [{"slope": 0.5}, {"slope": 0.1}, {"slope": 0.0}],
       span=lambda a, slope: sp.hull(a, (0.0, 0.0)), rounded=True),
    Operation("softplus", 1, "torch.nn.functional.softplus(a)", saves=True,
       span=sp.increasing(lambda x: max(x, 0.0) + 1), domain=sp.small, ulps=8, slope_ulps=4),
    Operation("gelu", 1, "torch.nn.functional.gelu(a)", saves=True,
       span=lambda a: (-1.0, max(a[1], 0.0)), domain=sp.small, ulps=16, slope_ulps=16),
    Operation("max", 1, "torch.amax(a, dim=() if axis is None else axis, keepdim=keepdims)", saves=True,
       shape=sh.some, choices=sh.some_choices, attrs=_REDUCTION, exact=EXTREMES),
    Operation("min", 1, "torch.amin(a, dim=() if axis is None else axis, keepdim=keepdims)", saves=True,
       shape=sh.some, choices=sh.some_choices, attrs=_REDUCTION, exact=EXTREMES),
    Operation("prod", 1, "torch.prod(a.reshape(-1), 0).reshape((1,) * a.ndim * keepdims) "
       "if axis is None and a.ndim else torch.prod(a, axis or 0, keepdims)",
       saves=True, shape=sh.some, choices=sh.one_axis_choices, attrs=_REDUCTION,
       span=lambda a, n, **attrs: sp.repeated(a, n), exact=POWERS, sums=True,
       slope_ulps=8, divides=True),
    Operation("var", 1, "torch.var(a, dim=axis, keepdim=keepdims, correction=correction)", saves=True,
       shape=sh.variance, choices=sh.var_choices, attrs=("axis", "correction", "keepdims"),
       span=lambda a, **attrs: (0.0, (a[1] - a[0]) ** 2 * 2), ulps=32, slope_ulps=64),
    Operation("norm", 1, "torch.linalg.vector_norm(a, dim=axis, keepdim=keepdims)", saves=True,
       shape=sh.some, choices=sh.some_choices, attrs=_REDUCTION,
       span=lambda a, n, **attrs: sp.absolute(sp.total(a, n=n)), sums=True, ulps=4,
       slope_ulps=8, divides=True),
    Operation("cumsum", 1, "torch.cumsum(a, axis)", shape=sh.along_axis, choices=sh.axis_choices,
       attrs=("axis",), span=lambda a, n, **attrs: sp.total(a, n=n), exact=TOTALS, sums=True),
    Operation("logsumexp", 1, "torch.logsumexp(a, "
       "tuple(range(a.ndim)) if axis is None else axis, keepdims)",
       saves=True, shape=sh.some, choices=sh.some_choices, attrs=_REDUCTION,
       span=lambda a, **attrs: (a[0], a[1] + 4), domain=sp.small, ulps=16, slope_ulps=16),
    Operation("softmax", 1, "torch.softmax(a, axis)", saves=True, shape=sh.along_axis,
       choices=sh.axis_choices, attrs=("axis",), span=sp.within(0, 1), domain=sp.small,
       ulps=32, slope_ulps=32),
    Operation("log_softmax", 1, "torch.log_softmax(a, axis)", saves=True, shape=sh.along_axis,
       choices=sh.axis_choices, attrs=("axis",), span=lambda a, axis: (a[0] - a[1] - 4, 0.0),
       domain=sp.small, ulps=32, slope_ulps=32),
    Operation("stack", 0, "torch.stack(xs, dim=axis)", shape=sh.stack, choices=sh.stack_choices,
       attrs=("axis",), exact=MOVES, rounded=True, reorders=True),
    Operation("squeeze", 1, "a.squeeze(axis)", shape=sh.squeeze, choices=sh.squeeze_choices,
       attrs=("axis",), exact=MOVES, rounded=True),
    Operation("expand_dims", 1, "a.unsqueeze(axis)", shape=sh.expand_dims,
       choices=lambda a: sh.stack_choices(a), attrs=("axis",), exact=MOVES, rounded=True),
    Operation("moveaxis", 1, "torch.movedim(a, source, destination)", shape=sh.moveaxis,
       choices=sh.moveaxis_choices, attrs=("destination", "source"), exact=MOVES, rounded=True,
       reorders=True),
    Operation("flip", 1, "torch.flip(a, axis)", shape=sh.flip, choices=sh.flip_choices,
       attrs=("axis",), exact=MOVES, rounded=True, reorders=True),
    Operation("pad", 1, "torch.nn.functional.pad(a, [n for pair in reversed(pad_width) for n in pair])",
       shape=sh.pad, choices=sh.pad_choices, attrs=("pad_width",),
       span=lambda a, **attrs: sp.hull(a, (0.0, 0.0)), exact=MOVES, rounded=True),
    Operation("take_along_axis", 1, "torch.take_along_dim(a, torch.tensor(indices), axis)",
       shape=sh.take_along_axis, choices=sh.take_along_axis_choices, attrs=("axis", "indices"),
       exact=MOVES, rounded=True, spreads=True),
    Operation("outer", 2, "torch.outer(a, b)", saves=True, shape=sh.vectors, span=sp.mul,
       exact=PRODUCTS),
    Operation("dot", 2, "torch.dot(a, b)", saves=True, shape=sh.dot, promotes=False,
       span=lambda a, b, n: sp.total(sp.mul(a, b), n=n), exact=MATMUL, sums=True),
    Operation("einsum", 2, "torch.einsum(subscripts, a, b)", saves=True, shape=sh.einsum,
       choices=sh.einsum_choices, attrs=("subscripts",), promotes=False,
       span=lambda a, b, n, subscripts: sp.total(sp.mul(a, b), n=n), exact=MATMUL, sums=True),
    Operation("linear", 3, "a @ b + d", shape=sh.linear, promotes=False,
       span=lambda a, b, d, n: sp.add(sp.total(sp.mul(a, b), n=n), d), exact=LINEAR, sums=True),
    Operation("mean_squared_error", 2, "((a - b) ** 2).sum() / len(a)", saves=True, shape=sh.same_rows,
       span=lambda a, b, n: sp.total(sp.square(sp.sub(a, b)), n=n), sums=True, ulps=8),
    Operation("softmax_cross_entropy", 1, "torch.nn.functional.cross_entropy(a, torch.tensor(t))",
       saves=True, shape=sh.classes, choices=sh.classes_choices, attrs=("t",),
       span=lambda a, t: (0.0, a[1] - a[0] + 4), domain=sp.small, ulps=64, slope_ulps=64),
]  # fmt: skip

#: Every operation by name, simplest first.
OPS: dict[str, Operation] = {op.name: op for op in _ROWS}


@functools.lru_cache(maxsize=65536)
def output_shapes(name: str, shapes: tuple[Shape, ...], attrs: Attrs) -> tuple[Shape, ...] | None:
    """The shapes of an operation's outputs, or None where it does not apply."""
    if wrong_attribute(attrs) is not None:
        return None
    try:
        return OPS[name].shape(*shapes, **dict(attrs))
    except (ValueError, TypeError, IndexError, KeyError, ArithmeticError):
        return None  # ShapeError, or attributes from a file that a rule does not know


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


def result_dtype(name: str, dtypes: list[str], shapes: tuple[Shape, ...]) -> str | None:
    """The dtype of a result, or None for mixtures that PyTorch refuses or promotes otherwise.

    NumPy promotes by dtype, PyTorch lets 0-d operands give way (semantics.md 8.2).
    """
    if dtypes.count(dtypes[0]) == len(dtypes):
        return dtypes[0]
    if not OPS[name].promotes or len({len(shape) > 0 for shape in shapes}) > 1:
        return None
    return "float64"
