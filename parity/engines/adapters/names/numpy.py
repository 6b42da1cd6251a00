"""Operations in the functions of NumPy; ``np`` stands for any library that has these.

Expressions change no array, and index arrays are arrays of NumPy.
"""

from __future__ import annotations

from typing import Final

_SAME: Final = (
    *("absolute", "square", "exp", "log", "sin", "cos", "tanh", "sqrt", "sign", "floor", "exp2"),
    *("expm1", "log2", "log10", "log1p", "reciprocal", "copy", "deg2rad", "rad2deg", "nan_to_num"),
    *("tan", "sinh", "cosh", "sinc", "ceil", "trunc", "angle", "atleast_3d", "trace"),
)
_SAME_PAIRS: Final = (
    *("add", "maximum", "minimum", "matmul", "power", "outer", "dot", "hypot", "logaddexp"),
    *("logaddexp2", "fmax", "fmin", "copysign", "remainder", "fmod", "float_power"),
)
_REDUCED: Final = "axis=axis, keepdims=keepdims"

_ELEMENTWISE: Final[dict[str, str]] = {
    **{name: f"np.{name}(a)" for name in _SAME},
    **{name: f"np.{name}(a, b)" for name in _SAME_PAIRS},
    **{
        name: f"np.arc{name[1:]}(a)" for name in ("asin", "acos", "atan", "asinh", "acosh", "atanh")
    },
    "mul": "np.multiply(a, b)",
    "sub": "np.subtract(a, b)",
    "neg": "np.negative(a)",
    "div": "np.divide(a, b)",
    "pow": "np.power(a, exponent)",
    "add_scalar": "a + c",
    "mul_scalar": "a * c",
    "sub_scalar": "a - c",
    "rsub_scalar": "c - a",
    "div_scalar": "a / c",
    "rdiv_scalar": "c / a",
    "clip": "np.clip(a, x_min, x_max)",
    "where": "np.where(condition, a, b)",
    "integer_power": "a**exponent",
    "negative_power": "np.power(a, float(exponent))",
    "scalar_power": "np.power(float(base), a)",
    "round": "np.round(a, decimals)",
    "frexp_mantissa": "np.frexp(a)[0]",
    "atan2": "np.arctan2(a, b)",
    "add_alpha": "a + alpha * b",
    "sub_alpha": "a - alpha * b",
    "squared_difference": "(a - b) ** 2",
    "lerp": "a + c * (b - a)",
    "lerp_scalar": "a + weight * (b - a)",
    "addcmul": "a + value * b * c",
    "addcdiv": "a + value * b / c",
    "divide_no_nan": "np.where(b == 0, 0.0, a / np.where(b == 0, 1.0, b))",
    "clip_by_tensors": "np.clip(a, b, c)",
    "clip_below": "np.clip(a, b, None)",
    "where_scalar": "np.where(mask, a, other)",
    "where_of_comparison": "np.where(a > b, a, 2 * b)",
    "divide_rounded": "np.floor_divide(a, b) if rounding_mode == 'floor' else np.trunc(a / b)",
    "hardtanh": "np.clip(a, min_val, max_val)",
    "relu6": "np.clip(a, 0.0, 6.0)",
    "relu_squared": "np.square(np.maximum(a, 0.0))",
    "crelu": "np.concatenate([np.maximum(a, 0.0), np.maximum(-a, 0.0)], -1)",
    "threshold": "np.where(a > threshold, a, value)",
    "hardshrink": "np.where(np.abs(a) > lambd, a, 0.0)",
    "stanh": "scale_b * np.tanh(scale_a * a)",
    "maxout": "np.max(np.reshape(a, (a.shape[0], -1, groups, *a.shape[2:])), 2)",
    "complex_abs": "np.abs(a + 1j * b)",
    "complex_angle": "np.angle(a + 1j * b)",
    "complex_multiply": "(lambda z: np.stack([np.real(z), np.imag(z)], -1))"
    "((a + 1j * b) * (c + 1j * d))",
    "complex_divide": "(lambda z: np.stack([np.real(z), np.imag(z)], -1))"
    "((a + 1j * b) / (c + 1j * d))",
    **{
        f"complex_{name}": "(lambda z: np.stack([np.real(z), np.imag(z)], -1))"
        f"(np.{name}(a + 1j * b))"
        for name in ("exp", "log", "sqrt", "tanh", "sin")
    },
    "polar": "(lambda z: np.stack([np.real(z), np.imag(z)], -1))(a * np.exp(1j * b))",
}

_ALONG_AXES: Final[dict[str, str]] = {
    **{name: f"np.{name}(a, {_REDUCED})" for name in ("sum", "mean", "max", "min", "prod")},
    **{name: f"np.{name}(a, {_REDUCED})" for name in ("nansum", "nanmean")},
    **{name: f"np.{name}(a, axis=axis)" for name in ("cumsum", "cumprod", "ptp")},
    "var": "np.var(a, axis=axis, ddof=correction, keepdims=keepdims)",
    "std": "np.std(a, axis=axis, ddof=correction, keepdims=keepdims)",
    "var_mean": f"(np.var(a, {_REDUCED}), np.mean(a, {_REDUCED}))",
    "norm": f"np.linalg.vector_norm(a, {_REDUCED})",
    "vector_norm": f"np.linalg.vector_norm(a, ord=ord, {_REDUCED})",
    "vector_norm_of_nonzero": f"np.linalg.vector_norm(a, ord=ord, {_REDUCED})",
    "clip_by_norm": "a * np.minimum(max_norm / np.linalg.norm(a), 1.0)",
    "max_axis": f"np.max(a, {_REDUCED})",
    "min_axis": f"np.min(a, {_REDUCED})",
    "max_all": "np.max(a)",
    "min_all": "np.min(a)",
    "aminmax": f"np.stack([np.min(a, {_REDUCED}), np.max(a, {_REDUCED})])",
    "median": f"np.quantile(a, 0.5, {_REDUCED}, method='lower')",
    "median_between": f"np.median(a, {_REDUCED})",
    "quantile": f"np.quantile(a, q, {_REDUCED}, method=interpolation)",
    "quantiles": "np.quantile(a, np.array([0.25, 0.6]), axis=axis)",
    "nanquantile": f"np.nanquantile(a, q, {_REDUCED})",
    "trimmed_mean": "np.mean(np.sort(a)[1:-1])",
    "mean_squared_error": "np.sum((a - b) ** 2) / a.shape[0]",
    "cumsum_reversed": "np.flip(np.cumsum(np.flip(a, axis), axis), axis)",
    "cumsum_exclusive": "np.cumsum(a, axis) - a",
    "cumprod_reversed": "np.flip(np.cumprod(np.flip(a, axis), axis), axis)",
    "cumprod_exclusive": "np.concatenate([np.ones_like(a[:1]), np.cumprod(a, 0)[:-1]])",
    "diff": "np.diff(a, n, axis=axis)",
    "diff_with_ends": "np.diff(a, prepend=b, append=c)",
    "gradient": "np.gradient(a, spacing, axis=0, edge_order=edge_order)",
    "trapezoid": "np.trapezoid(a, dx=dx, axis=axis)",
    "trapezoid_of_points": "np.trapezoid(a, b)",
    "sort": "np.flip(np.sort(a, axis=axis), axis) if descending else np.sort(a, axis=axis)",
    "sort_by_key": "np.take_along_axis(b, np.argsort(a, axis=-1), -1)",
    "topk": "np.flip(np.sort(a, axis=-1), -1)[..., :k]",
    "bottomk": "np.sort(a, axis=-1)[..., :k]",
    "topk_sum": "np.sum(np.sort(a, axis=-1)[..., -k:], -1)",
}

_ARRANGED: Final[dict[str, str]] = {
    "reshape": "np.reshape(a, shape)",
    "transpose": "np.transpose(a, axes)",
    "broadcast_to": "np.broadcast_to(a, shape)",
    "get_item": "a[index]",
    "slice_backwards": "a[(slice(None),) * axis + (slice(start, stop, step),)]",
    "transpose_all": "np.transpose(a)",
    "concat": "np.concatenate(xs, axis=axis)",
    "stack": "np.stack(xs, axis=axis)",
    "split": "tuple(np.split(a, [sum(sizes[:i]) for i in range(1, len(sizes))], axis=axis))",
    "squeeze": "np.squeeze(a, axis)",
    "expand_dims": "np.expand_dims(a, axis)",
    "moveaxis": "np.moveaxis(a, source, destination)",
    "flip": "np.flip(a, axis)",
    "pad": "np.pad(a, pad_width)",
    "einsum": "np.einsum(subscripts, a, b)",
    "linear": "np.matmul(a, b) + c",
    "flatten": "np.reshape(a, (*a.shape[: start_dim % a.ndim], -1))",
    "unflatten": "np.reshape(a, (*sizes, *a.shape[1:]))",
    "squeeze_all": "np.squeeze(a)",
    "swapaxes": "np.swapaxes(a, axis, 0)",
    "expand": "np.broadcast_to(a, (2, *a.shape))",
    "view_transposed": "np.reshape(np.swapaxes(a, 0, 1), -1)",
    "roll": "np.roll(a, shifts, axis)",
    "roll_flat": "np.roll(a, shifts)",
    "roll_both": "np.roll(a, (shifts, 1), (0, 1))",
    "rot90": "np.rot90(a, k)",
    "flip_all": "np.flip(a)",
    "tile": "np.tile(a, dims)",
    "repeat_interleave": "np.repeat(a, repeats, axis=axis)",
    "repeat_counts": "np.repeat(a, repeats, axis=0)",
    "meshgrid": "tuple(np.meshgrid(a, b, indexing=indexing))",
    "vander": "np.vander(a, N, increasing)",
    "concat_itself": "np.concatenate([a, b, a], axis=0)",
    "stack_itself": "np.stack([a, b, a], axis=axis)",
    **{name: f"np.{name}(xs)" for name in ("hstack", "vstack", "dstack", "column_stack")},
    "dynamic_stitch": "np.concatenate([a[:1], b[:2]])",
    "tensor_split": "tuple(np.array_split(a, sections))",
    "hsplit": "tuple(np.hsplit(a, (1, 2)))",
    "split_first": "np.split(a, [2])[0]",
    "pad_constant": "np.pad(a, ((0, 0), pad) if len(pad) == 2 else (pad[2:], pad[:2]), "
    "constant_values=value)",
    **{
        f"pad_{name}": f"np.pad(a, ((0, 0), (0, 0), pad), mode='{mode}')"
        for name, mode in (("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"))
    },
    **{
        f"pad_{name}_images": f"np.pad(a, ((0, 0), (0, 0), pad[2:], pad[:2]), mode='{mode}')"
        for name, mode in (("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"))
    },
    **{
        f"pad_{name}_volumes": "np.pad(a, ((0, 0), (0, 0), pad[4:], pad[2:4], pad[:2]), "
        f"mode='{mode}')"
        for name, mode in (("reflect", "reflect"), ("replicate", "edge"))
    },
    "pad_symmetric": "np.pad(a, ((2, 1), *[(0, 0)] * (a.ndim - 1)), mode='symmetric')",
}

_INDEXED: Final[dict[str, str]] = {
    "take_along_axis": "np.take_along_axis(a, np.array(indices), axis)",
    "index_select": "np.take(a, indices, axis=0)",
    "get_rows": "a[indices]",
    "get_pairs": "a[indices, indices]",
    "get_columns": "a[:, indices]",
    "gather": "np.take_along_axis(a, indices, 1)",
    "take": "np.take(a, indices)",
    "take_labels": "np.take_along_axis(a, labels[:, None], 1)[:, 0]",
    "embedding": "a[indices]",
    "masked_select": "a[mask]",
    "select": "np.take(a, index, axis=axis)",
    "narrow": "a[start : start + length]",
    "strided_slice": "a[start::step]",
    "multiplex": "np.where(labels[:, None] == 0, a, b)",
    "diagonal": "np.diagonal(a, offset)",
    "diagonal_of_axes": "np.diagonal(a, offset, 0, 2)",
    "diag": "np.diag(a, diagonal)",
    "diagflat": "np.diagflat(a, offset)",
    "tril": "np.tril(a, diagonal)",
    "triu": "np.triu(a, diagonal)",
    "band_part": "np.triu(np.tril(a, upper), -lower)",
    "masked_fill": "np.where(mask, b, a)",
    "masked_fill_value": "np.where(mask, value, a)",
    "index_put_mask": "np.where(mask, b, a)",
    "set_slice": "np.concatenate([a[:1], np.broadcast_to(b, a[1:].shape)])",
    "slice_scatter": "np.concatenate([a[:start], b, a[start + 1 :]])",
}

NAMES: Final[dict[str, str]] = {**_ELEMENTWISE, **_ALONG_AXES, **_ARRANGED, **_INDEXED}
