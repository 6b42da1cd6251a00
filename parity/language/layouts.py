"""Layouts: how the elements of an array lie in memory, whatever its values are.

A layout is best effort: an array without axes has no order of them, and only equal elements can
share memory. Each row has the function and the same as an expression for scripts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def _transposed(a: Array) -> Array:
    return a.T.copy().T


def _strided(a: Array) -> Array:
    return np.stack([a, np.full_like(a, np.nan)], -1)[..., 0]


def _reversed(a: Array) -> Array:
    return np.asarray(np.flip(np.flip(a).copy()))  # without axes it is no array


def _broadcast(a: Array) -> Array:
    return np.broadcast_to(a[_first_of_equal(a)], a.shape)


def _first_of_equal(a: Array) -> tuple[slice, ...]:
    """Return the index of one element in place of those that are equal along an axis."""
    equal = [
        n > 1 and bool((a == a.take([0], axis)).all()) and a.size > 0
        for axis, n in enumerate(a.shape)
    ]
    return tuple(slice(0, 1) if same else slice(None) for same in equal)


def _read_only(a: Array) -> Array:
    return np.broadcast_to(a, a.shape)


@dataclass(frozen=True)
class Layout:
    """How an array of a layout is made of one in C order."""

    #: What such an array is, and how its elements lie in memory.
    noun: str
    description: str
    make: Callable[[Array], Array]
    #: The same in a script, where ``a`` is the array in C order.
    expression: str
    #: Whether it can be written to.
    writeable: bool = True


#: The layouts by name, the simplest first.
LAYOUTS: dict[str, Layout] = {
    "C": Layout("an array in C order", "rows one after the other", np.array, "{a}"),
    "F": Layout("a transpose", "columns one after the other", _transposed, "{a}.T.copy().T"),
    "strided": Layout(
        "a slice with a step of 2",
        "every second element of memory, with nan between them",
        _strided,
        "np.stack([a := {a}, np.full_like(a, np.nan)], -1)[..., 0]",
    ),
    "reversed": Layout(
        "a slice with steps of -1",
        "from the last element to the first: negative strides",
        _reversed,
        "np.asarray(np.flip(np.flip({a}).copy()))",
    ),
    "broadcast": Layout(
        "a broadcast",
        "one element in place of equal ones along an axis, with stride 0; read-only",
        _broadcast,
        "np.broadcast_to((a := {a})[{index}], a.shape)",
        writeable=False,
    ),
    "read-only": Layout(
        "a read-only array",
        "as C, and not to be written to",
        _read_only,
        "np.broadcast_to(a := {a}, a.shape)",
        writeable=False,
    ),
}


def laid_out(array: Array, layout: str) -> Array:
    """Return an array, which is new and in C order, in a layout.

    >>> laid_out(np.ones((2, 3)), "F").strides
    (8, 16)
    """
    return LAYOUTS[layout].make(array)


def expression_of(text: str, array: Array, layout: str) -> str:
    """Return the expression of ``laid_out``; ``text`` is that of the array."""
    index = ", ".join("0:1" if s.stop else ":" for s in _first_of_equal(array)) or "..."
    return LAYOUTS[layout].expression.format(a=text, index=index)
