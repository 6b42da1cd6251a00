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
_rounded = functools.partial(
    Operation, shape=sh.elementwise, interval=iv.hull, rounded=True, ulps=1.0
)
#: Functions of one number that a library approximates; of large numbers most overflow.
_smooth = functools.partial(
    Operation, shape=sh.elementwise, saves=True, interval_domain=iv.small, ulps=4
)


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
        torch,
        choices=sh.among("c", *values),
        attrs={"c": NUMBER},
        interval=iv.with_scalar(interval, left=left),
        **further,
    )


BASIC: tuple[Operation, ...] = (
    _rounded("add", "a + b", "*s, ~s", interval=iv.add, dyadic=dy.SUMS),
    _rounded("mul", "a * b", "*s, ~s", saves=True, interval=iv.mul, dyadic=dy.PRODUCTS),
    _rounded("sub", "a - b", "*s, ~s", interval=iv.sub, dyadic=dy.SUMS),
    _rounded("neg", "-a", "*s", interval=iv.neg, dyadic=dy.MOVES),
    _rounded("square", "torch.square(a)", "*s", saves=True, interval=iv.square, dyadic=dy.SQUARE),
    _rounded(
        "div",
        "a / b",
        "*s, ~s",
        domain="R, Z",
        saves=True,
        interval=iv.div,
        interval_domain=lambda a, b: iv.not_zero(b),
    ),
    Operation(
        "pow",
        "a ** exponent",
        "*s",
        sh.elementwise,
        domain="P",
        saves=True,
        choices=sh.among("exponent", 2, 3, 1, 0, -1, 0.5, 1.5, -2, 4),
        attrs={"exponent": NUMBER},
        interval=iv.power,
        interval_domain=iv.power_domain,
        dyadic=dy.INTEGER_POWER,
        rounded=lambda exponent: exponent in (0, 1, 2, 3),
        ulps=4,
    ),
    _smooth("exp", "torch.exp(a)", "*s", interval=iv.increasing(math.exp)),
    _smooth(
        "log",
        "torch.log(a)",
        "*s",
        domain="P",
        interval=iv.increasing(math.log),
        interval_domain=iv.positive,
    ),
    _smooth("sin", "torch.sin(a)", "*s", interval=iv.within(-1, 1)),
    _smooth("cos", "torch.cos(a)", "*s", interval=iv.within(-1, 1)),
    _smooth("tanh", "torch.tanh(a)", "*s", interval=iv.within(-1, 1), slope_ulps=8),
    _smooth("sigmoid", "torch.sigmoid(a)", "*s", interval=iv.within(0, 1), slope_ulps=4),
    _rounded(
        "relu",
        "torch.relu(a)",
        "*s",
        kinks="0",
        saves=True,
        kink="slope",
        interval=iv.increasing(lambda x: max(x, 0.0)),
        dyadic=dy.MOVES,
    ),
    # The sign may be computed as x / abs(x), whose own derivative is a difference of quotients.
    _rounded(
        "absolute",
        "torch.abs(a)",
        "*s",
        kinks="0",
        saves=True,
        kink="slope",
        interval=iv.absolute,
        dyadic=dy.MOVES,
        slope_ulps=1,
        divides=True,
    ),
    _rounded(
        "maximum",
        "torch.maximum(a, b)",
        "*s, ~s",
        kinks="ties",
        saves=True,
        kink="slope",
        dyadic=dy.TIES,
    ),
    _rounded(
        "minimum",
        "torch.minimum(a, b)",
        "*s, ~s",
        kinks="ties",
        saves=True,
        kink="slope",
        dyadic=dy.TIES,
    ),
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
        "rdiv_scalar",
        "c / a",
        (1.0, 2, -0.5),
        iv.div,
        left=True,
        saves=True,
        domain="Z",
        interval_domain=iv.not_zero,
    ),
)

FURTHER: tuple[Operation, ...] = (
    _smooth(
        "sqrt",
        "torch.sqrt(a)",
        "*s",
        domain="P",
        interval=iv.increasing(math.sqrt),
        interval_domain=iv.positive,
        ulps=2,
    ),
    _smooth(
        "power",
        "a ** b",
        "*s, ~s",
        domain="P, R",
        interval=iv.power_of,
        interval_domain=lambda a, b: iv.positive(a) and iv.within_ten(b),
        ulps=8,
    ),
    _rounded(
        "clip",
        "torch.clamp(a, x_min, x_max)",
        "*s",
        kinks="x_min, x_max",
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
        "torch.where(torch.tensor(condition, dtype=torch.bool), a, b)",
        "*s, ~s",
        shape=sh.where,
        choices=sh.where_choices,
        attrs={"condition": FLAGS},
        dyadic=dy.MOVES,
    ),
    _rounded(
        "sign",
        "torch.sign(a)",
        "*s",
        kinks="0",
        interval=iv.within(-1, 1),
        kink="step",
        dyadic=dy.MOVES,
    ),
    _rounded(
        "floor",
        "torch.floor(a)",
        "*s",
        kinks="integers",
        interval=lambda a: (a[0] - 1, a[1]),
        kink="step",
        dyadic=dy.FLOORS,
    ),
    _rounded(
        "leaky_relu",
        "torch.nn.functional.leaky_relu(a, slope)",
        "*s",
        kinks="0",
        saves=True,
        choices=sh.among("slope", 0.5, 0.1, 0.0),
        kink="slope",
        attrs={"slope": NUMBER},
        interval=lambda a, slope: iv.hull(a, (0.0, 0.0)),
    ),
    _smooth(
        "softplus",
        "torch.nn.functional.softplus(a)",
        "*s",
        interval=iv.increasing(lambda x: max(x, 0.0) + 1),
        ulps=8,
        slope_ulps=4,
    ),
    _smooth(
        "gelu",
        "torch.nn.functional.gelu(a)",
        "*s",
        interval=lambda a: (-1.0, max(a[1], 0.0)),
        ulps=16,
        slope_ulps=16,
    ),
)
