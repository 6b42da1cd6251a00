"""The type of a workload: a program that is written once and differentiated by every engine.

Backends (``parity/bench/backends/``) take workloads, and workloads call backends, so that the type
is apart from both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

#: Shapes of leaves, from scalars to matrices whose arithmetic dominates the time.
SHAPES: tuple[Shape, ...] = ((), (4, 4), (64, 64), (512, 512))
DTYPES = ("float32", "float64")
#: Arrays with more elements have shorter graphs, which would not fit into memory otherwise.
SMALL = 4096


@dataclass(frozen=True)
class Workload:
    name: str
    description: str
    #: ``value(backend, steps, *leaves)`` is the output; its gradient with respect to all leaves,
    #: from an output gradient of ones, is measured.
    value: Callable[..., Any]
    #: Iterations of its loop for small and for large arrays.
    steps: tuple[int, int]
    #: Nodes of the graph per step.
    nodes: int
    #: Operations that a backend must have.
    ops: tuple[str, ...] = ("add", "mul")
    #: Makes the leaves out of one array.
    leaves: Callable[[Array], Sequence[Array]] = lambda array: (array,)
    #: 1 for the gradient, 2 for the gradient of the gradient.
    order: int = 1
    min_ndim: int = 0
    #: The shape of the input, if the workload has only one.
    fixed: Shape | None = None
    #: ``baseline(steps, *leaves)`` returns the same gradients, computed by NumPy without a graph.
    baseline: Callable[..., Sequence[Any]] | None = None

    def shapes(self, of: Sequence[Shape] = SHAPES) -> tuple[Shape, ...]:
        """The shapes of ``of`` that it supports, or its fixed shape."""
        return (self.fixed,) if self.fixed else tuple(s for s in of if len(s) >= self.min_ndim)


def start(shape: Shape, dtype: str) -> Array:
    """An array for the leaves: values a little above 0.5, so that nothing overflows."""
    values = np.random.default_rng(1).random(shape) * 0.01 + 0.5
    return np.asarray(values, dtype)
