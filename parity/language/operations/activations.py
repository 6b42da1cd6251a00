"""Activation functions of neural networks; their rows are plain data."""

from __future__ import annotations

from parity.language.operation import Operation

#: The derivative exp(a) may be computed as the value + 1, which loses digits where it is small.
_FROM_VALUE = 512

_CLIPPED = (
    Operation("relu6", "F.relu6(a)", domain="W", kinks="0, 6", ulps=1),
    Operation("relu_squared", "torch.square(torch.relu(a))", domain="W", ulps=2),
    Operation(
        "hardtanh",
        "F.hardtanh(a, min_val, max_val)",
        domain="W",
        attributes={"min_val": (-1.0, -0.5), "max_val": (1.0, 2.0)},
        kinks="min_val, max_val",
        ulps=1,
    ),
    Operation("hardsigmoid", "F.hardsigmoid(a)", domain="W", kinks="-3, 3", ulps=8),
    Operation("hardswish", "F.hardswish(a)", domain="W", kinks="-3, 3", ulps=8),
    Operation(
        "hardshrink",
        "F.hardshrink(a, lambd)",
        domain="W",
        attributes={"lambd": (0.5, 1.0)},
        kinks="-lambd, lambd",
        ulps=1,
    ),
    Operation(
        "softshrink",
        "F.softshrink(a, lambd)",
        domain="W",
        attributes={"lambd": (0.5, 1.0)},
        kinks="-lambd, lambd",
        ulps=2,
    ),
    Operation(
        "threshold",
        "F.threshold(a, threshold, value)",
        domain="W",
        attributes={"threshold": (0.5, 0.0), "value": (0.0, 1.0)},
        kinks="threshold",
        ulps=1,
    ),
    # Two kinks at the same number: no rule says how their conventions go together.
    Operation(
        "crelu",
        "torch.cat([torch.relu(a), torch.relu(-a)], -1)",
        "+s",
        kinks="0",
        smooth=False,
        ulps=1,
    ),
)

_EXPONENTIAL = (
    Operation(
        "elu",
        "F.elu(a, alpha)",
        domain="W",
        attributes={"alpha": (1.0, 0.5, 2.0)},
        kinks="0",
        ulps=_FROM_VALUE,
    ),
    Operation("selu", "F.selu(a)", domain="W", kinks="0", ulps=_FROM_VALUE),
    Operation(
        "celu",
        "F.celu(a, alpha)",
        domain="W",
        attributes={"alpha": (1.0, 0.5, 2.0)},
        ulps=_FROM_VALUE,
    ),
    Operation(
        "softplus_beta",
        "F.softplus(a, beta, threshold)",
        domain="W",
        attributes={"beta": (1.0, 2.0, 0.5), "threshold": (20.0, 2.0)},
        kinks="threshold / beta",
        ulps=16,
    ),
    Operation("logsigmoid", "F.logsigmoid(a)", domain="W", ulps=16),
    Operation("squareplus", "(a + torch.sqrt(a * a + 4)) / 2", domain="W", ulps=16),
)

_WEIGHTED = (
    Operation("silu", "F.silu(a)", domain="W", ulps=8),
    Operation("mish", "F.mish(a)", domain="W", ulps=16),
    Operation("gelu_tanh", "F.gelu(a, approximate='tanh')", ulps=16),
    Operation("gelu_sigmoid", "a * torch.sigmoid(1.702 * a)", domain="W", ulps=16),
    Operation("softsign", "F.softsign(a)", domain="W"),
    Operation("tanhshrink", "F.tanhshrink(a)", domain="W", ulps=16),
    Operation(
        "stanh",
        "scale_b * torch.tanh(scale_a * a)",
        attributes={"scale_a": (0.67, 1.0), "scale_b": (1.7159, -1.0)},
        ulps=8,
    ),
)

_OF_SEVERAL = (
    Operation("prelu", "F.prelu(a, b)", "m n, n", kinks="0", ulps=2),
    Operation("prelu_shared", "F.prelu(a, b)", "m n, 1", kinks="0", ulps=2),
    Operation("prelu_images", "F.prelu(a, b)", "b c m n, c", kinks="0", ulps=2),
    Operation("glu", "F.glu(a, axis)", "4 n 2", attributes={"axis": (-1, 0)}, ulps=8),
    Operation(
        "swiglu",
        "F.silu(a) * b",
        "*s, *s",
        ulps=8,
    ),
    Operation(
        "maxout",
        "torch.amax(a.reshape(a.shape[0], -1, groups, *a.shape[2:]), 2)",
        "b 4 m",
        attributes={"groups": (2, 4, 1)},
        kinks="ties",
        ulps=1,
    ),
)

ROWS: tuple[Operation, ...] = (*_CLIPPED, *_EXPONENTIAL, *_WEIGHTED, *_OF_SEVERAL)
