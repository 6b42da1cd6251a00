"""Products of vectors and matrices."""

from __future__ import annotations

from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import TEXT
from parity.language.dyadic import LINEAR, MATMUL, PRODUCTS
from parity.language.operation import Operation

BASIC: tuple[Operation, ...] = (
    Operation(
        "matmul",
        2,
        "a @ b",
        saves=True,
        promotes=False,
        shape=sh.matmul,
        interval=lambda a, b, n: iv.total(iv.mul(a, b), n=n),
        dyadic=MATMUL,
        sums=True,
    ),
)

FURTHER: tuple[Operation, ...] = (
    Operation(
        "outer",
        2,
        "torch.outer(a, b)",
        saves=True,
        shape=sh.vectors,
        interval=iv.mul,
        dyadic=PRODUCTS,
    ),
    Operation(
        "dot",
        2,
        "torch.dot(a, b)",
        saves=True,
        shape=sh.dot,
        promotes=False,
        interval=lambda a, b, n: iv.total(iv.mul(a, b), n=n),
        dyadic=MATMUL,
        sums=True,
    ),
    Operation(
        "einsum",
        2,
        "torch.einsum(subscripts, a, b)",
        saves=True,
        shape=sh.einsum,
        choices=sh.einsum_choices,
        attrs={"subscripts": TEXT},
        promotes=False,
        interval=lambda a, b, n, subscripts: iv.total(iv.mul(a, b), n=n),
        dyadic=MATMUL,
        sums=True,
    ),
    Operation(
        "linear",
        3,
        "a @ b + d",
        shape=sh.linear,
        promotes=False,
        interval=lambda a, b, d, n: iv.add(iv.total(iv.mul(a, b), n=n), d),
        dyadic=LINEAR,
        sums=True,
    ),
)
