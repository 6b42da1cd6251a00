"""Operations in the functions of MLX: ``mx`` is ``mlx.core``, and ``nn`` ``mlx.nn``.

Where a function has no such attribute, a look-up of its value raises KeyError. Many functions of
MLX 0.32.4 compute in float32 whatever the dtype is.
"""

from __future__ import annotations

from typing import Final

_SAME: Final = (
    *("square", "exp", "log", "sin", "cos", "tanh", "sqrt", "sign", "floor", "sigmoid", "rsqrt"),
    *("reciprocal", "expm1", "log2", "log10", "log1p", "tan", "sinh", "cosh", "erf", "erfinv"),
    *("ceil", "trunc", "atleast_3d", "trace"),
)
_ACTIVATIONS: Final = (
    *("relu", "softplus", "gelu", "relu6", "selu", "silu", "mish", "softsign", "hardswish"),
)
_SAME_PAIRS: Final = ("add", "maximum", "minimum", "matmul", "power", "outer", "logaddexp")
_REDUCED: Final = "axis=axis, keepdims=keepdims"
#: The norm of all elements, or along axes.
_NORM: Final = (
    "(mx.linalg.norm(a.reshape(-1), {0}).reshape((1,) * a.ndim if keepdims else ()) "
    "if axis is None else mx.linalg.norm(a, {0}, axis=axis, keepdims=keepdims))"
)
_INDICES: Final = "mx.array(indices)"
#: Where the elements lie that an index along axis 1 names.
_PLACES: Final = f"mx.arange(len(indices))[:, None], {_INDICES}"
_PARTS: Final = "(lambda z: mx.stack([mx.real(z), mx.imag(z)], -1))"
#: For complex numbers, of which MLX has those of float32 alone.
SINGLE: Final = "{{mx.float32: lambda: {0}}}[a.dtype]()"

_COMPLEX: Final[dict[str, str]] = {
    "complex_abs": "mx.abs(a + 1j * b)",
    "complex_multiply": f"{_PARTS}((a + 1j * b) * (c + 1j * d))",
    "complex_divide": f"{_PARTS}((a + 1j * b) / (c + 1j * d))",
    **{
        f"complex_{name}": f"{_PARTS}(mx.{name}(a + 1j * b))"
        for name in ("exp", "log", "sqrt", "tanh", "sin")
    },
}

_ELEMENTWISE: Final[dict[str, str]] = {
    **{name: f"mx.{name}(a)" for name in _SAME},
    **{name: f"nn.{name}(a)" for name in _ACTIVATIONS},
    **{name: f"mx.{name}(a, b)" for name in _SAME_PAIRS},
    **{
        name: f"mx.arc{name[1:]}(a)" for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")
    },
    "absolute": "mx.abs(a)",
    "mul": "mx.multiply(a, b)",
    "sub": "mx.subtract(a, b)",
    "neg": "mx.negative(a)",
    "div": "mx.divide(a, b)",
    "pow": "mx.power(a, exponent)",
    "add_scalar": "a + c",
    "mul_scalar": "a * c",
    "sub_scalar": "a - c",
    "rsub_scalar": "c - a",
    "div_scalar": "a / c",
    "rdiv_scalar": "c / a",
    "clip": "mx.clip(a, x_min, x_max)",
    "where": "mx.where(mx.array(condition), a, b)",
    "leaky_relu": "nn.leaky_relu(a, slope)",
    "gelu_tanh": "nn.gelu_approx(a)",
    "gelu_sigmoid": "nn.gelu_fast_approx(a)",
    "logsigmoid": "nn.log_sigmoid(a)",
    "relu_squared": "nn.relu2(a)",
    "hardtanh": "nn.hard_tanh(a, min_val, max_val)",
    "hardshrink": "nn.hard_shrink(a, lambd)",
    "softshrink": "nn.softshrink(a, lambd)",
    "elu": "nn.elu(a, alpha)",
    "celu": "nn.celu(a, alpha)",
    "glu": "nn.glu(a, axis)",
    "prelu_shared": "nn.prelu(a, b)",
    "prelu": "nn.prelu(a, b)",
    "swiglu": "nn.silu(a) * b",
    "softplus_beta": "{(1.0, 20.0): nn.softplus}[beta, threshold](a)",
    "threshold": "mx.where(a > threshold, a, value)",
    "crelu": "mx.concatenate([nn.relu(a), nn.relu(-a)], -1)",
    "maxout": "mx.max(a.reshape(a.shape[0], -1, groups, *a.shape[2:]), 2)",
    "tanhshrink": "a - mx.tanh(a)",
    "integer_power": "mx.power(a, exponent)",
    "negative_power": "mx.power(a, exponent)",
    "scalar_power": "mx.power(base, a)",
    "round": "mx.round(a, decimals)",
    "deg2rad": "mx.radians(a)",
    "rad2deg": "mx.degrees(a)",
    "nan_to_num": "mx.nan_to_num(a)",
    "copy": "mx.positive(a)",
    "atan2": "mx.arctan2(a, b)",
    "remainder": "mx.remainder(a, b)",
    "divide_rounded": "mx.floor_divide(a, b) if rounding_mode == 'floor' else mx.trunc(a / b)",
    "add_alpha": "a + alpha * b",
    "sub_alpha": "a - alpha * b",
    "squared_difference": "mx.square(a - b)",
    "lerp": "a + c * (b - a)",
    "lerp_scalar": "a + weight * (b - a)",
    "addcmul": "a + value * b * c",
    "addcdiv": "a + value * b / c",
    "clip_by_tensors": "mx.clip(a, b, c)",
    "clip_below": "mx.clip(a, b, None)",
    "where_scalar": "mx.where(mx.array(mask), a, other)",
    "where_of_comparison": "mx.where(a > b, a, 2 * b)",
    "divide_no_nan": "mx.where(b == 0, 0.0, a / mx.where(b == 0, 1.0, b))",
    **{name: SINGLE.format(text) for name, text in _COMPLEX.items()},
}

_ALONG_AXES: Final[dict[str, str]] = {
    **{
        name: f"mx.{name}(a, {_REDUCED})"
        for name in ("sum", "mean", "max", "min", "prod", "logsumexp")
    },
    **{
        name: f"mx.{name}(a, axis=axis)"
        for name in ("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "softmax")
    },
    "var": f"mx.var(a, ddof=correction, {_REDUCED})",
    "std": f"mx.std(a, ddof=correction, {_REDUCED})",
    "var_mean": f"(mx.var(a, {_REDUCED}), mx.mean(a, {_REDUCED}))",
    "norm": _NORM.format("None"),
    # Of two axes they would be those of a matrix.
    "vector_norm": _NORM.format("{True: float(ord)}[type(axis) is not tuple]"),
    "vector_norm_of_nonzero": _NORM.format("{True: float(ord)}[type(axis) is not tuple]"),
    "clip_by_norm": "a * mx.minimum(max_norm / mx.linalg.norm(a.reshape(-1)), 1.0)",
    "max_axis": f"mx.max(a, {_REDUCED})",
    "min_axis": f"mx.min(a, {_REDUCED})",
    "max_all": "mx.max(a)",
    "min_all": "mx.min(a)",
    "ptp": "mx.max(a, axis) - mx.min(a, axis)",
    "aminmax": f"mx.stack([mx.min(a, {_REDUCED}), mx.max(a, {_REDUCED})])",
    "median_between": f"mx.median(a, {_REDUCED})",
    "trimmed_mean": "mx.sort(a)[1:-1].mean()",
    # nn.log_softmax, which is compiled, ends the process at its second call.
    "log_softmax": "a - mx.logsumexp(a, axis=axis, keepdims=True)",
    "mean_squared_error": "mx.sum((a - b) ** 2) / len(a)",
    "softmax_cross_entropy": "nn.losses.cross_entropy(a, mx.array(t), reduction='mean')",
    "cumsum_reversed": "mx.cumsum(a, axis=axis, reverse=True)",
    "cumsum_exclusive": "mx.cumsum(a, axis=axis, inclusive=False)",
    "cumprod_reversed": "mx.cumprod(a, axis=axis, reverse=True)",
    "cumprod_exclusive": "mx.cumprod(a, axis=0, inclusive=False)",
    "diff": "mx.diff(a, n, axis=axis)",
    "sort": "-mx.sort(-a, axis) if descending else mx.sort(a, axis)",
    "sort_by_key": "mx.take_along_axis(b, mx.argsort(a, axis=-1), -1)",
    "topk": "-mx.sort(-a, -1)[..., :k]",
    "bottomk": "mx.sort(a, -1)[..., :k]",
    "topk_sum": "mx.sum(mx.topk(a, k, axis=-1), -1)",
}

_ARRANGED: Final[dict[str, str]] = {
    "reshape": "mx.reshape(a, shape)",
    "transpose": "mx.transpose(a, axes)",
    "broadcast_to": "mx.broadcast_to(a, shape)",
    "get_item": "a[index]",
    "slice_backwards": "a[(slice(None),) * axis + (slice(start, stop, step),)]",
    "transpose_all": "mx.transpose(a)",
    "concat": "mx.concatenate(xs, axis=axis)",
    "stack": "mx.stack(xs, axis=axis)",
    "split": "tuple(mx.split(a, [sum(sizes[:i]) for i in range(1, len(sizes))], axis=axis))",
    "squeeze": "mx.squeeze(a, axis)",
    "expand_dims": "mx.expand_dims(a, axis)",
    "moveaxis": "mx.moveaxis(a, source, destination)",
    "pad": "mx.pad(a, pad_width)",
    "dot": "mx.inner(a, b)",
    "einsum": "mx.einsum(subscripts, a, b)",
    "linear": "mx.addmm(c, a, b)",
    "flatten": "mx.flatten(a, start_dim)",
    "unflatten": "mx.unflatten(a, 0, sizes)",
    "squeeze_all": "mx.squeeze(a)",
    "swapaxes": "mx.swapaxes(a, axis, 0)",
    "expand": "mx.broadcast_to(a, (2, *a.shape))",
    "view_transposed": "mx.flatten(mx.swapaxes(a, 0, 1))",
    "roll": "mx.roll(a, shifts, axis)",
    "roll_flat": "mx.roll(a, shifts)",
    "roll_both": "mx.roll(a, (shifts, 1), (0, 1))",
    "tile": "mx.tile(a, dims)",
    "repeat_interleave": "mx.repeat(a, repeats, axis=axis)",
    "meshgrid": "tuple(mx.meshgrid(a, b, indexing=indexing))",
    "concat_itself": "mx.concatenate([a, b, a], axis=0)",
    "stack_itself": "mx.stack([a, b, a], axis=axis)",
    "unbind": "tuple(mx.squeeze(y, axis) for y in mx.split(a, a.shape[axis], axis))",
    "dynamic_stitch": "mx.concatenate([a[:1], b[:2]])",
    "split_first": "mx.split(a, [2])[0]",
    "hsplit": "tuple(mx.split(a, [1, 2], axis=1))",
    "pad_constant": "mx.pad(a, [(0, 0), pad] if len(pad) == 2 else [pad[2:], pad[:2]], "
    "constant_values=value)",
    "pad_replicate": "mx.pad(a, [(0, 0), (0, 0), pad], mode='edge')",
    "pad_replicate_images": "mx.pad(a, [(0, 0), (0, 0), pad[2:], pad[:2]], mode='edge')",
    "pad_replicate_volumes": "mx.pad(a, [(0, 0), (0, 0), pad[4:], pad[2:4], pad[:2]], mode='edge')",
}

_INDEXED: Final[dict[str, str]] = {
    "take_along_axis": f"mx.take_along_axis(a, {_INDICES}, axis)",
    "index_select": f"mx.take(a, {_INDICES}, axis=0)",
    "get_rows": f"a[{_INDICES}]",
    "get_pairs": f"a[{_INDICES}, {_INDICES}]",
    "get_columns": f"a[:, {_INDICES}]",
    "gather": f"mx.take_along_axis(a, {_INDICES}, 1)",
    "take": f"mx.take(a, {_INDICES})",
    "take_labels": "mx.take_along_axis(a, mx.array(labels)[:, None], 1)[:, 0]",
    "embedding": f"a[{_INDICES}]",
    "select": "mx.take(a, index % a.shape[axis], axis=axis)",
    "narrow": "a[start : start + length]",
    "strided_slice": "a[start::step]",
    "as_strided": "mx.as_strided(a, (2, 2), stride)",
    "multiplex": "mx.where(mx.array(labels)[:, None] == 0, a, b)",
    "diagonal": "mx.diagonal(a, offset)",
    "diagonal_of_axes": "mx.diagonal(a, offset, 0, 2)",
    "diag": "mx.diag(a, diagonal)",
    "tril": "mx.tril(a, diagonal)",
    "triu": "mx.triu(a, diagonal)",
    "band_part": "mx.triu(mx.tril(a, upper), -lower)",
    "scatter": f"mx.put_along_axis(a, {_INDICES}, b, 1)",
    "scatter_value": f"mx.put_along_axis(a, {_INDICES}, mx.array(value, a.dtype), 1)",
    "scatter_add": f"a.at[{_PLACES}].add(b)",
    "scatter_sum": f"{{True: a.at[{_PLACES}].add}}[include_self](b)",
    "scatter_prod": f"{{True: a.at[{_PLACES}].multiply}}[include_self](b)",
    "scatter_amax": f"{{True: a.at[{_PLACES}].maximum}}[include_self](b)",
    "scatter_amin": f"{{True: a.at[{_PLACES}].minimum}}[include_self](b)",
    "scatter_add_to_zeros": f"mx.zeros_like(a).at[{_PLACES}].add(b) * a",
    "index_add": f"a.at[{_INDICES}].subtract(b[: len(indices)]) if alpha == -1 "
    f"else a.at[{_INDICES}].add(alpha * b[: len(indices)])",
    "index_prod": f"{{True: a.at[{_INDICES}].multiply}}[include_self](b[: len(indices)])",
    "index_amax": f"{{True: a.at[{_INDICES}].maximum}}[include_self](b[: len(indices)])",
    "index_amin": f"{{True: a.at[{_INDICES}].minimum}}[include_self](b[: len(indices)])",
    "index_put_add": f"a.at[{_INDICES}].add(b[: len(indices)])",
    "index_divide": f"a.at[{_INDICES}].divide(b[: len(indices)])",
    "index_copy": f"(lambda c: (c.__setitem__({_INDICES}, b[: len(indices)]), c)[1])(a + 0)",
    "index_put": f"a.at[{_INDICES}].add(b[: len(indices)]) if accumulate "
    f"else (lambda c: (c.__setitem__({_INDICES}, b[: len(indices)]), c)[1])(a + 0)",
    "index_put_scalar": f"(lambda c: (c.__setitem__({_INDICES}, b), c)[1])(a + 0)",
    "index_put_pairs": f"a.at[{_INDICES}, {_INDICES}].add(b) if accumulate "
    f"else (lambda c: (c.__setitem__(({_INDICES}, {_INDICES}), b), c)[1])(a + 0)",
    "masked_fill": "mx.where(mx.array(mask), b, a)",
    "masked_fill_value": "mx.where(mx.array(mask), value, a)",
    "index_put_mask": "mx.where(mx.array(mask), b, a)",
    "set_slice": "(lambda c: (c.__setitem__(slice(1, None), b), c)[1])(a + 0)",
    "set_slice_with_step": "(lambda c: (c.__setitem__(slice(start, None, 2), b), c)[1])(a + 0)",
    "slice_scatter": "mx.slice_update(a, b, mx.array([start]), (0,))",
    "select_scatter": "(lambda c: (c.__setitem__(index, b), c)[1])(a + 0)",
}

NAMES: Final[dict[str, str]] = {**_ELEMENTWISE, **_ALONG_AXES, **_ARRANGED, **_INDEXED}
