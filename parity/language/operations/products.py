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
    ulps=1.0,
)

BASIC: tuple[Operation, ...] = (_contraction("matmul", "a @ b", "m k, k n", sh.matmul),)

FURTHER: tuple[Operation, ...] = (
    Operation(
        "outer",
        "torch.outer(a, b)",
        "m, n",
        sh.vectors,
        saves=True,
        interval=iv.mul,
        dyadic=dy.PRODUCTS,
        ulps=1.0,
    ),
    _contraction("dot", "torch.dot(a, b)", "k, k", sh.dot),
    _contraction(
        "einsum",
        "torch.einsum(subscripts, a, b)",
        "m k, k n",
        sh.einsum,
        sh.einsum_choices,
        {"subscripts": TEXT},
    ),
    Operation(
        "linear",
        "a @ b + c",
        "m k, k n, n",
        sh.linear,
        promotes=False,
        interval=lambda a, b, c, n: iv.add(iv.total(iv.mul(a, b), n=n), c),
        dyadic=dy.LINEAR,
        ulps=1.0,
        sums=True,
    ),
)
