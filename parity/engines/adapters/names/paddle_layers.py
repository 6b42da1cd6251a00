"""Products, linear algebra and the layers of networks in the functions of Paddle."""

from __future__ import annotations

from typing import Final

_SYMMETRIC: Final = "(a + a.mT) / 2"
_PARTS: Final = "(lambda z: paddle.stack([z.real(), z.imag()]))"
_SIGNED: Final = (
    "(lambda q, r: (q * paddle.sign(paddle.diagonal(r)), "
    "paddle.sign(paddle.diagonal(r)).unsqueeze(1) * r))"
)
_SLIDING: Final = "stride=stride, padding=padding, dilation=dilation"
_ENLARGING: Final = f"{_SLIDING}, output_padding=output_padding"
_WINDOW: Final = "kernel_size, stride, padding"
#: Raises: the library does not have this choice of an attribute.
_REFUSED: Final = "1 / 0"
#: With ``ceil_mode`` Paddle keeps a last window that begins in the padding, PyTorch does not.
_SAME_LENGTH: Final = "not (ceil_mode and (padding or stride > kernel_size))"
_LABELS: Final = "paddle.to_tensor(labels)"
_WEIGHTS: Final = "paddle.to_tensor(weights, a.dtype)"
_SIGNS: Final = "paddle.to_tensor(signs, a.dtype)"
_CONSTANT: Final = "paddle.full([a.shape[1]], {}, a.dtype)"
_STATISTICS: Final = f"{_CONSTANT.format('mean')}, {_CONSTANT.format('variance')}"
_RUNNING: Final = f"{_CONSTANT.format(0.0)}, {_CONSTANT.format(1.0)}"

_PRODUCTS: Final = {
    **dict.fromkeys(
        (
            *("matmul_batched", "matmul_matrix_vector", "matmul_vector_matrix", "matmul_vectors"),
            *("matmul_broadcast", "matmul_broadcast_first", "matmul_4d_3d", "matmul_3d_4d"),
            *("matmul_4d_vector", "matmul_matrix_4d", "matmul_vector_3d", "matmul_lengths_one"),
        ),
        "paddle.matmul(a, b)",
    ),
    **dict.fromkeys(
        ("einsum_alone", "einsum_diagonal", "einsum_batched_diagonal"),
        "paddle.einsum(subscripts, a)",
    ),
    **dict.fromkeys(
        (
            *("einsum_same_shape", "einsum_diagonal_product", "einsum_batched", "einsum_vectors"),
            *("einsum_matrix_vector", "einsum_ellipsis"),
        ),
        "paddle.einsum(subscripts, a, b)",
    ),
    "einsum_three": "paddle.einsum(subscripts, a, b, c)",
    # An operand of one axis keeps its length of 1.
    "inner": "paddle.inner(a, b)",
    "vecdot": "paddle.vecdot(a, b, axis=axis)",
    "kron": "paddle.kron(a, b)",
    "kron_of_ranks": "paddle.kron(a, b)",
    "cross": "paddle.cross(a, b, axis=axis)",
    "cross_broadcast": "paddle.cross(a, b, axis=-1)",
    "addmm": "paddle.addmm(a, b, c, beta=beta, alpha=alpha)",
    "addmm_vector": "paddle.addmm(a, b, c, beta=beta, alpha=alpha)",
    "baddbmm": "paddle.baddbmm(a, b, c, beta=beta, alpha=alpha)",
    "multi_dot": "paddle.linalg.multi_dot([a, b, c])",
    "multi_dot_vectors": "paddle.linalg.multi_dot([a, b, c])",
    "linear_layer": "F.linear(a, b.T, c)",
    "bilinear": "F.bilinear(a, b, c)",
    "bilinear_bias": "F.bilinear(a, b, c, d.unsqueeze(0))",
    "tensordot": "paddle.tensordot(a, b, dims)",
    "tensordot_one_axis": "paddle.tensordot(a, b, dims)",
    "tensordot_outer": "paddle.tensordot(a, b, 0)",
}

_LINEAR_ALGEBRA: Final = {
    "determinant": "paddle.linalg.det(a)",
    "determinant_of_any": "paddle.linalg.det(a)",
    "log_abs_determinant": "paddle.linalg.slogdet(a)[1]",
    "matrix_norm": "paddle.linalg.matrix_norm(a, ord, axis=[-2, -1], keepdim=keepdims)",
    "frobenius_norm": "paddle.linalg.matrix_norm(a)",
    "condition_number": "paddle.linalg.cond(a, p)",
    "condition_number_by_inverse": "paddle.linalg.cond(a, p)",
    "inverse": "paddle.linalg.inv(a)",
    "pseudo_inverse": "paddle.linalg.pinv(a)",
    "pseudo_inverse_hermitian": f"paddle.linalg.pinv({_SYMMETRIC}, hermitian=True)",
    "solve": "paddle.linalg.solve(a, b)",
    "solve_vector": "paddle.linalg.solve(a, b)",
    "solve_left": "paddle.linalg.solve(a, b, left=False)",
    "lu_solve": (
        "paddle.linalg.lu_solve(b, *paddle.linalg.lu(a)[:2], trans='T' if adjoint else 'N')"
    ),
    "solve_triangular": (
        "paddle.linalg.triangular_solve(a, b, upper=upper, unitriangular=unitriangular)"
    ),
    "solve_triangular_transposed": (
        "paddle.linalg.triangular_solve("
        "a, b, upper=upper, transpose=True, unitriangular=unitriangular)"
    ),
    "cholesky_solve": "paddle.linalg.cholesky_solve(b, paddle.tril(a))",
    "cholesky_solve_upper": "paddle.linalg.cholesky_solve(b, paddle.triu(a.mT), upper=True)",
    "cholesky_inverse": "paddle.linalg.cholesky_inverse(paddle.tril(a))",
    "least_squares": "paddle.linalg.lstsq(a, b)[0]",
    "cholesky": f"paddle.linalg.cholesky({_SYMMETRIC}, upper=upper)",
    "qr": f"{_SIGNED}(*paddle.linalg.qr(a))",
    "qr_square": f"{_SIGNED}(*paddle.linalg.qr(a, mode=mode))",
    "qr_projector": "(lambda q: q @ q.mT)(paddle.linalg.qr(a)[0])",
    "lu": "tuple(paddle.linalg.lu_unpack(*paddle.linalg.lu(a.mT)[:2])[1:])",
    "lu_rebuilt": (
        "(lambda p, l, u: (p @ l ** 2, p @ l @ u, u ** 2))"
        "(*paddle.linalg.lu_unpack(*paddle.linalg.lu(a)[:2]))"
    ),
    "eigenvalues_symmetric": f"paddle.linalg.eigvalsh({_SYMMETRIC})",
    "eigenvalues_of_one_triangle": (
        "paddle.linalg.eigvalsh(paddle.tril(a) + paddle.tril(a, -1).mT, UPLO=UPLO)"
    ),
    "symmetric_exponential": (
        f"(lambda w, v: (v * w.exp()) @ v.mT)(*paddle.linalg.eigh({_SYMMETRIC}))"
    ),
    "eigenvector_projector": "(lambda v: v @ v.mT)(paddle.linalg.eigh(a @ a.mT)[1][:, -1:])",
    # All axes of a batch become one.
    "singular_values": "paddle.linalg.svdvals(a)",
    "svd_rebuilt": (
        "(lambda u, s, v: (u * s.unsqueeze(-2) ** 2) @ v)"
        "(*paddle.linalg.svd(a, full_matrices=False))"
    ),
    "svd_low_rank": (
        "(lambda u, s, v: (u[:, :1] * s[:1]) @ v[:1])(*paddle.linalg.svd(a, full_matrices=False))"
    ),
    "householder_product": "paddle.linalg.householder_product(a, b)",
    "matrix_exp": "paddle.linalg.matrix_exp(a)",
    "matrix_exp_large": "paddle.linalg.matrix_exp(a)",
    "matrix_power": "paddle.linalg.matrix_power(a, n)",
    "matrix_power_of_any": "paddle.linalg.matrix_power(a, n)",
    "covariance": f"paddle.linalg.cov(a, ddof=bool(correction)) if correction < 2 else {_REFUSED}",
    "covariance_counts": "paddle.linalg.cov(a.T, fweights=paddle.to_tensor(counts + 1))",
    "covariance_weights": "paddle.linalg.cov(a, aweights=b, ddof=bool(correction))",
    "correlation": "paddle.linalg.corrcoef(a)",
    # The exponent 1 / 3 is a float32, as in everything with p=3.
    "dist": "paddle.dist(a, b, p)",
    "cdist": "paddle.cdist(a, b, p)",
    "cdist_by_products": "paddle.cdist(a, b, compute_mode='use_mm_for_euclid_dist')",
    "pdist": "paddle.pdist(a, p)",
}

_FOURIER: Final = {
    "rfft": f"{_PARTS}(paddle.fft.rfft(a, n, norm=norm))",
    "rfft_axis": f"{_PARTS}(paddle.fft.rfft(a, axis=axis))",
    "fft": f"{_PARTS}(paddle.fft.fft(a, n, norm=norm))",
    "fft_axis": f"{_PARTS}(paddle.fft.fft(a, axis=axis))",
    "ifft": f"{_PARTS}(paddle.fft.ifft(a, n, norm=norm))",
    "fft_of_complex": f"{_PARTS}(paddle.fft.fft(paddle.complex(a, b), n, norm=norm))",
    "irfft": "paddle.fft.irfft(paddle.complex(a, b), n, norm=norm)",
    "irfft_of_rfft": "paddle.fft.irfft(paddle.fft.rfft(a), n)",
    "hfft": "paddle.fft.hfft(paddle.complex(a, b), n, norm=norm)",
    "ihfft": f"{_PARTS}(paddle.fft.ihfft(a, n, norm=norm))",
    "rfft2": f"{_PARTS}(paddle.fft.rfft2(a, norm=norm))",
    "fft2": f"{_PARTS}(paddle.fft.fft2(a, norm=norm))",
    "irfft2": "paddle.fft.irfft2(paddle.complex(a, b), norm=norm)",
    "rfftn": f"{_PARTS}(paddle.fft.rfftn(a, axes=axes))",
    "fftn_lengths": f"{_PARTS}(paddle.fft.fftn(a, s=s, axes=axes))",
    "power_spectrum": "(lambda z: z.real() ** 2 + z.imag() ** 2)(paddle.fft.rfft(a))",
    "amplitude_spectrum": "paddle.abs(paddle.fft.rfft(a))",
    "fft_convolution": "paddle.fft.irfft(paddle.fft.rfft(a) * paddle.fft.rfft(b), a.shape[-1])",
    "fftshift": "paddle.fft.fftshift(a)",
    "ifftshift": "paddle.fft.ifftshift(a)",
    "short_time_fourier": (
        "paddle.as_real(paddle.signal.stft(a, 4, hop_length, window=b, center=center, "
        "onesided=onesided, normalized=normalized))"
    ),
}

_CONVOLUTIONS: Final = {
    **{f"conv{n}d": f"F.conv{n}d(a, b, {_SLIDING})" for n in (1, 2, 3)},
    **{f"conv{n}d_bias": f"F.conv{n}d(a, b, c, {_SLIDING})" for n in (1, 2)},
    **{f"conv{n}d_groups": f"F.conv{n}d(a, b, {_SLIDING}, groups=2)" for n in (1, 2, 3)},
    **{
        f"conv{n}d_named_padding": (  # SAME ignores the dilation
            f"F.conv{n}d(a, b, padding=padding.upper(), dilation=dilation) "
            f"if padding == 'valid' or dilation == 1 else {_REFUSED}"
        )
        for n in (1, 2)
    },
    "conv2d_of_pairs": f"F.conv2d(a, b, {_SLIDING})",
    "conv2d_depthwise": f"F.conv2d(a, b, {_SLIDING}, groups=a.shape[1])",
    "conv2d_depthwise_multiplied": f"F.conv2d(a, b, {_SLIDING}, groups=2)",
    **{f"conv_transpose{n}d": f"F.conv{n}d_transpose(a, b, {_ENLARGING})" for n in (1, 2, 3)},
    **{f"conv_transpose{n}d_bias": f"F.conv{n}d_transpose(a, b, c, {_ENLARGING})" for n in (1, 2)},
    **{
        f"conv_transpose{n}d_groups": f"F.conv{n}d_transpose(a, b, {_ENLARGING}, groups=2)"
        for n in (1, 2)
    },
    "conv_transpose2d_depthwise": f"F.conv2d_transpose(a, b, {_ENLARGING}, groups=a.shape[1])",
    "conv_transpose2d_of_pairs": f"F.conv2d_transpose(a, b, {_ENLARGING})",
    "unfold": "F.unfold(a, kernel_size, stride, padding, dilation)",
    "fold": "F.fold(a, output_size, (2, 2), dilations=dilation)",
    "fold_of_unfold": (
        "F.fold(F.unfold(a, kernel_size, stride, padding, dilation), (5, 6), kernel_size, "
        "stride, padding, dilation)"
    ),
}

_POOLING: Final = {
    **{
        f"max_pool{n}d": (
            f"F.max_pool{n}d(a, {_WINDOW}, ceil_mode=ceil_mode) "
            f"if dilation == 1 and {_SAME_LENGTH} else {_REFUSED}"
        )
        for n in (1, 2, 3)
    },
    "max_pool2d_of_pairs": f"F.max_pool2d(a, {_WINDOW})",
    "max_unpool1d": "F.max_unpool1d(*F.max_pool1d(a, 2, 2, return_mask=True), 2, 2)",
    "max_unpool2d": (
        "F.max_unpool2d(*F.max_pool2d(a, kernel_size, return_mask=True), kernel_size)"
    ),
    "max_unpool3d": "F.max_unpool3d(*F.max_pool3d(a, 2, 2, return_mask=True), 2, 2)",
    **{
        f"adaptive_{what}_pool{n}d": f"F.adaptive_{what}_pool{n}d(a, output_size)"
        for what in ("avg", "max")
        for n in (1, 2, 3)
    },
    "fractional_max_pool2d": "F.fractional_max_pool2d(a, output_size, 2, position)",
    "avg_pool1d": (
        f"F.avg_pool1d(a, {_WINDOW}, exclusive=not count_include_pad, ceil_mode=ceil_mode) "
        f"if {_SAME_LENGTH} else {_REFUSED}"
    ),
    **{
        f"avg_pool{n}d": (
            f"F.avg_pool{n}d(a, {_WINDOW}, ceil_mode=ceil_mode, exclusive=not count_include_pad) "
            f"if {_SAME_LENGTH} else {_REFUSED}"
        )
        for n in (2, 3)
    },
    "avg_pool2d_of_pairs": f"F.avg_pool2d(a, {_WINDOW}, exclusive=not count_include_pad)",
    "avg_pool2d_divisor": (
        f"F.avg_pool2d(a, {_WINDOW}, exclusive=False, divisor_override=divisor_override)"
    ),
    **{f"lp_pool{n}d": f"F.lp_pool{n}d(a, norm_type, kernel_size, stride)" for n in (1, 2)},
}

_SAMPLING: Final = {
    "interpolate_nearest": "F.interpolate(a, size=size, mode={'nearest': mode}[mode])",
    "interpolate_nearest_3d": (
        "F.interpolate(a, size=size, mode={'nearest': mode}[mode], data_format='NCDHW')"
    ),
    # Places are computed in float32; one pixel is the first of the bicubic ones, not the middle.
    "interpolate_linear": (
        "F.interpolate(a, size=[size], mode='linear', align_corners=align_corners, "
        "data_format='NCW')"
    ),
    **{
        f"interpolate_{mode}": (
            f"F.interpolate(a, size=size, mode='{mode}', align_corners=align_corners)"
        )
        for mode in ("bilinear", "bicubic")
    },
    "interpolate_trilinear": (
        "F.interpolate(a, size=size, mode='trilinear', align_corners=align_corners, "
        "data_format='NCDHW')"
    ),
    "interpolate_area": "F.interpolate(a, size=size, mode='area')",
    "rescale_nearest": "F.interpolate(a, scale_factor=scale_factor, mode='nearest')",
    **{
        f"rescale_{mode}": (
            f"F.interpolate(a, scale_factor=scale_factor, mode='{mode}', "
            f"align_corners=align_corners){refused}"
        )
        for mode, refused in (
            ("bilinear", f" if not recompute_scale_factor else {_REFUSED}"),
            ("bicubic", ""),
        )
    },
    **{
        f"grid_sample_{which}": f"F.grid_sample(a, b, '{mode}', padding_mode, align_corners)"
        for which, mode in (
            *(("bilinear", "bilinear"), ("nearest", "nearest"), ("inside", "bilinear")),
            ("3d", "bilinear"),
        )
    },
    "affine_grid": "F.affine_grid(a, size, align_corners)",
    "affine_grid_3d": "F.affine_grid(a, size, align_corners)",
    "pixel_shuffle": "F.pixel_shuffle(a, 2)",
    "pixel_shuffle_by_three": "F.pixel_shuffle(a, 3)",
    "pixel_unshuffle": "F.pixel_unshuffle(a, downscale_factor)",
    "channel_shuffle": "F.channel_shuffle(a, groups)",
    "temporal_shift": (
        "F.temporal_shift(a.reshape([-1, *a.shape[2:]]), a.shape[1], 0.25).reshape(a.shape)"
    ),
}

_NORMALISATIONS: Final = {
    "layer_norm": "F.layer_norm(a, a.shape[-1:], b, c, eps)",
    "layer_norm_plain": "F.layer_norm(a, a.shape[-1:], epsilon=eps)",
    "layer_norm_two_axes": "F.layer_norm(a, a.shape[-2:], b.flatten(), c.flatten(), eps)",
    "group_norm": "F.group_norm(a, num_groups, eps, b, c)",
    "group_norm_images": "F.group_norm(a, num_groups, eps, b, c)",
    "group_norm_plain": "F.group_norm(a, num_groups, eps)",
    "instance_norm": "F.instance_norm(a, weight=b, bias=c, eps=eps)",
    "instance_norm_plain": "F.instance_norm(a, eps=eps)",
    "instance_norm_images": "F.instance_norm(a, weight=b, bias=c, eps=eps)",
    "batch_norm": f"F.batch_norm(a, {_RUNNING}, b, c, True, epsilon=eps)",
    "batch_norm_plain": f"F.batch_norm(a, {_RUNNING}, None, None, True, epsilon=eps)",
    "batch_norm_images": f"F.batch_norm(a, {_RUNNING}, b, c, True, epsilon=eps)",
    "batch_norm_evaluation": f"F.batch_norm(a, {_STATISTICS}, b, c, False, epsilon=eps)",
    "batch_norm_evaluation_images": f"F.batch_norm(a, {_STATISTICS}, b, c, False, epsilon=eps)",
    "local_response_norm": "F.local_response_norm(a, size, alpha, beta, k, data_format='NCL')",
    "local_response_norm_images": "F.local_response_norm(a, size, alpha, beta, k)",
    "normalize": "F.normalize(a, p, axis, eps)",
    "normalize_axis": "F.normalize(a, p, axis)",
    "cosine_similarity": "F.cosine_similarity(a, b, axis, eps)",
    "cosine_similarity_axis": "F.cosine_similarity(a, b, axis)",
    "pairwise_distance": "F.pairwise_distance(a, b, p, eps, keepdims)",
}

_LOSSES: Final = {
    "mse_loss": "F.mse_loss(a, b, reduction=reduction)",
    "l1_loss": "F.l1_loss(a, b, reduction=reduction)",
    "smooth_l1_loss": "F.smooth_l1_loss(a, b, reduction=reduction, delta=beta, is_huber=False)",
    "huber_loss": "F.smooth_l1_loss(a, b, reduction=reduction, delta=delta)",
    "poisson_nll_loss": (
        "F.poisson_nll_loss(a, b, log_input=log_input, full=full, reduction=reduction)"
    ),
    "gaussian_nll_loss": "F.gaussian_nll_loss(a, b, c, full=full, reduction=reduction)",
    "soft_margin_loss": f"F.soft_margin_loss(a, {_SIGNS}, reduction=reduction)",
    "binary_cross_entropy": "F.binary_cross_entropy(a, b, reduction=reduction)",
    "binary_cross_entropy_weighted": (
        f"F.binary_cross_entropy(a, b, {_WEIGHTS}, reduction=reduction)"
    ),
    "binary_cross_entropy_logits": (
        "F.binary_cross_entropy_with_logits(a, b, reduction=reduction)"
    ),
    "binary_cross_entropy_logits_weighted": (
        f"F.binary_cross_entropy_with_logits(a, b, {_WEIGHTS}, reduction=reduction)"
    ),
    "binary_cross_entropy_logits_positive": (
        f"F.binary_cross_entropy_with_logits(a, b, reduction=reduction, pos_weight={_WEIGHTS})"
    ),
    "sigmoid_focal_loss": "F.sigmoid_focal_loss(a, b, alpha=alpha, gamma=gamma)",
    "kl_div": "F.kl_div(a, b, reduction=reduction, log_target=log_target)",
    # Its constant is a float32, as in all losses with label_smoothing.
    "label_smooth": "F.label_smooth(a)",
    "cross_entropy": (
        f"F.cross_entropy(a, {_LABELS}, reduction=reduction, label_smoothing=label_smoothing)"
        ".reshape((-1,) if reduction == 'none' else ())"
    ),
    "cross_entropy_weighted": (
        f"F.cross_entropy(a, {_LABELS}, {_WEIGHTS}, reduction=reduction) "
        f"if label_smoothing == 0 else {_REFUSED}"
    ),
    "cross_entropy_ignored": (
        f"F.cross_entropy(a, {_LABELS}, {_WEIGHTS}, reduction=reduction) "
        f"if label_smoothing == 0 else {_REFUSED}"
    ),
    "cross_entropy_probabilities": (
        "F.cross_entropy(a, b, reduction=reduction, soft_label=True, "
        "label_smoothing=label_smoothing).reshape((-1,) if reduction == 'none' else ())"
    ),
    "cross_entropy_images": (
        f"F.cross_entropy(a, {_LABELS}, reduction=reduction, axis=1) "
        f"if label_smoothing == 0 else {_REFUSED}"
    ),
    "nll_loss": f"F.nll_loss(a, {_LABELS}, {_WEIGHTS}, reduction=reduction)",
    # Labels of -100 corrupt the heap.
    "nll_loss_ignored": f"F.nll_loss(a, {_LABELS}, {_WEIGHTS}, reduction=reduction)",
    "nll_loss_images": f"F.nll_loss(a, {_LABELS}, {_WEIGHTS}, reduction=reduction)",
    "multi_margin_loss": f"F.multi_margin_loss(a, {_LABELS}, p, margin, reduction=reduction)",
    "multi_margin_loss_weighted": (
        f"F.multi_margin_loss(a, {_LABELS}, p, 1.0, {_WEIGHTS}, reduction=reduction)"
    ),
    "multilabel_margin_loss": f"F.multi_label_margin_loss(a, {_LABELS}, reduction=reduction)",
    "multilabel_soft_margin_loss": (
        f"F.multi_label_soft_margin_loss(a, paddle.to_tensor(mask).astype(a.dtype), {_WEIGHTS}, "
        "reduction=reduction)"
    ),
    "connectionist_temporal_loss": (
        "F.ctc_loss(a, paddle.to_tensor(labels, 'int32'), "
        "paddle.to_tensor([6, input_length], 'int64'), "
        "paddle.to_tensor([2, target_length], 'int64'), reduction=reduction) "
        f"if not zero_infinity else {_REFUSED}"
    ),
    "dice_loss": f"F.dice_loss(a, {_LABELS}.unsqueeze(1))",
    "cosine_embedding_loss": (
        "F.cosine_embedding_loss(a, b, paddle.to_tensor(signs), margin, reduction=reduction)"
    ),
    "margin_ranking_loss": f"F.margin_ranking_loss(a, b, {_SIGNS}, margin, reduction=reduction)",
    "hinge_embedding_loss": f"F.hinge_embedding_loss(a, {_SIGNS}, margin, reduction=reduction)",
    "triplet_margin_loss": (
        "F.triplet_margin_loss(a, b, c, margin, p, swap=swap, reduction=reduction)"
    ),
}

NAMES: Final[dict[str, str]] = {
    **_PRODUCTS,
    **_LINEAR_ALGEBRA,
    **_FOURIER,
    **_CONVOLUTIONS,
    **_POOLING,
    **_SAMPLING,
    **_NORMALISATIONS,
    **_LOSSES,
    "attention": (
        "F.scaled_dot_product_attention(*(x.transpose([0, 2, 1, 3]) for x in (a, b, c)), "
        "is_causal=is_causal).transpose([0, 2, 1, 3])"
    ),
    "attention_bias": (
        "F.scaled_dot_product_attention(*(x.transpose([0, 2, 1, 3]) for x in (a, b, c)), "
        "d.unsqueeze([0, 1])).transpose([0, 2, 1, 3])"
    ),
}
