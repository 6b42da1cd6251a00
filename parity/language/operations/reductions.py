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
    Operation, shape=sh.some, choices=sh.some_choices, attrs=_REDUCED, saves=True
)
_extreme = functools.partial(_reduction, dyadic=dy.EXTREMES, kink="slope")
_along_axis = functools.partial(
    Operation, shape=sh.along_axis, choices=sh.axis_choices, attrs={"axis": AXIS}
)
_softmax = functools.partial(_along_axis, saves=True, domain=iv.small, ulps=32, slope_ulps=32)

BASIC: tuple[Operation, ...] = (
    Operation(
        "sum",
        1,
        "torch.sum(a, dim=axis, keepdim=keepdims)",
        sh.reduction,
        sh.reduction_choices,
        _REDUCED,
        interval=iv.total,
        dyadic=dy.TOTALS,
        sums=True,
    ),
    Operation(
        "mean",
        1,
        "torch.mean(a, dim=axis, keepdim=keepdims)",
        sh.reduction,
        sh.some_choices,  # the mean of no elements is nan
        _REDUCED,
        dyadic=dy.MEAN,
    ),
)

FURTHER: tuple[Operation, ...] = (
    _extreme("max", 1, "torch.amax(a, dim=() if axis is None else axis, keepdim=keepdims)"),
    _extreme("min", 1, "torch.amin(a, dim=() if axis is None else axis, keepdim=keepdims)"),
    _reduction(
        "prod",
        1,
        "torch.prod(a.reshape(-1), 0).reshape((1,) * a.ndim * keepdims) "
        "if axis is None and a.ndim else torch.prod(a, axis or 0, keepdims)",
        choices=sh.one_axis_choices,
        interval=iv.repeated,
        dyadic=dy.POWERS,
        sums=True,
        slope_ulps=8,
        divides=True,
    ),
    _reduction(
        "var",
        1,
        "torch.var(a, dim=axis, keepdim=keepdims, correction=correction)",
        shape=sh.variance,
        choices=sh.var_choices,
        attrs={"axis": REDUCED_AXES, "correction": INTEGER, "keepdims": FLAG},
        interval=lambda a, **attrs: (0.0, (a[1] - a[0]) ** 2 * 2),
        ulps=32,
        slope_ulps=64,
    ),
    _reduction(
        "norm",
        1,
        "torch.linalg.vector_norm(a, dim=axis, keepdim=keepdims)",
        interval=lambda a, n, **attrs: iv.absolute(iv.total(a, n=n)),
        sums=True,
        ulps=4,
        slope_ulps=8,
        divides=True,
    ),
    _along_axis(
        "cumsum", 1, "torch.cumsum(a, axis)", interval=iv.total, dyadic=dy.TOTALS, sums=True
    ),
    _reduction(
        "logsumexp",
        1,
        "torch.logsumexp(a, tuple(range(a.ndim)) if axis is None else axis, keepdims)",
        interval=lambda a, **attrs: (a[0], a[1] + 4),
        domain=iv.small,
        ulps=16,
        slope_ulps=16,
    ),
    _softmax("softmax", 1, "torch.softmax(a, axis)", interval=iv.within(0, 1)),
    _softmax(
        "log_softmax",
        1,
        "torch.log_softmax(a, axis)",
        interval=lambda a, axis: (a[0] - a[1] - 4, 0.0),
    ),
)

#: One number from scores or predictions.
LOSSES: tuple[Operation, ...] = (
    Operation(
        "mean_squared_error",
        2,
        "((a - b) ** 2).sum() / len(a)",
        sh.same_rows,
        saves=True,
        interval=lambda a, b, n: iv.total(iv.square(iv.sub(a, b)), n=n),
        sums=True,
        ulps=8,
    ),
    Operation(
        "softmax_cross_entropy",
        1,
        "torch.nn.functional.cross_entropy(a, torch.tensor(t))",
        sh.classes,
        sh.classes_choices,
        {"t": INTEGERS},
        saves=True,
        interval=lambda a, t: (0.0, a[1] - a[0] + 4),
        domain=iv.small,
        ulps=64,
        slope_ulps=64,
    ),
)
