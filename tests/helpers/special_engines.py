"""Rules that are wrong at special numbers alone: zeros, near ties, tails, poles, nan.

Each is the right rule of ``TapeEngine`` with one change that is often seen in engines.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.tensor import raw
from parity.diagnose.defects.vjps import RULES, Rule, do, kept


def with_rule(op: str, rule: Rule) -> TapeEngine:
    """Return the right engine with another rule of an operation."""
    body = {"name": f"{op}-at-special-numbers", "rules": {**TapeEngine.rules, op: rule}}
    return type("Special", (TapeEngine,), body)()


def _softmax(a: Any, axis: int) -> Any:
    e = np.exp(a)
    return e / e.sum(axis, keepdims=True)


def _mask(a: Any, b: Any, condition: Any) -> Any:
    chosen = np.array(condition, float)
    return (chosen * a + (1 - chosen) * b).astype(np.result_type(a, b))


def _near_vjp(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, ...]:
    left, right = np.broadcast_arrays(raw(a), raw(b))
    ties = np.isclose(left, right, rtol=1e-8)
    halves = g * np.where(ties, 0.5, 1.0)
    return do("select", halves, keep=ties | (left > right)), do(
        "select", halves, keep=ties | (left < right)
    )


def _near_largest_vjp(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
    shape = kept(a.shape, axis)
    largest = np.isclose(raw(a), raw(y).reshape(shape)).astype(a.dtype)
    return (g.reshape(shape) * largest / largest.sum(axis, keepdims=True),)


def _flushed(a: Any, b: Any) -> Any:
    y = a * b
    return np.where(abs(y) < np.finfo(y.dtype).tiny, 0, y).astype(y.dtype)


def _value(op: str, function: Any) -> Rule:
    return Rule(function, RULES[op].vjp)


def _slope(op: str, vjp: Any) -> Rule:
    return Rule(RULES[op].value, vjp)


def _over(g: Any, axis: Any, a: Any) -> Any:
    return g.reshape(kept(a.shape, axis))


#: By name the operation, its rule, and the category and sentence of the one cause.
WRONG: dict[str, tuple[str, Rule, str, str]] = {
    "norm": (
        "norm",
        _slope(
            "norm", lambda g, y, a, axis, keepdims: (_over(g, axis, a) * (a / _over(y, axis, a)),)
        ),
        "gradient",
        "the gradient of `norm` is nan where all elements are zero",
    ),
    "prod": (
        "prod",
        Rule(
            lambda a, axis, keepdims: a.prod(axis, keepdims=keepdims),
            lambda g, y, a, axis, keepdims: (_over(g, axis, a) * (_over(y, axis, a) / a),),
        ),
        "gradient",
        "the gradient of `prod` is nan at zero",
    ),
    "exponent 0": (
        "pow",
        _slope(
            "pow",
            lambda g, y, a, exponent: (
                g * (exponent * do("pow", a, exponent=float(exponent - 1))),
            ),
        ),
        "gradient",
        "the gradient of `pow` is nan with the exponent 0 and at zero",
    ),
    "exponent 1": (
        "pow",
        _slope("pow", lambda g, y, a, exponent: (g * (exponent * (y / a)),)),
        "gradient",
        "the gradient of `pow` is nan at zero",
    ),
    "negative base": (
        "pow",
        _value("pow", lambda a, exponent: np.exp(exponent * np.log(a))),
        "value",
        "the value of `pow` is nan",
    ),
    "power": (
        "power",
        _slope(
            "power",
            lambda g, y, a, b: (g * (b * do("power", a, b - 1)), g * (y * do("log", a))),
        ),
        "gradient",
        "the gradient of `power` is nan where the first operand is zero",
    ),
    "absolute": (
        "absolute",
        _slope("absolute", lambda g, y, a: (g * (raw(a) / raw(y)),)),
        "gradient",
        "the gradient of `absolute` is nan at zero",
    ),
    "sigmoid": (
        "sigmoid",
        Rule(lambda a: np.exp(a) / (1 + np.exp(a)), lambda g, y, a: (g * (y * (1 - y)),)),
        "value",
        "the value of `sigmoid` is nan where e**x overflows",
    ),
    "softplus": (
        "softplus",
        Rule(lambda a: np.log(1 + np.exp(a)), lambda g, y, a: (g / (1 + do("exp", -a)),)),
        "value",
        "the value of `softplus` is infinite where e**x overflows",
    ),
    "logsumexp": (
        "logsumexp",
        _value(
            "logsumexp", lambda a, axis, keepdims: np.log(np.exp(a).sum(axis, keepdims=keepdims))
        ),
        "value",
        "the value of `logsumexp` is infinite where e**x overflows",
    ),
    "softmax": (
        "softmax",
        Rule(_softmax, lambda g, y, a, axis: ((g - (g * y).sum((axis,), keepdims=True)) * y,)),
        "value",
        "the value of `softmax` is nan where e**x overflows",
    ),
    "near tie": (
        "maximum",
        _slope("maximum", _near_vjp),
        "gradient",
        "the gradient of `maximum` is wrong with near ties",
    ),
    "nearly largest": (
        "max",
        _slope("max", _near_largest_vjp),
        "gradient",
        "the gradient of `max` is wrong with near ties",
    ),
    "root": (
        "sqrt",
        _slope("sqrt", lambda g, y, a: (do("select", g / (2 * y), keep=raw(y) != 0),)),
        "convention",
        "the gradient of `sqrt` is finite where PyTorch's is infinite at zero",
    ),
    "root of negative numbers": (
        "sqrt",
        _value("sqrt", lambda a: np.sqrt(abs(a))),
        "convention",
        "the value of `sqrt` is finite where PyTorch's is nan for negative numbers",
    ),
    "division": (
        "div",
        _value("div", lambda a, b: a / (b + (b == 0) * b.dtype.type(1e-8))),
        "convention",
        "the value of `div` is finite where PyTorch's is infinite where the second operand is zero",
    ),
    "overflow": (
        "exp",
        _value("exp", lambda a: np.exp(np.minimum(a, 50))),
        "convention",
        "the value of `exp` is finite where PyTorch's is infinite where e**x overflows",
    ),
}
#: The same of operands that are infinite, nan, or subnormal: shown, and no fault.
SHOWN: dict[str, tuple[str, Rule, str]] = {
    "relu of nan": (
        "relu",
        _value("relu", lambda a: np.where(a > 0, a, 0).astype(a.dtype)),
        "the value of `relu` is finite where PyTorch's is nan at nan",
    ),
    "relu by a mask": (
        "relu",
        _value("relu", lambda a: a * (a > 0).astype(a.dtype)),
        "the value of `relu` is nan where PyTorch's is finite at infinity",
    ),
    "where by a mask": (
        "where",
        _value("where", _mask),
        "the value of `where` is nan where PyTorch's is finite at infinity and nan",
    ),
    "subnormal": (
        "mul",
        _value("mul", _flushed),
        "the value of `mul` is wrong at subnormal numbers",
    ),
}
