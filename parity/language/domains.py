"""Domains of operands: a letter each, a way to draw numbers, and a test of actual numbers.

A row of the table of operations names the domain of each operand by a letter, as in ``"R, P"``.
Numbers are drawn in two ways: smooth ones, of which no two are equal, and ones on a coarse grid of
multiples of a power of two, with zeros and ties where the domain has them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity.language.shapes import Shape

Array: TypeAlias = NDArray[Any]
Draw: TypeAlias = Callable[[np.random.Generator, Shape], Array]

#: How often numbers are drawn until they lie in the domain.
_ATTEMPTS = 50
#: The coarse grid.
_GRID = np.array([0.0, 1.0, -1.0, 2.0, 0.5, -2.0, 1.5, -0.5, 3.0, -1.5, 0.25])


class DomainError(ValueError):
    """A domain that does not exist, or does not fit operands; the message says which and why."""


@dataclass(frozen=True)
class Domain:
    """The numbers that an operand may have."""

    words: str
    smooth: Draw
    grid: Draw
    contains: Callable[[Array], bool]

    def draw(self, source: np.random.Generator, shape: Shape, grid: bool) -> Array:
        """Return a float64 array of the domain; what is drawn outside of it is drawn again.

        Raises DomainError for a shape that the domain does not have, such as a matrix that is
        not square.
        """
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(IndexError, ValueError):  # fewer axes than it needs
                drawn = (self.grid if grid else self.smooth)(source, shape)
                array: Array = np.asarray(drawn, np.float64).reshape(shape)
                if self.contains(array):
                    return array
        raise DomainError(f"no numbers of shape {shape} are {self.words}")


def _normal(scale: float) -> Draw:
    return lambda source, shape: source.normal(0.0, scale, shape)


def _uniform(low: float, high: float) -> Draw:
    return lambda source, shape: source.uniform(low, high, shape)


def _either_sign(draw: Draw) -> Draw:
    return lambda source, shape: draw(source, shape) * source.choice((-1.0, 1.0), shape)


def _of(values: Array) -> Draw:
    """Return a way to draw from ``values``; in one of three arrays from one or two of them."""

    def draw(source: np.random.Generator, shape: Shape) -> Array:
        few = source.random() < 1 / 3
        pool = source.choice(values, source.integers(1, 3)) if few else values
        return source.choice(pool, shape)

    return draw


def _elementwise(
    words: str, smooth: Draw, grid: Array, low: float = -np.inf, high: float = np.inf
) -> Domain:
    """Return the domain of all arrays with numbers between ``low`` and ``high``."""
    return Domain(words, smooth, _of(grid), lambda a: bool(((low <= a) & (a <= high)).all()))


def _square(a: Array) -> bool:
    return a.ndim >= 2 and a.shape[-1] == a.shape[-2] > 0


def _is_dominant(a: Array) -> bool:
    if not _square(a):
        return False
    size = np.abs(a)
    diagonal = np.diagonal(size, axis1=-2, axis2=-1)
    return bool((diagonal > 1.2 * (size.sum(-1) - diagonal) + 0.1).all())


def _with_diagonal(draw: Draw, sign: bool) -> Draw:
    """Return a way to draw matrices whose diagonal is larger than the rest of their rows."""

    def matrix(source: np.random.Generator, shape: Shape) -> Array:
        a = draw(source, shape) / 2
        n = shape[-1]
        diagonal = 1.0 + n + np.abs(np.diagonal(a, axis1=-2, axis2=-1))
        if sign:
            diagonal = diagonal * source.choice((-1.0, 1.0), diagonal.shape)
        index = np.arange(n)
        a[..., index, index] = diagonal
        return a

    return matrix


def _lower(draw: Draw) -> Draw:
    whole = _with_diagonal(draw, sign=False)
    return lambda source, shape: np.tril(whole(source, shape))


def _distinct(source: np.random.Generator, shape: Shape) -> Array:
    n = int(np.prod(shape, dtype=int))
    return (source.permutation(n) - n // 2) * 0.5


def _is_distinct(a: Array) -> bool:
    flat = np.sort(a, axis=None)
    return bool((np.diff(flat) > 1e-3 * (1 + np.abs(flat[1:]))).all())


def _rows(draw: Draw) -> Draw:
    """Return a way to draw positive numbers whose sum along the last axis is 1."""

    def rows(source: np.random.Generator, shape: Shape) -> Array:
        a = np.abs(draw(source, shape)) + 0.5
        return a / a.sum(-1, keepdims=True) if shape else np.ones(())

    return rows


def _full_rank(a: Array) -> bool:
    if a.ndim < 2 or not a.size:
        return False
    sizes = np.linalg.svd(a, compute_uv=False)
    # Close singular values make singular vectors ill-defined.
    apart = np.abs(np.diff(sizes, axis=-1)).min(initial=np.inf) > 0.05 * sizes.max()
    return bool(sizes.min() > 0.1 * sizes.max() and apart)


def _ranked(source: np.random.Generator, shape: Shape) -> Array:
    n = min(shape[-2:])
    left, _ = np.linalg.qr(source.normal(size=(*shape[:-2], shape[-2], n)))
    right, _ = np.linalg.qr(source.normal(size=(*shape[:-2], shape[-1], n)))
    sizes = np.arange(n, 0, -1) * 0.7 + source.uniform(0.2, 0.4, n)
    return np.asarray((left * sizes) @ np.swapaxes(right, -1, -2))


def _varies(source: np.random.Generator, shape: Shape) -> Array:
    """Return small integers of which no two neighbours along any axis are equal."""
    steps = sum(np.indices(shape)) if shape else np.zeros(())
    return np.asarray(steps * source.choice((1.0, -0.5, 2.0)) + source.integers(-1, 2))


_positive = _GRID[_GRID > 0]
_ANY = _elementwise("any number", _normal(1.2), _GRID)
_NO_ZERO = _elementwise("not 0", _either_sign(_uniform(0.3, 2.5)), _GRID[_GRID != 0])

#: The domains by letter.
DOMAINS: dict[str, Domain] = {
    "R": _ANY,
    "W": _elementwise("any number, also large ones", _normal(4.0), 2 * _GRID),
    "P": _elementwise("above 0.1", _uniform(0.3, 2.5), _positive, low=0.1),
    "N": _elementwise("0 or more", _uniform(0.1, 2.5), _GRID[_GRID >= 0], low=0.0),
    "Z": Domain(
        _NO_ZERO.words, _NO_ZERO.smooth, _NO_ZERO.grid, lambda a: bool((np.abs(a) > 0.1).all())
    ),
    "U": _elementwise("from -0.85 to 0.85", _uniform(-0.8, 0.8), np.arange(-3, 4) / 4, -0.85, 0.85),
    "Q": _elementwise("from 0.08 to 0.92", _uniform(0.1, 0.9), np.arange(1, 8) / 8, 0.08, 0.92),
    "G": _elementwise("above 1.2", _uniform(1.3, 3.0), np.arange(3, 8) / 2, low=1.2),
    "M": Domain(
        "a square matrix with a large diagonal",
        _with_diagonal(_normal(1.0), sign=True),
        _with_diagonal(_of(_GRID[:6]), sign=True),
        _is_dominant,
    ),
    "D": Domain(
        "a positive definite matrix",
        _with_diagonal(_normal(1.0), sign=False),
        _with_diagonal(_of(_GRID[:6]), sign=False),
        lambda a: _is_dominant(a) and bool((np.diagonal(a, axis1=-2, axis2=-1) > 0).all()),
    ),
    "L": Domain(
        "a lower triangular matrix with a positive diagonal",
        _lower(_normal(1.0)),
        _lower(_of(_GRID[:6])),
        lambda a: (
            _square(a)
            and not np.triu(a, 1).any()
            and bool((np.diagonal(a, axis1=-2, axis2=-1) > 0.1).all())
        ),
    ),
    "F": Domain("a matrix of full rank whose singular values differ", _ranked, _ranked, _full_rank),
    "X": Domain("distinct numbers", _normal(1.2), _distinct, _is_distinct),
    "S": Domain(
        "positive numbers whose sum along the last axis is 1",
        _rows(_normal(1.0)),
        _rows(_of(_GRID[:4])),
        lambda a: a.ndim > 0 and bool((a > 0.01).all() and np.allclose(a.sum(-1), 1.0, rtol=1e-12)),
    ),
    "C": Domain(
        "numbers that differ along each axis",
        _normal(1.2),
        _varies,
        lambda a: all(
            bool((a.std(axis) > 0.05 * (1 + np.abs(a).max(axis))).all())
            for axis in range(a.ndim)
            if a.shape[axis] > 1
        ),
    ),
    "V": Domain(
        "vectors other than zero along the last axis",
        _normal(1.2),
        _of(_GRID),
        lambda a: bool((np.abs(a).max(-1, initial=0.0) > 0.1).all()) if a.ndim else bool(a),
    ),
}


def domains_of(text: str, operands: int) -> tuple[Domain, ...]:
    """Return the domains of ``operands`` operands; one letter stands for all of them.

    Examples
    --------
    >>> [domain.words for domain in domains_of("R, P", 2)]
    ['any number', 'above 0.1']
    """
    letters = [letter.strip() for letter in text.split(",")]
    unknown = [letter for letter in letters if letter not in DOMAINS]
    if unknown:
        raise DomainError(f"there is no domain {unknown[0]!r}; there are {', '.join(DOMAINS)}")
    letters += letters[-1:] * (operands - len(letters))
    if len(letters) > max(operands, 1):
        raise DomainError(f"{len(letters)} domains for {operands} operands")
    return tuple(DOMAINS[letter] for letter in letters)
