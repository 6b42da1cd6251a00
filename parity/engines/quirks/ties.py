"""Dialects about ties: who gets the gradient where several elements are the largest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from parity.engines.quirks.base import Quirk

#: How ties are settled, from a dialect, the result and the operands to a tensor that has the
#: value of the result and, at ties, the gradient of the quirk.
Settle: TypeAlias = Callable[[Quirk, Any, tuple[Any, ...]], Any]


def _both(dialect: Quirk, result: Any, ts: tuple[Any, ...]) -> Any:
    """Twice the gradient: infinity doubled is itself, and all else less its own value."""
    ops, infinite = dialect.inner.ops, np.isinf(dialect.inner.value(result))
    twice = ops["mul_scalar"](result, c=2.0)
    more = ops["sub"](twice, dialect.inner.detach(result))
    return _choose(dialect, infinite, twice, more) if infinite.any() else more


SETTLED: dict[str, tuple[str, Settle]] = {
    "first": ("the first gets the whole gradient", lambda dialect, result, ts: ts[0]),
    "second": ("the second gets the whole gradient", lambda dialect, result, ts: ts[1]),
    "both": ("each of them gets the whole gradient", _both),
    "neither": (
        "none of them gets a gradient",
        lambda dialect, result, ts: dialect.inner.detach(result),
    ),
}


def _choose(dialect: Quirk, condition: Any, a: Any, b: Any) -> Any:
    """``a`` where the condition holds, ``b`` elsewhere; gradients go the same ways."""
    return dialect.inner.ops["where"](a, b, condition=_nested(condition.tolist()))


def _nested(values: Any) -> Any:
    """Nested lists as tuples, which can be hashed."""
    return tuple(map(_nested, values)) if isinstance(values, list) else values


def of_operands(op: str, kind: str) -> type[Quirk]:
    """The quirk of ``op`` where its operands are equal.

    PyTorch gives each of them half the gradient there (semantics.md 9).
    """
    words, settle = SETTLED[kind]

    class Ties(Quirk):
        quirk = f"{op}-ties-{kind}"
        description = f"where the operands of {op} are equal, {words}"
        about = op

        def compute(self, name: str, *ts: Any, **attrs: Any) -> Any:
            if name != op:
                return super().compute(name, *ts, **attrs)
            arrays = [np.asarray(self.inner.value(t)) for t in ts]
            ties = np.asarray(arrays[0] == arrays[1])
            if not ties.any():
                return super().compute(name, *ts, **attrs)
            # Broadcast here, so that what comes back to an operand is summed in one go.
            spread = self.inner.ops["broadcast_to"]
            ts = tuple(
                t if a.shape == ties.shape else spread(t, shape=ties.shape)
                for t, a in zip(ts, arrays, strict=True)
            )
            result = super().compute(name, *ts, **attrs)
            return _choose(self, ties, settle(self, result, ts), result)

    return Ties


class ClipTiesNeither(Quirk):
    """PyTorch passes the whole gradient of an element on a bound (semantics.md 9)."""

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
    """A matrix whose rows are what a reduction over ``axis`` puts together."""
    axes = range(array.ndim) if axis is None else sorted(np.atleast_1d(axis) % array.ndim)
    others = [i for i in range(array.ndim) if i not in axes]
    count = int(np.prod([array.shape[i] for i in others], dtype=int))
    return array.transpose(*others, *axes).reshape(count, -1)


def first_of(op: str, find: Callable[..., Any]) -> type[Quirk]:
    """The quirk of a reduction ``op`` that selects an element; ``find`` is NumPy's argmax or so.

    PyTorch shares the gradient evenly among equal elements (semantics.md 9).
    """

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
            places = _rows(np.arange(array.size).reshape(array.shape), attrs["axis"])
            index = places[range(len(rows)), find(rows, 1)].tolist()
            ops = self.inner.ops
            first = ops["get_item"](ops["reshape"](ts[0], shape=(array.size,)), index=index)
            first = ops["reshape"](first, shape=best.shape)
            return _choose(self, ties.reshape(best.shape), first, result)

    return First
