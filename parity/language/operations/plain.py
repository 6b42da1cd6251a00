"""The rows of plain data: operations without rules, by family."""

from __future__ import annotations

from parity.language.operation import Operation
from parity.language.operations import (
    activations,
    arranging,
    attention,
    convolutions,
    distances,
    fourier,
    functions,
    further_elementwise,
    further_reductions,
    indexing,
    linear_algebra,
    losses,
    matrix_products,
    normalisations,
    pooling,
    sampling,
    scans,
    scattering,
)

#: The modules with rows.
FAMILIES = (
    *(functions, activations, further_elementwise, further_reductions),
    *(scans, arranging, indexing, scattering),
    *(matrix_products, linear_algebra, fourier, convolutions, pooling, sampling),
    *(normalisations, losses, distances, attention),
)

ROWS: tuple[Operation, ...] = tuple(row for family in FAMILIES for row in family.ROWS)
