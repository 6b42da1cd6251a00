"""The rows of plain data of products, linear algebra and the layers of networks."""

from __future__ import annotations

from parity.language.operation import Operation
from parity.language.operations import (
    attention,
    convolutions,
    distances,
    fourier,
    linear_algebra,
    losses,
    matrix_products,
    normalisations,
    pooling,
    sampling,
)

_FAMILIES = (
    *(matrix_products, linear_algebra, fourier, convolutions, pooling, sampling),
    *(normalisations, losses, distances, attention),
)

ROWS: tuple[Operation, ...] = tuple(row for family in _FAMILIES for row in family.ROWS)
