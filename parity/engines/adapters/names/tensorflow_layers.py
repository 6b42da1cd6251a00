"""Products, linear algebra and the layers of networks in the functions of TensorFlow."""

from __future__ import annotations

from typing import Final

_SYMMETRIC: Final = "(a + tf.linalg.matrix_transpose(a)) / 2"
_PARTS: Final = "(lambda z: tf.stack([tf.math.real(z), tf.math.imag(z)]))"
_SIGNED: Final = (
    "(lambda q, r: (q * tf.sign(tf.linalg.diag_part(r)), "
    "tf.sign(tf.linalg.diag_part(r))[:, None] * r))"
)
_LENGTH: Final = "None if n is None else [n]"
#: Raises: the library does not have this choice of an attribute.
_REFUSED: Final = "1 / 0"
#: Channels come last in TensorFlow on a processor.
_LAST: Final = {1: "(0, 2, 1)", 2: "(0, 2, 3, 1)", 3: "(0, 2, 3, 4, 1)"}
_FIRST: Final = {1: "(0, 2, 1)", 2: "(0, 3, 1, 2)", 3: "(0, 4, 1, 2, 3)"}
_KERNEL: Final = {1: "(2, 1, 0)", 2: "(2, 3, 1, 0)", 3: "(2, 3, 4, 1, 0)"}
_LABELS: Final = "tf.constant(labels)"
_WEIGHTS: Final = "tf.constant(weights, a.dtype)"
_PAD: Final = "[[0, 0], *[[padding, padding]] * {}, [0, 0]]"


def _padded(axes: int) -> str:
    return f"tf.pad(tf.transpose(a, {_LAST[axes]}), {_PAD.format(axes)})"


def _convolution(axes: int, bias: str = "") -> str:
    """Return a convolution over so many axes."""
    return (
        f"tf.transpose(tf.nn.convolution({_padded(axes)}, tf.transpose(b, {_KERNEL[axes]}), "
        f"stride, 'VALID', dilations=dilation){bias}, {_FIRST[axes]})"
    )


def _transposed(axes: int, bias: str = "") -> str:
    """Return a transposed convolution over so many axes, without padding or dilation."""
    return (
        f"tf.transpose(tf.nn.conv_transpose(tf.transpose(a, {_LAST[axes]}), "
        f"tf.transpose(b, {_KERNEL[axes]}), [a.shape[0], *((n - 1) * stride + k + output_padding "
        "for n, k in zip(a.shape[2:], b.shape[2:])), b.shape[1]], stride, 'VALID')"
        f"{bias}, {_FIRST[axes]}) "
        f"if padding == 0 and dilation == 1 and output_padding < stride else {_REFUSED}"
    )


def _pooling(axes: int, what: str, further: str = "") -> str:
    """Return a pooling over so many axes, without padding."""
    return (
        f"tf.transpose(tf.nn.{what}_pool{axes}d(tf.transpose(a, {_LAST[axes]}), kernel_size, "
        f"stride, 'VALID'), {_FIRST[axes]}) if not padding and not ceil_mode{further} "
        f"else {_REFUSED}"
    )


_PRODUCTS: Final = {
    **dict.fromkeys(
        (
            *("matmul_batched", "matmul_broadcast", "matmul_broadcast_first", "matmul_4d_3d"),
            *("matmul_3d_4d", "matmul_matrix_4d", "matmul_lengths_one"),
        ),
        "tf.matmul(a, b)",
    ),
    "matmul_matrix_vector": "tf.linalg.matvec(a, b)",
    "matmul_4d_vector": "tf.linalg.matvec(a, b)",
    **dict.fromkeys(
        ("einsum_alone", "einsum_diagonal", "einsum_batched_diagonal"), "tf.einsum(subscripts, a)"
    ),
    **dict.fromkeys(
        (
            *("einsum_same_shape", "einsum_diagonal_product", "einsum_batched", "einsum_vectors"),
            *("einsum_matrix_vector", "einsum_ellipsis"),
        ),
        "tf.einsum(subscripts, a, b)",
    ),
    "einsum_three": "tf.einsum(subscripts, a, b, c)",
    "cross_broadcast": "tf.linalg.cross(*tf.experimental.numpy.broadcast_arrays(a, b))",
    "tensordot": "tf.tensordot(a, b, dims)",
    "tensordot_one_axis": "tf.tensordot(a, b, dims)",
    "tensordot_outer": "tf.tensordot(a, b, 0)",
}

_LINEAR_ALGEBRA: Final = {
    "determinant": "tf.linalg.det(a)",
    "determinant_of_any": "tf.linalg.det(a)",
    "log_abs_determinant": "tf.linalg.slogdet(a)[1]",
    "log_determinant": f"tf.linalg.logdet({_SYMMETRIC})",
    "matrix_norm": (
        "tf.norm(a, {'fro': 'euclidean', 1: 1, 2: 2, np.inf: np.inf}[ord], (-2, -1), keepdims)"
    ),
    "frobenius_norm": "tf.norm(a, 'fro', (-2, -1))",
    "inverse": "tf.linalg.inv(a)",
    "pseudo_inverse": "tf.linalg.pinv(a)",
    "solve": "tf.linalg.solve(a, b)",
    "solve_vector": "tf.linalg.solve(a, b[:, None])[:, 0]",
    "lu_solve": "tf.linalg.solve(a, b, adjoint)",
    "solve_triangular": (
        f"tf.linalg.triangular_solve(a, b, lower=not upper) if not unitriangular else {_REFUSED}"
    ),
    "solve_triangular_transposed": (
        "tf.linalg.triangular_solve(a, b, lower=not upper, adjoint=True) "
        f"if not unitriangular else {_REFUSED}"
    ),
    "cholesky_solve": "tf.linalg.cholesky_solve(tf.linalg.band_part(a, -1, 0), b)",
    "least_squares": "tf.linalg.lstsq(a, b, fast=False)",
    "cholesky": f"tf.linalg.cholesky({_SYMMETRIC}) if not upper else {_REFUSED}",
    "qr": f"{_SIGNED}(*tf.linalg.qr(a))",
    "qr_square": f"{_SIGNED}(*tf.linalg.qr(a, full_matrices=mode == 'complete'))",
    "qr_projector": "(lambda q: tf.matmul(q, q, transpose_b=True))(tf.linalg.qr(a)[0])",
    "eigenvalues_symmetric": f"tf.linalg.eigvalsh({_SYMMETRIC})",
    "symmetric_exponential": (
        "(lambda w, v: tf.matmul(v * tf.exp(w), v, transpose_b=True))"
        f"(*tf.linalg.eigh({_SYMMETRIC}))"
    ),
    "eigenvector_projector": (
        "(lambda v: tf.matmul(v, v, transpose_b=True))"
        "(tf.linalg.eigh(tf.matmul(a, a, transpose_b=True))[1][:, -1:])"
    ),
    "singular_values": "tf.linalg.svd(a, compute_uv=False)",
    "svd_rebuilt": (
        "(lambda s, u, v: tf.matmul(u * s[..., None, :] ** 2, v, transpose_b=True))"
        "(*tf.linalg.svd(a))"
    ),
    "svd_low_rank": (
        "(lambda s, u, v: tf.matmul(u[:, :1] * s[:1], v[:, :1], transpose_b=True))"
        "(*tf.linalg.svd(a))"
    ),
    "matrix_exp": "tf.linalg.expm(a)",
    "matrix_exp_large": "tf.linalg.expm(a)",
}

_FOURIER: Final = {
    "rfft": (f"{_PARTS}(tf.signal.rfft(a, {_LENGTH})) if norm == 'backward' else {_REFUSED}"),
    "fft_of_complex": (
        f"{_PARTS}(tf.signal.fft(tf.complex(a, b))) "
        f"if norm == 'backward' and n is None else {_REFUSED}"
    ),
    "irfft": (
        f"tf.signal.irfft(tf.complex(a, b), {_LENGTH}) if norm == 'backward' else {_REFUSED}"
    ),
    "irfft_of_rfft": f"tf.signal.irfft(tf.signal.rfft(a), {_LENGTH})",
    "rfft2": f"{_PARTS}(tf.signal.rfft2d(a)) if norm == 'backward' else {_REFUSED}",
    "irfft2": f"tf.signal.irfft2d(tf.complex(a, b)) if norm == 'backward' else {_REFUSED}",
    "power_spectrum": (
        "(lambda z: tf.math.real(z) ** 2 + tf.math.imag(z) ** 2)(tf.signal.rfft(a))"
    ),
    "amplitude_spectrum": "tf.abs(tf.signal.rfft(a))",
    "fft_convolution": ("tf.signal.irfft(tf.signal.rfft(a) * tf.signal.rfft(b), [a.shape[-1]])"),
    "fftshift": "tf.signal.fftshift(a)",
    "fftshift_axis": "tf.signal.fftshift(a, axis)",
    "ifftshift": "tf.signal.ifftshift(a)",
}

_LAYERS: Final = {
    **{f"conv{n}d": _convolution(n) for n in (1, 2, 3)},
    **{f"conv{n}d_bias": _convolution(n, " + c") for n in (1, 2)},
    **{f"conv{n}d_groups": _convolution(n) for n in (1, 2)},
    **{
        f"conv{n}d_named_padding": (
            f"tf.transpose(tf.nn.convolution(tf.transpose(a, {_LAST[n]}), "
            f"tf.transpose(b, {_KERNEL[n]}), 1, padding.upper(), dilations=dilation), {_FIRST[n]})"
        )
        for n in (1, 2)
    },
    **{
        name: (
            f"tf.transpose(tf.nn.depthwise_conv2d({_padded(2)}, "
            "tf.transpose(tf.reshape(b, (a.shape[1], -1, *b.shape[2:])), (2, 3, 0, 1)), "
            "(1, stride, stride, 1), 'VALID', dilations=(dilation, dilation)), (0, 3, 1, 2)) "
            f"if stride == 1 or dilation == 1 else {_REFUSED}"
        )
        for name in ("conv2d_depthwise", "conv2d_depthwise_multiplied")
    },
    **{f"conv_transpose{n}d": _transposed(n) for n in (1, 2, 3)},
    **{f"conv_transpose{n}d_bias": _transposed(n, " + c") for n in (1, 2)},
    # Pooling over three axes has no float64.
    **{f"max_pool{n}d": _pooling(n, "max", " and dilation == 1") for n in (1, 2)},
    **{f"avg_pool{n}d": _pooling(n, "avg") for n in (1, 2)},
    "unfold": (
        "tf.reshape(tf.transpose(tf.reshape(tf.image.extract_patches("
        f"{_padded(2)}, (1, *kernel_size, 1), (1, stride, stride, 1), (1, dilation, dilation, 1), "
        "'VALID'), (a.shape[0], -1, kernel_size[0] * kernel_size[1], a.shape[1])), (0, 3, 2, 1)), "
        "(a.shape[0], a.shape[1] * kernel_size[0] * kernel_size[1], -1))"
    ),
    "interpolate_nearest": (
        "tf.transpose(tf.compat.v1.image.resize_nearest_neighbor(tf.transpose(a, (0, 2, 3, 1)), "
        "size, half_pixel_centers=mode == 'nearest-exact'), (0, 3, 1, 2))"
    ),
    "batch_normalization": "tf.nn.batch_normalization(a, b, c, e, d, eps)",
    "batch_norm_plain": ("tf.nn.batch_normalization(a, *tf.nn.moments(a, (0,)), None, None, eps)"),
}

_LOSSES: Final = {
    "binary_cross_entropy_logits": (
        f"tf.nn.sigmoid_cross_entropy_with_logits(b, a) if reduction == 'none' else {_REFUSED}"
    ),
    "binary_cross_entropy_logits_positive": (
        f"tf.nn.weighted_cross_entropy_with_logits(b, a, {_WEIGHTS}) "
        f"if reduction == 'none' else {_REFUSED}"
    ),
    "poisson_nll_loss": (
        "tf.nn.log_poisson_loss(b, a) "
        f"if reduction == 'none' and log_input and not full else {_REFUSED}"
    ),
    "cross_entropy": (
        f"tf.nn.sparse_softmax_cross_entropy_with_logits({_LABELS}, a) "
        f"if reduction == 'none' and label_smoothing == 0 else {_REFUSED}"
    ),
    "cross_entropy_probabilities": (
        "tf.nn.softmax_cross_entropy_with_logits(b, a) "
        f"if reduction == 'none' and label_smoothing == 0 else {_REFUSED}"
    ),
    "cross_entropy_images": (
        f"tf.nn.sparse_softmax_cross_entropy_with_logits({_LABELS}, tf.transpose(a, (0, 2, 1))) "
        f"if reduction == 'none' and label_smoothing == 0 else {_REFUSED}"
    ),
}

NAMES: Final[dict[str, str]] = {
    **_PRODUCTS,
    **_LINEAR_ALGEBRA,
    **_FOURIER,
    **_LAYERS,
    **_LOSSES,
}
