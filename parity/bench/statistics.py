"""95 % confidence intervals: bootstrap for medians and ratios, a least-squares fit for growth.

The same samples and seed give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Resamples of a bootstrap.
RESAMPLES = 2000
#: An interval that extends further than this factor from its value is too noisy.
NOISY = 1.25
#: The 97.5 % quantile of Student's t by degrees of freedom, from 1 on.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def noisy(self) -> bool:
        """Whether the interval extends further than a factor of ``NOISY`` from the value."""
        return self.high > self.value * NOISY or self.low < self.value / NOISY

    def to_json(self, name: str = "value", digits: int = 4) -> dict[str, float]:
        """The value as ``name`` and the ends, with ``digits`` significant digits."""
        numbers = {name: self.value, "low": self.low, "high": self.high}
        return {key: significant(number, digits) for key, number in numbers.items()}


def median(samples: Sequence[float], seed: int) -> Interval:
    """The median of samples, at least one, with its bootstrap interval."""
    values = np.asarray(samples, float)
    source = np.random.default_rng(seed)
    drawn = values[source.integers(0, len(values), (RESAMPLES, len(values)))]
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    return Interval(float(np.median(values)), float(low), float(high))


def ratio(above: Sequence[float], below: Sequence[float], seed: int) -> Interval:
    """The median of ``above / below``, pair by pair, with its bootstrap interval.

    Pairs are resampled, since the two measurements of a pair share their disturbances.
    """
    return median([a / b for a, b in zip(above, below, strict=True)], seed)


def exponent(sizes: Sequence[float], values: Sequence[float]) -> Interval | None:
    """The ``p`` of ``value ~ size ** p``, by least squares of the logarithms, with its interval.

    None with fewer than three points, or with a value that is not positive.
    """
    if len(sizes) < 3 or min(values) <= 0:
        return None
    x, y = np.log(np.asarray(sizes, float)), np.log(np.asarray(values, float))
    x -= x.mean()
    slope = float(x @ y / (x @ x))
    rest = y - y.mean() - slope * x
    degrees = len(sizes) - 2
    error = math.sqrt(float(rest @ rest) / degrees / float(x @ x))
    student = _STUDENT[min(degrees, len(_STUDENT)) - 1]
    return Interval(slope, slope - student * error, slope + student * error)


def significant(value: float, digits: int = 4) -> float:
    """``value`` with ``digits`` significant digits."""
    return float(f"{value:.{digits}g}")
