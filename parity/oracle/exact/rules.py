"""The exact rule of each operation of ``parity.language.table.OPS``.

A rule says what the operation computes. Derivatives follow by themselves, apart
from those of functions of one number (``dual.unary``) and the conventions at kinks
(``dual.piecewise``, docs/semantics.md 9), which are written here and in ``kinks``.
An operation may have its rule in its row instead (``Operation.exact_rule``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from parity.language.shapes import Shape
from parity.oracle.exact import building, dual, kinks
from parity.oracle.exact import functions as fn
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.building import ExactRule, along, elementwise, linear, moving, reducing
from parity.oracle.exact.dual import Value
from parity.oracle.exact.numbers import constant


def _logistic(x: Value, y: Value) -> Value:
    """The slope of 1 / (1 + exp(-x)), of which y is the value."""
    return dual.mul(y, dual.sub(constant(1), y))


Unary: TypeAlias = Callable[[Value], Value]

exp: Unary = dual.unary(fn.exp, lambda x, y: y)
log: Unary = dual.unary(fn.log, lambda x, y: dual.div(constant(1), x))
sin: Unary = dual.unary(fn.sin, lambda x, y: cos(x))
cos: Unary = dual.unary(fn.cos, lambda x, y: dual.neg(sin(x)))
tanh: Unary = dual.unary(fn.tanh, lambda x, y: dual.sub(constant(1), dual.mul(y, y)))
sigmoid: Unary = dual.unary(fn.sigmoid, _logistic)
sqrt: Unary = dual.unary(fn.sqrt, lambda x, y: dual.div(constant(0.5), y))
normal: Unary = dual.unary(fn.normal, lambda x, y: density(x))
density: Unary = dual.unary(fn.density, lambda x, y: dual.neg(dual.mul(x, y)))
softplus: Unary = dual.unary(fn.softplus, lambda x, y: softplus_slope(x))
softplus_slope: Unary = dual.unary(fn.softplus_slope, _logistic)


def _without(mask: Any, a: Value) -> Value:
    """Replace elements of ``a`` by ones where results are not used."""
    return dual.add(dual.chosen(~mask, a), kinks.objects(mask))


def power(a: Value, p: Value) -> Value:
    """``a ** p``. Zero exponents and bases follow docs/semantics.md 9."""
    level, (x, t), (q, u) = dual.split(a, p)
    if level == 0:
        return fn.power(dual.base(x), dual.base(q))
    y = power(x, q)
    change = None
    if t is not None:
        flat = nu.sign(dual.base(q)) == 0
        slope = dual.mul(q, power(_without(flat, x), dual.sub(q, constant(1))))
        change = dual.push(dual.chosen(~flat, slope), t)
    if u is not None:
        at_zero = (nu.sign(dual.base(x)) == 0) & (nu.sign(dual.base(q)) >= 0)
        slope = dual.mul(y, log(_without(at_zero, x)))
        change = dual.tangent_sum(change, dual.push(dual.chosen(~at_zero, slope), u))
    return dual.dual(level, y, change)


def mean(g: Value) -> Value:
    return dual.div(dual.total(g), constant(dual.base(g).shape[-1]))


def product(g: Value) -> Value:
    """The product over the last axis, factor by factor: zeros need no care."""
    columns = np.arange(dual.base(g).shape[-1])
    return functools.reduce(dual.mul, [dual.gather(g, k) for k in columns])


def _expand_as(a: Value, g: Value) -> Value:
    """Repeat ``a``, one number per group, for each element of the groups ``g``."""
    return dual.linear(lambda x: np.repeat(x[..., None], dual.base(g).shape[-1], -1), a)


def variance(g: Value, *, correction: int) -> Value:
    difference = dual.sub(g, _expand_as(mean(g), g))
    squares = dual.total(dual.mul(difference, difference))
    return dual.div(squares, constant(dual.base(g).shape[-1] - correction))


def norm(g: Value) -> Value:
    """The root of the sum of squares; at zero its gradient is zero, the second order undefined."""
    squares = dual.total(dual.mul(g, g))
    zero = nu.sign(dual.base(squares)) == 0
    if zero.any() and dual.level_of(g) > 1:
        nu.leave_reals()
    return dual.chosen(~zero, sqrt(_without(zero, squares)))


def logsumexp(g: Value) -> Value:
    shift = nu.extreme(dual.base(g), 1)[..., None]
    return dual.add(log(dual.total(exp(dual.sub(g, shift)))), shift[..., 0])


def softmax(g: Value) -> Value:
    e = exp(dual.sub(g, nu.extreme(dual.base(g), 1)[..., None]))
    return dual.div(e, _expand_as(dual.total(e), g))


def log_softmax(g: Value) -> Value:
    return dual.sub(g, _expand_as(logsumexp(g), g))


def _cross_entropy(g: Value, *, t: Any) -> Value:
    """The mean over rows of ``-log_softmax`` at the row's class."""
    rows = np.arange(len(t))
    picked = dual.linear(lambda x: x[..., rows, np.asarray(t)], log_softmax(g))
    return dual.linear(lambda x: x[..., None], dual.neg(mean(picked)))


def _squared_error(
    shapes: tuple[Shape, ...], attrs: dict[str, Any], a: Value, b: Value
) -> building.Results:
    """The sum of squared differences by the number of rows."""
    difference = dual.sub(a, b)
    squares = dual.linear(lambda x: x[..., None, :], dual.mul(difference, difference))
    return [(dual.div(dual.total(squares), constant(shapes[0][0])), ())]


RULES: dict[str, ExactRule] = {
    # Elements move.
    "reshape": moving(lambda a, *, shape: a.reshape(shape)),
    "transpose": moving(lambda a, *, axes: a.transpose(axes)),
    "broadcast_to": moving(lambda a, *, shape: np.broadcast_to(a, shape)),
    "get_item": moving(lambda a, *, index: a[index]),
    "slice_backwards": moving(
        lambda a, *, axis, start, stop, step: np.moveaxis(
            np.moveaxis(a, axis, 0)[start:stop:step], 0, axis
        )
    ),
    "transpose_all": moving(np.transpose),
    "squeeze_all": moving(np.squeeze),
    "concat": moving(lambda *xs, axis: np.concatenate(xs, axis)),
    "split": moving(lambda a, *, axis, sizes: np.split(a, np.cumsum(sizes)[:-1], axis)),
    "where": moving(lambda a, b, *, condition: np.where(np.array(condition, bool), a, b)),
    "stack": moving(lambda *xs, axis: np.stack(xs, axis)),
    "squeeze": moving(np.squeeze),
    "expand_dims": moving(np.expand_dims),
    "moveaxis": moving(np.moveaxis),
    "flip": moving(np.flip),
    "pad": moving(lambda a, *, pad_width: np.pad(a, pad_width, constant_values=-1)),
    "take_along_axis": moving(
        lambda a, *, indices, axis: np.take_along_axis(a, np.array(indices), axis)
    ),
    # Functions of numbers.
    "exp": elementwise(exp),
    "log": elementwise(log),
    "sin": elementwise(sin),
    "cos": elementwise(cos),
    "tanh": elementwise(tanh),
    "sigmoid": elementwise(sigmoid),
    "sqrt": elementwise(sqrt),
    "softplus": elementwise(softplus),
    "square": elementwise(lambda a: dual.mul(a, a)),
    "gelu": elementwise(lambda a: dual.mul(a, normal(a))),
    "add": elementwise(dual.add, linear),
    "mul": elementwise(dual.mul, building.bilinear),
    "sub": elementwise(dual.sub, linear),
    "neg": elementwise(dual.neg, linear),
    "div": elementwise(dual.div, lambda i, needs, attrs: i == 1 or needs[1]),
    "pow": elementwise(
        lambda a, *, exponent: power(a, constant(exponent)),
        lambda i, needs, attrs: attrs["exponent"] != 0,
    ),
    "power": elementwise(power),
    "add_scalar": elementwise(lambda a, *, c: dual.add(a, constant(c)), linear),
    "mul_scalar": elementwise(lambda a, *, c: dual.mul(a, constant(c)), linear),
    "sub_scalar": elementwise(lambda a, *, c: dual.sub(a, constant(c)), linear),
    "rsub_scalar": elementwise(lambda a, *, c: dual.sub(constant(c), a), linear),
    "div_scalar": elementwise(lambda a, *, c: dual.div(a, constant(c)), linear),
    "rdiv_scalar": elementwise(lambda a, *, c: dual.div(constant(c), a)),
    # Pieces of straight lines. PyTorch counts the first as dependent on the operand.
    "relu": elementwise(kinks.relu),
    "absolute": elementwise(kinks.absolute),
    "leaky_relu": elementwise(kinks.leaky_relu),
    "maximum": elementwise(lambda a, b: kinks.selected(a, b, 1), linear),
    "minimum": elementwise(lambda a, b: kinks.selected(a, b, -1), linear),
    "clip": elementwise(kinks.clip, linear),
    "sign": elementwise(kinks.sign, linear),
    "floor": elementwise(kinks.floor, linear),
    # Reductions.
    "sum": reducing(dual.total, linear),
    "mean": reducing(mean, linear),
    "sum_to": reducing(dual.total, linear, building.sum_to_groups),
    "cumsum": reducing(dual.total, linear, building.running_groups),
    "max": reducing(lambda g: kinks.extreme(g, 1), linear),
    "min": reducing(lambda g: kinks.extreme(g, -1), linear),
    "prod": reducing(product),
    "var": reducing(variance),
    "norm": reducing(norm),
    "logsumexp": reducing(logsumexp),
    "softmax": along(softmax),
    "log_softmax": along(log_softmax),
    "mean_squared_error": ExactRule(_squared_error, building.nonlinear),
    "softmax_cross_entropy": reducing(
        _cross_entropy,
        groups=lambda shape, t: (building.axis_groups(shape, axis=1, keepdims=False)[0], ()),
    ),
    # Sums of products.
    "matmul": building.products(building.matmul_pairs),
    "linear": building.products(building.matmul_pairs),
    "einsum": building.products(building.einsum_pairs),
    "dot": building.products(lambda a, b: building.einsum_pairs(a, b, subscripts="i,i->")),
    "outer": building.products(lambda a, b: building.einsum_pairs(a, b, subscripts="i,j->ij")),
}
