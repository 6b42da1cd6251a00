"""Numbers of leaves and of gradients: from pools, or as patterns where there are many."""

from __future__ import annotations

import random
from collections.abc import Sequence

from parity.language.patterns import Pattern

#: Dyadic numbers: sums and products of a few of them are exact, also in float32.
EXACT_VALUES = (3.0, 2.0, 1.0, -1.0, 0.5, -2.0, 4.0, 1.5, 0.0, -0.5, 2.0, -3.0, 0.25)
#: Numbers with no end in binary, of mixed sign and size.
ROUGH_VALUES = (0.7, 1.3, -0.4, 2.1, 0.1, -1.7, 3.3, 0.9, -2.6, 1e-3, 5.7, -0.05)
POSITIVE_VALUES = tuple(abs(v) for v in ROUGH_VALUES if abs(v) > 0.01)
EXACT_POSITIVE = (3.0, 2.0, 1.0, 0.5, 4.0, 1.5, 0.25)
_random = random.Random(20)
#: Arbitrary significands between 1/8 and 8: every bit counts.
WILD_POSITIVE = tuple(2.0 ** _random.uniform(-3, 3) for _ in range(251))
WILD_VALUES = tuple(v if _random.random() < 0.6 else -v for v in WILD_POSITIVE)
#: Gradients that are not uniform: ones hide whole families of faults.
GRADIENTS = (1.0, 2.0, -1.0, 3.0, 0.5, -2.0, 1.0, -3.0, 4.0)
#: For one byte in 64 a gradient that is given is zero.
_NOTHING = 37
#: Arrays with more elements are patterns, where a profile has large ones.
MOST_EXPLICIT = 24
#: Period and divisor of patterns with no end in binary: with ties, and with few or none.
_ROUGH_PATTERNS = ((13, 10), (1021, 300), (251, 70))
#: Of dyadic ones.
_EXACT_PATTERN = (13, 4)


def leaf_values(
    n: int,
    start: int,
    flags: int,
    exact: bool,
    *,
    pools: Sequence[tuple[float, ...]],
    wild: bool,
    patterns: bool,
) -> tuple[float, ...] | Pattern:
    """The values of a leaf of ``n`` elements, of one of the pools if there are any.

    Otherwise they are ordinary ones; those of every fourth leaf are positive.
    """
    positive = flags % 4 == 3
    step = 1 + (flags >> 2) % 4
    if patterns and n > MOST_EXPLICIT:
        period, over = _EXACT_PATTERN if exact else _ROUGH_PATTERNS[start % len(_ROUGH_PATTERNS)]
        low = 1 + period // 8 if positive else -(period // 2)
        return Pattern(n, start % period, step, period, low, over)
    pool = pools[(flags ^ start >> 4) % len(pools)] if pools else _pool(exact, wild, positive)
    # In one of four leaves values repeat: ties.
    places = [i % 2 if flags % 4 == 1 else i * step for i in range(n)]
    return tuple([pool[(start + i) % len(pool)] for i in places])


def _pool(exact: bool, wild: bool, positive: bool) -> tuple[float, ...]:
    """Return dyadic numbers, arbitrary bits, or rough numbers."""
    if exact:
        return EXACT_POSITIVE if positive else EXACT_VALUES
    if wild:
        return WILD_POSITIVE if positive else WILD_VALUES
    return POSITIVE_VALUES if positive else ROUGH_VALUES


def gradient_values(
    n: int, number: int, exact: bool, *, patterns: bool
) -> tuple[float, ...] | Pattern:
    """The values of a gradient of ``n`` elements, by a number; they are not uniform."""
    # Where rounding is allowed for, also numbers that a narrower dtype does not hold.
    pool: tuple[float, ...] = GRADIENTS if exact or number % 2 else ROUGH_VALUES
    if patterns and n > MOST_EXPLICIT:
        return Pattern(n, number % 7, 1 + number % 3, 7, -3, 2 if pool is GRADIENTS else 10)
    if number % 64 == _NOTHING:
        pool = (0.0,)
    return tuple([pool[(number + 2 * i) % len(pool)] for i in range(n)])
