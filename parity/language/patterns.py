"""Patterns: many numbers of an array, described by a few."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, overload

import numpy as np
from numpy.typing import NDArray

from parity._util.decode import Check

#: The most numbers of a pattern, and the largest number that describes it.
MOST_NUMBERS, LARGEST = 2**20, 10**6


def _from(least: int, most: int = LARGEST) -> Check:
    return Check(f"a whole number from {least} to {most}", lambda n: least <= n <= most)


@dataclass(frozen=True, slots=True)
class Pattern(Sequence[float]):
    """The numbers ``((start + step * i) % period + low) / over`` for ``i`` from 0 to ``size - 1``.

    They are dyadic if ``over`` is a power of two, and have no end in binary if it is 10.

    Examples
    --------
    >>> list(Pattern(5, start=3, step=5))
    [1.0, 2.25, 0.25, 1.5, 2.75]
    """

    size: Annotated[int, _from(0, MOST_NUMBERS)]
    start: Annotated[int, _from(0)] = 0
    step: Annotated[int, _from(0)] = 1
    period: Annotated[int, _from(1)] = 13
    low: Annotated[int, _from(-LARGEST)] = 1
    over: Annotated[int, _from(1)] = 4

    def array(self) -> NDArray[Any]:
        """All numbers, as a new array of float64."""
        return _numbers(self).copy()

    def first(self, size: int) -> Pattern:
        """Return the pattern of another number of numbers."""
        return dataclasses.replace(self, size=size)

    def distinct(self) -> tuple[float, ...]:
        """Each of the numbers at least once, in their order."""
        return tuple(self.first(min(self.size, self.period)).array().tolist())

    def named(self) -> str:
        """The numbers that describe it, as keywords, but for the size and the usual ones."""
        usual = dataclasses.fields(self)[1:]
        pairs = ((f.name, getattr(self, f.name), f.default) for f in usual)
        return ", ".join(f"{name}={value}" for name, value, default in pairs if value != default)

    def expression(self) -> str:
        """The numbers as an expression with NumPy."""
        places = f"np.arange({self.size})"
        places = places if self.step == 1 else f"{self.step} * {places}"
        places = f"({self.start} + {places})" if self.start else f"({places})"
        return f"({places} % {self.period} + {self.low}) / {self.over}".replace("+ -", "- ")

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[float]:
        return iter(self.array().tolist())

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[float, ...]: ...
    def __getitem__(self, index: int | slice) -> float | tuple[float, ...]:
        if isinstance(index, slice):
            return tuple(self.array()[index].tolist())
        place = self.start + self.step * range(self.size)[index]
        return (place % self.period + self.low) / self.over


@functools.lru_cache(maxsize=32)
def _numbers(pattern: Pattern) -> NDArray[Any]:
    places = pattern.start + pattern.step * np.arange(min(pattern.size, pattern.period))
    once: NDArray[Any] = (places % pattern.period + pattern.low) / pattern.over
    return np.resize(once, pattern.size)  # the numbers repeat after a period
