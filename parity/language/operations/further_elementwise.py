"""Further functions of two and three operands that broadcast; their rows are plain data."""

from __future__ import annotations

from parity.language.operation import Operation

_ARITHMETIC = (
    Operation("add_alpha", "torch.add(a, b, alpha=alpha)", "*s, ~s", attributes={"alpha": (2, -1)}),
    Operation("sub_alpha", "torch.sub(a, b, alpha=alpha)", "*s, ~s", attributes={"alpha": (2, -1)}),
    Operation("squared_difference", "(a - b) ** 2", "*s, ~s", ulps=2),
    Operation("lerp", "torch.lerp(a, b, c)", "*s, *s, *s"),
    Operation(
        "lerp_scalar", "torch.lerp(a, b, weight)", "*s, ~s", attributes={"weight": (0.25, 2)}
    ),
    Operation(
        "addcmul",
        "torch.addcmul(a, b, c, value=value)",
        "*s, ~s, ~s",
        attributes={"value": (1.0, 0.5, -2.0)},
    ),
    Operation(
        "addcdiv",
        "torch.addcdiv(a, b, c, value=value)",
        "*s, ~s, ~s",
        domain="R, R, Z",
        attributes={"value": (1.0, 0.5, -2.0)},
    ),
    Operation("hypot", "torch.hypot(a, b)", "*s, ~s", kinks="0"),
    Operation("atan2", "torch.atan2(a, b)", "*s, ~s", domain="R, Z"),
    Operation("logaddexp", "torch.logaddexp(a, b)", "*s, ~s", ulps=8),
    Operation("logaddexp2", "torch.logaddexp2(a, b)", "*s, ~s", ulps=8),
    Operation("xlogy", "torch.xlogy(a, b)", "*s, ~s", domain="N, P"),
    Operation("xlog1py", "torch.special.xlog1py(a, b)", "*s, ~s", domain="N, P"),
    Operation("ldexp", "torch.ldexp(a, b)", "*s, ~s", ulps=8),
    Operation("float_power", "torch.float_power(a, b)", "*s, ~s", domain="P, R", ulps=8),
    Operation(
        "divide_no_nan",
        "torch.where(b == 0, 0.0, a / torch.where(b == 0, 1.0, b))",
        "*s, ~s",
        kinks="where b is 0",
    ),
)

_CHOOSING = (
    Operation("fmax", "torch.fmax(a, b)", "*s, ~s", kinks="ties", ulps=1),
    Operation("fmin", "torch.fmin(a, b)", "*s, ~s", kinks="ties", ulps=1),
    Operation("copysign", "torch.copysign(a, b)", "*s, ~s", kinks="0", ulps=1),
    Operation(
        "clip_by_tensors",
        "torch.clamp(a, b, c)",
        "m n, n, m 1",  # PyTorch's gradient fails where the first operand is the smaller one
        domain="W, U, G",
        kinks="b, c",
        ulps=1,
    ),
    Operation(
        "clip_below",
        "torch.clamp(a, min=b)",
        "*s, ~s",
        kinks="ties",
        ulps=1,
    ),
    Operation(
        "where_scalar",
        "torch.where(torch.tensor(mask), a, other)",
        attributes={"mask": "MASK", "other": (0.5, 0.0)},
        ulps=1,
    ),
    Operation(
        "where_of_comparison",
        "torch.where(a > b, a, 2 * b)",
        "*s, *s",
        kinks="ties",
        ulps=1,
    ),
)

_REMAINDERS = (
    Operation(
        "remainder", "torch.remainder(a, b)", "*s, ~s", domain="R, Z", kinks="multiples", ulps=8
    ),
    Operation("fmod", "torch.fmod(a, b)", "*s, ~s", domain="R, Z", kinks="multiples", ulps=8),
    Operation(
        "divide_rounded",
        "torch.div(a, b, rounding_mode=rounding_mode)",
        "*s, ~s",
        domain="R, Z",
        attributes={"rounding_mode": ("floor", "trunc")},
        kinks="multiples",
        smooth=False,
        ulps=1,
    ),
)

#: Complex numbers, real and imaginary part an operand each; so are those of results.
_COMPLEX = (
    Operation("complex_abs", "torch.abs(torch.complex(a, b))", "*s, *s", kinks="0"),
    Operation("complex_angle", "torch.angle(torch.complex(a, b))", "*s, *s", domain="R, Z"),
    Operation(
        "complex_multiply",
        "torch.view_as_real(torch.complex(a, b) * torch.complex(c, d))",
        "*s, *s, *s, *s",
        ulps=8,
    ),
    Operation(
        "complex_divide",
        "torch.view_as_real(torch.complex(a, b) / torch.complex(c, d))",
        "*s, *s, *s, *s",
        domain="R, R, Z, R",
        ulps=16,
    ),
    Operation("complex_exp", "torch.view_as_real(torch.exp(torch.complex(a, b)))", "*s, *s"),
    Operation(
        "complex_log",
        "torch.view_as_real(torch.log(torch.complex(a, b)))",
        "*s, *s",
        domain="P, R",
        ulps=16,
    ),
    Operation(
        "complex_sqrt",
        "torch.view_as_real(torch.sqrt(torch.complex(a, b)))",
        "*s, *s",
        domain="P, R",
        ulps=16,
    ),
    Operation(
        "complex_tanh",
        "torch.view_as_real(torch.tanh(torch.complex(a, b)))",
        "*s, *s",
        domain="R, U",
        ulps=16,
    ),
    Operation(
        "complex_sin",
        "torch.view_as_real(torch.sin(torch.complex(a, b)))",
        "*s, *s",
        ulps=16,
    ),
    Operation("polar", "torch.view_as_real(torch.polar(a, b))", "*s, *s", domain="P, R", ulps=8),
)

ROWS: tuple[Operation, ...] = (*_ARITHMETIC, *_CHOOSING, *_REMAINDERS, *_COMPLEX)
