"""``copied``: a copy of an array that keeps its strides, for adapters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def copied(array: Array) -> Array:
    """Return a copy with the strides of an array, also those that are 0 or negative.

    ``ndarray.copy`` lays the elements out anew. Where elements share memory the copy cannot be
    written to, as the array of ``np.broadcast_to``.
    """
    if array.flags.c_contiguous:
        return array.copy()
    index = tuple(slice(0, 1) if s == 0 and n > 1 else slice(None) for s, n in _axes(array))
    back = tuple(slice(None, None, -1) if s < 0 else slice(None) for s, _ in _axes(array))
    plain = array[index][back]
    strides = [abs(s) for s in plain.strides]
    if not plain.size or plain.flags.c_contiguous:
        new = plain.copy()
    else:
        extent = sum(s * (n - 1) for s, n in zip(strides, plain.shape, strict=True))
        memory = np.full(extent // array.itemsize + 1, np.nan, array.dtype)
        new = np.lib.stride_tricks.as_strided(memory, plain.shape, strides)
        new[...] = plain
    new = new[back]
    return new if new.shape == array.shape else np.broadcast_to(new, array.shape)


def _axes(array: Array) -> list[tuple[int, int]]:
    return list(zip(array.strides, array.shape, strict=True))
