"""Normalisations: of layers, batches, groups and channels, of vectors and of weights."""

from __future__ import annotations

import math

from parity.language.operation import Operation

_EPS = {"eps": (1e-5, 0.1)}
_STATISTICS = (
    "torch.full((a.shape[1],), mean, dtype=a.dtype), "
    "torch.full((a.shape[1],), variance, dtype=a.dtype)"
)

ROWS: tuple[Operation, ...] = (
    Operation(
        "layer_norm",
        "F.layer_norm(a, (a.shape[-1],), b, c, eps)",
        "*s M, M, M",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "layer_norm_plain",
        "F.layer_norm(a, (a.shape[-1],), None, None, eps)",
        "*s M",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "layer_norm_two_axes",
        "F.layer_norm(a, (a.shape[-2], a.shape[-1]), b, c, eps)",
        "m n M, n M, n M",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "rms_norm",
        "F.rms_norm(a, (a.shape[-1],), b, eps)",
        "*s M, M",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "rms_norm_plain",
        "F.rms_norm(a, (a.shape[-1],), None, eps)",
        "*s M",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "group_norm",
        "F.group_norm(a, num_groups, b, c, eps)",
        "m 4 M, 4, 4",
        attributes={"num_groups": (2, 1, 4), **_EPS},
        ulps=16.0,
    ),
    Operation(
        "group_norm_images",
        "F.group_norm(a, num_groups, b, c, eps)",
        "m 6 n 2, 6, 6",
        attributes={"num_groups": (2, 3, 1), **_EPS},
        ulps=16.0,
    ),
    Operation(
        "group_norm_plain",
        "F.group_norm(a, num_groups, None, None, eps)",
        "m 4 M",
        attributes={"num_groups": (2, 1, 4), **_EPS},
        ulps=16.0,
    ),
    Operation(
        "instance_norm",
        "F.instance_norm(a, None, None, b, c, True, 0.1, eps)",
        "m n M, n, n",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "instance_norm_plain", "F.instance_norm(a, eps=eps)", "m n M", attributes=_EPS, ulps=16.0
    ),
    Operation(
        "instance_norm_images",
        "F.instance_norm(a, None, None, b, c, True, 0.1, eps)",
        "m n 2 M, n, n",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "batch_norm",
        "F.batch_norm(a, None, None, b, c, True, 0.1, eps)",
        "M n, n, n",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "batch_norm_plain",
        "F.batch_norm(a, None, None, None, None, True, 0.1, eps)",
        "M n",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "batch_norm_images",
        "F.batch_norm(a, None, None, b, c, True, 0.1, eps)",
        "M n 2 2, n, n",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "batch_norm_evaluation",
        f"F.batch_norm(a, {_STATISTICS}, b, c, False, 0.1, eps)",
        "m n, n, n",
        attributes={"mean": (0.0, 0.5), "variance": (2.0, 0.25), **_EPS},
    ),
    Operation(
        "batch_norm_evaluation_images",
        f"F.batch_norm(a, {_STATISTICS}, b, c, False, 0.1, eps)",
        "m n 2 2, n, n",
        attributes={"mean": (0.0, 0.5), "variance": (2.0, 0.25), **_EPS},
    ),
    Operation(
        "batch_normalization",  # with the statistics as operands
        "(a - b) / torch.sqrt(c + eps) * d + e",
        "m n, n, n, n, n",
        domain="R, R, P, R, R",
        attributes=_EPS,
        ulps=16.0,
    ),
    Operation(
        "local_response_norm",
        "F.local_response_norm(a, size, alpha, beta, k)",
        "m 4 n",
        attributes={
            "size": (3, 1, 2, 5),
            "alpha": (1e-4, 1.0),
            "beta": (0.75, 0.5),
            "k": (1.0, 2.0),
        },
        ulps=16.0,
    ),
    Operation(
        "local_response_norm_images",
        "F.local_response_norm(a, size, alpha, beta, k)",
        "m 4 n 3",
        attributes={
            "size": (3, 1, 2, 5),
            "alpha": (1e-4, 1.0),
            "beta": (0.75, 0.5),
            "k": (1.0, 2.0),
        },
        ulps=16.0,
    ),
    Operation(
        "normalize",
        "F.normalize(a, p, axis, eps)",
        "+s",
        domain="V",
        attributes={"p": (2.0, 1.0, 3.0, math.inf), "axis": (-1,), "eps": (1e-12, 0.5)},
        kinks="0, norm eps, ties",
        ulps=16.0,
    ),
    Operation(
        "normalize_axis",
        "F.normalize(a, p, axis)",
        "+s",
        domain="Z",
        attributes={"p": (2.0, 1.0, 3.0), "axis": "AXIS"},
        ulps=16.0,
    ),
    Operation(
        "weight_norm",
        "b * a / torch.linalg.vector_norm(a, dim=1, keepdim=True)",
        "m n, m 1",
        domain="V, R",
        ulps=16.0,
    ),
    Operation(
        "standardize",
        "(lambda v, m: (a - m) / torch.sqrt(v))(*torch.var_mean("
        "a, dim=axis, correction=0, keepdim=True))",
        "M N",
        domain="C",
        attributes={"axis": (0, 1, -1)},
        ulps=64.0,
    ),
)
