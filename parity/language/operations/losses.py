"""Losses: one number from scores or predictions."""

from __future__ import annotations

from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import INTEGERS
from parity.language.operation import Operation

FURTHER: tuple[Operation, ...] = (
    Operation(
        "mean_squared_error",
        2,
        "((a - b) ** 2).sum() / len(a)",
        saves=True,
        shape=sh.same_rows,
        interval=lambda a, b, n: iv.total(iv.square(iv.sub(a, b)), n=n),
        sums=True,
        ulps=8,
    ),
    Operation(
        "softmax_cross_entropy",
        1,
        "torch.nn.functional.cross_entropy(a, torch.tensor(t))",
        saves=True,
        shape=sh.classes,
        choices=sh.classes_choices,
        attrs={"t": INTEGERS},
        interval=lambda a, t: (0.0, a[1] - a[0] + 4),
        domain=iv.small,
        ulps=64,
        slope_ulps=64,
    ),
)
