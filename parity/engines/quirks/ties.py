"""Quirks of ties: which elements get the gradient where several are equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from parity.engines.quirks.base import Quirk


def _both(engine: Quirk, result: Any, ts: tuple[Any, ...]) -> Any:
    """Double the gradient by ``2 * result - constant``; where infinite, ``2 * result`` suffices."""
    ops, infinite = engine.inner.ops, np.isinf(engine.inner.value(result))
    twice = ops["mul_scalar"](result, c=2.0)
    less_value = ops["sub"](twice, engine.inner.detach(result))
    return _choose(engine, infinite, twice, less_value) if infinite.any() else less_value


def _neither(engine: Quirk, result: Any, ts: tuple[Any, ...]) -> Any:
    return engine.inner.detach(result)


#: Rules for operands that are equal, by name: a description, and what computes, from the wrapping
#: engine, the result and the operands, a tensor of that value with the gradient of the rule.
TIE_RULES: dict[str, tuple[str, Callable[[Quirk, Any, tuple[Any, ...]], Any]]] = {
    "first": ("the first gets the whole gradient", lambda engine, result, ts: ts[0]),
    "second": ("the second gets the whole gradient", lambda engine, result, ts: ts[1]),
    "both": ("each of them gets the whole gradient", _both),
    "neither": ("none of them gets a gradient", _neither),
}


def _choose(engine: Quirk, condition: Any, a: Any, b: Any) -> Any:
    """Return ``where(condition, a, b)``; attributes are nested tuples, which are hashable."""

    def nested(values: Any) -> Any:
        return tuple(map(nested, values)) if isinstance(values, list) else values

    return engine.inner.ops["where"](a, b, condition=nested(condition.tolist()))


def of_operands(op: str, kind: str) -> type[Quirk]:
    """Create the quirk of a binary ``op`` where its operands are equal.

    PyTorch gives half of the gradient to each of them (docs/semantics.md 9.6).
    """
    rule, resolve = TIE_RULES[kind]

    class Ties(Quirk):
        quirk = f"{op}-ties-{kind}"
        description = f"where the operands of {op} are equal, {rule}"
        about = op

        def compute(self, name: str, *ts: Any, **attrs: Any) -> Any:
            if name != op:
                return super().compute(name, *ts, **attrs)
            arrays = [np.asarray(self.inner.value(t)) for t in ts]
            ties = np.asarray(arrays[0] == arrays[1])
            if not ties.any():
                return super().compute(name, *ts, **attrs)
            # Broadcast first, so that the gradient of an operand is summed once.
            spread = self.inner.ops["broadcast_to"]
            ts = tuple(
                t if a.shape == ties.shape else spread(t, shape=ties.shape)
                for t, a in zip(ts, arrays, strict=True)
            )
            result = super().compute(name, *ts, **attrs)
            return _choose(self, ties, resolve(self, result, ts), result)

    return Ties


class ClipTiesNeither(Quirk):
    """PyTorch passes the whole gradient to an element on a bound (docs/semantics.md 9.3)."""

    quirk = "clip-ties-neither"
    description = "where an element is equal to a bound of clip, it gets no gradient"
    about = "clip"

    def compute(self, name: str, *ts: Any, **attrs: Any) -> Any:
        result = super().compute(name, *ts, **attrs)
        if name != "clip":
            return result
        array = np.asarray(self.inner.value(ts[0]))
        bounds = [bound for bound in (attrs["x_min"], attrs["x_max"]) if bound is not None]
        ties = np.isin(array, np.array(bounds, array.dtype))
        return _choose(self, ties, self.inner.detach(result), result) if ties.any() else result


def _rows(array: Any, axis: Any) -> Any:
    """Return a matrix whose rows are the groups that a reduction over ``axis`` reduces."""
    axes = range(array.ndim) if axis is None else sorted(np.atleast_1d(axis) % array.ndim)
    others = [i for i in range(array.ndim) if i not in axes]
    count = int(np.prod([array.shape[i] for i in others], dtype=int))
    return array.transpose(*others, *axes).reshape(count, -1)


def first_of(op: str) -> type[Quirk]:
    """Create the quirk of a reduction ``op`` (max or min) where several elements are selected.

    PyTorch divides the gradient evenly among them (docs/semantics.md 9.7, 9.8).
    """
    find = {"max": np.argmax, "min": np.argmin}[op]

    class First(Quirk):
        quirk = f"{op}-ties-first"
        description = (
            f"where several elements are the {op}, the first, in the order of their indices, "
            "gets the whole gradient"
        )
        about = op

        def compute(self, name: str, *ts: Any, **attrs: Any) -> Any:
            result = super().compute(name, *ts, **attrs)
            if name != op:
                return result
            array, best = (np.asarray(self.inner.value(t)) for t in (ts[0], result))
            rows = _rows(array, attrs["axis"])
            ties = (rows == best.reshape(-1, 1)).sum(1) > 1
            if not ties.any():
                return result
            positions = _rows(np.arange(array.size).reshape(array.shape), attrs["axis"])
            index = positions[range(len(rows)), find(rows, 1)].tolist()
            ops = self.inner.ops
            first = ops["get_item"](ops["reshape"](ts[0], shape=(array.size,)), index=index)
            first = ops["reshape"](first, shape=best.shape)
            return _choose(self, ties.reshape(best.shape), first, result)

    return First
