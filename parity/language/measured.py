"""Shapes of results, measured: PyTorch runs the operation on numbers of its domain."""

from __future__ import annotations

import math
import warnings
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from parity.language.domains import Domain
from parity.language.shapes import Shape, ShapeError, size

#: Elements of operands and results up to which an operation runs on numbers.
_MOST = 100_000
#: What PyTorch raises where an operation does not apply; AttributeError: an expression asks for
#: something that only tensors have.
_ERRORS = (
    *(RuntimeError, TypeError, ValueError, IndexError, KeyError),
    *(AttributeError, ArithmeticError, AssertionError),
)


def measured_shapes(
    function: Callable[..., Any],
    domains: Sequence[Domain],
    shapes: tuple[Shape, ...],
    attrs: dict[str, Any],
) -> tuple[Shape, ...]:
    """Return the shapes of the results. Raises ShapeError where PyTorch refuses.

    Where a result might be large the operation first runs without numbers (PyTorch's device
    ``meta``), so that it takes no memory.
    """
    import torch  # only here: the table is read where PyTorch is not needed

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of functions in beta
        if math.prod(map(_extent, (*shapes, *attrs.values()))) > _MOST:
            found = _without_numbers(function, shapes, attrs)
            if sum(map(size, (*shapes, *found))) > _MOST:
                return found
        source = np.random.default_rng(zlib.crc32(repr(shapes).encode()))
        drawn = [
            torch.tensor(domain.draw(source, shape, grid=False))
            for domain, shape in zip(domains, shapes, strict=True)
        ]
        try:
            return _shapes(function(*drawn, **attrs))
        except _ERRORS as error:
            raise ShapeError(str(error).partition("\n")[0]) from None


def _extent(value: Any) -> int:
    """Return a bound of how much larger a shape or an attribute may make a result."""
    if isinstance(value, (tuple, list)):
        return math.prod(map(_extent, value))
    return max(1, abs(value)) if isinstance(value, int) else 1


def _without_numbers(
    function: Callable[..., Any], shapes: tuple[Shape, ...], attrs: dict[str, Any]
) -> tuple[Shape, ...]:
    """Return the shapes of the results; none if they depend on numbers, or have no rule."""
    import torch  # only here: the table is read where PyTorch is not needed

    try:
        operands = [torch.empty(s, dtype=torch.float64, device="meta") for s in shapes]
        return _shapes(function(*operands, **attrs))
    except _ERRORS:
        return ()


def _shapes(results: Any) -> tuple[Shape, ...]:
    several = results if isinstance(results, (tuple, list)) else (results,)
    if not several or not all(y.is_floating_point() for y in several):
        raise TypeError("there are no results, or they are no floating-point numbers")
    return tuple(tuple(y.shape) for y in several)
