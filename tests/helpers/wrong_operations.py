"""Engines with one to four wrong operations each, and what is right to say of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.tensor import raw
from parity.diagnose.defects.vjps import RULES, Rule, do, kept, spread


@dataclass(frozen=True)
class Fault:
    """A wrong operation: its rule, and the conditions that name where it is wrong."""

    op: str
    rule: Rule
    where: tuple[str, ...] = ("",)
    category: str = "gradient"


def _vjp(
    op: str, vjp: Callable[..., tuple[Any, ...]], *where: str, category: str = "gradient"
) -> Fault:
    return Fault(op, Rule(RULES[op].value, vjp), where or ("",), category)


def _value(op: str, value: Callable[..., Any], *where: str, category: str = "value") -> Fault:
    return Fault(op, Rule(value, RULES[op].vjp), where or ("",), category)


def _norm_at_zero(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
    shape = kept(a.shape, axis)
    with np.errstate(all="ignore"):
        return (g.reshape(shape) * (a / y.reshape(shape)),)


def _whole_ties(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
    shape = kept(a.shape, axis)
    return (g.reshape(shape) * (raw(a) == raw(y).reshape(shape)).astype(a.dtype),)


def _many_ties(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
    shape = kept(a.shape, axis)
    ties = (raw(a) == raw(y).reshape(shape)).astype(a.dtype)
    count = np.minimum(ties.sum(axis, keepdims=True), 2)
    return (g.reshape(shape) * ties / count,)


def _overwritten(g: Any, y: Any, a: Any, index: Any) -> tuple[Any, ...]:
    gx = np.zeros_like(a)
    gx[index] = g
    return (gx,)


def _without_vectors(a: Any, b: Any) -> Any:
    if a.ndim < 2 or b.ndim < 2:
        raise ValueError("matrices, not vectors")
    return a @ b


def _one_axis(a: Any, axis: Any, keepdims: bool) -> Any:
    return a.sum(axis if axis is None else int(axis), keepdims=keepdims)


def _not_negative(axis: Any) -> Any:
    if isinstance(axis, int) and axis < 0:
        raise IndexError("no axis")
    return axis


def _changing(a: Any) -> Any:
    a *= -1
    return a.copy()


def _times(factor: float) -> Callable[..., tuple[Any, ...]]:
    return lambda g, y, a, axis, keepdims: (
        spread(g, a.shape, axis) * (factor if keepdims and a.ndim else 1.0),
    )


#: Faults by their names.
FAULTS: dict[str, Fault] = {
    "sub-sign": _vjp("sub", lambda g, y, a, b: (g, g)),
    "tanh-chain": _vjp("tanh", lambda g, y, a: (1 - y * y,), "with a gradient that is not 1", ""),
    "sin-formula": _vjp("sin", lambda g, y, a: (g * do("sin", a),)),
    "exp-value": _value("exp", lambda a: np.exp(a) + 1),
    "transpose-negative": _vjp(
        "transpose",
        lambda g, y, a, axes: (g.transpose(np.argsort(axes)),),
        "with axes counted from both ends",
    ),
    "sum-keepdims": _vjp(
        "sum", _times(2.0), "with keepdims", "with keepdims and for an array that is not 0-d"
    ),
    "sum-tuple": _value(
        "sum", _one_axis, "with a tuple of axes", "with several axes", category="crash"
    ),
    "mean-negative": _value(
        "mean",
        lambda a, axis, keepdims: RULES["mean"].value(a, _not_negative(axis), keepdims),
        "with a negative axis and with one axis",
        "with a negative axis",
        category="crash",
    ),
    "max-whole": _vjp("max", _whole_ties, "with ties"),
    "min-many": _vjp("min", _many_ties, "with ties of more than two elements"),
    "clip-bounds": _vjp(
        "clip",
        lambda g, y, a, x_min, x_max: (g * (raw(a) == raw(y)) * (raw(a) != (x_max or 99)),),
        "at the upper bound",
    ),
    "absolute-negative": _vjp(
        "absolute", lambda g, y, a: (g * np.sign(raw(a)) ** 2,), "for negative numbers"
    ),
    "get-item-repeated": _vjp("get_item", _overwritten, "where an index repeats"),
    "matmul-vectors": _value("matmul", _without_vectors, "for a vector", category="crash"),
    "log-float32": _value("log", lambda a: np.log(a).astype(np.float32), "in float64"),
    "sqrt-float64": _value("sqrt", lambda a: np.sqrt(a, dtype=np.float64), "in float32"),
    "norm-zero": _vjp("norm", _norm_at_zero, "where all elements are zero"),
    "neg-changes": _value("neg", _changing, category="value"),
    "mul-broadcast": _vjp(
        "mul",
        lambda g, y, a, b: (g * b, (g * a)[:1] if np.ndim(g) > np.ndim(b) > 0 else g * a),
        "where broadcasting adds an axis",
        "where the second operand is broadcast",
    ),
    "div-second": _vjp("div", lambda g, y, a, b: (g / b, g * a / (b * b))),
    "relu-zero": _vjp("relu", lambda g, y, a: (g * (raw(a) >= 0),), "at zero"),
    "concat-order": _vjp(
        "concat",
        lambda g, y, *xs, axis: RULES["concat"].vjp(g, y, *xs, axis=axis)[::-1],
        "for several operands",
        "",
    ),
    "where-branches": _vjp(
        "where",
        lambda g, y, a, b, condition: RULES["where"].vjp(g, y, a, b, condition=condition)[::-1],
    ),
    "pow-one": _vjp(
        "pow",
        lambda g, y, a, exponent: (g * (exponent * a),),
        "with another exponent than 2",
        "",
    ),
}
#: Engines by their names: the names of their faults.
ENGINES: dict[str, tuple[str, ...]] = {
    **{f"only-{name}": (name,) for name in FAULTS},
    "sign-and-ties": ("sub-sign", "max-whole", "absolute-negative"),
    "axes": ("transpose-negative", "mean-negative", "sum-keepdims", "concat-order"),
    "tuples": ("sum-tuple", "min-many", "get-item-repeated"),
    "functions": ("sin-formula", "tanh-chain", "exp-value", "relu-zero"),
    "dtypes": ("log-float32", "sqrt-float64", "norm-zero"),
    "matrices": ("matmul-vectors", "mul-broadcast", "where-branches", "pow-one"),
    "bounds": ("clip-bounds", "div-second"),
    "four": ("max-whole", "min-many", "clip-bounds", "sum-tuple"),
}


def engine_with(*names: str) -> TapeEngine:
    """Return an engine with these faults."""

    class Wrong(TapeEngine):
        name = "+".join(names)
        rules = RULES | {FAULTS[n].op: FAULTS[n].rule for n in names}

    return Wrong()
