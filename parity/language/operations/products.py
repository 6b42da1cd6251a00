"""Products of vectors and matrices."""

from __future__ import annotations

import functools

from parity.language import dyadic as dy
from parity.language import intervals as iv
from parity.language import shapes as sh
from parity.language.attributes import TEXT
from parity.language.operation import Operation

#: Sums of products of elements.
_contraction = functools.partial(
    Operation,
    saves=True,
    promotes=False,
    interval=lambda a, b, n, **attrs: iv.total(iv.mul(a, b), n=n),
    dyadic=dy.MATMUL,
    sums=True,
)

BASIC: tuple[Operation, ...] = (_contraction("matmul", 2, "a @ b", sh.matmul),)

FURTHER: tuple[Operation, ...] = (
    Operation(
        "outer", 2, "torch.outer(a, b)", sh.vectors, saves=True, interval=iv.mul, dyadic=dy.PRODUCTS
    ),
    _contraction("dot", 2, "torch.dot(a, b)", sh.dot),
    _contraction(
        "einsum",
        2,
        "torch.einsum(subscripts, a, b)",
        sh.einsum,
        sh.einsum_choices,
        {"subscripts": TEXT},
    ),
    Operation(
        "linear",
        3,
        "a @ b + d",
        sh.linear,
        promotes=False,
        interval=lambda a, b, d, n: iv.add(iv.total(iv.mul(a, b), n=n), d),
        dyadic=dy.LINEAR,
        sums=True,
    ),
)
