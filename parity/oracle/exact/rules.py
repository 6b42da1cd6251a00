"""The exact rule of each operation of ``parity.language.table.OPS``.

A rule says what the operation computes. Derivatives follow by themselves, apart
from those of functions of one number (``dual.unary``) and the conventions at kinks
(``dual.piecewise``, docs/semantics.md 9), which are written here and in ``piecewise``.
An operation may have its rule in its row instead (``Operation.exact_rule``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from parity.language.shapes import Shape
from parity.language.table import OPS
from parity.oracle.exact import dual
from parity.oracle.exact import functions as fn
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.dual import Value
from parity.oracle.exact.lowering import (
    ExactRule,
    Lowering,
    along,
    axis_groups,
    bilinear,
    einsum_pairs,
    elementwise,
    linear,
    matmul_pairs,
    moving,
    nonlinear,
    products,
    reducing,
    running_groups,
    sum_to_groups,
)
from parity.oracle.exact.numbers import Array
from parity.oracle.exact.piecewise import absolute as _absolute
from parity.oracle.exact.piecewise import (
    clip,
    extreme,
    floor,
    larger,
    leaky_relu,
    relu,
    sign,
    smaller,
)


def constant(c: float) -> Array:
    """A number as an array that broadcasts."""
    return nu.array_of([nu.element(float(c))])


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
softplus_slope: Unary = dual.unary(
    fn.softplus_slope, lambda x, y: dual.mul(y, dual.sub(constant(1), y))
)


def _without(mask: Any, a: Value) -> Value:
    """Replace elements of ``a`` by ones where results are not used."""
    return dual.add(dual.chosen(~mask, a), mask.astype(np.int64).astype(object))


def power(a: Value, p: Value) -> Value:
    """``a ** p``. Zero exponents and bases follow docs/semantics.md 9."""
    level = max(dual.level_of(a), dual.level_of(p))
    if level == 0:
        return fn.power(dual.base(a), dual.base(p))
    (x, t), (q, u) = dual.parts(a, level), dual.parts(p, level)
    y = power(x, q)
    change = None
    if t is not None:
        constant_ = nu.sign(dual.base(q)) == 0
        slope = dual.mul(q, power(_without(constant_, x), dual.sub(q, constant(1))))
        change = dual.push(dual.chosen(~constant_, slope), t)
    if u is not None:
        at_zero = (nu.sign(dual.base(x)) == 0) & (nu.sign(dual.base(q)) >= 0)
        grown = dual.push(dual.chosen(~at_zero, dual.mul(y, log(_without(at_zero, x)))), u)
        change = grown if change is None else dual.add(change, grown)
    return dual.dual(level, y, change)


def pow_scalar(a: Value, *, exponent: float) -> Value:
    return power(a, constant(exponent))


def gelu(a: Value) -> Value:
    return dual.mul(a, normal(a))


def mean(g: Value) -> Value:
    return dual.div(dual.total(g), constant(dual.base(g).shape[-1]))


def product(g: Value) -> Value:
    """The product over the last axis, factor by factor: zeros need no care."""
    result: Value = dual.linear(lambda x: x[..., 0], g)
    for k in range(1, dual.base(g).shape[-1]):
        result = dual.mul(result, _column(g, k))
    return result


def _column(g: Value, k: int) -> Value:
    return dual.linear(lambda x: x[..., k], g)


def _expand_as(a: Value, g: Value) -> Value:
    """Repeat ``a``, one number per group, for each element of the groups ``g``."""
    zeros = np.zeros(dual.base(g).shape[-1], np.int64)
    return dual.linear(lambda x: x[..., None][..., zeros], a)


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


def _largest(g: Value) -> Array:
    """Return the largest number of each group, as a constant that broadcasts with the group."""
    x = dual.base(g)
    result = x[..., 0]
    for k in range(1, x.shape[-1]):
        result = np.where(nu.compare(x[..., k], result) > 0, x[..., k], result)
    shift: Array = result[..., None]
    return shift


def logsumexp(g: Value) -> Value:
    shift = _largest(g)
    return dual.add(log(dual.total(exp(dual.sub(g, shift)))), shift[..., 0])


def softmax(g: Value) -> Value:
    e = exp(dual.sub(g, _largest(g)))
    return dual.div(e, _expand_as(dual.total(e), g))


def log_softmax(g: Value) -> Value:
    return dual.sub(g, _expand_as(logsumexp(g), g))


def _cross_entropy(g: Value, *, t: Any) -> Value:
    """The mean over rows of ``-log_softmax`` at the row's class."""
    rows = np.arange(len(t))
    picked = dual.linear(lambda x: x[..., rows, np.asarray(t)], log_softmax(g))
    return dual.linear(lambda x: x[..., None], dual.neg(mean(picked)))


def _rows(shape: tuple[int, ...], **attrs: Any) -> tuple[Any, tuple[int, ...]]:
    return axis_groups(shape, axis=1, keepdims=False)[0], ()


def _squared_error(shapes: tuple[Shape, ...], attrs: dict[str, Any]) -> Lowering:
    """The sum of squared differences by the number of rows."""

    def run(a: Value, b: Value) -> tuple[Value, ...]:
        difference = dual.sub(a, b)
        squares = dual.linear(lambda x: x[..., None, :], dual.mul(difference, difference))
        return (dual.div(dual.total(squares), constant(shapes[0][0])),)

    return Lowering(run, ((),))


def _split(a: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
    return np.split(a, np.cumsum(sizes)[:-1], axis)


def _take(a: Any, *, indices: Any, axis: int) -> Any:
    chosen = np.array(indices)
    axis %= a.ndim
    shape = np.broadcast_shapes(_lengths_but(a.shape, axis), _lengths_but(chosen.shape, axis))
    lengths = [(*shape[:axis], x.shape[axis], *shape[axis + 1 :]) for x in (a, chosen)]
    spread = [np.broadcast_to(x, n) for x, n in zip((a, chosen), lengths, strict=True)]
    return np.take_along_axis(spread[0], spread[1], axis)


def _lengths_but(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    return (*shape[:axis], 1, *shape[axis + 1 :])


def _pad(a: Any, *, pad_width: Any) -> Any:
    return np.pad(a, pad_width, constant_values=-1)


MOVES: dict[str, ExactRule] = {
    "reshape": moving(lambda a, *, shape: a.reshape(shape)),
    "transpose": moving(lambda a, *, axes: a.transpose(axes)),
    "broadcast_to": moving(lambda a, *, shape: np.broadcast_to(a, shape)),
    "get_item": moving(lambda a, *, index: a[index]),
    "concat": moving(lambda *xs, axis: np.concatenate(xs, axis)),
    "split": moving(_split),
    "where": moving(lambda a, b, *, condition: np.where(np.array(condition, bool), a, b)),
    "stack": moving(lambda *xs, axis: np.stack(xs, axis)),
    "squeeze": moving(lambda a, *, axis: np.squeeze(a, axis)),
    "expand_dims": moving(lambda a, *, axis: np.expand_dims(a, axis)),
    "moveaxis": moving(lambda a, *, source, destination: np.moveaxis(a, source, destination)),
    "flip": moving(lambda a, *, axis: np.flip(a, axis)),
    "pad": moving(_pad),
    "take_along_axis": moving(_take),
}

ELEMENTWISE: dict[str, ExactRule] = {
    "add": elementwise(dual.add, linear),
    "mul": elementwise(dual.mul, bilinear),
    "sub": elementwise(dual.sub, linear),
    "neg": elementwise(dual.neg, linear),
    "square": elementwise(lambda a: dual.mul(a, a)),
    "div": elementwise(dual.div, lambda i, needs, attrs: i == 1 or needs[1]),
    "pow": elementwise(pow_scalar, lambda i, needs, attrs: attrs["exponent"] != 0),
    "exp": elementwise(exp),
    "log": elementwise(log),
    "sin": elementwise(sin),
    "cos": elementwise(cos),
    "tanh": elementwise(tanh),
    "sigmoid": elementwise(sigmoid),
    "sqrt": elementwise(sqrt),
    "softplus": elementwise(softplus),
    "gelu": elementwise(gelu),
    "power": elementwise(power),
    "add_scalar": elementwise(lambda a, *, c: dual.add(a, constant(c)), linear),
    "mul_scalar": elementwise(lambda a, *, c: dual.mul(a, constant(c)), linear),
    "sub_scalar": elementwise(lambda a, *, c: dual.sub(a, constant(c)), linear),
    "rsub_scalar": elementwise(lambda a, *, c: dual.sub(constant(c), a), linear),
    "div_scalar": elementwise(lambda a, *, c: dual.div(a, constant(c)), linear),
    "rdiv_scalar": elementwise(lambda a, *, c: dual.div(constant(c), a)),
    # Pieces of straight lines. PyTorch counts the first as dependent on the operand.
    "relu": elementwise(relu),
    "absolute": elementwise(_absolute),
    "leaky_relu": elementwise(leaky_relu),
    "maximum": elementwise(larger, linear),
    "minimum": elementwise(smaller, linear),
    "clip": elementwise(clip, linear),
    "sign": elementwise(sign, linear),
    "floor": elementwise(floor, linear),
}

REDUCTIONS: dict[str, ExactRule] = {
    "sum": reducing(dual.total, axis_groups, linear),
    "mean": reducing(mean, axis_groups, linear),
    "sum_to": reducing(dual.total, lambda a, *, shape: sum_to_groups(a, shape_to=shape), linear),
    "cumsum": reducing(dual.total, running_groups, linear),
    "max": reducing(lambda g: extreme(g, 1), axis_groups, linear),
    "min": reducing(lambda g: extreme(g, -1), axis_groups, linear),
    "prod": reducing(product, axis_groups),
    "var": reducing(variance, axis_groups),
    "norm": reducing(norm, axis_groups),
    "logsumexp": reducing(logsumexp, axis_groups),
    "softmax": along(softmax),
    "log_softmax": along(log_softmax),
    "mean_squared_error": ExactRule(_squared_error, nonlinear),
    "softmax_cross_entropy": reducing(_cross_entropy, _rows),
}

PRODUCTS: dict[str, ExactRule] = {
    "matmul": products(matmul_pairs),
    "linear": products(matmul_pairs),
    "einsum": products(einsum_pairs),
    "dot": products(lambda a, b: einsum_pairs(a, b, subscripts="i,i->")),
    "outer": products(lambda a, b: einsum_pairs(a, b, subscripts="i,j->ij")),
}

RULES: dict[str, ExactRule] = {**MOVES, **ELEMENTWISE, **REDUCTIONS, **PRODUCTS}


def exact_rules() -> dict[str, ExactRule]:
    """The rules of all operations that have one, in their row or here."""
    found: dict[str, ExactRule | None] = {
        name: operation.exact_rule or RULES.get(name) for name, operation in OPS.items()
    }
    return {name: rule for name, rule in found.items() if rule is not None}
