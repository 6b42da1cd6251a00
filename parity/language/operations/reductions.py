"""Operations along axes: sums, extremes, norms, softmax; and losses."""

from __future__ import annotations

import functools

from parity.language import dyadic as dy
from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import AXIS, FLAG, INTEGER, INTEGERS, REDUCED_AXES
from parity.language.operation import Operation

_REDUCED = {"axis": REDUCED_AXES, "keepdims": FLAG}
#: Reductions that need an element.
_reduction = functools.partial(
    Operation,
    shape=sh.some,
    choices=sh.some_choices,
    attrs=_REDUCED,
    interval=iv.hull,
    saves=True,
    ulps=1.0,
)
_extreme = functools.partial(_reduction, dyadic=dy.EXTREMES, kink="slope", kinks="ties")
_along_axis = functools.partial(
    Operation, shape=sh.along_axis, choices=sh.axis_choices, attrs={"axis": AXIS}, ulps=1.0
)
_softmax = functools.partial(
    _along_axis, saves=True, interval_domain=iv.small, ulps=32, slope_ulps=32
)

BASIC: tuple[Operation, ...] = (
    Operation(
        "sum",
        "torch.sum(a, dim=axis, keepdim=keepdims)",
        "*s",
        sh.reduction,
        sh.reduction_choices,
        _REDUCED,
        interval=iv.total,
        dyadic=dy.TOTALS,
        sums=True,
        ulps=1.0,
    ),
    Operation(
        "mean",
        "torch.mean(a, dim=axis, keepdim=keepdims)",
        "*s",
        sh.reduction,
        sh.some_choices,  # the mean of no elements is nan
        _REDUCED,
        interval=iv.hull,
        dyadic=dy.MEAN,
        ulps=1.0,
    ),
)

FURTHER: tuple[Operation, ...] = (
    _extreme("max", "torch.amax(a, dim=() if axis is None else axis, keepdim=keepdims)", "*s"),
    _extreme("min", "torch.amin(a, dim=() if axis is None else axis, keepdim=keepdims)", "*s"),
    _reduction(
        "prod",
        "torch.prod(a.reshape(-1), 0).reshape((1,) * a.ndim * keepdims) "
        "if axis is None and a.ndim else torch.prod(a, axis or 0, keepdims)",
        "*s",
        choices=sh.one_axis_choices,
        interval=iv.repeated,
        dyadic=dy.POWERS,
        sums=True,
        slope_ulps=8,
        divides=True,
    ),
    _reduction(
        "var",
        "torch.var(a, dim=axis, keepdim=keepdims, correction=correction)",
        "*s",
        shape=sh.variance,
        choices=sh.var_choices,
        attrs={"axis": REDUCED_AXES, "correction": INTEGER, "keepdims": FLAG},
        interval=lambda a, **attrs: (0.0, (a[1] - a[0]) ** 2 * 2),
        ulps=32,
        slope_ulps=64,
    ),
    _reduction(
        "norm",
        "torch.linalg.vector_norm(a, dim=axis, keepdim=keepdims)",
        "*s",
        kinks="0",
        interval=lambda a, n, **attrs: iv.absolute(iv.total(a, n=n)),
        sums=True,
        ulps=4,
        slope_ulps=8,
        divides=True,
    ),
    _along_axis(
        "cumsum", "torch.cumsum(a, axis)", "+s", interval=iv.total, dyadic=dy.TOTALS, sums=True
    ),
    _reduction(
        "logsumexp",
        "torch.logsumexp(a, tuple(range(a.ndim)) if axis is None else axis, keepdims)",
        "*s",
        interval=lambda a, **attrs: (a[0], a[1] + 4),
        interval_domain=iv.small,
        ulps=16,
        slope_ulps=16,
    ),
    _softmax("softmax", "torch.softmax(a, axis)", "+s", interval=iv.within(0, 1)),
    _softmax(
        "log_softmax",
        "torch.log_softmax(a, axis)",
        "+s",
        interval=lambda a, axis: (a[0] - a[1] - 4, 0.0),
    ),
)

#: One number from scores or predictions.
LOSSES: tuple[Operation, ...] = (
    Operation(
        "mean_squared_error",
        "((a - b) ** 2).sum() / len(a)",
        "m *s, m *s",
        sh.same_rows,
        saves=True,
        interval=lambda a, b, n: iv.total(iv.square(iv.sub(a, b)), n=n),
        sums=True,
        ulps=8,
    ),
    Operation(
        "softmax_cross_entropy",
        "torch.nn.functional.cross_entropy(a, torch.tensor(t))",
        "m n",
        sh.classes,
        sh.classes_choices,
        {"t": INTEGERS},
        saves=True,
        interval=lambda a, t: (0.0, a[1] - a[0] + 4),
        interval_domain=iv.small,
        ulps=64,
        slope_ulps=64,
    ),
)
