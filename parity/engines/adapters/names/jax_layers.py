"""Products, linear algebra and the layers of networks in the functions of JAX."""

from __future__ import annotations

import re
from typing import Final

from parity.engines.adapters.names import numpy_layers

#: Raises: the library does not have this choice of an attribute.
_REFUSED: Final = "1 / 0"
_HEADS_LAST: Final = "*(jnp.swapaxes(x, 1, 2) for x in (a, b, c))"
_LENGTHS: Final = {1: "NCH", 2: "NCHW", 3: "NCDHW"}
_KERNELS: Final = {1: "OIH", 2: "OIHW", 3: "OIDHW"}


def _convolution(axes: int, groups: str = "1") -> str:
    """Return a convolution over so many axes; stride, padding and dilation are the same in all."""
    return (
        f"jax.lax.conv_general_dilated(a, b, (stride,) * {axes}, [(padding, padding)] * {axes}, "
        f"rhs_dilation=(dilation,) * {axes}, feature_group_count={groups})"
    )


def _transposed(axes: int) -> str:
    """Return a transposed convolution over so many axes."""
    numbers = (_LENGTHS[axes], _KERNELS[axes], _LENGTHS[axes])
    return (
        f"jax.lax.conv_transpose(a, b, (stride,) * {axes}, [(dilation * (k - 1) - padding, "
        "dilation * (k - 1) - padding + output_padding) for k in b.shape[2:]], "
        f"(dilation,) * {axes}, {numbers}, transpose_kernel=True)"
    )


def _pooling(axes: int, what: str, start: str, dilation: str = "1") -> str:
    """Return a reduction of windows over so many axes; without ``ceil_mode``."""
    return (
        f"jax.lax.reduce_window(a, {start}, jax.lax.{what}, "
        f"(1, 1, *(kernel_size,) * {axes}), (1, 1, *(stride,) * {axes}), "
        f"((0, 0), (0, 0), *((padding, padding),) * {axes}), "
        f"window_dilation=(1, 1, *({dilation},) * {axes}))"
    )


_LAYERS: Final = {
    **{f"conv{n}d": _convolution(n) for n in (1, 2, 3)},
    "conv1d_bias": f"{_convolution(1)} + c[:, None]",
    "conv2d_bias": f"{_convolution(2)} + c[:, None, None]",
    "conv1d_groups": _convolution(1, "2"),
    "conv2d_groups": _convolution(2, "2"),
    "conv3d_groups": _convolution(3, "2"),
    "conv2d_depthwise": _convolution(2, "a.shape[1]"),
    "conv2d_depthwise_multiplied": _convolution(2, "2"),
    "conv1d_named_padding": (
        "jax.lax.conv_general_dilated(a, b, (1,), padding.upper(), rhs_dilation=(dilation,))"
    ),
    "conv2d_named_padding": (
        "jax.lax.conv_general_dilated(a, b, (1, 1), padding.upper(), rhs_dilation=(dilation,) * 2)"
    ),
    "conv2d_of_pairs": (
        "jax.lax.conv_general_dilated(a, b, stride, [(p, p) for p in padding], "
        "rhs_dilation=dilation)"
    ),
    **{f"conv_transpose{n}d": _transposed(n) for n in (1, 2, 3)},
    "conv_transpose1d_bias": f"{_transposed(1)} + c[:, None]",
    "conv_transpose2d_bias": f"{_transposed(2)} + c[:, None, None]",
    **{
        f"max_pool{n}d": (
            f"{_pooling(n, 'max', '-jnp.inf', 'dilation')} if not ceil_mode else {_REFUSED}"
        )
        for n in (1, 2, 3)
    },
    **{
        f"avg_pool{n}d": (
            f"{_pooling(n, 'add', '0.0')} / kernel_size ** {n} "
            f"if count_include_pad and not ceil_mode else {_REFUSED}"
        )
        for n in (1, 2, 3)
    },
    "avg_pool2d_divisor": f"{_pooling(2, 'add', '0.0')} / divisor_override",
    "interpolate_nearest": (
        "jax.image.resize(a, (*a.shape[:2], *size), {'nearest-exact': 'nearest'}[mode])"
    ),
    "interpolate_linear": (
        "jax.image.resize(a, (*a.shape[:2], size), {False: 'linear'}[align_corners], "
        "antialias=False)"
    ),
    "interpolate_bilinear": (
        "jax.image.resize(a, (*a.shape[:2], *size), {False: 'linear'}[align_corners], "
        "antialias=False)"
    ),
    "interpolate_trilinear": (
        "jax.image.resize(a, (*a.shape[:2], *size), {False: 'linear'}[align_corners], "
        "antialias=False)"
    ),
    "interpolate_antialiased": (
        "jax.image.resize(a, (*a.shape[:2], *size), "
        "{('bilinear', False): 'linear', ('bicubic', False): 'cubic'}[mode, align_corners])"
    ),
    "layer_norm_plain": "jax.nn.standardize(a, axis=-1, epsilon=eps)",
    "standardize": "jax.nn.standardize(a, axis=axis, epsilon=0.0)",
    # Its softmax is computed in float32, whatever the operands are.
    "attention": (
        f"jnp.swapaxes(jax.nn.dot_product_attention({_HEADS_LAST}, is_causal=is_causal), 1, 2)"
    ),
    "attention_scaled": (
        f"jnp.swapaxes(jax.nn.dot_product_attention({_HEADS_LAST}, scale=scale), 1, 2)"
    ),
    "attention_bias": f"jnp.swapaxes(jax.nn.dot_product_attention({_HEADS_LAST}, d), 1, 2)",
    "attention_groups": (
        f"jnp.swapaxes(jax.nn.dot_product_attention({_HEADS_LAST}, is_causal=is_causal), 1, 2)"
    ),
}

_LINEAR_ALGEBRA: Final = {
    "log_determinant": "jnp.linalg.slogdet((a + a.mT) / 2)[1]",
    "lu_solve": (
        "jax.scipy.linalg.lu_solve(jax.scipy.linalg.lu_factor(a), b, trans=2 if adjoint else 0)"
    ),
    "solve_triangular": (
        "jax.lax.linalg.triangular_solve(a, b, left_side=True, lower=not upper, "
        "unit_diagonal=unitriangular)"
    ),
    "solve_triangular_transposed": (
        "jax.scipy.linalg.solve_triangular(a, b, trans=1, lower=not upper, "
        "unit_diagonal=unitriangular)"
    ),
    "solve_triangular_left": (
        "jax.lax.linalg.triangular_solve(a, b, lower=not upper, unit_diagonal=unitriangular)"
    ),
    "cholesky_solve": "jax.scipy.linalg.cho_solve((jnp.tril(a), True), b)",
    "cholesky_solve_upper": "jax.scipy.linalg.cho_solve((jnp.triu(a.mT), False), b)",
    "lu": "jax.scipy.linalg.lu(a.T)[1:]",
    "lu_rebuilt": ("(lambda p, l, u: (p @ l ** 2, p @ l @ u, u ** 2))(*jax.scipy.linalg.lu(a))"),
    "householder_product": "jax.lax.linalg.householder_product(a, b)",
    "matrix_exp": "jax.scipy.linalg.expm(a)",
    "matrix_exp_large": "jax.scipy.linalg.expm(a)",
}

NAMES: Final[dict[str, str]] = {
    **{name: re.sub(r"\bnp\.", "jnp.", text) for name, text in numpy_layers.NAMES.items()},
    **_LINEAR_ALGEBRA,
    **_LAYERS,
}
