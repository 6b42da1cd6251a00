"""Scans, differences of neighbours, and sorting; the rows are plain data."""

from __future__ import annotations

from parity.language.operation import Operation

_SCANS = (
    Operation("cumprod", "torch.cumprod(a, dim=axis)", "+s", attributes={"axis": "AXIS"}),
    Operation(
        "cumsum_reversed",
        "torch.flip(torch.cumsum(torch.flip(a, (axis,)), axis), (axis,))",
        "+s",
        attributes={"axis": "AXIS"},
        ulps=1,
    ),
    Operation(
        "cumsum_exclusive", "torch.cumsum(a, axis) - a", "+s", attributes={"axis": "AXIS"}, ulps=2
    ),
    Operation(
        "cumprod_reversed",
        "torch.flip(torch.cumprod(torch.flip(a, (axis,)), axis), (axis,))",
        "+s",
        attributes={"axis": "AXIS"},
    ),
    Operation(
        "cumprod_exclusive",
        "torch.cat([torch.ones_like(a[:1]), torch.cumprod(a, 0)[:-1]])",
        "M *s",
    ),
    Operation(
        "cummax", "torch.cummax(a, dim=axis)[0]", "+s", attributes={"axis": "AXIS"}, kinks="ties"
    ),
    Operation(
        "cummin", "torch.cummin(a, dim=axis)[0]", "+s", attributes={"axis": "AXIS"}, kinks="ties"
    ),
    Operation(
        "logcumsumexp",
        "torch.logcumsumexp(a, dim=axis)",
        "+s",
        attributes={"axis": "AXIS"},
        ulps=16,
    ),
    Operation(
        "linear_recurrence",
        "torch.stack([(torch.flip(torch.cumprod(torch.cat([torch.ones_like(b[:1]), "
        "torch.flip(b[1 : i + 1], (0,))]), 0), (0,)) * a[: i + 1]).sum(0) "
        "for i in range(len(a))])",
        "M, M",
        ulps=8,
    ),
)

_NEIGHBOURS = (
    Operation(
        "diff",
        "torch.diff(a, n, dim=axis)",
        "M N",
        attributes={"n": (1, 2), "axis": "AXIS"},
        ulps=1,
    ),
    Operation("diff_with_ends", "torch.diff(a, prepend=b, append=c)", "m n, m 1, m 2", ulps=1),
    Operation(
        "gradient",
        "torch.gradient(a, spacing=spacing, dim=0, edge_order=edge_order)[0]",
        "M *s",
        attributes={"spacing": (1.0, 0.5), "edge_order": (1, 2)},
    ),
    Operation(
        "trapezoid",
        "torch.trapezoid(a, dx=dx, dim=axis)",
        "M N",
        attributes={"dx": (1.0, 0.5), "axis": "AXIS"},
    ),
    Operation("trapezoid_of_points", "torch.trapezoid(a, b)", "m N, m N"),
    Operation(
        "cumulative_trapezoid",
        "torch.cumulative_trapezoid(a, dx=dx, dim=axis)",
        "M N",
        attributes={"dx": (1.0, 0.5), "axis": "AXIS"},
    ),
)

_SORTING = (
    Operation(
        "sort",
        "torch.sort(a, dim=axis, descending=descending, stable=True)[0]",
        "+s",
        attributes={"axis": "AXIS", "descending": "FLAG"},
        kinks="ties",
        ulps=1,
    ),
    Operation(
        "sort_by_key",
        "torch.gather(b, -1, torch.argsort(a, dim=-1, stable=True))",
        "m n, m n",
        domain="X, R",
        differentiable=(False, True),
        kinks="ties",
        ulps=1,
    ),
    Operation(
        "topk",
        "torch.topk(a, k, dim=-1)[0]",
        "*s M",
        attributes={"k": (1, 2, 3)},
        kinks="ties",
        ulps=1,
    ),
    Operation(
        "bottomk",
        "torch.topk(a, k, dim=-1, largest=False)[0]",
        "*s M",
        attributes={"k": (1, 2, 3)},
        kinks="ties",
        ulps=1,
    ),
    Operation(
        "topk_sum",
        "torch.topk(a, k, dim=-1)[0].sum(-1)",
        "*s M",
        attributes={"k": (2, 3)},
        kinks="ties",
        ulps=1,
    ),
)

ROWS: tuple[Operation, ...] = (*_SCANS, *_NEIGHBOURS, *_SORTING)
