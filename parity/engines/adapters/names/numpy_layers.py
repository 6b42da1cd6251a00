"""Products, linear algebra and Fourier transforms in libraries with NumPy's function names."""

from __future__ import annotations

from typing import Final

_SYMMETRIC: Final = "(a + np.swapaxes(a, -1, -2)) / 2"
_PARTS: Final = "(lambda z: np.stack([np.real(z), np.imag(z)]))"
_SIGNED: Final = (
    "(lambda q, r: (q * np.sign(np.diagonal(r)), np.sign(np.diagonal(r))[:, None] * r))"
)

_MATMUL: Final = dict.fromkeys(
    (
        *("matmul_batched", "matmul_matrix_vector", "matmul_vector_matrix", "matmul_vectors"),
        *("matmul_broadcast", "matmul_broadcast_first", "matmul_4d_3d", "matmul_3d_4d"),
        *("matmul_4d_vector", "matmul_matrix_4d", "matmul_vector_3d", "matmul_lengths_one"),
    ),
    "np.matmul(a, b)",
)

_EINSUM: Final = {
    **dict.fromkeys(
        ("einsum_alone", "einsum_diagonal", "einsum_batched_diagonal"), "np.einsum(subscripts, a)"
    ),
    **dict.fromkeys(
        (
            *("einsum_same_shape", "einsum_diagonal_product", "einsum_batched", "einsum_vectors"),
            *("einsum_matrix_vector", "einsum_ellipsis"),
        ),
        "np.einsum(subscripts, a, b)",
    ),
    "einsum_three": "np.einsum(subscripts, a, b, c)",
}

_LINEAR_ALGEBRA: Final = {
    "determinant": "np.linalg.det(a)",
    "determinant_of_any": "np.linalg.det(a)",
    "log_abs_determinant": "np.linalg.slogdet(a)[1]",
    "matrix_norm": "np.linalg.norm(a, ord, axis=(-2, -1), keepdims=keepdims)",
    "frobenius_norm": "np.linalg.norm(a)",
    "condition_number": "np.linalg.cond(a, p)",
    "condition_number_by_inverse": "np.linalg.cond(a, p)",
    "inverse": "np.linalg.inv(a)",
    "pseudo_inverse": "np.linalg.pinv(a)",
    "pseudo_inverse_hermitian": f"np.linalg.pinv({_SYMMETRIC}, hermitian=True)",
    "solve": "np.linalg.solve(a, b)",
    "solve_vector": "np.linalg.solve(a, b)",
    "least_squares": "np.linalg.lstsq(a, b)[0]",
    "inverse_of_tensor": "np.linalg.tensorinv(np.reshape(a, (2, 2, 4)), ind=2)",
    "solve_tensor": "np.linalg.tensorsolve(np.reshape(a, (2, 2, 4)), b)",
    "cholesky": f"np.linalg.cholesky({_SYMMETRIC}, upper=upper)",
    "qr": f"{_SIGNED}(*np.linalg.qr(a))",
    "qr_square": f"{_SIGNED}(*np.linalg.qr(a, mode=mode))",
    "qr_projector": "(lambda q: q @ q.T)(np.linalg.qr(a)[0])",
    "eigenvalues_symmetric": f"np.linalg.eigvalsh({_SYMMETRIC})",
    "eigenvalues_of_one_triangle": (
        "np.linalg.eigvalsh(np.tril(a) + np.transpose(np.tril(a, -1)), UPLO=UPLO)"
    ),
    "symmetric_exponential": f"(lambda w, v: (v * np.exp(w)) @ v.T)(*np.linalg.eigh({_SYMMETRIC}))",
    "eigenvector_projector": "(lambda v: v @ v.T)(np.linalg.eigh(a @ a.T)[1][:, -1:])",
    "singular_values": "np.linalg.svd(a, compute_uv=False)",
    "svd_rebuilt": (
        "(lambda u, s, v: (u * s[..., None, :] ** 2) @ v)(*np.linalg.svd(a, full_matrices=False))"
    ),
    "svd_low_rank": (
        "(lambda u, s, v: (u[:, :1] * s[:1]) @ v[:1])(*np.linalg.svd(a, full_matrices=False))"
    ),
    "matrix_power": "np.linalg.matrix_power(a, n)",
    "matrix_power_of_any": "np.linalg.matrix_power(a, n)",
}

_FOURIER: Final = {
    "rfft": f"{_PARTS}(np.fft.rfft(a, n, norm=norm))",
    "rfft_axis": f"{_PARTS}(np.fft.rfft(a, axis=axis))",
    "fft": f"{_PARTS}(np.fft.fft(a, n, norm=norm))",
    "fft_axis": f"{_PARTS}(np.fft.fft(a, axis=axis))",
    "ifft": f"{_PARTS}(np.fft.ifft(a, n, norm=norm))",
    "fft_of_complex": f"{_PARTS}(np.fft.fft(a + 1j * b, n, norm=norm))",
    "irfft": "np.fft.irfft(a + 1j * b, n, norm=norm)",
    "irfft_of_rfft": "np.fft.irfft(np.fft.rfft(a), n)",
    "hfft": "np.fft.hfft(a + 1j * b, n, norm=norm)",
    "ihfft": f"{_PARTS}(np.fft.ihfft(a, n, norm=norm))",
    "rfft2": f"{_PARTS}(np.fft.rfft2(a, norm=norm))",
    "fft2": f"{_PARTS}(np.fft.fft2(a, norm=norm))",
    "irfft2": "np.fft.irfft2(a + 1j * b, norm=norm)",
    "rfftn": f"{_PARTS}(np.fft.rfftn(a, axes=axes))",
    "fftn_lengths": f"{_PARTS}(np.fft.fftn(a, s=s, axes=axes))",
    "power_spectrum": "(lambda z: np.real(z) ** 2 + np.imag(z) ** 2)(np.fft.rfft(a))",
    "amplitude_spectrum": "np.abs(np.fft.rfft(a))",
    "fft_convolution": "np.fft.irfft(np.fft.rfft(a) * np.fft.rfft(b), a.shape[-1])",
    "fftshift": "np.fft.fftshift(a)",
    "fftshift_axis": "np.fft.fftshift(a, axis)",
    "ifftshift": "np.fft.ifftshift(a)",
}

NAMES: Final[dict[str, str]] = {
    **_MATMUL,
    "inner": "np.inner(a, b)",
    "vecdot": "np.vecdot(a, b, axis=axis)",
    "kron": "np.kron(a, b)",
    "kron_of_ranks": "np.kron(a, b)",
    "cross": "np.cross(a, b, axis=axis)",
    "cross_broadcast": "np.cross(a, b)",
    "multi_dot": "np.linalg.multi_dot([a, b, c])",
    "multi_dot_vectors": "np.linalg.multi_dot([a, b, c])",
    "tensordot": "np.tensordot(a, b, dims)",
    "tensordot_one_axis": "np.tensordot(a, b, dims)",
    "tensordot_outer": "np.tensordot(a, b, 0)",
    **_EINSUM,
    **_LINEAR_ALGEBRA,
    **_FOURIER,
    "convolve": "np.convolve(a, b)",
    "covariance": "np.cov(a, ddof=correction)",
    "covariance_counts": "np.cov(np.transpose(a), fweights=counts + 1)",
    "covariance_weights": "np.cov(a, aweights=b, ddof=correction)",
    "correlation": "np.corrcoef(a)",
}
