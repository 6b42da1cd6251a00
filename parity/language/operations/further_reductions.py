"""Further operations along axes: spreads, norms, extremes, quantiles; their rows are plain data."""

from __future__ import annotations

import math
from typing import Any, Final

from parity.language.operation import Operation

_REDUCED: Final[dict[str, Any]] = {"axis": "AXES", "keepdims": "FLAG"}
_ALONG: Final[dict[str, Any]] = {"axis": "AXIS", "keepdims": "FLAG"}

_SPREADS = (
    Operation(
        "std",
        "torch.std(a, dim=axis, correction=correction, keepdim=keepdims)",
        "M N",
        domain="C",
        attributes={**_REDUCED, "correction": (0, 1)},
        kinks="constants",
        ulps=16,
    ),
    Operation(
        "var_mean",
        "torch.var_mean(a, dim=axis, correction=0, keepdim=keepdims)",
        "+s",
        attributes=_REDUCED,
        ulps=16,
    ),
    Operation(
        "ptp", "torch.amax(a, axis) - torch.amin(a, axis)", "+s", attributes={"axis": "AXIS"}
    ),
    Operation("nansum", "torch.nansum(a, dim=axis, keepdim=keepdims)", "+s", attributes=_REDUCED),
    Operation("nanmean", "torch.nanmean(a, dim=axis, keepdim=keepdims)", "+s", attributes=_REDUCED),
)

_NORMS = (
    Operation(
        "vector_norm",
        "torch.linalg.vector_norm(a, ord, dim=axis, keepdim=keepdims)",
        "+s",
        attributes={"ord": (1, 3, math.inf, -math.inf, 4, 2), **_REDUCED},
        kinks="0, ties",
        ulps=8,
    ),
    Operation(
        "vector_norm_of_nonzero",
        "torch.linalg.vector_norm(a, ord, dim=axis, keepdim=keepdims)",
        "+s",
        domain="Z",
        attributes={"ord": (0.5, 1.5, -1, -2), **_REDUCED},
        ulps=16,
    ),
    Operation(
        "renorm",
        "torch.renorm(a, p, axis, maxnorm)",
        "m n",
        domain="V",
        attributes={"p": (2.0, 1.0), "axis": (0,), "maxnorm": (1.0, 0.5)},
        kinks="norms of maxnorm",
        ulps=16,
    ),
    Operation(
        "clip_by_norm",
        "a * torch.clamp(max_norm / torch.linalg.vector_norm(a), max=1.0)",
        "+s",
        domain="Z",
        attributes={"max_norm": (1.0, 0.5)},
        kinks="norms of max_norm",
        ulps=8,
    ),
)

_EXTREMES = (
    Operation("max_axis", "torch.max(a, axis, keepdims)[0]", "+s", attributes=_ALONG, kinks="ties"),
    Operation("min_axis", "torch.min(a, axis, keepdims)[0]", "+s", attributes=_ALONG, kinks="ties"),
    Operation("max_all", "torch.max(a)", kinks="ties"),
    Operation("min_all", "torch.min(a)", kinks="ties"),
    Operation(
        "aminmax",
        "torch.stack(list(torch.aminmax(a, dim=axis, keepdim=keepdims)))",
        "+s",
        attributes=_ALONG,
        kinks="ties",
    ),
)

#: The middle of an even number of elements: the lower one, or between both.
_QUANTILES = (
    Operation(
        "median",
        "torch.median(a, dim=axis, keepdim=keepdims)[0]",
        "+s",
        attributes=_ALONG,
        kinks="ties",
    ),
    Operation("median_all", "torch.median(a)", "+s", kinks="ties"),
    Operation(
        "nanmedian",
        "torch.nanmedian(a, dim=axis, keepdim=keepdims)[0]",
        "+s",
        attributes=_ALONG,
        kinks="ties",
    ),
    Operation(
        "median_between",
        "torch.quantile(a, 0.5, dim=axis, keepdim=keepdims)",
        "+s",
        attributes=_ALONG,
        kinks="ties",
    ),
    Operation(
        "quantile",
        "torch.quantile(a, q, dim=axis, keepdim=keepdims, interpolation=interpolation)",
        "+s",
        attributes={
            "q": (0.4, 0.25, 1.0, 0.0),
            "interpolation": ("linear", "lower", "higher", "midpoint", "nearest"),
            **_ALONG,
        },
        kinks="ties",
    ),
    Operation(
        "quantiles",
        "torch.quantile(a, torch.tensor([0.25, 0.6], dtype=a.dtype), dim=axis)",
        "+s",
        attributes={"axis": "AXIS"},
        kinks="ties",
    ),
    Operation(
        "nanquantile",
        "torch.nanquantile(a, q, dim=axis, keepdim=keepdims)",
        "+s",
        attributes={"q": (0.4, 0.25, 1.0), **_ALONG},
        kinks="ties",
    ),
    Operation(
        "kthvalue",
        "torch.kthvalue(a, k, dim=axis, keepdim=keepdims)[0]",
        "+s",
        attributes={"k": (1, 2), **_ALONG},
        kinks="ties",
    ),
    Operation(
        "mode",
        "torch.mode(a, dim=axis, keepdim=keepdims)[0]",
        "+s",
        attributes=_ALONG,
        kinks="ties",
        smooth=False,
    ),
    Operation("trimmed_mean", "torch.sort(a)[0][1:-1].mean()", "M", kinks="ties"),
)

ROWS: tuple[Operation, ...] = (*_SPREADS, *_NORMS, *_EXTREMES, *_QUANTILES)
