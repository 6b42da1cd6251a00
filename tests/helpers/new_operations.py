"""Two operations that parity does not have, and an engine that has both with wrong gradients."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from parity.diagnose.defects.engine import RULES, TapeEngine
from parity.diagnose.defects.vjps import Rule
from parity.engines.base import Engine
from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import AXIS, INTEGER
from parity.language.dyadic import MOVES
from parity.language.operation import Operation
from parity.language.table import OPS, register
from parity.oracle.exact import dual
from parity.oracle.exact import functions as fn
from parity.oracle.exact.building import elementwise, moving

COSH = Operation(
    "new_cosh",
    "torch.cosh(a)",
    shape=sh.elementwise,
    interval=lambda a: (1.0, math.cosh(max(abs(a[0]), abs(a[1])))),
    interval_domain=iv.small,
    saves=True,
    ulps=4,
    slope_ulps=4,
)
#: ``shifts`` is an attribute that no other operation has.
ROLL = Operation(
    "new_roll",
    "torch.roll(a, shifts, axis)",
    interval=iv.hull,
    ulps=1.0,
    shape=lambda a, *, shifts, axis: sh.along_axis(a, axis=axis),
    choices=lambda a: [{"shifts": n, **axis} for axis in sh.axis_choices(a) for n in (1, -1, 2)],
    attrs={"shifts": INTEGER, "axis": AXIS},
    dyadic=MOVES,
    rounded=True,
)


def _cosh(a: dual.Value) -> dual.Value:
    return dual.unary(fn.on_arrays(lambda x: (x.exp() + (-x).exp()) / 2), lambda x, y: _sinh(x))(a)


def _sinh(a: dual.Value) -> dual.Value:
    return dual.unary(fn.on_arrays(lambda x: (x.exp() - (-x).exp()) / 2), lambda x, y: _cosh(x))(a)


def _rolled(a: Any, shifts: int, axis: int) -> Any:
    return np.roll(a, shifts, axis)


def _rolled_back(g: Any, y: Any, a: Any, shifts: int, axis: int) -> Any:
    n = a.shape[axis]
    index = (*(slice(None),) * (axis % a.ndim), [(i + shifts) % n for i in range(n)])
    return (g[index],)


#: The same with an exact rule and a VJP in the row.
WITH_RULES = (
    replace(
        COSH,
        exact_rule=elementwise(_cosh),
        vjp=(np.cosh, lambda g, y, a: (g * np.sinh(a),)),
    ),
    replace(
        ROLL,
        exact_rule=moving(lambda a, *, shifts, axis: np.roll(a, shifts, axis)),
        vjp=(_rolled, _rolled_back),
    ),
)


def add(*operations: Operation) -> None:
    """Register operations that are not there yet."""
    for operation in operations:
        if operation.name not in OPS:
            register(operation)


class Mine(TapeEngine):
    """Wrong gradients of ``new_cosh`` (its sign is lost) and ``new_roll`` (rolled the wrong way).

    As in an adapter of its own, the operations are registered where the engine is. Their formulas
    are of arrays, so that there are no second derivatives.
    """

    name = "mine"
    grad_tensor = Engine.grad_tensor  # type: ignore[assignment]
    rules: ClassVar[Any] = {
        **{name: RULES[name] for name in ("add", "mul", "sum", "reshape", "broadcast_to")},
        "get_item": RULES["get_item"],
        "sum_to": RULES["sum_to"],
        "new_cosh": Rule(np.cosh, lambda g, y, a: (g * np.abs(np.sinh(a)),)),
        "new_roll": Rule(_rolled, lambda g, y, a, shifts, axis: (_rolled(g, shifts, axis),)),
    }

    def __init__(self) -> None:
        add(COSH, ROLL)
        super().__init__()
