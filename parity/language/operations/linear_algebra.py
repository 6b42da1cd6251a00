"""Linear algebra, by what does not depend on the algorithm.

Decompositions are fixed only up to signs and the order of equal values, so the rows of these give
what every right decomposition gives: values in order, or a product that is put together again.
"""

from __future__ import annotations

import math

from parity.language.operation import Operation

_TRIANGULAR = {"upper": "FLAG", "unitriangular": "FLAG"}
_EQUAL = "equal eigenvalues"

_DETERMINANTS: tuple[Operation, ...] = (
    Operation("determinant", "torch.linalg.det(a)", "*s n n", domain="M", ulps=16.0),
    Operation("determinant_of_any", "torch.linalg.det(a)", "2 2", ulps=16.0),
    Operation("log_abs_determinant", "torch.linalg.slogdet(a)[1]", "*s n n", domain="M", ulps=16.0),
    Operation("log_determinant", "torch.logdet((a + a.mT) / 2)", "*s n n", domain="D", ulps=16.0),
    Operation(
        "matrix_norm",
        "torch.linalg.matrix_norm(a, ord, keepdim=keepdims)",
        "*s m n",
        domain="F",
        attributes={"ord": ("fro", "nuc", 2, -2, 1, -1, math.inf, -math.inf), "keepdims": "FLAG"},
        kinks="equal sums",
        ulps=16.0,
    ),
    Operation("frobenius_norm", "torch.linalg.matrix_norm(a)", "m n", kinks="0"),
    Operation(
        "condition_number",
        "torch.linalg.cond(a, p)",
        "n n",
        domain="F",
        attributes={"p": (2, -2)},
        ulps=64.0,
    ),
    # Not torch.linalg.cond: with these norms its backward raises in PyTorch 2.13.
    Operation(
        "condition_number_by_inverse",
        "torch.linalg.matrix_norm(a, p) * torch.linalg.matrix_norm(torch.linalg.inv(a), p)",
        "n n",
        domain="F",
        attributes={"p": ("fro", "nuc", 1, -1, math.inf, -math.inf)},
        kinks="equal sums",
        ulps=64.0,
    ),
)

_INVERSES: tuple[Operation, ...] = (
    Operation("inverse", "torch.linalg.inv(a)", "*s n n", domain="M", ulps=16.0),
    Operation("pseudo_inverse", "torch.linalg.pinv(a)", "*s m n", domain="F", ulps=64.0),
    Operation(
        "pseudo_inverse_hermitian",
        "torch.linalg.pinv((a + a.mT) / 2, hermitian=True)",
        "n n",
        domain="D",
        kinks=_EQUAL,
        ulps=64.0,
    ),
    Operation("solve", "torch.linalg.solve(a, b)", "*s n n, *s n k", domain="M, R", ulps=16.0),
    Operation("solve_vector", "torch.linalg.solve(a, b)", "n n, n", domain="M, R", ulps=16.0),
    Operation(
        "solve_left",
        "torch.linalg.solve(a, b, left=False)",
        "n n, k n",
        domain="M, R",
        ulps=16.0,
    ),
    Operation(
        "lu_solve",
        "torch.linalg.lu_solve(*torch.linalg.lu_factor(a), b, left=True, adjoint=adjoint)",
        "n n, n k",
        domain="M, R",
        attributes={"adjoint": "FLAG"},
        ulps=16.0,
    ),
    Operation(
        "solve_triangular",
        "torch.linalg.solve_triangular(a, b, upper=upper, unitriangular=unitriangular)",
        "*s n n, *s n k",
        domain="M, R",
        attributes=_TRIANGULAR,
        ulps=16.0,
    ),
    Operation(
        "solve_triangular_transposed",
        "torch.linalg.solve_triangular(a.mT, b, upper=not upper, unitriangular=unitriangular)",
        "n n, n k",
        domain="M, R",
        attributes=_TRIANGULAR,
        ulps=16.0,
    ),
    Operation(
        "solve_triangular_left",
        "torch.linalg.solve_triangular(a, b, upper=upper, left=False, unitriangular=unitriangular)",
        "n n, k n",
        domain="M, R",
        attributes=_TRIANGULAR,
        ulps=16.0,
    ),
    Operation(
        "cholesky_solve",
        "torch.cholesky_solve(b, torch.tril(a))",
        "n n, n k",
        domain="L, R",
        ulps=16.0,
    ),
    Operation(
        "cholesky_solve_upper",
        "torch.cholesky_solve(b, torch.triu(a.mT), upper=True)",
        "n n, n k",
        domain="L, R",
        ulps=16.0,
    ),
    Operation(
        "cholesky_inverse", "torch.cholesky_inverse(torch.tril(a))", "n n", domain="L", ulps=16.0
    ),
    Operation(
        "least_squares",
        "torch.linalg.lstsq(a, b)[0]",
        "4 2, 4 k",
        domain="F, R",
        ulps=64.0,
    ),
    Operation(
        "inverse_of_tensor",
        "torch.linalg.tensorinv(a.reshape(2, 2, 4), ind=2)",
        "4 4",
        domain="M",
        ulps=16.0,
    ),
    Operation(
        "solve_tensor",
        "torch.linalg.tensorsolve(a.reshape(2, 2, 4), b)",
        "4 4, 2 2",
        domain="M, R",
        ulps=16.0,
    ),
)

_DECOMPOSITIONS: tuple[Operation, ...] = (
    Operation(
        "cholesky",
        "torch.linalg.cholesky((a + a.mT) / 2, upper=upper)",
        "*s n n",
        domain="D",
        attributes={"upper": "FLAG"},
        ulps=16.0,
    ),
    Operation(
        "qr",
        "(lambda q, r: (q * r.diagonal().sign(), r.diagonal().sign()[:, None] * r))"
        "(*torch.linalg.qr(a))",
        "3 2",
        domain="F",
        ulps=64.0,
    ),
    Operation(
        "qr_square",
        "(lambda q, r: (q * r.diagonal().sign(), r.diagonal().sign()[:, None] * r))"
        "(*torch.linalg.qr(a, mode=mode))",
        "n n",
        domain="M",
        attributes={"mode": ("reduced", "complete")},
        ulps=64.0,
    ),
    Operation(
        "qr_projector",
        "(lambda q: q @ q.mT)(torch.linalg.qr(a)[0])",
        "3 2",
        domain="F",
        ulps=64.0,
    ),
    # A large diagonal in every column: no rows are exchanged.
    Operation("lu", "torch.linalg.lu(a.mT)[1:]", "n n", domain="M", ulps=16.0),
    Operation(
        "lu_rebuilt",
        "(lambda p, l, u: (p @ l ** 2, p @ l @ u, u ** 2))(*torch.linalg.lu(a))",
        "n n",
        domain="M",
        kinks="equal pivots",
        ulps=16.0,
    ),
    Operation(
        "eigenvalues_symmetric",
        "torch.linalg.eigvalsh((a + a.mT) / 2)",
        "*s n n",
        kinks=_EQUAL,
        ulps=16.0,
    ),
    Operation(
        "eigenvalues_of_one_triangle",
        "torch.linalg.eigvalsh((lambda l: l + torch.tril(a, -1).mT)(torch.tril(a)), UPLO=UPLO)",
        "n n",
        attributes={"UPLO": ("L", "U")},
        kinks=_EQUAL,
        ulps=16.0,
    ),
    Operation(
        "symmetric_exponential",
        "(lambda w, v: (v * w.exp()) @ v.mT)(*torch.linalg.eigh((a + a.mT) / 2))",
        "n n",
        domain="C",  # of equal eigenvalues PyTorch has no gradient, and the function has one
        kinks=_EQUAL,
        ulps=64.0,
    ),
    Operation(
        "eigenvector_projector",
        "(lambda v: v @ v.mT)(torch.linalg.eigh(a @ a.mT)[1][:, -1:])",
        "n n",
        domain="F",
        ulps=64.0,
    ),
    Operation(
        "singular_values",
        "torch.linalg.svdvals(a)",
        "*s m n",
        kinks="equal singular values, 0",
        ulps=16.0,
    ),
    Operation(
        "svd_rebuilt",
        "(lambda u, s, v: (u * s[..., None, :] ** 2) @ v)"
        "(*torch.linalg.svd(a, full_matrices=False))",
        "*s m n",
        domain="F",
        ulps=64.0,
    ),
    Operation(
        "svd_low_rank",
        "(lambda u, s, v: (u[:, :1] * s[:1]) @ v[:1])(*torch.linalg.svd(a, full_matrices=False))",
        "m n",
        domain="F",
        ulps=64.0,
    ),
    # PyTorch divides by 1 - b * |column| ** 2.
    Operation(
        "householder_product",
        "torch.linalg.householder_product(a, b)",
        "3 2, 2",
        kinks="singular factors",
        ulps=16.0,
    ),
)

_FUNCTIONS: tuple[Operation, ...] = (
    Operation("matrix_exp", "torch.linalg.matrix_exp(a)", "*s n n", domain="U", ulps=64.0),
    Operation("matrix_exp_large", "torch.linalg.matrix_exp(a)", "n n", domain="W", ulps=256.0),
    Operation(
        "matrix_power",
        "torch.linalg.matrix_power(a, n)",
        "*s k k",
        domain="M",
        attributes={"n": (2, 3, 1, 0, -1, -2)},
        ulps=16.0,
    ),
    Operation(
        "matrix_power_of_any",
        "torch.linalg.matrix_power(a, n)",
        "k k",
        attributes={"n": (2, 3, 1, 0, 5)},
        ulps=16.0,
    ),
)

ROWS: tuple[Operation, ...] = (*_DETERMINANTS, *_INVERSES, *_DECOMPOSITIONS, *_FUNCTIONS)
