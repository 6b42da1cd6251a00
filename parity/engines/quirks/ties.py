"""Quirks of ties and kinks: the gradient where elements are equal, or lie where a slope changes.

PyTorch's rules are in docs/semantics.md 9. Each other choice is a row of ``CHOICES``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from parity.engines.quirks.base import Quirk

#: From the reference, the operands, the arrays of these, the result and the attributes to a tensor
#: of the result's value with the gradient of the quirk, for use where there is a tie or kink.
Resolve: TypeAlias = Callable[[Any, tuple[Any, ...], list[Any], Any, dict[str, Any]], Any]


class Choice(NamedTuple):
    """What another engine does at the ties or kinks of an operation."""

    op: str
    #: The name of the quirk, after that of the operation.
    name: str
    #: After "where several elements are the max" and the like.
    rule: str
    resolve: Resolve


def _where(reference: Any, condition: Any, a: Any, b: Any) -> Any:
    """Return ``where(condition, a, b)``; attributes are nested tuples, which are hashable."""

    def nested(values: Any) -> Any:
        return tuple(map(nested, values)) if isinstance(values, list) else values

    return reference.ops["where"](a, b, condition=nested(condition.tolist()))


def _scaled(reference: Any, t: Any, factors: Any) -> Any:
    """Return a tensor of the value of ``t`` whose gradient is multiplied by positive factors."""
    ops, value = reference.ops, np.asarray(reference.value(t))
    weights = np.broadcast_to(factors, value.shape).astype(value.dtype)
    product = ops["mul"](t, reference.leaf(weights, False))
    infinite = np.isinf(value)
    zero = ops["sub"](product, reference.detach(product))
    scaled = ops["add"](zero, reference.detach(t))
    return _where(reference, infinite, product, scaled) if infinite.any() else scaled


def _result(factor: float) -> Resolve:
    """Multiply PyTorch's gradient."""
    return lambda reference, ts, arrays, y, attrs: (
        _scaled(reference, y, factor) if factor else reference.detach(y)
    )


def _operand(number: int, factor: float = 1.0) -> Resolve:
    """Give the gradient, multiplied, to an operand whose value is that of the result."""
    return lambda reference, ts, arrays, y, attrs: (
        ts[number] if factor == 1 else reference.ops["mul_scalar"](ts[number], c=factor)
    )


# Reductions.


def _rows(array: Any, axis: Any) -> Any:
    """Return a matrix whose rows are the groups that a reduction over ``axis`` reduces."""
    axes = range(array.ndim) if axis is None else sorted(np.atleast_1d(axis) % array.ndim)
    others = [i for i in range(array.ndim) if i not in axes]
    count = int(np.prod([array.shape[i] for i in others], dtype=int))
    return array.transpose(*others, *axes).reshape(count, -1)


def _extremes(op: str, array: Any, attrs: dict[str, Any]) -> Any:
    """Return by row which elements are the largest (or smallest) of it."""
    rows = _rows(array, attrs["axis"])
    return rows == (rows.max(1, keepdims=True) if op == "max" else rows.min(1, keepdims=True))


def _one(op: str, step: int) -> Resolve:
    """Give the gradient to the first (``step`` 1) or last (-1) of the elements that tie."""

    def resolve(reference: Any, ts: Any, arrays: Any, y: Any, attrs: dict[str, Any]) -> Any:
        array, ops = arrays[0], reference.ops
        chosen = _extremes(op, array, attrs)
        positions = _rows(np.arange(array.size).reshape(array.shape), attrs["axis"])
        places = chosen[:, ::step].argmax(1)
        index = positions[:, ::step][range(len(places)), places].tolist()
        element = ops["get_item"](ops["reshape"](ts[0], shape=(array.size,)), index=index)
        return ops["reshape"](element, shape=np.shape(reference.value(y)))

    return resolve


def _each(op: str) -> Resolve:
    def resolve(reference: Any, ts: Any, arrays: Any, y: Any, attrs: dict[str, Any]) -> Any:
        counts = _extremes(op, arrays[0], attrs).sum(1)
        return _scaled(reference, y, counts.reshape(np.shape(reference.value(y))))

    return resolve


def _several(op: str) -> Callable[..., Any]:
    return lambda arrays, attrs: _extremes(op, arrays[0], attrs).sum(1) > 1


def _on_bounds(arrays: list[Any], attrs: dict[str, Any]) -> Any:
    bounds = [bound for bound in (attrs["x_min"], attrs["x_max"]) if bound is not None]
    return np.isin(arrays[0], np.array(bounds, arrays[0].dtype))


#: A program with a tie or kink of each operation.
_EXAMPLES: dict[str, str] = {
    **{
        op: f"x0 = leaf([2.0, 3.0, 3.0, 2.0])\nx1 = {op}(x0, axis=None, keepdims=False)"
        for op in ("max", "min")
    },
    **{op: f"x0 = leaf(3.0)\nx1 = leaf(3.0)\nx2 = {op}(x0, x1)" for op in ("maximum", "minimum")},
    "clip": "x0 = leaf(1.0)\nx1 = clip(x0, x_max=1.0, x_min=-1.0)",
    **{op: f"x0 = leaf(0.0)\nx1 = {op}(x0)" for op in ("absolute", "relu")},
    "leaky_relu": "x0 = leaf(0.0)\nx1 = leaky_relu(x0, slope=0.5)",
}


def _example(op: str) -> str:
    program = _EXAMPLES[op]
    root = program.splitlines()[-1].partition(" ")[0]
    return f"{program}\nbackward({root})\n"


# The operations: how the place is described, and where it is, in the shape of the result or flat.

_PLACES: dict[str, tuple[str, Callable[..., Any]]] = {
    **{op: (f"where several elements are the {op},", _several(op)) for op in ("max", "min")},
    **{
        op: (
            f"where the operands of {op} are equal,",
            lambda arrays, attrs: np.asarray(arrays[0] == arrays[1]),
        )
        for op in ("maximum", "minimum")
    },
    "clip": ("where an element is equal to a bound of clip,", _on_bounds),
    **{
        op: (f"where an element is 0, the slope of {op} is", lambda arrays, attrs: arrays[0] == 0)
        for op in ("absolute", "relu", "leaky_relu")
    },
}

CHOICES: tuple[Choice, ...] = (
    *(
        Choice(op, f"ties-{name}", rule, resolve(op))
        for op in ("max", "min")
        for name, rule, resolve in (
            (
                "first",
                "the first, in the order of their indices, gets the whole gradient",
                lambda op: _one(op, 1),
            ),
            (
                "last",
                "the last, in the order of their indices, gets the whole gradient",
                lambda op: _one(op, -1),
            ),
            ("each", "each of them gets the whole gradient", _each),
        )
    ),
    *(
        Choice(op, f"ties-{name}", rule, resolve)
        for op in ("maximum", "minimum")
        for name, rule, resolve in (
            ("first", "the first gets the whole gradient", _operand(0)),
            ("second", "the second gets the whole gradient", _operand(1)),
            ("both", "each of them gets the whole gradient", _result(2)),
            ("neither", "none of them gets a gradient", _result(0)),
        )
    ),
    Choice("clip", "ties-neither", "it gets no gradient", _result(0)),
    Choice("clip", "ties-half", "it gets half of the gradient", _result(0.5)),
    Choice("absolute", "slope-1-at-0", "1", _operand(0)),
    Choice("absolute", "slope-minus-1-at-0", "-1", _operand(0, -1.0)),
    Choice("relu", "slope-1-at-0", "1", _operand(0)),
    Choice("relu", "slope-half-at-0", "one half", _operand(0, 0.5)),
    Choice("leaky_relu", "slope-1-at-0", "1", _operand(0)),
)


def quirk_of(choice: Choice) -> type[Quirk]:
    """Create the quirk of a row of ``CHOICES``."""
    words, find = _PLACES[choice.op]

    class Ties(Quirk):
        quirk = f"{choice.op.replace('_', '-')}-{choice.name}"
        description = f"{words} {choice.rule}"
        about = choice.op
        example = _example(choice.op)

        def compute(self, name: str, *ts: Any, **attrs: Any) -> Any:
            if name != choice.op:
                return super().compute(name, *ts, **attrs)
            arrays = self.deciding(ts)
            places = find(arrays, attrs)
            if not places.any():
                return super().compute(name, *ts, **attrs)
            if len(ts) > 1:  # broadcast first, so that the gradient of an operand is summed once
                spread = self.inner.ops["broadcast_to"]
                ts = tuple(
                    t if a.shape == places.shape else spread(t, shape=places.shape)
                    for t, a in zip(ts, arrays, strict=True)
                )
            result = super().compute(name, *ts, **attrs)
            resolved = choice.resolve(self.inner, ts, arrays, result, attrs)
            shape = np.shape(self.inner.value(result))
            return _where(self.inner, places.reshape(shape), resolved, result)

    return Ties
