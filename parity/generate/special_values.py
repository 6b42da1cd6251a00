"""The numbers of leaves at which formulas go wrong.

Profiles that are ``special`` have zeros, ties, neighbours, tails and poles, or numbers beyond the
finite ones; their programs do not keep to the domains of operations.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

Pool = tuple[float, ...]

#: Zeros alone, one, two, and of both signs.
ZEROS: tuple[Pool, ...] = (
    *((0.0,), (0.0, 2.0, -3.0), (0.0, 0.0, 3.0, 2.0), (2.0, 0.0, 0.0, -1.5), (-0.0, 0.0, 2.0)),
)
#: Ties of three, and numbers on both sides of a kink.
TIES: tuple[Pool, ...] = ((3.0, 3.0, 3.0, 2.0), (2.0, 3.0, 3.0, 3.0), (0.0, 0.0, 0.0, -1.0))
NEGATIVE: tuple[Pool, ...] = ((-2.0, -1.0, -3.0, -0.5), (-2.0, 0.0, 4.0, -0.25))
#: What an exponent may be.
EXPONENTS: tuple[Pool, ...] = ((0.0, 1.0, 2.0, -1.0, -2.0, 0.5, 1.5, 4.0, -0.5),)
#: Where functions saturate, and beyond which they overflow in float32 and float64.
TAILS: tuple[Pool, ...] = (
    *((40.0, -40.0, 20.0, -20.0), (0.0, 40.0, -40.0, 0.5), (88.0, -88.0, 90.0, 0.0)),
    *((700.0, -700.0, 699.0, 0.0), (800.0, -800.0, 2.0, -750.0)),
)
#: Near zero, where what is computed as a difference cancels.
SMALL: tuple[Pool, ...] = ((1e-9, -1e-9, 2e-9, 3e-17), (1e-5, -1e-5, 0.0, 1e-8))
#: Infinities, nan, zeros of both signs, and numbers whose squares leave the range of the dtype.
BEYOND: tuple[Pool, ...] = (
    *((math.inf, 2.0, -math.inf, 0.0), (2.0, math.inf, 0.5), (-math.inf, -2.0, 3.0)),
    *((math.nan, 2.0, -1.0), (1.0, 0.0, math.nan, math.inf), (-0.0, 0.0, -0.0, 1.0), (-0.0,)),
)
#: By dtype, numbers whose squares and quotients are too large or too small, and subnormal ones.
_HUGE: dict[str, Pool] = {
    "float64": (1e155, -1e155, 1e-155, 2.0, 1e300, 1e-300),
    "float32": (1e20, -1e20, 1e-20, 2.0, 1e38, 1e-38),
}
_SUBNORMAL: dict[str, Pool] = {
    "float64": (1e-310, 5e-324, -1e-310, 1.0, 1e-308),
    "float32": (1e-40, 1.401298464324817e-45, -1e-40, 1.0, 1e-38),
}


def _near(dtype: Any) -> tuple[Pool, ...]:
    """Return numbers that nearly tie: 1 to 4 units in the last place apart, 1e-9, and 5e-3."""

    def above(start: float, *steps: int) -> Pool:
        unit = float(np.spacing(np.dtype(dtype).type(start)))
        return tuple(start + k * unit for k in steps)

    relative = 1e-9 if dtype == "float64" else 1e-6
    return (
        above(3.0, 0, 1, -1, 4),
        above(1.0, 1, 0, 2, 3),
        above(-2.0, 0, -1, 2),
        (1.0, 1.0 + relative, 1.0 - relative),
        (0.5, 0.505, 0.495),
    )


@functools.cache
def pools_of(values: str, dtype: str) -> tuple[Pool, ...]:
    """Return the pools of a profile's ``values``, "special" or "beyond", for leaves of a dtype."""
    special = (*ZEROS, *TIES, *NEGATIVE, *EXPONENTS, *TAILS, *SMALL, *_near(dtype))
    beyond = (*BEYOND, _HUGE[dtype], _SUBNORMAL[dtype])
    # Some ordinary numbers are among them, so that one operand alone is special.
    return (*special, (2.0, 3.0, -1.5, 0.5)) if values == "special" else (*beyond, *ZEROS[1:3])


#: Operations that have a pole at zero, or leave the real numbers there. Of two operands the
#: second has the zeros.
POLES = ("div", "rdiv_scalar", "log", "sqrt", "pow", "div", "power")
