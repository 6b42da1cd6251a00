"""The numbers of leaves and gradients, and their layouts."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TypeVar

import numpy as np

from parity.language import program as pr
from parity.language.layouts import LAYOUTS
from parity.language.shapes import Attrs, Shape

Array = TypeVar("Array", bound=pr.Constant)

#: Dyadic numbers: sums and products of a few of them are exact, also in float32.
EXACT_VALUES = (3.0, 2.0, 1.0, -1.0, 0.5, -2.0, 4.0, 1.5, 0.0, -0.5, 2.0, -3.0, 0.25)
#: Numbers with no end in binary, of mixed sign and size.
ROUGH_VALUES = (0.7, 1.3, -0.4, 2.1, 0.1, -1.7, 3.3, 0.9, -2.6, 1e-3, 5.7, -0.05)
POSITIVE_VALUES = tuple(abs(v) for v in ROUGH_VALUES if abs(v) > 0.01)
EXACT_POSITIVE = (3.0, 2.0, 1.0, 0.5, 4.0, 1.5, 0.25)
_random = random.Random(20)
#: Arbitrary significands between 1/8 and 8: every bit counts.
WILD_POSITIVE = tuple(2.0 ** _random.uniform(-3, 3) for _ in range(251))
WILD_VALUES = tuple(v if _random.random() < 0.6 else -v for v in WILD_POSITIVE)
#: Gradients that are not uniform: ones hide whole families of faults.
GRADIENTS = (1.0, 2.0, -1.0, 3.0, 0.5, -2.0, 1.0, -3.0, 4.0)


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


def moves(attrs: Attrs, before: Shape, after: Shape) -> bool:
    """Return whether a twist moves elements, and leaves some."""
    axes = [n for n in before if n > 1]
    several = math.prod(after) > 1 and (len(axes) > 1 or math.prod(after) != math.prod(before))
    return several and tuple(range(len(before))) not in dict(attrs).values()
