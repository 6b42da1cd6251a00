"""The inputs at which a function runs, from small to large."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity._util.errors import UsageError
from parity.language.domains import Domain, DomainError, domains_of
from parity.language.shapes import Shape

Array: TypeAlias = NDArray[Any]

#: Lengths that all axes have at once, and lengths that one axis has.
SMALL, OTHERS = (1, 2, 3), (17, 33, 0)
#: Axes of how many lengths are varied alone, and the most elements of an input of another length.
_MOST_AXES, _MOST_ELEMENTS = 3, 20_000


@dataclass(frozen=True)
class Case:
    """Inputs of a function, all of them arrays of float64 except for integers and booleans.

    Attributes
    ----------
    arrays
        The inputs.
    special
        Whether they are chosen to be ties, zeros or negative numbers, or are empty.
    """

    arrays: tuple[Array, ...]
    special: bool = False

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(a.shape for a in self.arrays)

    @property
    def floats(self) -> list[int]:
        """The numbers of the inputs that have gradients."""
        return [i for i, a in enumerate(self.arrays) if a.dtype.kind == "f"]

    @property
    def is_generic(self) -> bool:
        """Whether no number is 0 and no two of them are equal, so that there is no tie or kink."""
        numbers = np.concatenate([self.arrays[i].ravel() for i in self.floats] or [np.zeros(1)])
        return bool((numbers != 0).all()) and np.unique(np.abs(numbers)).size == numbers.size

    @property
    def longest(self) -> int:
        return max((n for shape in self.shapes for n in shape), default=1)

    @property
    def is_empty(self) -> bool:
        return any(a.size == 0 for a in self.arrays)

    def narrowed(self) -> Case:
        """Return the inputs as arrays of float32."""
        arrays = tuple(a.astype(np.float32) if a.dtype.kind == "f" else a for a in self.arrays)
        return Case(arrays, self.special)


def shape_of(given: Any) -> Shape:
    """Return the shape that was given, or that of a tensor.

    Examples
    --------
    >>> shape_of((2, 3)), shape_of(np.zeros(4))
    ((2, 3), (4,))
    """
    shape = getattr(given, "shape", given)
    try:
        return tuple(int(n) for n in shape)
    except (TypeError, ValueError):
        text = f"an input is a shape, such as (2, 3), or a tensor, not {given!r}"
        raise UsageError(text) from None


def cases_of(
    shapes: Sequence[Shape], given: Sequence[Array | None], domain: str, seed: int
) -> list[Case]:
    """Return the inputs to try.

    Parameters
    ----------
    shapes
        The shape of each input.
    given
        The numbers of those inputs that are tensors. Sizes vary unless one of them holds integers
        or booleans, which may be indices.
    domain
        Which numbers each input has (``parity.language.domains``).
    seed
        The same seed gives the same numbers.

    Examples
    --------
    >>> cases = cases_of([(4,), (4,)], [None, None], "R", seed=0)
    >>> cases[0].shapes, cases[-1].shapes
    (((1,), (1,)), ((0,), (0,)))
    """
    try:
        domains = domains_of(domain, len(shapes))
    except DomainError as error:
        raise UsageError(error) from None
    drawer = _Drawer(domains, given, np.random.default_rng(seed))
    varies = all(g is None or g.dtype.kind == "f" for g in given)
    cases = list(drawer.given(shapes))
    for shaped in dict.fromkeys(_small(shapes)) if varies else [tuple(shapes)]:
        cases += drawer.plain(shaped)
        cases += drawer.special(shaped) if max(map(math.prod, shaped), default=0) <= 4096 else ()
    cases += drawer.plain(tuple(shapes))
    cases.sort(key=lambda case: (sum(a.size for a in case.arrays), case.special))
    for shaped in _others(shapes) if varies else ():
        cases += drawer.plain(shaped)
    return list({_key(case): case for case in cases}.values())


def _key(case: Case) -> tuple[Any, ...]:
    return tuple((a.shape, a.tobytes()) for a in case.arrays)


def _small(shapes: Sequence[Shape]) -> Iterator[tuple[Shape, ...]]:
    for n in SMALL:
        yield tuple(tuple(min(length, n) for length in shape) for shape in shapes)


def _others(shapes: Sequence[Shape]) -> Iterator[tuple[Shape, ...]]:
    """Yield shapes of which the axes of one length have another one; a 1 stays."""
    lengths = sorted({n for shape in shapes for n in shape if n > 1}, reverse=True)[:_MOST_AXES]
    for n in OTHERS:
        for old in lengths:
            changed = tuple(tuple(n if k == old else k for k in shape) for shape in shapes)
            if max(map(math.prod, changed)) <= _MOST_ELEMENTS:
                yield changed


class _Drawer:
    """Draws inputs of a domain."""

    def __init__(
        self, domains: Sequence[Domain], given: Sequence[Array | None], random: np.random.Generator
    ) -> None:
        self.domains, self.fixed, self.random = domains, given, random

    def given(self, shapes: Sequence[Shape]) -> Iterator[Case]:
        """Yield the numbers that were given, if any."""
        if any(g is not None for g in self.fixed):
            yield from self.case(shapes, lambda d, shape: d.draw(self.random, shape, False), True)

    def plain(self, shapes: Sequence[Shape]) -> Iterator[Case]:
        """Yield numbers of a coarse grid, and smooth ones."""
        for grid in (True, False):
            yield from self.case(shapes, lambda d, s, g=grid: d.draw(self.random, s, g))  # type: ignore[misc]

    def special(self, shapes: Sequence[Shape]) -> Iterator[Case]:
        """Yield zeros, equal numbers, and negative ones, where the domain has them."""
        fills: tuple[Callable[[Domain, Shape], Array], ...] = (
            lambda d, shape: np.zeros(shape),
            lambda d, shape: np.ones(shape),
            lambda d, shape: -np.abs(d.draw(self.random, shape, False)),
        )
        for fill in fills:
            for case in self.case(shapes, fill):
                yield Case(case.arrays, special=True)

    def case(
        self, shapes: Sequence[Shape], fill: Callable[[Domain, Shape], Array], keep: bool = False
    ) -> Iterator[Case]:
        """Yield inputs if all are in their domains; with ``keep`` those that were given stay."""
        arrays = []
        for shape, domain, fixed in zip(shapes, self.domains, self.fixed, strict=True):
            if fixed is not None and (keep or fixed.dtype.kind != "f"):
                arrays.append(fixed)
                continue
            try:
                array = np.asarray(fill(domain, shape), np.float64)
            except DomainError:
                return
            if array.size and not domain.contains(array):
                return
            arrays.append(array)
        yield Case(tuple(arrays))
