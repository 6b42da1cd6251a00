"""Distances, similarities and covariances."""

from __future__ import annotations

import math

from parity.language.operation import Operation

_P = {"p": (2.0, 1.0, 3.0, math.inf)}
_EQUAL = "equal elements"

ROWS: tuple[Operation, ...] = (
    Operation("dist", "torch.dist(a, b, p)", "*s, *s", attributes=_P, kinks=_EQUAL, ulps=16.0),
    Operation(
        "cdist", "torch.cdist(a, b, p)", "*s m k, *s n k", attributes=_P, kinks=_EQUAL, ulps=16.0
    ),
    Operation(
        "cdist_by_products",
        "torch.cdist(a, b, compute_mode='use_mm_for_euclid_dist')",
        "m k, n k",
        kinks=_EQUAL,
        ulps=256.0,
    ),
    Operation("pdist", "F.pdist(a, p)", "M k", attributes=_P, kinks=_EQUAL, ulps=16.0),
    Operation(
        "pairwise_distance",
        "F.pairwise_distance(a, b, p, eps, keepdims)",
        "*s n, *s n",
        attributes={"p": (2.0, 1.0, 3.0), "eps": (1e-6, 0.25), "keepdims": "FLAG"},
        kinks="difference -eps",
        ulps=16.0,
    ),
    Operation(
        "cosine_similarity",
        "F.cosine_similarity(a, b, axis, eps)",
        "m M, m M",
        domain="V",
        attributes={"axis": (1, -1), "eps": (1e-8, 1e-3)},
        ulps=16.0,
    ),
    Operation(
        "cosine_similarity_axis",
        "F.cosine_similarity(a, b, axis)",
        "+s, +s",
        domain="Z",
        attributes={"axis": "AXIS"},
        ulps=16.0,
    ),
    Operation(
        "covariance",
        "torch.cov(a, correction=correction)",
        "m M",
        attributes={"correction": (1, 0, 2)},
        ulps=16.0,
    ),
    # A copy of the operand: torch.cov with weights overwrites it if there is one observation.
    Operation(
        "covariance_counts",
        "torch.cov(a.mT + 0, fweights=torch.tensor(counts) + 1)",
        "M n",
        attributes={"counts": "COUNTS"},
        ulps=16.0,
    ),
    Operation(
        "covariance_weights",
        "torch.cov(a + 0, aweights=b, correction=correction)",
        "m M, M",
        domain="R, P",
        attributes={"correction": (1, 0)},
        ulps=16.0,
    ),
    Operation("correlation", "torch.corrcoef(a)", "m M", domain="C", ulps=64.0),
)
