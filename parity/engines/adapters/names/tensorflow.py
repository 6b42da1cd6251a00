"""Operations in the functions of TensorFlow.

Where a function has no such attribute, a look-up of its value raises KeyError. In TensorFlow 2.21
``leaky_relu``, ``gelu`` and ``swish`` compute with constants in float32, through its own fault.
"""

from __future__ import annotations

from typing import Final

_SAME: Final = (
    *("square", "exp", "log", "sin", "cos", "tanh", "sqrt", "sign", "floor", "sigmoid", "softplus"),
    *("rsqrt", "reciprocal", "expm1", "log1p", "tan", "asin", "acos", "atan", "sinh", "cosh"),
    *("asinh", "acosh", "atanh", "erf", "erfc", "erfinv", "lgamma", "digamma", "ndtri", "ceil"),
    "angle",
)
_ACTIVATIONS: Final = ("relu", "relu6", "selu", "silu", "softsign", "crelu")
_REDUCED: Final = "a, axis, keepdims"
#: Where elements of rows lie that an index along axis 1 names.
_PLACES: Final = "tf.stack([tf.repeat(tf.range(len(indices))[:, None], indices.shape[1], 1), "
_PLACES_OF: Final = f"{_PLACES}tf.cast(indices, tf.int32)], -1)"
_PARTS: Final = "(lambda z: tf.stack([tf.math.real(z), tf.math.imag(z)], -1))"

_ELEMENTWISE: Final[dict[str, str]] = {
    **{name: f"tf.math.{name}(a)" for name in _SAME},
    **{name: f"tf.nn.{name}(a)" for name in _ACTIVATIONS},
    **{name: f"tf.math.bessel_{name}(a)" for name in ("i0", "i0e", "i1", "i1e")},
    "absolute": "tf.math.abs(a)",
    "add": "tf.add(a, b)",
    "mul": "tf.multiply(a, b)",
    "sub": "tf.subtract(a, b)",
    "neg": "tf.negative(a)",
    "div": "tf.divide(a, b)",
    "maximum": "tf.maximum(a, b)",
    "minimum": "tf.minimum(a, b)",
    "power": "tf.pow(a, b)",
    "pow": "tf.pow(a, tf.constant(exponent, a.dtype))",
    "add_scalar": "a + c",
    "mul_scalar": "a * c",
    "sub_scalar": "a - c",
    "rsub_scalar": "c - a",
    "div_scalar": "a / c",
    "rdiv_scalar": "c / a",
    "clip": "tf.clip_by_value(a, -np.inf if x_min is None else x_min, "
    "np.inf if x_max is None else x_max)",
    "where": "tf.where(condition, a, b)",
    "leaky_relu": "tf.nn.leaky_relu(a, slope)",
    "gelu": "tf.nn.gelu(a)",
    "gelu_tanh": "tf.nn.gelu(a, True)",
    "copy": "tf.identity(a)",
    "integer_power": "tf.pow(a, tf.constant(exponent, a.dtype))",
    "negative_power": "tf.pow(a, tf.constant(exponent, a.dtype))",
    "scalar_power": "tf.pow(tf.constant(base, a.dtype), a)",
    "polygamma": "tf.math.polygamma(tf.constant(n, a.dtype), a)",
    "zeta": "tf.math.zeta(tf.constant(x, a.dtype), a)",
    "gammainc": "tf.math.igamma(tf.constant(s, a.dtype), a)",
    "gammaincc": "tf.math.igammac(tf.constant(s, a.dtype), a)",
    "logsigmoid": "tf.math.log_sigmoid(a)",
    "hardtanh": "tf.clip_by_value(a, min_val, max_val)",
    "elu": "{1.0: tf.nn.elu}[alpha](a)",  # no other alpha
    "softplus_beta": "{(1.0, 20.0): tf.math.softplus}[beta, threshold](a)",
    "relu_squared": "tf.square(tf.nn.relu(a))",
    "gelu_sigmoid": "tf.nn.swish(a, 1.702)",
    "swiglu": "tf.nn.swish(a) * b",
    "tanhshrink": "a - tf.tanh(a)",
    "maxout": "tf.reduce_max(tf.reshape(a, [a.shape[0], -1, groups, *a.shape[2:]]), 2)",
    "add_alpha": "a + alpha * b",
    "sub_alpha": "a - alpha * b",
    "squared_difference": "tf.math.squared_difference(a, b)",
    "lerp": "a + c * (b - a)",
    "addcmul": "a + value * b * c",
    "addcdiv": "a + value * b / c",
    "atan2": "tf.atan2(a, b)",
    "xlogy": "tf.math.xlogy(a, b)",
    "xlog1py": "tf.math.xlog1py(a, b)",
    "logaddexp": "tf.experimental.numpy.logaddexp(a, b)",
    "logaddexp2": "tf.experimental.numpy.logaddexp2(a, b)",
    "hypot": "tf.experimental.numpy.hypot(a, b)",
    "sinc": "tf.experimental.numpy.sinc(a)",
    "exp2": "tf.experimental.numpy.exp2(a)",
    "log2": "tf.experimental.numpy.log2(a)",
    "log10": "tf.experimental.numpy.log10(a)",
    "trunc": "tf.experimental.numpy.fix(a)",
    "deg2rad": "tf.experimental.numpy.deg2rad(a)",
    "rad2deg": "tf.experimental.numpy.rad2deg(a)",
    "divide_no_nan": "tf.math.divide_no_nan(a, b)",
    "clip_by_tensors": "tf.clip_by_value(a, b, c)",
    "clip_below": "tf.maximum(a, b)",
    "where_scalar": "tf.where(mask, a, tf.constant(other, a.dtype))",
    "where_of_comparison": "tf.where(a > b, a, 2 * b)",
    "remainder": "tf.math.floormod(a, b)",
    "fmod": "tf.truncatemod(a, b)",
    "divide_rounded": "tf.math.floordiv(a, b) if rounding_mode == 'floor' "
    "else tf.experimental.numpy.fix(a / b)",
    "complex_abs": "tf.abs(tf.complex(a, b))",
    "complex_angle": "tf.math.angle(tf.complex(a, b))",
    "complex_multiply": f"{_PARTS}(tf.complex(a, b) * tf.complex(c, d))",
    "complex_divide": f"{_PARTS}(tf.complex(a, b) / tf.complex(c, d))",
    **{
        f"complex_{name}": f"{_PARTS}(tf.math.{name}(tf.complex(a, b)))"
        for name in ("exp", "log", "sqrt", "tanh", "sin")
    },
}

_ALONG_AXES: Final[dict[str, str]] = {
    **{name: f"tf.reduce_{name}({_REDUCED})" for name in ("sum", "mean", "max", "min", "prod")},
    "logsumexp": f"tf.reduce_logsumexp({_REDUCED})",
    "var": f"{{0: tf.math.reduce_variance}}[correction]({_REDUCED})",
    "std": f"{{0: tf.math.reduce_std}}[correction]({_REDUCED})",
    "var_mean": f"(tf.math.reduce_variance({_REDUCED}), tf.reduce_mean({_REDUCED}))",
    "norm": "tf.norm(a, 'euclidean', axis, keepdims)",
    "vector_norm": "{True: tf.norm}[ord > 0 and (axis is None or type(axis) is int)]"
    "(a, ord, axis, keepdims)",
    "clip_by_norm": "tf.clip_by_norm(a, max_norm)",
    "ptp": "tf.reduce_max(a, axis) - tf.reduce_min(a, axis)",
    "aminmax": f"tf.stack([tf.reduce_min({_REDUCED}), tf.reduce_max({_REDUCED})])",
    "trimmed_mean": "tf.reduce_mean(tf.sort(a)[1:-1])",
    "softmax": "tf.nn.softmax(a, axis)",
    "log_softmax": "tf.nn.log_softmax(a, axis)",
    "mean_squared_error": "tf.reduce_sum((a - b) ** 2) / a.shape[0]",
    "softmax_cross_entropy": "tf.reduce_mean("
    "tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant(t), a))",
    "cumsum": "tf.cumsum(a, axis)",
    "cumprod": "tf.math.cumprod(a, axis)",
    "cumsum_reversed": "tf.cumsum(a, axis, reverse=True)",
    "cumsum_exclusive": "tf.cumsum(a, axis, exclusive=True)",
    "cumprod_reversed": "tf.math.cumprod(a, axis, reverse=True)",
    "cumprod_exclusive": "tf.math.cumprod(a, exclusive=True)",
    "logcumsumexp": "tf.math.cumulative_logsumexp(a, axis)",
    "diff": "tf.experimental.numpy.diff(a, n, axis=axis)",
    "sort": "tf.sort(a, axis, 'DESCENDING' if descending else 'ASCENDING')",
    "sort_by_key": "tf.gather(b, tf.argsort(a, stable=True), axis=1, batch_dims=1)",
    "topk": "tf.math.top_k(a, k)[0]",
    "bottomk": "-tf.math.top_k(-a, k)[0]",
    "topk_sum": "tf.reduce_sum(tf.math.top_k(a, k)[0], -1)",
}

_ARRANGED: Final[dict[str, str]] = {
    "reshape": "tf.reshape(a, shape)",
    "transpose": "tf.transpose(a, axes)",
    "broadcast_to": "tf.broadcast_to(a, shape)",
    "get_item": "a[index]",
    "slice_backwards": "a[(slice(None),) * axis + (slice(start, stop, step),)]",
    "transpose_all": "tf.transpose(a)",
    "concat": "tf.concat(xs, axis)",
    "stack": "tf.stack(xs, axis)",
    "split": "tuple(tf.split(a, list(sizes), axis))",
    "squeeze": "tf.squeeze(a, axis)",
    "expand_dims": "tf.expand_dims(a, axis)",
    "moveaxis": "tf.experimental.numpy.moveaxis(a, source, destination)",
    "flip": "tf.reverse(a, axis)",
    "pad": "tf.pad(a, pad_width)",
    "matmul": "tf.matmul(a, b)",
    "dot": "tf.tensordot(a, b, 1)",
    "outer": "tf.tensordot(a, b, 0)",
    "einsum": "tf.einsum(subscripts, a, b)",
    "linear": "tf.nn.bias_add(tf.matmul(a, b), c)",
    "flatten": "tf.reshape(a, (*a.shape[: start_dim % len(a.shape)], -1))",
    "unflatten": "tf.reshape(a, (*sizes, *a.shape[1:]))",
    "squeeze_all": "tf.squeeze(a)",
    "swapaxes": "tf.experimental.numpy.swapaxes(a, axis, 0)",
    "expand": "tf.broadcast_to(a, (2, *a.shape))",
    "roll": "tf.roll(a, shifts, axis)",
    "roll_both": "tf.roll(a, (shifts, 1), (0, 1))",
    "rot90": "tf.experimental.numpy.rot90(a, k)",
    "flip_all": "tf.reverse(a, list(range(len(a.shape))))",
    "reverse_sequence": "tf.reverse_sequence(a, last + 1, 1)",
    "tile": "tf.tile(a, dims)",
    "repeat_interleave": "tf.repeat(a, repeats, axis)",
    "repeat_counts": "tf.repeat(a, repeats, 0)",
    "meshgrid": "tuple(tf.meshgrid(a, b, indexing=indexing))",
    "concat_itself": "tf.concat([a, b, a], 0)",
    "stack_itself": "tf.stack([a, b, a], axis)",
    "dynamic_stitch": "tf.dynamic_stitch([[0, 1], [1, 2]], [a[:2], b[:2]])",
    "unbind": "tuple(tf.unstack(a, axis=axis))",
    "split_first": "tf.split(a, [2, a.shape[0] - 2])[0]",
    "hsplit": "tuple(tf.split(a, [1, 1, a.shape[1] - 2], 1))",
    "pad_constant": "tf.pad(a, [[0, 0], pad] if len(pad) == 2 else [pad[2:], pad[:2]], "
    "constant_values=tf.constant(value, a.dtype))",
    "pad_reflect": "tf.pad(a, [[0, 0], [0, 0], pad], 'REFLECT')",
    "pad_reflect_images": "tf.pad(a, [[0, 0], [0, 0], pad[2:], pad[:2]], 'REFLECT')",
    "pad_reflect_volumes": "tf.pad(a, [[0, 0], [0, 0], pad[4:], pad[2:4], pad[:2]], 'REFLECT')",
    "pad_symmetric": "tf.pad(a, [[2, 1], *[[0, 0]] * (len(a.shape) - 1)], 'SYMMETRIC')",
}

_INDEXED: Final[dict[str, str]] = {
    "take_along_axis": "tf.experimental.numpy.take_along_axis(a, tf.constant(indices), axis)",
    "index_select": "tf.gather(a, indices)",
    "get_rows": "tf.gather(a, indices)",
    "get_pairs": "tf.gather_nd(a, tf.stack([indices, indices], 1))",
    "get_columns": "tf.gather(a, indices, axis=1)",
    "gather": "tf.gather(a, indices, axis=1, batch_dims=1)",
    "take": "tf.gather(tf.reshape(a, [-1]), indices)",
    "take_labels": "tf.gather(a, labels, axis=1, batch_dims=1)",
    "embedding": "tf.nn.embedding_lookup(a, indices)",
    "masked_select": "tf.boolean_mask(a, mask)",
    "select": "tf.unstack(a, axis=axis)[index]",
    "narrow": "a[start : start + length]",
    "strided_slice": "a[start::step]",
    "multiplex": "tf.where(labels[:, None] == 0, a, b)",
    "diag": "tf.linalg.diag(a, k=diagonal)",
    "diag_embed": "tf.linalg.diag(a, k=offset)",
    "diagonal": "tf.linalg.diag_part(a, k=offset)",
    "band_part": "tf.linalg.band_part(a, lower, upper)",
    "tril": "tf.experimental.numpy.tril(a, diagonal)",
    "triu": "tf.experimental.numpy.triu(a, diagonal)",
    "trace": "tf.linalg.trace(a)",
    **{
        f"segment_{name}": f"tf.math.segment_{name}(a, groups)"
        for name in ("sum", "mean", "max", "min", "prod")
    },
    **{
        f"unsorted_segment_{name}": f"tf.math.unsorted_segment_{name}(a, groups, max(groups) + 1)"
        for name in ("sum", "mean", "max", "min", "prod")
    },
    "scatter": f"tf.tensor_scatter_nd_update(a, {_PLACES_OF}, b)",
    "scatter_add": f"tf.tensor_scatter_nd_add(a, {_PLACES_OF}, b)",
    "scatter_add_to_zeros": f"tf.scatter_nd({_PLACES_OF}, b, a.shape) * a",
    "scatter_sum": f"{{True: tf.tensor_scatter_nd_add}}[include_self](a, {_PLACES_OF}, b)",
    "scatter_amax": f"{{True: tf.tensor_scatter_nd_max}}[include_self](a, {_PLACES_OF}, b)",
    "scatter_amin": f"{{True: tf.tensor_scatter_nd_min}}[include_self](a, {_PLACES_OF}, b)",
    "index_add": "tf.tensor_scatter_nd_sub(a, indices[:, None], b[: len(indices)]) "
    "if alpha == -1 else tf.tensor_scatter_nd_add(a, indices[:, None], "
    "alpha * b[: len(indices)])",
    "index_amax": "{True: tf.tensor_scatter_nd_max}[include_self]"
    "(a, indices[:, None], b[: len(indices)])",
    "index_amin": "{True: tf.tensor_scatter_nd_min}[include_self]"
    "(a, indices[:, None], b[: len(indices)])",
    "index_copy": "tf.tensor_scatter_nd_update(a, indices[:, None], b[: len(indices)])",
    "index_put": "(tf.tensor_scatter_nd_add if accumulate else tf.tensor_scatter_nd_update)"
    "(a, indices[:, None], b[: len(indices)])",
    "index_put_add": "tf.tensor_scatter_nd_add(a, indices[:, None], b[: len(indices)])",
    "masked_fill": "tf.where(mask, b, a)",
    "masked_fill_value": "tf.where(mask, tf.constant(value, a.dtype), a)",
    "index_put_mask": "tf.where(mask, b, a)",
    "diagonal_scatter": "tf.linalg.set_diag(a, b)",
}

NAMES: Final[dict[str, str]] = {**_ELEMENTWISE, **_ALONG_AXES, **_ARRANGED, **_INDEXED}
