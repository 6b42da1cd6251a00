"""Arithmetic with a Python scalar on either side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parity.language import intervals as iv
from parity.language.attributes import NUMBER
from parity.language.dyadic import SCALAR_PRODUCT, SCALAR_SUM
from parity.language.operation import Operation


def _scalars(*values: float) -> Callable[..., list[dict[str, Any]]]:
    return lambda *shapes: [{"c": c} for c in values]


BASIC: tuple[Operation, ...] = (
    Operation(
        "add_scalar",
        1,
        "a + c",
        choices=_scalars(1.0, 2, -0.5, 0.0),
        attrs={"c": NUMBER},
        interval=iv.with_scalar(iv.add),
        dyadic=SCALAR_SUM,
        rounded=True,
    ),
    Operation(
        "mul_scalar",
        1,
        "a * c",
        saves=True,
        choices=_scalars(2.0, 3, -0.5, -1, 0.0),
        attrs={"c": NUMBER},
        interval=iv.with_scalar(iv.mul),
        dyadic=SCALAR_PRODUCT,
        rounded=True,
    ),
    Operation(
        "sub_scalar",
        1,
        "a - c",
        choices=_scalars(1.0, 2, -0.5),
        attrs={"c": NUMBER},
        interval=iv.with_scalar(iv.sub),
        dyadic=SCALAR_SUM,
        rounded=True,
    ),
    Operation(
        "rsub_scalar",
        1,
        "c - a",
        choices=_scalars(1.0, 2, -0.5),
        attrs={"c": NUMBER},
        interval=iv.with_scalar(iv.sub, left=True),
        dyadic=SCALAR_SUM,
        rounded=True,
    ),
    Operation(
        "div_scalar",
        1,
        "a / c",
        saves=True,
        choices=_scalars(2.0, 3, -0.5),
        attrs={"c": NUMBER},
        interval=iv.with_scalar(iv.div),
        rounded=True,
    ),
    Operation(
        "rdiv_scalar",
        1,
        "c / a",
        saves=True,
        choices=_scalars(1.0, 2, -0.5),
        attrs={"c": NUMBER},
        interval=iv.with_scalar(iv.div, left=True),
        domain=iv.not_zero,
        rounded=True,
    ),
)
