"""Functions of numbers, on operands that broadcast against each other."""

from __future__ import annotations

import math
from typing import Any

from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import FLAGS, NUMBER, OPTIONAL_NUMBER
from parity.language.dyadic import (
    BOUNDED,
    FLOORS,
    INTEGER_POWER,
    MOVES,
    PRODUCTS,
    SQUARE,
    SUMS,
    TIES,
)
from parity.language.operation import Operation
from parity.language.shapes import Shape


def _exponents(*shapes: Shape) -> list[dict[str, Any]]:
    return [{"exponent": p} for p in (2, 3, 1, 0, -1, 0.5, 1.5, -2, 4)]


def _bounds(*shapes: Shape) -> list[dict[str, Any]]:
    bounds = ((-1.0, 2.0), (0.0, None), (None, 1.5), (0.25, 0.5))
    return [{"x_min": low, "x_max": high} for low, high in bounds]


def _slopes(*shapes: Shape) -> list[dict[str, Any]]:
    return [{"slope": slope} for slope in (0.5, 0.1, 0.0)]


BASIC: tuple[Operation, ...] = (
    Operation("add", 2, "a + b", interval=iv.add, dyadic=SUMS, rounded=True),
    Operation("mul", 2, "a * b", saves=True, interval=iv.mul, dyadic=PRODUCTS, rounded=True),
    Operation("sub", 2, "a - b", interval=iv.sub, dyadic=SUMS, rounded=True),
    Operation("neg", 1, "-a", interval=iv.neg, dyadic=MOVES, rounded=True),
    Operation(
        "square", 1, "torch.square(a)", saves=True, interval=iv.square, dyadic=SQUARE, rounded=True
    ),
    Operation(
        "div",
        2,
        "a / b",
        saves=True,
        interval=iv.div,
        domain=lambda a, b: iv.not_zero(b),
        rounded=True,
    ),
    Operation(
        "pow",
        1,
        "a ** exponent",
        saves=True,
        choices=_exponents,
        attrs={"exponent": NUMBER},
        interval=iv.power,
        domain=iv.power_domain,
        dyadic=INTEGER_POWER,
        rounded=lambda exponent: exponent in (0, 1, 2, 3),
        ulps=4,
    ),
    Operation(
        "exp",
        1,
        "torch.exp(a)",
        saves=True,
        interval=iv.increasing(math.exp),
        domain=iv.small,
        ulps=4,
    ),
    Operation(
        "log",
        1,
        "torch.log(a)",
        saves=True,
        interval=iv.increasing(math.log),
        domain=iv.positive,
        ulps=4,
    ),
    Operation(
        "sin", 1, "torch.sin(a)", saves=True, interval=iv.within(-1, 1), domain=iv.small, ulps=4
    ),
    Operation(
        "cos", 1, "torch.cos(a)", saves=True, interval=iv.within(-1, 1), domain=iv.small, ulps=4
    ),
    Operation(
        "tanh",
        1,
        "torch.tanh(a)",
        saves=True,
        interval=iv.within(-1, 1),
        domain=iv.small,
        ulps=4,
        slope_ulps=8,
    ),
    Operation(
        "sigmoid",
        1,
        "torch.sigmoid(a)",
        saves=True,
        interval=iv.within(0, 1),
        domain=iv.small,
        ulps=4,
        slope_ulps=4,
    ),
    Operation(
        "relu",
        1,
        "torch.relu(a)",
        saves=True,
        interval=iv.increasing(lambda x: max(x, 0.0)),
        dyadic=MOVES,
        rounded=True,
    ),
    # The sign may be computed as x / abs(x), whose own derivative is a difference of quotients.
    Operation(
        "absolute",
        1,
        "torch.abs(a)",
        saves=True,
        interval=iv.absolute,
        dyadic=MOVES,
        rounded=True,
        slope_ulps=1,
        divides=True,
    ),
    Operation("maximum", 2, "torch.maximum(a, b)", saves=True, dyadic=TIES, rounded=True),
    Operation("minimum", 2, "torch.minimum(a, b)", saves=True, dyadic=TIES, rounded=True),
)

FURTHER: tuple[Operation, ...] = (
    Operation(
        "sqrt",
        1,
        "torch.sqrt(a)",
        saves=True,
        interval=iv.increasing(math.sqrt),
        domain=iv.positive,
        ulps=2,
    ),
    Operation(
        "power",
        2,
        "a ** b",
        saves=True,
        interval=iv.power_of,
        domain=lambda a, b: iv.positive(a) and iv.within_ten(b),
        ulps=8,
    ),
    Operation(
        "clip",
        1,
        "torch.clamp(a, x_min, x_max)",
        saves=True,
        attrs={"x_max": OPTIONAL_NUMBER, "x_min": OPTIONAL_NUMBER},
        choices=_bounds,
        dyadic=BOUNDED,
        rounded=True,
    ),
    Operation(
        "where",
        2,
        "torch.where(torch.tensor(condition, dtype=torch.bool), a, b)",
        shape=sh.where,
        choices=sh.where_choices,
        attrs={"condition": FLAGS},
        dyadic=MOVES,
        rounded=True,
    ),
    Operation("sign", 1, "torch.sign(a)", interval=iv.within(-1, 1), dyadic=MOVES, rounded=True),
    Operation(
        "floor",
        1,
        "torch.floor(a)",
        interval=lambda a: (a[0] - 1, a[1]),
        dyadic=FLOORS,
        rounded=True,
    ),
    Operation(
        "leaky_relu",
        1,
        "torch.nn.functional.leaky_relu(a, slope)",
        saves=True,
        attrs={"slope": NUMBER},
        choices=_slopes,
        interval=lambda a, slope: iv.hull(a, (0.0, 0.0)),
        rounded=True,
    ),
    Operation(
        "softplus",
        1,
        "torch.nn.functional.softplus(a)",
        saves=True,
        interval=iv.increasing(lambda x: max(x, 0.0) + 1),
        domain=iv.small,
        ulps=8,
        slope_ulps=4,
    ),
    Operation(
        "gelu",
        1,
        "torch.nn.functional.gelu(a)",
        saves=True,
        interval=lambda a: (-1.0, max(a[1], 0.0)),
        domain=iv.small,
        ulps=16,
        slope_ulps=16,
    ),
)
