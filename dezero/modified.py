"""Which arrays were changed in place, and when: backward must not compute on them.

PyTorch counts the changes of each tensor (semantics.md 10.1). Here a change is
noted with the creation number of its time: a node that is older and saved that
memory would compute with values that it never saw. Nothing is noted, and nothing
asked, in programs that change no array through ``zero_()`` or by adding to a
gradient that is there. Writes to ``x.data`` go undetected, as in PyTorch (10.2).
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from dezero.graph import Array, Node, next_seq

_CHANGED = (
    "one of the variables needed for gradient computation has been modified by an inplace "
    "operation: an array of shape {shape}, which function {name} saved. Change a copy instead, or "
    "run backward first."
)


class Modified:
    """Times of changes by the array that owns the memory; entries go with their arrays."""

    def __init__(self) -> None:
        self.times: dict[int, int] = {}
        self._owners: dict[int, weakref.ref[Array]] = {}

    def note(self, array: Array) -> None:
        """``array`` was changed in place just now."""
        owner = _owner(array)
        key = id(owner)
        if key not in self._owners:
            self._owners[key] = weakref.ref(owner, lambda _: self._forget(key))
        self.times[key] = next_seq()

    def _forget(self, key: int) -> None:
        self.times.pop(key, None)
        self._owners.pop(key, None)

    def check(self, node: Node, saved: tuple[Any, ...]) -> None:
        """RuntimeError if something that ``node`` saved was changed since."""
        for data in saved if node.direct else saved[:1] and saved[0]:
            if data.__class__ is np.ndarray and self._changed_since(data, node.seq):
                name = type(node).__name__
                raise RuntimeError(_CHANGED.format(shape=data.shape, name=name))

    def _changed_since(self, array: Array, seq: int) -> bool:
        return self.times.get(id(_owner(array)), -1) > seq


def _owner(array: Any) -> Array:
    """The array whose memory a view shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array  # type: ignore[no-any-return]


modified = Modified()
