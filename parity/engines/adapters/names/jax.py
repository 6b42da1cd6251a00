"""Operations in the functions of JAX: those of ``jax.numpy``, and its own."""

from __future__ import annotations

import re
from typing import Final

from parity.engines.adapters.names import numpy

_SPECIAL: Final[dict[str, str]] = {
    **{
        name: f"jax.scipy.special.{name}(a)"
        for name in (
            *("erf", "erfc", "erfcx", "erfinv", "digamma", "i0", "i0e", "i1", "i1e", "ndtr"),
            *("ndtri", "log_ndtr", "entr"),
        )
    },
    "lgamma": "jax.scipy.special.gammaln(a)",
    "polygamma": "jax.scipy.special.polygamma(n, a)",
    "multigammaln": "jax.scipy.special.multigammaln(a, p)",
    "zeta": "jax.scipy.special.zeta(x, a)",
    "gammainc": "jax.scipy.special.gammainc(s, a)",
    "gammaincc": "jax.scipy.special.gammaincc(s, a)",
    "logit": "jax.scipy.special.logit(a if eps is None else jnp.clip(a, eps, 1 - eps))",
    "xlogy": "jax.scipy.special.xlogy(a, b)",
    "xlog1py": "jax.scipy.special.xlog1py(a, b)",
}

_FUNCTIONS: Final[dict[str, str]] = {
    **{
        name: f"jax.nn.{name}(a)"
        for name in ("sigmoid", "relu", "softplus", "relu6", "selu", "silu", "mish")
    },
    "rsqrt": "jax.lax.rsqrt(a)",
    "copy": "jnp.copy(a)",
    "integer_power": "jax.lax.integer_pow(a, exponent)",
    "frac": "jnp.modf(a)[0]",
    "leaky_relu": "jax.nn.leaky_relu(a, slope)",
    "gelu": "jax.nn.gelu(a, approximate=False)",
    "gelu_tanh": "jax.nn.gelu(a, approximate=True)",
    "elu": "jax.nn.elu(a, alpha)",
    "celu": "jax.nn.celu(a, alpha)",
    "glu": "jax.nn.glu(a, axis)",
    "logsigmoid": "jax.nn.log_sigmoid(a)",
    "softsign": "jax.nn.soft_sign(a)",
    "squareplus": "jax.nn.squareplus(a, 4.0)",
    "hardsigmoid": "jax.nn.hard_sigmoid(a)",
    "hardswish": "jax.nn.hard_swish(a)",
    "swiglu": "jax.nn.silu(a) * b",
    "gelu_sigmoid": "a * jax.nn.sigmoid(1.702 * a)",
    "softmax": "jax.nn.softmax(a, axis)",
    "log_softmax": "jax.nn.log_softmax(a, axis)",
    "logsumexp": "jax.nn.logsumexp(a, axis, keepdims=keepdims)",
    "softmax_cross_entropy": "-jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(a, 1), "
    "jnp.array(t)[:, None], 1))",
    "gradient": "jnp.gradient(a, spacing, axis=0, "
    "edge_order=None if edge_order == 1 else edge_order)",  # others are not supported
    # Lists are no indices in JAX.
    "get_item": "a[tuple(jnp.array(i) if type(i) is list else i "
    "for i in (index if type(index) is tuple else (index,)))]",
    "nanmedian": "jnp.nanquantile(a, 0.5, axis=axis, keepdims=keepdims, method='lower')",
    "cummax": "jax.lax.cummax(a, axis % a.ndim)",
    "cummin": "jax.lax.cummin(a, axis % a.ndim)",
    "cumsum_reversed": "jax.lax.cumsum(a, axis % a.ndim, reverse=True)",
    "cumprod_reversed": "jax.lax.cumprod(a, axis % a.ndim, reverse=True)",
    "logcumsumexp": "jax.lax.cumlogsumexp(a, axis % a.ndim)",
    "topk": "jax.lax.top_k(a, k)[0]",
    "topk_sum": "jnp.sum(jax.lax.top_k(a, k)[0], -1)",
    "block_diag": "jax.scipy.linalg.block_diag(a, b)",
    **{
        f"{order}segment_{name}": f"jax.ops.segment_{name}(jnp.array(a), jnp.array(groups), "
        f"max(groups) + 1{ordered})"
        for order, ordered in (("", ", indices_are_sorted=True"), ("unsorted_", ""))
        for name in ("sum", "prod", "max", "min")
    },
}

_SET: Final[dict[str, str]] = {
    "scatter": "jnp.put_along_axis(a, jnp.array(indices), b, 1, inplace=False)",
    "scatter_add": "a.at[jnp.arange(len(indices))[:, None], indices].add(b)",
    "scatter_sum": "(a if include_self else a.at[jnp.arange(len(indices))[:, None], indices]"
    ".set(0.0)).at[jnp.arange(len(indices))[:, None], indices].add(b)",
    "scatter_prod": "(a if include_self else a.at[jnp.arange(len(indices))[:, None], indices]"
    ".set(1.0)).at[jnp.arange(len(indices))[:, None], indices].multiply(b)",
    "scatter_amax": "(a if include_self else a.at[jnp.arange(len(indices))[:, None], indices]"
    ".set(-jnp.inf)).at[jnp.arange(len(indices))[:, None], indices].max(b)",
    "scatter_amin": "(a if include_self else a.at[jnp.arange(len(indices))[:, None], indices]"
    ".set(jnp.inf)).at[jnp.arange(len(indices))[:, None], indices].min(b)",
    "scatter_value": "a.at[jnp.arange(len(indices))[:, None], indices].set(value)",
    "scatter_add_to_zeros": "jnp.zeros_like(a).at[jnp.arange(len(indices))[:, None], indices]"
    ".add(b) * a",
    "index_add": "a.at[indices].add(alpha * b[: len(indices)])",
    "index_prod": "(a if include_self else a.at[indices].set(1.0)).at[indices]"
    ".multiply(b[: len(indices)])",
    "index_amax": "(a if include_self else a.at[indices].set(-jnp.inf)).at[indices]"
    ".max(b[: len(indices)])",
    "index_amin": "(a if include_self else a.at[indices].set(jnp.inf)).at[indices]"
    ".min(b[: len(indices)])",
    "index_copy": "a.at[indices].set(b[: len(indices)])",
    "index_fill": "a.at[indices].set(b)",
    "index_put": "a.at[indices].add(b[: len(indices)]) if accumulate "
    "else a.at[indices].set(b[: len(indices)])",
    "index_put_add": "a.at[indices].add(b[: len(indices)])",
    "index_put_pairs": "a.at[indices, indices].add(b) if accumulate "
    "else a.at[indices, indices].set(b)",
    "index_put_scalar": "a.at[indices].set(b)",
    "index_divide": "a.at[indices].divide(b[: len(indices)])",
    "put": "jnp.ravel(a).at[indices].add(b[: len(indices)]).reshape(a.shape)",
    "masked_scatter": "jnp.place(a, mask, b, inplace=False)",
    "set_slice": "a.at[1:].set(b)",
    "set_slice_with_step": "a.at[start::2].set(b)",
    "slice_scatter": "a.at[start : start + 1].set(b)",
    "select_scatter": "a.at[index].set(b)",
    "diagonal_scatter": "jnp.fill_diagonal(a, b, inplace=False)",
    "fill_diagonal": "jnp.fill_diagonal(a, value, inplace=False)",
}

NAMES: Final[dict[str, str]] = {
    **{name: re.sub(r"\bnp\.", "jnp.", text) for name, text in numpy.NAMES.items()},
    **_SPECIAL,
    **_FUNCTIONS,
    **_SET,
}
