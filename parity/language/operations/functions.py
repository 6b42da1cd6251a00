"""Further functions of one number; their rows are plain data."""

from __future__ import annotations

from parity.language.operation import Operation

#: PyTorch sums few terms of the trigamma function, with an error of about 4e-10.
_TRIGAMMA = 2.0**23

_STEPS = (
    # The value jumps, the derivative is 0.
    Operation("ceil", "torch.ceil(a)", kinks="integers", smooth=False, ulps=1),
    Operation("trunc", "torch.trunc(a)", kinks="integers", smooth=False, ulps=1),
    Operation(
        "round",
        "torch.round(a, decimals=decimals)",
        attributes={"decimals": (0, 1)},
        kinks="halves",
        smooth=False,
        ulps=2,
    ),
    Operation("sgn", "torch.sgn(a)", kinks="0", smooth=False, ulps=1),
    Operation("angle", "torch.angle(a)", kinks="0", smooth=False, ulps=1),
    Operation("frac", "torch.frac(a)", kinks="integers", ulps=1),
)

_POWERS = (
    Operation("rsqrt", "torch.rsqrt(a)", domain="P"),
    Operation("reciprocal", "torch.reciprocal(a)", domain="Z", ulps=1),
    Operation("copy", "torch.clone(a)", ulps=1),
    Operation(
        "integer_power", "a ** exponent", attributes={"exponent": (2, 3, 1, 0, 4, 5)}, ulps=8
    ),
    Operation(
        "negative_power", "a ** exponent", domain="Z", attributes={"exponent": (-1, -2, -3)}, ulps=8
    ),
    Operation(
        "scalar_power", "torch.pow(base, a)", attributes={"base": (2.0, 0.5, 1.0, 3)}, ulps=8
    ),
    Operation("deg2rad", "torch.deg2rad(a)", ulps=2),
    Operation("rad2deg", "torch.rad2deg(a)", ulps=2),
    Operation("nan_to_num", "torch.nan_to_num(a)", ulps=1),
    Operation(
        "frexp_mantissa", "torch.frexp(a)[0]", domain="Z", kinks="powers of two", smooth=False
    ),
)

_EXPONENTIALS = (
    Operation("exp2", "torch.exp2(a)"),
    Operation("expm1", "torch.expm1(a)"),
    Operation("log2", "torch.log2(a)", domain="P"),
    Operation("log10", "torch.log10(a)", domain="P"),
    Operation("log1p", "torch.log1p(a)", domain="U"),
    Operation(
        "logit",
        "torch.logit(a, eps)",
        domain="Q",
        attributes={"eps": (None, 0.25)},
        kinks="eps, 1 - eps",
        ulps=16,
    ),
)

_TRIGONOMETRIC = (
    Operation("tan", "torch.tan(a)", domain="U"),
    Operation("asin", "torch.asin(a)", domain="U"),
    Operation("acos", "torch.acos(a)", domain="U"),
    Operation("atan", "torch.atan(a)"),
    Operation("sinh", "torch.sinh(a)"),
    Operation("cosh", "torch.cosh(a)"),
    Operation("asinh", "torch.asinh(a)", ulps=8),
    Operation("acosh", "torch.acosh(a)", domain="G", ulps=8),
    Operation("atanh", "torch.atanh(a)", domain="U", ulps=8),
    Operation("sinc", "torch.sinc(a)", ulps=16),
)

_SPECIAL = (
    Operation("erf", "torch.erf(a)"),
    Operation("erfc", "torch.erfc(a)", ulps=16),
    Operation("erfcx", "torch.special.erfcx(a)", ulps=16),
    Operation("erfinv", "torch.erfinv(a)", domain="U", ulps=16),
    Operation("lgamma", "torch.lgamma(a)", domain="P", ulps=32),
    Operation("digamma", "torch.digamma(a)", domain="P", ulps=_TRIGAMMA),
    Operation(
        "polygamma",
        "torch.polygamma(n, a)",
        domain="P",
        attributes={"n": (1, 2, 0)},
        ulps=_TRIGAMMA,
    ),
    Operation(
        "multigammaln",
        "torch.special.multigammaln(a, p)",
        domain="G",
        attributes={"p": (1, 2, 3)},
        ulps=64,
    ),
    Operation(
        "zeta", "torch.special.zeta(x, a)", domain="P", attributes={"x": (2.0, 3.0, 1.5)}, ulps=32
    ),
    Operation(
        "gammainc",
        "torch.special.gammainc(torch.full_like(a, s), a)",
        domain="P",
        attributes={"s": (0.5, 2.0, 3.5)},
        ulps=64,
    ),
    Operation(
        "gammaincc",
        "torch.special.gammaincc(torch.full_like(a, s), a)",
        domain="P",
        attributes={"s": (0.5, 2.0, 3.5)},
        ulps=64,
    ),
    Operation("i0", "torch.special.i0(a)", ulps=16),
    Operation("i0e", "torch.special.i0e(a)", kinks="0", ulps=16),
    Operation("i1", "torch.special.i1(a)", ulps=16),
    Operation("i1e", "torch.special.i1e(a)", ulps=16),
    Operation("ndtr", "torch.special.ndtr(a)", ulps=16),
    Operation("ndtri", "torch.special.ndtri(a)", domain="Q", ulps=32),
    Operation("log_ndtr", "torch.special.log_ndtr(a)", ulps=32),
    Operation("entr", "torch.special.entr(a)", domain="P", ulps=8),
)

ROWS: tuple[Operation, ...] = (
    *_EXPONENTIALS,
    *_POWERS,
    *_TRIGONOMETRIC,
    *_STEPS,
    *_SPECIAL,
)
