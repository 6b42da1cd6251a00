"""Products, linear algebra and the layers of networks in the functions of MLX."""

from __future__ import annotations

from typing import Final

from parity.engines.adapters.names.mlx import SINGLE

_SYMMETRIC: Final = "(a + mx.swapaxes(a, -1, -2)) / 2"
_PARTS: Final = "(lambda z: mx.stack([mx.real(z), mx.imag(z)]))"
_SIGNED: Final = (
    "(lambda q, r: (q * mx.sign(mx.diagonal(r)), mx.sign(mx.diagonal(r))[:, None] * r))"
)
#: Raises: the library does not have this choice of an attribute.
_REFUSED: Final = "1 / 0"
#: Channels come last in MLX.
_LAST: Final = {1: "(0, 2, 1)", 2: "(0, 2, 3, 1)", 3: "(0, 2, 3, 4, 1)"}
_FIRST: Final = {1: "(0, 2, 1)", 2: "(0, 3, 1, 2)", 3: "(0, 4, 1, 2, 3)"}
_SWAPPED: Final = {1: "(1, 2, 0)", 2: "(1, 2, 3, 0)", 3: "(1, 2, 3, 4, 0)"}
#: Other factors place the pixels otherwise than PyTorch.
_WHOLE: Final = "scale_factor in (0.5, 2.0)"
_LABELS: Final = "mx.array(labels)"
_WEIGHTS: Final = "mx.broadcast_to(mx.array(weights.astype('float32')), a.shape)"


def _convolution(axes: int, groups: str = "1", bias: str = "") -> str:
    """Return a convolution over so many axes."""
    return (
        f"mx.transpose(mx.conv{axes}d(mx.transpose(a, {_LAST[axes]}), "
        f"mx.transpose(b, {_LAST[axes]}), stride, padding, dilation, {groups}){bias}, "
        f"{_FIRST[axes]})"
    )


def _transposed(axes: int, bias: str = "") -> str:
    """Return a transposed convolution over so many axes."""
    return (
        f"mx.transpose(mx.conv_transpose{axes}d(mx.transpose(a, {_LAST[axes]}), "
        f"mx.transpose(b, {_SWAPPED[axes]}), stride, padding, dilation, output_padding){bias}, "
        f"{_FIRST[axes]})"
    )


def _pooling(axes: int, what: str, condition: str) -> str:
    """Return a pooling over so many axes; the layer of MLX has fewer choices than PyTorch."""
    return (
        f"mx.transpose(nn.{what}Pool{axes}d(kernel_size, stride, padding)"
        f"(mx.transpose(a, {_LAST[axes]})), {_FIRST[axes]}) if {condition} else {_REFUSED}"
    )


_PRODUCTS: Final = {
    **dict.fromkeys(
        (
            *("matmul_batched", "matmul_matrix_vector", "matmul_vector_matrix", "matmul_vectors"),
            *("matmul_broadcast", "matmul_broadcast_first", "matmul_4d_3d", "matmul_3d_4d"),
            *("matmul_4d_vector", "matmul_matrix_4d", "matmul_vector_3d", "matmul_lengths_one"),
        ),
        "mx.matmul(a, b)",
    ),
    **dict.fromkeys(
        ("einsum_alone", "einsum_diagonal", "einsum_batched_diagonal"), "mx.einsum(subscripts, a)"
    ),
    **dict.fromkeys(
        (
            *("einsum_same_shape", "einsum_diagonal_product", "einsum_batched", "einsum_vectors"),
            *("einsum_matrix_vector", "einsum_ellipsis"),
        ),
        "mx.einsum(subscripts, a, b)",
    ),
    "einsum_three": "mx.einsum(subscripts, a, b, c)",
    "inner": "mx.inner(a, b)",
    "kron": "mx.kron(a, b)",
    "kron_of_ranks": "mx.kron(a, b)",
    "cross": "mx.linalg.cross(a, b, axis=axis)",
    "cross_broadcast": "mx.linalg.cross(a, b)",
    "addmm": "mx.addmm(a, b, c, alpha=alpha, beta=beta)",
    "addmm_vector": "mx.addmm(a, b, c, alpha=alpha, beta=beta)",
    "addmv": "mx.addmm(a, b, c, alpha=alpha, beta=beta)",
    "baddbmm": "mx.addmm(a, b, c, alpha=alpha, beta=beta)",
    "linear_layer": "mx.addmm(c, a, mx.transpose(b))",
    "tensordot": "mx.tensordot(a, b, dims)",
    "tensordot_one_axis": "mx.tensordot(a, b, dims)",
    "tensordot_outer": "mx.tensordot(a, b, 0)",
    "convolve": "mx.convolve(a, b)",
}

_LINEAR_ALGEBRA: Final = {
    "determinant": "mx.linalg.det(a)",
    "determinant_of_any": "mx.linalg.det(a)",
    "log_abs_determinant": "mx.linalg.slogdet(a)[1]",
    "matrix_norm": "mx.linalg.norm(a, ord, axis=(-2, -1), keepdims=keepdims)",
    "frobenius_norm": "mx.linalg.norm(a)",
    "inverse": "mx.linalg.inv(a)",
    "pseudo_inverse": "mx.linalg.pinv(a)",
    "solve": "mx.linalg.solve(a, b)",
    "solve_vector": "mx.linalg.solve(a, b)",
    "solve_triangular": (
        f"mx.linalg.solve_triangular(a, b, upper=upper) if not unitriangular else {_REFUSED}"
    ),
    "cholesky": f"mx.linalg.cholesky({_SYMMETRIC}, upper)",
    "cholesky_inverse": "mx.linalg.cholesky_inv(mx.tril(a))",
    "qr": f"{_SIGNED}(*mx.linalg.qr(a))",
    "qr_square": f"{_SIGNED}(*mx.linalg.qr(a))",
    "qr_projector": "(lambda q: q @ q.T)(mx.linalg.qr(a)[0])",
    "lu": "mx.linalg.lu(a.T)[1:]",
    "eigenvalues_symmetric": f"mx.linalg.eigvalsh({_SYMMETRIC})",
    "eigenvalues_of_one_triangle": ("mx.linalg.eigvalsh(mx.tril(a) + mx.tril(a, -1).T, UPLO=UPLO)"),
    "symmetric_exponential": (
        f"(lambda w, v: (v * mx.exp(w)) @ v.T)(*mx.linalg.eigh({_SYMMETRIC}))"
    ),
    "eigenvector_projector": "(lambda v: v @ v.T)(mx.linalg.eigh(a @ a.T)[1][:, -1:])",
    "singular_values": "mx.linalg.svd(a, compute_uv=False)",
}

_SPECTRA: Final = {
    "rfft": f"{_PARTS}(mx.fft.rfft(a, n, norm=norm))",
    "rfft_axis": f"{_PARTS}(mx.fft.rfft(a, axis=axis))",
    "fft": f"{_PARTS}(mx.fft.fft(a, n, norm=norm))",
    "fft_axis": f"{_PARTS}(mx.fft.fft(a, axis=axis))",
    "ifft": f"{_PARTS}(mx.fft.ifft(a, n, norm=norm))",
    "fft_of_complex": f"{_PARTS}(mx.fft.fft(a + 1j * b, n, norm=norm))",
    "irfft": "mx.fft.irfft(a + 1j * b, n, norm=norm)",
    "irfft_of_rfft": "mx.fft.irfft(mx.fft.rfft(a), n)",
    "rfft2": f"{_PARTS}(mx.fft.rfft2(a, norm=norm))",
    "fft2": f"{_PARTS}(mx.fft.fft2(a, norm=norm))",
    "irfft2": "mx.fft.irfft2(a + 1j * b, norm=norm)",
    "rfftn": f"{_PARTS}(mx.fft.rfftn(a, axes=axes))",
    "fftn_lengths": f"{_PARTS}(mx.fft.fftn(a, s=s, axes=axes))",
    "power_spectrum": "(lambda z: mx.real(z) ** 2 + mx.imag(z) ** 2)(mx.fft.rfft(a))",
    "amplitude_spectrum": "mx.abs(mx.fft.rfft(a))",
    "fft_convolution": "mx.fft.irfft(mx.fft.rfft(a) * mx.fft.rfft(b), a.shape[-1])",
}

_FOURIER: Final = {
    **{name: SINGLE.format(text) for name, text in _SPECTRA.items()},
    "fftshift": "mx.fft.fftshift(a)",
    "fftshift_axis": "mx.fft.fftshift(a, [axis])",
    "ifftshift": "mx.fft.ifftshift(a)",
}

_LAYERS: Final = {
    **{f"conv{n}d": _convolution(n) for n in (1, 2, 3)},
    **{f"conv{n}d_bias": _convolution(n, bias=" + c") for n in (1, 2)},
    **{f"conv{n}d_groups": _convolution(n, "2") for n in (1, 2)},
    "conv2d_of_pairs": _convolution(2),
    "conv2d_depthwise": _convolution(2, "a.shape[1]"),
    "conv2d_depthwise_multiplied": _convolution(2, "2"),
    # MLX drops elements where padding is larger than dilation * (length of the kernel - 1).
    **{f"conv_transpose{n}d": _transposed(n) for n in (1, 2, 3)},
    **{f"conv_transpose{n}d_bias": _transposed(n, " + c") for n in (1, 2)},
    "conv_transpose2d_of_pairs": _transposed(2),
    **{f"max_pool{n}d": _pooling(n, "Max", "dilation == 1 and not ceil_mode") for n in (1, 2, 3)},
    **{
        f"avg_pool{n}d": _pooling(n, "Avg", "not ceil_mode and (count_include_pad or not padding)")
        for n in (1, 2, 3)
    },
    "rescale_nearest": (
        "mx.transpose(nn.Upsample(scale_factor, 'nearest')(mx.transpose(a, (0, 2, 3, 1))), "
        f"(0, 3, 1, 2)) if {_WHOLE} else {_REFUSED}"
    ),
    "rescale_bilinear": (
        "mx.transpose(nn.Upsample(scale_factor, 'linear', align_corners)"
        "(mx.transpose(a, (0, 2, 3, 1))), (0, 3, 1, 2)) "
        f"if scale_factor == 2.0 and not recompute_scale_factor else {_REFUSED}"
    ),
    "rescale_bicubic": (
        "mx.transpose(nn.Upsample(scale_factor, 'cubic', align_corners)"
        "(mx.transpose(a, (0, 2, 3, 1))), (0, 3, 1, 2)) "
        f"if scale_factor == 2.0 else {_REFUSED}"
    ),
    "layer_norm": "mx.fast.layer_norm(a, b, c, eps)",
    "layer_norm_plain": "mx.fast.layer_norm(a, None, None, eps)",
    "rms_norm": "mx.fast.rms_norm(a, b, eps)",
    "rms_norm_plain": "mx.fast.rms_norm(a, None, eps)",
    "group_norm_plain": (
        "mx.transpose(nn.GroupNorm(num_groups, a.shape[1], eps, False, True)"
        "(mx.transpose(a, (0, 2, 1))), (0, 2, 1))"
    ),
    "instance_norm_plain": (
        "mx.transpose(nn.InstanceNorm(a.shape[1], eps)(mx.transpose(a, (0, 2, 1))), (0, 2, 1))"
    ),
    "batch_norm_plain": "nn.BatchNorm(a.shape[1], eps, affine=False, track_running_stats=False)(a)",
    "attention": (
        "mx.fast.scaled_dot_product_attention(a, b, c, scale=a.shape[-1] ** -0.5, "
        "mask='causal' if is_causal else None) "
        f"if not is_causal or a.shape[-2] == b.shape[-2] else {_REFUSED}"
    ),
    "attention_values": (
        "mx.fast.scaled_dot_product_attention(a, b, c, scale=a.shape[-1] ** -0.5, "
        "mask='causal' if is_causal else None) "
        f"if not is_causal or a.shape[-2] == b.shape[-2] else {_REFUSED}"
    ),
    "attention_scaled": "mx.fast.scaled_dot_product_attention(a, b, c, scale=scale)",
    "attention_bias": (
        "mx.fast.scaled_dot_product_attention(a, b, c, scale=a.shape[-1] ** -0.5, mask=d)"
    ),
    "attention_mask": (
        "mx.fast.scaled_dot_product_attention(a, b, c, scale=a.shape[-1] ** -0.5, "
        "mask=mx.array(mask) | (mx.arange(a.shape[-1]) == 0))"
    ),
    "attention_groups": (
        "mx.fast.scaled_dot_product_attention(a, b, c, scale=a.shape[-1] ** -0.5, "
        "mask='causal' if is_causal else None) "
        f"if not is_causal or a.shape[-2] == b.shape[-2] else {_REFUSED}"
    ),
}

_LOSSES: Final = {
    "mse_loss": "nn.losses.mse_loss(a, b, reduction)",
    "l1_loss": "nn.losses.l1_loss(a, b, reduction)",
    "smooth_l1_loss": "nn.losses.smooth_l1_loss(a, b, beta, reduction)",
    "huber_loss": "nn.losses.huber_loss(a, b, delta, reduction)",
    "log_cosh_loss": "nn.losses.log_cosh_loss(a, b, 'mean')",
    "gaussian_nll_loss": "nn.losses.gaussian_nll_loss(a, b, c, full, 1e-6, reduction)",
    "binary_cross_entropy": (
        "nn.losses.binary_cross_entropy(a, b, with_logits=False, reduction=reduction)"
    ),
    "binary_cross_entropy_weighted": (
        f"nn.losses.binary_cross_entropy(a, b, {_WEIGHTS}, False, reduction)"
    ),
    "binary_cross_entropy_logits": "nn.losses.binary_cross_entropy(a, b, reduction=reduction)",
    "binary_cross_entropy_logits_weighted": (
        f"nn.losses.binary_cross_entropy(a, b, {_WEIGHTS}, reduction=reduction)"
    ),
    "cross_entropy": (
        f"nn.losses.cross_entropy(a, {_LABELS}, label_smoothing=label_smoothing, "
        "reduction=reduction)"
    ),
    "cross_entropy_probabilities": (
        "nn.losses.cross_entropy(a, b, label_smoothing=label_smoothing, reduction=reduction)"
    ),
    "cross_entropy_images": (
        f"nn.losses.cross_entropy(a, {_LABELS}, axis=1, label_smoothing=label_smoothing, "
        "reduction=reduction)"
    ),
    "margin_ranking_loss": (
        "nn.losses.margin_ranking_loss(a, b, mx.array(signs.astype('float32')), margin, reduction)"
    ),
    "cosine_similarity": "nn.losses.cosine_similarity_loss(a, b, axis, eps)",
    "cosine_similarity_axis": "nn.losses.cosine_similarity_loss(a, b, axis)",
}

NAMES: Final[dict[str, str]] = {
    **_PRODUCTS,
    **_LINEAR_ALGEBRA,
    **_FOURIER,
    **_LAYERS,
    **_LOSSES,
}
