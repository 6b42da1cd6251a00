"""Operations in the functions of Paddle; ``F`` is ``paddle.nn.functional``.

Some values differ in Paddle 3.3.1 through its own fault: hardsigmoid, selu, stanh, complex_exp,
renorm and vector_norm (of other orders than 1, 2 and infinity) compute with constants in float32,
and hardshrink keeps elements that are equal to the bound.
"""

from __future__ import annotations

from typing import Final

_SAME: Final = (
    *("square", "exp", "log", "sin", "cos", "tanh", "sqrt", "sign", "floor", "sigmoid", "rsqrt"),
    *("reciprocal", "expm1", "log2", "log10", "log1p", "tan", "asin", "acos", "atan", "sinh"),
    *("cosh", "asinh", "acosh", "atanh", "sinc", "ceil", "trunc", "frac", "sgn", "angle", "erf"),
    *("erfinv", "lgamma", "digamma", "i0", "i0e", "i1", "i1e", "deg2rad", "rad2deg"),
    *("nan_to_num", "trace", "atleast_3d"),
)
_ACTIVATIONS: Final = (
    *("relu", "softplus", "relu6", "hardsigmoid", "hardswish", "selu", "silu", "mish", "softsign"),
    "tanhshrink",
)
_SAME_PAIRS: Final = (
    *("add", "maximum", "minimum", "matmul", "outer", "dot", "hypot", "logaddexp", "fmax", "fmin"),
    *("copysign", "remainder", "atan2", "ldexp"),
)
_REDUCED: Final = "axis=axis, keepdim=keepdims"
_INDICES: Final = "paddle.to_tensor(indices)"

_ELEMENTWISE: Final[dict[str, str]] = {
    **{name: f"paddle.{name}(a)" for name in _SAME},
    **{name: f"paddle.{name}(a, b)" for name in _SAME_PAIRS},
    **{name: f"F.{name}(a)" for name in _ACTIVATIONS},
    "absolute": "paddle.abs(a)",
    "mul": "paddle.multiply(a, b)",
    "sub": "paddle.subtract(a, b)",
    "neg": "paddle.neg(a)",
    "div": "paddle.divide(a, b)",
    "power": "paddle.pow(a, b)",
    "pow": "paddle.pow(a, exponent)",
    "add_scalar": "a + c",
    "mul_scalar": "a * c",
    "sub_scalar": "a - c",
    "rsub_scalar": "c - a",
    "div_scalar": "a / c",
    "rdiv_scalar": "c / a",
    "clip": "paddle.clip(a, x_min, x_max)",
    "where": "paddle.where(paddle.to_tensor(condition), a, b)",
    "leaky_relu": "F.leaky_relu(a, slope)",
    "gelu": "F.gelu(a)",
    "copy": "paddle.clone(a)",
    "integer_power": "paddle.pow(a, exponent)",
    "negative_power": "paddle.pow(a, exponent)",
    "scalar_power": "base**a",
    "frexp_mantissa": "paddle.frexp(a)[0]",
    "logit": "paddle.logit(a, eps)",
    "polygamma": "paddle.polygamma(a, n)",
    "multigammaln": "paddle.multigammaln(a, p)",
    "gammainc": "paddle.gammainc(paddle.full_like(a, s), a)",
    "gammaincc": "paddle.gammaincc(paddle.full_like(a, s), a)",
    "round": "paddle.round(a, decimals)",
    "hardtanh": "F.hardtanh(a, min_val, max_val)",
    "relu_squared": "paddle.square(F.relu(a))",
    "hardshrink": "F.hardshrink(a, lambd)",
    "softshrink": "F.softshrink(a, lambd)",
    "threshold": "F.thresholded_relu(a, threshold, value)",
    "crelu": "paddle.concat([F.relu(a), F.relu(-a)], -1)",
    "elu": "F.elu(a, alpha)",
    "celu": "F.celu(a, alpha)",
    "softplus_beta": "F.softplus(a, beta, threshold)",
    "logsigmoid": "F.log_sigmoid(a)",
    "gelu_tanh": "F.gelu(a, approximate=True)",
    "gelu_sigmoid": "a * F.sigmoid(1.702 * a)",
    "squareplus": "(a + paddle.sqrt(a * a + 4)) / 2",
    "stanh": "paddle.stanh(a, scale_a, scale_b)",
    "prelu": "F.prelu(a, b)",
    "prelu_shared": "F.prelu(a, b)",
    "prelu_images": "F.prelu(a, b)",
    "glu": "F.glu(a, axis)",
    "swiglu": "F.swiglu(a, b)",
    "maxout": "paddle.max(paddle.reshape(a, [a.shape[0], -1, groups, *a.shape[2:]]), 2)",
    "add_alpha": "paddle.add(a, alpha * b)",
    "sub_alpha": "paddle.subtract(a, alpha * b)",
    "squared_difference": "paddle.square(a - b)",
    "lerp": "paddle.lerp(a, b, c)",
    "lerp_scalar": "paddle.lerp(a, b, float(weight))",
    "addcmul": "a + value * b * c",
    "addcdiv": "a + value * b / c",
    "divide_no_nan": "paddle.where(b == 0, paddle.zeros_like(a / b), "
    "a / paddle.where(b == 0, paddle.ones_like(b), b))",
    "clip_by_tensors": "paddle.minimum(paddle.maximum(a, b), c)",
    "clip_below": "paddle.maximum(a, b)",
    "where_scalar": "paddle.where(paddle.to_tensor(mask), a, paddle.full_like(a, other))",
    "where_of_comparison": "paddle.where(a > b, a, 2 * b)",
    "fmod": "paddle.mod(paddle.abs(a), paddle.abs(b)) * paddle.sign(a)",
    "divide_rounded": "paddle.floor_divide(a, b) if rounding_mode == 'floor' "
    "else paddle.trunc(a / b)",
    "complex_abs": "paddle.abs(paddle.complex(a, b))",
    "complex_angle": "paddle.angle(paddle.complex(a, b))",
    "complex_multiply": "paddle.as_real(paddle.complex(a, b) * paddle.complex(c, d))",
    "complex_divide": "paddle.as_real(paddle.complex(a, b) / paddle.complex(c, d))",
    **{
        f"complex_{name}": f"paddle.as_real(paddle.{name}(paddle.complex(a, b)))"
        for name in ("exp", "log", "sqrt", "tanh", "sin")
    },
    "polar": "paddle.as_real(paddle.polar(a, b))",
}

_ALONG_AXES: Final[dict[str, str]] = {
    **{name: f"paddle.{name}(a, {_REDUCED})" for name in ("sum", "mean", "prod", "logsumexp")},
    **{name: f"paddle.{name}(a, {_REDUCED})" for name in ("nansum", "nanmean")},
    **{name: f"paddle.{name}(a, axis=axis)" for name in ("cumsum", "logcumsumexp")},
    **{name: f"paddle.{name}(a, axis=axis)[0]" for name in ("cummax", "cummin")},
    # paddle.max gives the whole gradient to one of equal elements.
    "max": f"paddle.amax(a, {_REDUCED})",
    "min": f"paddle.amin(a, {_REDUCED})",
    "var": f"paddle.var(a, unbiased=correction == 1, {_REDUCED})",
    "std": f"paddle.std(a, unbiased=correction == 1, {_REDUCED})",
    "var_mean": f"(paddle.var(a, unbiased=False, {_REDUCED}), paddle.mean(a, {_REDUCED}))",
    "norm": f"paddle.linalg.vector_norm(a, 2.0, {_REDUCED})",
    "vector_norm": f"paddle.linalg.vector_norm(a, float(ord), {_REDUCED})",
    "vector_norm_of_nonzero": f"paddle.linalg.vector_norm(a, float(ord), {_REDUCED})",
    "renorm": "paddle.renorm(a, p, axis, maxnorm)",
    "ptp": "paddle.amax(a, axis) - paddle.amin(a, axis)",
    "clip_by_norm": "a * paddle.clip(max_norm / paddle.linalg.vector_norm(a), max=1.0)",
    "max_axis": f"paddle.max(a, {_REDUCED})",
    "min_axis": f"paddle.min(a, {_REDUCED})",
    "max_all": "paddle.max(a)",
    "min_all": "paddle.min(a)",
    "aminmax": f"paddle.stack([paddle.amin(a, {_REDUCED}), paddle.amax(a, {_REDUCED})])",
    "median": f"paddle.median(a, {_REDUCED}, mode='min')[0]",
    "median_all": "paddle.median(a, mode='min')",
    "nanmedian": f"paddle.nanmedian(a, {_REDUCED}, mode='min')[0]",
    "median_between": f"paddle.median(a, {_REDUCED})",
    "quantile": f"paddle.quantile(a, q, {_REDUCED}, interpolation=interpolation)",
    "quantiles": "paddle.quantile(a, [0.25, 0.6], axis=axis)",
    "nanquantile": f"paddle.nanquantile(a, q, {_REDUCED})",
    "kthvalue": f"paddle.kthvalue(a, k, {_REDUCED})[0]",
    "mode": f"paddle.mode(a, {_REDUCED})[0]",
    "trimmed_mean": "paddle.sort(a)[1:-1].mean()",
    "softmax": "F.softmax(a, axis)",
    "log_softmax": "F.log_softmax(a, axis)",
    "mean_squared_error": "((a - b) ** 2).sum() / a.shape[0]",
    "softmax_cross_entropy": "F.cross_entropy(a, paddle.to_tensor(t))",
    "cumprod": "paddle.cumprod(a, dim=axis)",
    "cumsum_reversed": "paddle.flip(paddle.cumsum(paddle.flip(a, [axis]), axis), [axis])",
    "cumsum_exclusive": "paddle.cumsum(a, axis) - a",
    "cumprod_reversed": "paddle.flip(paddle.cumprod(paddle.flip(a, [axis]), axis), [axis])",
    "cumprod_exclusive": "paddle.concat([paddle.ones_like(a[:1]), paddle.cumprod(a, 0)[:-1]])",
    "diff": "paddle.diff(a, n, axis=axis)",
    "diff_with_ends": "paddle.diff(a, prepend=b, append=c)",
    "trapezoid": "paddle.trapezoid(a, dx=dx, axis=axis)",
    "trapezoid_of_points": "paddle.trapezoid(a, b)",
    "cumulative_trapezoid": "paddle.cumulative_trapezoid(a, dx=dx, axis=axis)",
    "sort": "paddle.sort(a, axis, descending=descending, stable=True)",
    "sort_by_key": "paddle.take_along_axis(b, paddle.argsort(a, axis=-1, stable=True), -1)",
    "topk": "paddle.topk(a, k, axis=-1)[0]",
    "bottomk": "paddle.topk(a, k, axis=-1, largest=False)[0]",
    "topk_sum": "paddle.topk(a, k, axis=-1)[0].sum(-1)",
}

_ARRANGED: Final[dict[str, str]] = {
    "reshape": "paddle.reshape(a, shape)",
    "transpose": "paddle.transpose(a, axes)",
    "broadcast_to": "paddle.broadcast_to(a, shape)",
    "get_item": "a[index]",
    "concat": "paddle.concat(xs, axis=axis)",
    "stack": "paddle.stack(xs, axis=axis)",
    "split": "tuple(paddle.split(a, list(sizes), axis=axis))",
    "squeeze": "paddle.squeeze(a, axis)",
    "expand_dims": "paddle.unsqueeze(a, axis)",
    "moveaxis": "paddle.moveaxis(a, source, destination)",
    "flip": "paddle.flip(a, axis)",
    "pad": "F.pad(a, [n for pair in pad_width for n in pair], pad_from_left_axis=True)",
    "einsum": "paddle.einsum(subscripts, a, b)",
    "linear": "F.linear(a, b, c)",
    "flatten": "paddle.flatten(a, start_dim)",
    "unflatten": "paddle.unflatten(a, 0, sizes)",
    "squeeze_all": "paddle.squeeze(a)",
    "swapaxes": "paddle.swapaxes(a, axis, 0)",
    "expand": "paddle.expand(a, [2, *a.shape])",
    "view_transposed": "paddle.reshape(paddle.swapaxes(a, 0, 1), [-1])",
    "roll": "paddle.roll(a, shifts, axis)",
    "roll_flat": "paddle.roll(a, shifts)",
    "roll_both": "paddle.roll(a, (shifts, 1), (0, 1))",
    "rot90": "paddle.rot90(a, k)",
    "flip_all": "paddle.flip(a, list(range(a.ndim)))",
    "tile": "paddle.tile(a, dims)",
    "repeat_interleave": "paddle.repeat_interleave(a, repeats, axis=axis)",
    "repeat_counts": "paddle.repeat_interleave(a, paddle.to_tensor(repeats), axis=0)",
    "meshgrid": "tuple(paddle.meshgrid(a, b, indexing=indexing))",
    "block_diag": "paddle.block_diag([a, b])",
    "cartesian_prod": "paddle.cartesian_prod([a, b])",
    "combinations": "paddle.combinations(a, r, with_replacement)",
    "vander": "paddle.vander(a, N, increasing)",
    "concat_itself": "paddle.concat([a, b, a], axis=0)",
    "stack_itself": "paddle.stack([a, b, a], axis=axis)",
    **{name: f"paddle.{name}(xs)" for name in ("hstack", "vstack", "dstack", "column_stack")},
    "dynamic_stitch": "paddle.concat([a[:1], b[:2]])",
    "unbind": "tuple(paddle.unbind(a, axis))",
    "tensor_split": "tuple(paddle.tensor_split(a, sections))",
    "chunk": "tuple(paddle.chunk(a, chunks, axis))",
    "hsplit": "tuple(paddle.hsplit(a, (1, 2)))",
    "split_first": "paddle.split(a, [2, -1])[0]",
    "pad_constant": "F.pad(a, list(pad), value=value, pad_from_left_axis=False)",
    **{
        f"pad_{mode}": f"F.pad(a, list(pad), mode='{mode}', data_format='NCL')"
        for mode in ("reflect", "replicate", "circular")
    },
    **{
        f"pad_{mode}_images": f"F.pad(a, list(pad), mode='{mode}', data_format='NCHW')"
        for mode in ("reflect", "replicate", "circular")
    },
    **{
        f"pad_{mode}_volumes": f"F.pad(a, list(pad), mode='{mode}', data_format='NCDHW')"
        for mode in ("reflect", "replicate")
    },
}

_INDEXED: Final[dict[str, str]] = {
    "take_along_axis": f"paddle.take_along_axis(a, {_INDICES}, axis, broadcast=False)",
    "index_select": f"paddle.index_select(a, {_INDICES}, 0)",
    "get_rows": f"a[{_INDICES}]",
    "get_pairs": f"a[{_INDICES}, {_INDICES}]",
    "get_columns": f"a[:, {_INDICES}]",
    "gather": f"paddle.take_along_axis(a, {_INDICES}, 1, broadcast=False)",
    "take": f"paddle.take(a, {_INDICES})",
    "take_labels": "paddle.index_sample(a, paddle.to_tensor(labels)[:, None])[:, 0]",
    "embedding": f"F.embedding({_INDICES}, a)",
    "masked_select": "paddle.masked_select(a, paddle.to_tensor(mask))",
    "select": "paddle.unbind(a, axis)[index]",
    "narrow": "paddle.slice(a, [0], [start], [start + length])",
    "strided_slice": "paddle.strided_slice(a, [0], [start], [a.shape[0]], [step])",
    "as_strided": "paddle.as_strided(a, (2, 2), stride)",
    "sliding_windows": "paddle.unfold(a, 0, size, step)",
    "multiplex": "paddle.multiplex([a, b], paddle.to_tensor(labels)[:, None].astype('int32'))",
    "diagonal": "paddle.diagonal(a, offset)",
    "diagonal_of_axes": "paddle.diagonal(a, offset, 0, 2)",
    "diag": "paddle.diag(a, diagonal)",
    "diag_embed": "paddle.diag_embed(a, offset)",
    "diagflat": "paddle.diagflat(a, offset)",
    "tril": "paddle.tril(a, diagonal)",
    "triu": "paddle.triu(a, diagonal)",
    "band_part": "paddle.triu(paddle.tril(a, upper), -lower)",
    **{
        f"segment_{name}": f"paddle.geometric.segment_{name}(a, paddle.to_tensor(groups))"
        for name in ("sum", "mean", "max", "min")
    },
    **{
        f"scatter_{name}": f"paddle.put_along_axis(a, {_INDICES}, b, 1, reduce='{reduce}', "
        "include_self=include_self, broadcast=False)"
        for name, reduce in (
            *(("sum", "add"), ("prod", "mul"), ("mean", "mean"), ("amax", "amax")),
            ("amin", "amin"),
        )
    },
    "scatter": f"paddle.put_along_axis(a, {_INDICES}, b, 1, broadcast=False)",
    "scatter_value": f"paddle.put_along_axis(a, {_INDICES}, value, 1, broadcast=False)",
    "scatter_add": f"paddle.put_along_axis(a, {_INDICES}, b, 1, reduce='add', broadcast=False)",
    "scatter_add_to_zeros": f"paddle.put_along_axis(paddle.zeros_like(a), {_INDICES}, b, 1, "
    "reduce='add', broadcast=False) * a",
    "index_add": f"paddle.index_add(a, {_INDICES}, 0, alpha * b[: len(indices)])",
    "index_copy": f"paddle.scatter(a, {_INDICES}, b[: len(indices)])",
    "index_fill": f"paddle.index_fill(a, {_INDICES}, 0, b)",
    "index_put": f"paddle.index_put(a, ({_INDICES},), b[: len(indices)], accumulate)",
    "index_put_add": f"paddle.scatter_nd_add(a, {_INDICES}[:, None], b[: len(indices)])",
    "index_put_pairs": f"paddle.index_put(a, ({_INDICES}, {_INDICES}), b, accumulate)",
    "index_put_scalar": f"paddle.index_put(a, ({_INDICES},), b)",
    "put": f"paddle.reshape(paddle.index_put(paddle.flatten(a), ({_INDICES},), "
    "b[: len(indices)], True), a.shape)",
    "masked_fill": "paddle.masked_fill(a, paddle.to_tensor(mask), b)",
    "masked_fill_value": "paddle.masked_fill(a, paddle.to_tensor(mask), value)",
    "masked_scatter": "paddle.masked_scatter(a, paddle.to_tensor(mask), b)",
    "index_put_mask": "(lambda c: (c.__setitem__(paddle.to_tensor(mask), b), c)[1])(a.clone())",
    "set_slice": "(lambda c: (c.__setitem__(slice(1, None), b), c)[1])(a.clone())",
    "set_slice_with_step": "(lambda c: (c.__setitem__(slice(start, None, 2), b), c)[1])(a.clone())",
    "slice_scatter": "paddle.slice_scatter(a, b, [0], [start], [start + 1], [1])",
    "select_scatter": "paddle.select_scatter(a, b, 0, index)",
    "diagonal_scatter": "paddle.diagonal_scatter(a, b)",
    "fill_diagonal": "a.clone().fill_diagonal_(value)",
}

NAMES: Final[dict[str, str]] = {**_ELEMENTWISE, **_ALONG_AXES, **_ARRANGED, **_INDEXED}
