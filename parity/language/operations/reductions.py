"""Operations along axes: sums, extremes, norms, softmax."""

from __future__ import annotations

from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import AXIS, FLAG, INTEGER, REDUCED_AXES
from parity.language.dyadic import EXTREMES, MEAN, POWERS, TOTALS
from parity.language.operation import Operation

REDUCTION = {"axis": REDUCED_AXES, "keepdims": FLAG}

BASIC: tuple[Operation, ...] = (
    Operation(
        "sum",
        1,
        "torch.sum(a, dim=axis, keepdim=keepdims)",
        shape=sh.reduction,
        choices=sh.reduction_choices,
        attrs=REDUCTION,
        interval=lambda a, n, **attrs: iv.total(a, n=n),
        dyadic=TOTALS,
        sums=True,
    ),
    Operation(
        "mean",
        1,
        "torch.mean(a, dim=axis, keepdim=keepdims)",
        shape=sh.reduction,
        choices=sh.some_choices,  # the mean of no elements is nan
        attrs=REDUCTION,
        dyadic=MEAN,
    ),
)

FURTHER: tuple[Operation, ...] = (
    Operation(
        "max",
        1,
        "torch.amax(a, dim=() if axis is None else axis, keepdim=keepdims)",
        saves=True,
        shape=sh.some,
        choices=sh.some_choices,
        attrs=REDUCTION,
        dyadic=EXTREMES,
    ),
    Operation(
        "min",
        1,
        "torch.amin(a, dim=() if axis is None else axis, keepdim=keepdims)",
        saves=True,
        shape=sh.some,
        choices=sh.some_choices,
        attrs=REDUCTION,
        dyadic=EXTREMES,
    ),
    Operation(
        "prod",
        1,
        "torch.prod(a.reshape(-1), 0).reshape((1,) * a.ndim * keepdims) "
        "if axis is None and a.ndim else torch.prod(a, axis or 0, keepdims)",
        saves=True,
        shape=sh.some,
        choices=sh.one_axis_choices,
        attrs=REDUCTION,
        interval=lambda a, n, **attrs: iv.repeated(a, n),
        dyadic=POWERS,
        sums=True,
        slope_ulps=8,
        divides=True,
    ),
    Operation(
        "var",
        1,
        "torch.var(a, dim=axis, keepdim=keepdims, correction=correction)",
        saves=True,
        shape=sh.variance,
        choices=sh.var_choices,
        attrs={"axis": REDUCED_AXES, "correction": INTEGER, "keepdims": FLAG},
        interval=lambda a, **attrs: (0.0, (a[1] - a[0]) ** 2 * 2),
        ulps=32,
        slope_ulps=64,
    ),
    Operation(
        "norm",
        1,
        "torch.linalg.vector_norm(a, dim=axis, keepdim=keepdims)",
        saves=True,
        shape=sh.some,
        choices=sh.some_choices,
        attrs=REDUCTION,
        interval=lambda a, n, **attrs: iv.absolute(iv.total(a, n=n)),
        sums=True,
        ulps=4,
        slope_ulps=8,
        divides=True,
    ),
    Operation(
        "cumsum",
        1,
        "torch.cumsum(a, axis)",
        shape=sh.along_axis,
        choices=sh.axis_choices,
        attrs={"axis": AXIS},
        interval=lambda a, n, **attrs: iv.total(a, n=n),
        dyadic=TOTALS,
        sums=True,
    ),
    Operation(
        "logsumexp",
        1,
        "torch.logsumexp(a, tuple(range(a.ndim)) if axis is None else axis, keepdims)",
        saves=True,
        shape=sh.some,
        choices=sh.some_choices,
        attrs=REDUCTION,
        interval=lambda a, **attrs: (a[0], a[1] + 4),
        domain=iv.small,
        ulps=16,
        slope_ulps=16,
    ),
    Operation(
        "softmax",
        1,
        "torch.softmax(a, axis)",
        saves=True,
        shape=sh.along_axis,
        choices=sh.axis_choices,
        attrs={"axis": AXIS},
        interval=iv.within(0, 1),
        domain=iv.small,
        ulps=32,
        slope_ulps=32,
    ),
    Operation(
        "log_softmax",
        1,
        "torch.log_softmax(a, axis)",
        saves=True,
        shape=sh.along_axis,
        choices=sh.axis_choices,
        attrs={"axis": AXIS},
        interval=lambda a, axis: (a[0] - a[1] - 4, 0.0),
        domain=iv.small,
        ulps=32,
        slope_ulps=32,
    ),
)
