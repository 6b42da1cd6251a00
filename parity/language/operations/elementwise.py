"""Functions of numbers, on operands that broadcast against each other."""

from __future__ import annotations

import functools
import math
from typing import Any

from parity.language import dyadic as dy
from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import FLAGS, NUMBER, OPTIONAL_NUMBER
from parity.language.operation import Operation

#: Operations that IEEE 754 fixes to the last bit.
_rounded = functools.partial(Operation, rounded=True)
#: Functions of one number that a library approximates; of large numbers most overflow.
_smooth = functools.partial(Operation, saves=True, domain=iv.small, ulps=4)


def _scalar(
    name: str,
    torch: str,
    values: tuple[float, ...],
    interval: iv.IntervalRule,
    left: bool = False,
    **further: Any,
) -> Operation:
    """Arithmetic with a Python scalar ``c``, one of ``values``, on the right or the left."""
    return _rounded(
        name,
        1,
        torch,
        choices=sh.among("c", *values),
        attrs={"c": NUMBER},
        interval=iv.with_scalar(interval, left=left),
        **further,
    )


BASIC: tuple[Operation, ...] = (
    _rounded("add", 2, "a + b", interval=iv.add, dyadic=dy.SUMS),
    _rounded("mul", 2, "a * b", saves=True, interval=iv.mul, dyadic=dy.PRODUCTS),
    _rounded("sub", 2, "a - b", interval=iv.sub, dyadic=dy.SUMS),
    _rounded("neg", 1, "-a", interval=iv.neg, dyadic=dy.MOVES),
    _rounded("square", 1, "torch.square(a)", saves=True, interval=iv.square, dyadic=dy.SQUARE),
    _rounded("div", 2, "a / b", saves=True, interval=iv.div, domain=lambda a, b: iv.not_zero(b)),
    Operation(
        "pow",
        1,
        "a ** exponent",
        saves=True,
        choices=sh.among("exponent", 2, 3, 1, 0, -1, 0.5, 1.5, -2, 4),
        attrs={"exponent": NUMBER},
        interval=iv.power,
        domain=iv.power_domain,
        dyadic=dy.INTEGER_POWER,
        rounded=lambda exponent: exponent in (0, 1, 2, 3),
        ulps=4,
    ),
    _smooth("exp", 1, "torch.exp(a)", interval=iv.increasing(math.exp)),
    _smooth("log", 1, "torch.log(a)", interval=iv.increasing(math.log), domain=iv.positive),
    _smooth("sin", 1, "torch.sin(a)", interval=iv.within(-1, 1)),
    _smooth("cos", 1, "torch.cos(a)", interval=iv.within(-1, 1)),
    _smooth("tanh", 1, "torch.tanh(a)", interval=iv.within(-1, 1), slope_ulps=8),
    _smooth("sigmoid", 1, "torch.sigmoid(a)", interval=iv.within(0, 1), slope_ulps=4),
    _rounded(
        "relu",
        1,
        "torch.relu(a)",
        saves=True,
        kink="slope",
        interval=iv.increasing(lambda x: max(x, 0.0)),
        dyadic=dy.MOVES,
    ),
    # The sign may be computed as x / abs(x), whose own derivative is a difference of quotients.
    _rounded(
        "absolute",
        1,
        "torch.abs(a)",
        saves=True,
        kink="slope",
        interval=iv.absolute,
        dyadic=dy.MOVES,
        slope_ulps=1,
        divides=True,
    ),
    _rounded("maximum", 2, "torch.maximum(a, b)", saves=True, kink="slope", dyadic=dy.TIES),
    _rounded("minimum", 2, "torch.minimum(a, b)", saves=True, kink="slope", dyadic=dy.TIES),
)

SCALARS: tuple[Operation, ...] = (
    _scalar("add_scalar", "a + c", (1.0, 2, -0.5, 0.0), iv.add, dyadic=dy.SCALAR_SUM),
    _scalar(
        "mul_scalar", "a * c", (2.0, 3, -0.5, -1, 0.0), iv.mul, saves=True, dyadic=dy.SCALAR_PRODUCT
    ),
    _scalar("sub_scalar", "a - c", (1.0, 2, -0.5), iv.sub, dyadic=dy.SCALAR_SUM),
    _scalar("rsub_scalar", "c - a", (1.0, 2, -0.5), iv.sub, left=True, dyadic=dy.SCALAR_SUM),
    _scalar("div_scalar", "a / c", (2.0, 3, -0.5), iv.div, saves=True),
    _scalar(
        "rdiv_scalar", "c / a", (1.0, 2, -0.5), iv.div, left=True, saves=True, domain=iv.not_zero
    ),
)

FURTHER: tuple[Operation, ...] = (
    _smooth(
        "sqrt", 1, "torch.sqrt(a)", interval=iv.increasing(math.sqrt), domain=iv.positive, ulps=2
    ),
    _smooth(
        "power",
        2,
        "a ** b",
        interval=iv.power_of,
        domain=lambda a, b: iv.positive(a) and iv.within_ten(b),
        ulps=8,
    ),
    _rounded(
        "clip",
        1,
        "torch.clamp(a, x_min, x_max)",
        saves=True,
        kink="slope",
        attrs={"x_max": OPTIONAL_NUMBER, "x_min": OPTIONAL_NUMBER},
        choices=lambda a: [
            {"x_min": low, "x_max": high}
            for low, high in ((-1.0, 2.0), (0.0, None), (None, 1.5), (0.25, 0.5))
        ],
        dyadic=dy.BOUNDED,
    ),
    _rounded(
        "where",
        2,
        "torch.where(torch.tensor(condition, dtype=torch.bool), a, b)",
        sh.where,
        sh.where_choices,
        {"condition": FLAGS},
        dyadic=dy.MOVES,
    ),
    _rounded("sign", 1, "torch.sign(a)", interval=iv.within(-1, 1), kink="step", dyadic=dy.MOVES),
    _rounded(
        "floor",
        1,
        "torch.floor(a)",
        interval=lambda a: (a[0] - 1, a[1]),
        kink="step",
        dyadic=dy.FLOORS,
    ),
    _rounded(
        "leaky_relu",
        1,
        "torch.nn.functional.leaky_relu(a, slope)",
        saves=True,
        choices=sh.among("slope", 0.5, 0.1, 0.0),
        kink="slope",
        attrs={"slope": NUMBER},
        interval=lambda a, slope: iv.hull(a, (0.0, 0.0)),
    ),
    _smooth(
        "softplus",
        1,
        "torch.nn.functional.softplus(a)",
        interval=iv.increasing(lambda x: max(x, 0.0) + 1),
        ulps=8,
        slope_ulps=4,
    ),
    _smooth(
        "gelu",
        1,
        "torch.nn.functional.gelu(a)",
        interval=lambda a: (-1.0, max(a[1], 0.0)),
        ulps=16,
        slope_ulps=16,
    ),
)
