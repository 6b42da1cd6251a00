"""Layouts of the leaves and gradients of programs."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from parity.language import program as pr
from parity.language.layouts import LAYOUTS

Array = TypeVar("Array", bound=pr.Constant)


def laid_out(constant: Array, layout: str) -> Array:
    """Return a constant in a layout; elements that share memory are equal."""
    if len(constant.values) < 2 and LAYOUTS[layout].writeable:
        return constant
    if layout == "broadcast":
        whole = constant.array()
        axis = next((k for k, n in enumerate(constant.shape) if n > 1), None)
        part = whole if axis is None else whole.take([0], axis)
        values = np.broadcast_to(part, constant.shape).ravel().tolist()
        constant = replace(constant, values=tuple(values))
    return replace(constant, layout=layout)
