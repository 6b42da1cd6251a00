"""Shapes of results, measured: PyTorch runs the operation on numbers of its domain."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from parity.language.domains import Domain
from parity.language.shapes import Shape, ShapeError, size

#: Elements of operands and results up to which an operation runs on numbers.
_MOST = 100_000


def measured_shapes(
    function: Callable[..., Any],
    domains: Sequence[Domain],
    shapes: tuple[Shape, ...],
    attrs: dict[str, Any],
) -> tuple[Shape, ...]:
    """Return the shapes of the results. Raises ShapeError where PyTorch refuses.

    First it runs without numbers (PyTorch's device ``meta``), where that exists, so that a result
    that is too large takes no memory.
    """
    import torch  # only here: the table is read where PyTorch is not needed

    with torch.no_grad():
        try:
            without = [torch.empty(s, dtype=torch.float64, device="meta") for s in shapes]
            found = _shapes(function(*without, **attrs))
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError):
            found = ()  # the shape depends on the numbers, or PyTorch has no rule for it
        if sum(map(size, (*shapes, *found))) > _MOST:
            return found
        source = np.random.default_rng(zlib.crc32(repr(shapes).encode()))
        drawn = [
            torch.tensor(domain.draw(source, shape, grid=False))
            for domain, shape in zip(domains, shapes, strict=True)
        ]
        try:
            return _shapes(function(*drawn, **attrs))
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            raise ShapeError(str(error).partition("\n")[0]) from None


def _shapes(results: Any) -> tuple[Shape, ...]:
    several = results if isinstance(results, (tuple, list)) else (results,)
    if not several or not all(y.is_floating_point() for y in several):
        raise TypeError("there are no results, or they are no floating-point numbers")
    return tuple(tuple(y.shape) for y in several)
