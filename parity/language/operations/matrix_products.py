"""Products of arrays in the forms that the rows with rules do not reach."""

from __future__ import annotations

from parity.language.operation import Operation

_SCALES = {"beta": (1.0, 0.5, 0.0), "alpha": (1.0, 2.0)}

#: ``matmul`` by the axes of the operands: each form takes a way of its own through an engine.
_MATMUL: tuple[Operation, ...] = (
    Operation("matmul_batched", "torch.matmul(a, b)", "b m k, b k n"),
    Operation("matmul_matrix_vector", "torch.matmul(a, b)", "m k, k"),
    Operation("matmul_vector_matrix", "torch.matmul(a, b)", "k, k n"),
    Operation("matmul_vectors", "torch.matmul(a, b)", "k, k"),
    Operation("matmul_broadcast", "torch.matmul(a, b)", "*s m k, ~s k n"),
    Operation("matmul_broadcast_first", "torch.matmul(a, b)", "1 m k, b k n"),
    Operation("matmul_4d_3d", "torch.matmul(a, b)", "b 2 m k, 2 k n"),
    Operation("matmul_3d_4d", "torch.matmul(a, b)", "2 m k, b 2 k n"),
    Operation("matmul_4d_vector", "torch.matmul(a, b)", "b 2 m k, k"),
    Operation("matmul_matrix_4d", "torch.matmul(a, b)", "m k, b 2 k n"),
    Operation("matmul_vector_3d", "torch.matmul(a, b)", "k, b k n"),
    Operation("matmul_lengths_one", "torch.matmul(a, b)", "2 1 1 1, 3 1 1"),
)

_PRODUCTS: tuple[Operation, ...] = (
    Operation("inner", "torch.inner(a, b)", "*s k, *t k"),
    Operation(
        "vecdot", "torch.linalg.vecdot(a, b, dim=axis)", "+s, +s", attributes={"axis": "AXIS"}
    ),
    Operation("kron", "torch.kron(a, b)", "m n, k l"),
    Operation("kron_of_ranks", "torch.kron(a, b)", "m, k l n"),
    Operation(
        "cross", "torch.linalg.cross(a, b, dim=axis)", "3 3, 3 3", attributes={"axis": "AXIS"}
    ),
    Operation("cross_broadcast", "torch.linalg.cross(a, b)", "b m 3, 1 m 3"),
    Operation(
        "addmm",
        "torch.addmm(a, b, c, beta=beta, alpha=alpha)",
        "m n, m k, k n",
        attributes=_SCALES,
    ),
    Operation(
        "addmm_vector",
        "torch.addmm(a, b, c, beta=beta, alpha=alpha)",
        "n, m k, k n",
        attributes=_SCALES,
    ),
    Operation(
        "addmv", "torch.addmv(a, b, c, beta=beta, alpha=alpha)", "m, m k, k", attributes=_SCALES
    ),
    Operation(
        "addr", "torch.addr(a, b, c, beta=beta, alpha=alpha)", "m n, m, n", attributes=_SCALES
    ),
    Operation(
        "addbmm",
        "torch.addbmm(a, b, c, beta=beta, alpha=alpha)",
        "m n, b m k, b k n",
        attributes=_SCALES,
    ),
    Operation(
        "baddbmm",
        "torch.baddbmm(a, b, c, beta=beta, alpha=alpha)",
        "b m n, b m k, b k n",
        attributes=_SCALES,
    ),
    Operation("multi_dot", "torch.linalg.multi_dot([a, b, c])", "m k, k l, l n"),
    Operation("multi_dot_vectors", "torch.linalg.multi_dot([a, b, c])", "k, k l, l"),
    Operation("linear_layer", "F.linear(a, b, c)", "*s k, n k, n"),
    Operation("bilinear", "F.bilinear(a, b, c)", "b m, b n, k m n"),
    Operation("bilinear_bias", "F.bilinear(a, b, c, d)", "b m, b n, k m n, k"),
    Operation(
        "tensordot",
        "torch.tensordot(a, b, dims)",
        "m k l, k l n",
        attributes={"dims": (2, ((1, 2), (0, 1)), ((2, 1), (1, 0)), ((-1, -2), (1, 0)))},
    ),
    Operation(
        "tensordot_one_axis",
        "torch.tensordot(a, b, dims)",
        "m k k, n k",
        attributes={"dims": (((1,), (1,)), ((2,), (1,)), ((-1,), (-1,)))},
    ),
    Operation("tensordot_outer", "torch.tensordot(a, b, 0)", "m n, k"),
)

_EINSUM: tuple[Operation, ...] = (
    Operation(
        "einsum_alone",
        "torch.einsum(subscripts, a)",
        "m n k",
        attributes={"subscripts": ("ijk->kji", "ijk->ik", "ijk->j", "ijk->", "ijk", "kij")},
    ),
    Operation(
        "einsum_diagonal",
        "torch.einsum(subscripts, a)",
        "n n",
        attributes={"subscripts": ("ii", "ii->i", "ij->ji", "ij->i")},
    ),
    Operation(
        "einsum_batched_diagonal",
        "torch.einsum(subscripts, a)",
        "b n n",
        attributes={"subscripts": ("bii->b", "bii->bi", "bii->i", "bii->ib", "bii->")},
    ),
    Operation(
        "einsum_same_shape",
        "torch.einsum(subscripts, a, b)",
        "m k, m k",
        attributes={"subscripts": ("ij,ij->i", "ij,ij->j", "ij,ij", "ij,ij->ji", "ij,kj->ik")},
    ),
    Operation(
        "einsum_diagonal_product",
        "torch.einsum(subscripts, a, b)",
        "n n, n k",
        attributes={"subscripts": ("ii,ij->j", "ii,ij->ij", "ii,ij->i", "ii,jk->jk")},
    ),
    Operation(
        "einsum_batched",
        "torch.einsum(subscripts, a, b)",
        "b m k, b k n",
        attributes={
            "subscripts": (
                *("bij,bjk->bik", "bij,bjk->ik", "bij,bjk->bk", "bij,bjk->b", "bij,bjk->kbi"),
                *("bij,bjk->bijk", "bij,cjk->ik"),
            )
        },
    ),
    Operation(
        "einsum_vectors",
        "torch.einsum(subscripts, a, b)",
        "m, n",
        attributes={"subscripts": ("i,j->ij", "i,j->ji", "i,j->", "i,j->i", "i,j->j")},
    ),
    Operation(
        "einsum_matrix_vector",
        "torch.einsum(subscripts, a, b)",
        "m k, k",
        attributes={"subscripts": ("ij,j->i", "ij,j", "ij,j->j", "ij,j->ji", "ij,j->")},
    ),
    Operation(
        "einsum_three",
        "torch.einsum(subscripts, a, b, c)",
        "m k, k n, n l",
        attributes={"subscripts": ("ij,jk,kl->il", "ij,jk,kl->li", "ij,jk,kl->", "ij,jk,kl->jk")},
    ),
    Operation(
        "einsum_ellipsis",
        "torch.einsum(subscripts, a, b)",
        "*s m k, *s k n",
        attributes={
            "subscripts": ("...ij,...jk->...ik", "...ij,...jk->...", "...ij,...jk->...kij")
        },
    ),
)

ROWS: tuple[Operation, ...] = (*_MATMUL, *_PRODUCTS, *_EINSUM)
