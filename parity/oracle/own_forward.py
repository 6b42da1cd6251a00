"""Judge a gradient by the engine's own forward, without a reference and without a bound by hand.

With leaves x, a direction v, weights w (the gradients that the backward started from) and the
forward F, the function ``phi(h) = <w, F(x + h v) - F(x)>`` has the slope ``<g, v>`` at 0 if the
gradient g is right. Central, right and left difference quotients for steps that halve are
extrapolated by Richardson's scheme. Its table also says how far to trust the result: neighbours
that agree are as exact as they agree, but for roundoff, which grows as the step shrinks.

Where the slopes to both sides differ is a kink: no verdict here (``parity.oracle.neighbours``).
Where the table does not settle there is none either. The engine answers for many points at once,
so it may live in another process.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
#: From many sets of leaves to the outputs of the forward for each; None where it raised.
Forwards: TypeAlias = Callable[[Sequence[Sequence[Array]]], Sequence[Sequence[Array] | None]]

#: How often the step is halved.
HALVINGS = 6
#: Of how many entries of the gradients ``wrong_partials`` judges each alone.
MOST_PARTIALS = 64
#: Steps between the values whose differences measure the noise of a forward.
_NOISE_STEPS = (2.0**-12, 2.0**-16)
_NOISE_VALUES = 8
#: Noise above this part of the scale, and below that of a kink, is no noise of float64.
_NOISE = (2.0**-34, 2.0**-16)
#: A forward that differs by this part of the scale from its gradient is wrong, noisy or not.
_GROSS = 1e-3


class Outcome(enum.StrEnum):
    """What the engine's own forward says about a gradient."""

    RIGHT = "right"
    WRONG = "wrong"
    #: The slopes to both sides differ.
    KINK = "kink"
    #: The difference quotients do not settle, or the forward fails nearby.
    UNDECIDED = "undecided"
    #: The forward of a float64 program has the noise of a narrower type.
    NOISY = "noisy"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The derivative in one direction, as the forward and as the gradient have it.

    Attributes
    ----------
    outcome
        The verdict.
    expected, actual
        The slope of the forward, and the product of the gradient with the direction.
    error
        The estimated error of ``expected``.
    relative
        The difference of the two relative to the scale of gradient, slope and result.
    """

    outcome: Outcome
    expected: float = math.nan
    actual: float = math.nan
    error: float = math.inf
    relative: float = 0.0


@dataclass(frozen=True, slots=True)
class Partial:
    """One entry of the gradient of a leaf that is wrong, and the value that is right."""

    leaf: int
    index: tuple[int, ...]
    expected: float
    actual: float
    error: float


@dataclass(frozen=True, slots=True)
class _Precision:
    """Steps and limits for a type; the limits are relative to the scale.

    ``firsts``: the first step of each attempt. ``smooth``: by how much the slopes to both sides
    may differ. ``wrong``: the smallest error of a gradient. ``vague``: the largest error of an
    estimate that decides anything.
    """

    unit: float
    firsts: tuple[float, ...]
    smooth: float
    wrong: float
    vague: float


_DOUBLE = _Precision(2.0**-53, (2.0**-5, 2.0**-7, 2.0**-9), 1e-6, 1e-9, 1e-4)
_SINGLE = _Precision(2.0**-24, (2.0**-3, 2.0**-4, 2.0**-5), 1e-2, 1e-2, 1e-2)


def judge_gradient(
    forwards: Forwards,
    leaves: Sequence[Array],
    seeds: Sequence[Array],
    gradients: Sequence[Array | None],
    random: np.random.Generator,
    wanted: Sequence[bool] | None = None,
) -> Judgement:
    """Judge gradients by slopes of the forward in random directions.

    Parameters
    ----------
    forwards
        Runs the forward for many sets of leaves.
    leaves
        The point. Integers and booleans are not moved.
    seeds
        For each output the gradient that the backward started from.
    gradients
        What the engine has for each leaf; None counts as zeros.
    random
        Draws the directions.
    wanted
        Which leaves require a gradient; None: all.

    Examples
    --------
    >>> def forwards(points):
    ...     return [[np.sin(x)] for (x,) in points]
    >>> x, one, random = np.array([0.5, 1.0]), np.ones(2), np.random.default_rng(0)
    >>> str(judge_gradient(forwards, [x], [one], [np.cos(x)], random).outcome)
    'right'
    >>> str(judge_gradient(forwards, [x], [one], [np.cos(x) * [1, 0]], random).outcome)
    'wrong'
    """
    point = _Point(forwards, leaves, seeds, gradients, wanted)
    tried: list[tuple[list[Array], Judgement]] = []
    for first in point.precision.firsts:  # one step may meet a kink or a pole nearby
        direction = point.direction(random)
        (judged,) = point.judged([direction], first)
        same = [(d, j) for d, j in tried if j.outcome is judged.outcome]
        if same and judged.outcome is Outcome.WRONG:
            judged = point.unless_crooked((direction, judged), same[0], first)
        if same or judged.outcome is Outcome.RIGHT:
            break
        tried.append((direction, judged))
    else:
        judged = replace(judged, outcome=Outcome.UNDECIDED)
    return point.unless_noisy(judged, random)


def wrong_partials(
    forwards: Forwards,
    leaves: Sequence[Array],
    seeds: Sequence[Array],
    gradients: Sequence[Array | None],
    random: np.random.Generator,
    wanted: Sequence[bool] | None = None,
) -> list[Partial]:
    """Return the entries of the gradients that are wrong, each judged alone.

    Of more than ``MOST_PARTIALS`` entries that many are judged, drawn at random.

    Examples
    --------
    >>> def forwards(points):
    ...     return [[x * x] for (x,) in points]
    >>> x, random = np.array([1.0, 3.0]), np.random.default_rng(0)
    >>> (found,) = wrong_partials(forwards, [x], [np.ones(2)], [np.array([2.0, 5.0])], random)
    >>> found.index, round(found.expected, 6), found.actual
    ((1,), 6.0, 5.0)
    """
    point = _Point(forwards, leaves, seeds, gradients, wanted)
    entries = [(i, index) for i in point.moved for index in np.ndindex(leaves[i].shape)]
    if len(entries) > MOST_PARTIALS:
        chosen = random.choice(len(entries), MOST_PARTIALS, replace=False)
        entries = [entries[k] for k in sorted(chosen)]
    directions = []
    for leaf, index in entries:
        direction = [np.zeros(leaves[i].shape) for i in point.moved]
        direction[point.moved.index(leaf)][index] = 1.0
        directions.append(direction)
    judged = point.judged(directions, point.precision.firsts[1]) if directions else []
    return [
        Partial(leaf, index, j.expected, j.actual, j.error)
        for (leaf, index), j in zip(entries, judged, strict=True)
        if j.outcome is Outcome.WRONG
    ]


class _Point:
    """A point at which a gradient is judged."""

    def __init__(
        self,
        forwards: Forwards,
        leaves: Sequence[Array],
        seeds: Sequence[Array],
        gradients: Sequence[Array | None],
        wanted: Sequence[bool] | None,
    ) -> None:
        self.forwards, self.leaves = forwards, leaves
        self.shapes = [seed.shape for seed in seeds]
        self.weights = flat(seeds)
        wanted = wanted or [True] * len(leaves)
        self.moved = [i for i, x in enumerate(leaves) if wanted[i] and x.dtype.kind == "f"]
        given = [gradients[i] for i in self.moved]
        self.gradients = [0.0 if g is None else g.astype(np.float64) for g in given]
        finite = [np.abs(g[np.isfinite(g)]) for g in self.gradients if isinstance(g, np.ndarray)]
        self.steepest = max((float(a.max()) for a in finite if a.size), default=0.0)
        moved = [leaves[i].dtype for i in self.moved]
        self.precision = _SINGLE if np.dtype(np.float32) in moved else _DOUBLE

    def direction(self, random: np.random.Generator) -> list[Array]:
        """Draw a direction of short numbers, so that most steps along it are exact.

        Few sizes would do harm: errors of opposite sign in two entries might cancel.
        """
        drawn = [random.integers(32, 65, (2, *self.leaves[i].shape)) for i in self.moved]
        return [np.where(d[0] % 2 == 0, 1, -1) * d[1] / 64 for d in drawn]

    def values(self, directions: Sequence[Sequence[Array]], steps: Array) -> Array:
        """Return the outputs, flat, for each direction and step; nan where there are none."""
        sets: list[list[Array]] = []
        for direction in directions:
            stacks = {}
            for i, d in zip(self.moved, direction, strict=True):
                leaf = self.leaves[i]
                moves = steps.reshape(-1, *(1,) * leaf.ndim) * d
                stacks[i] = (leaf + moves).astype(leaf.dtype, copy=False)
            for k in range(len(steps)):
                sets.append(
                    [stacks[i][k, ...] if i in stacks else x for i, x in enumerate(self.leaves)]
                )
        rows = np.full((len(sets), self.weights.size), np.nan)
        for row, outputs in zip(rows, self.forwards(sets), strict=True):
            if outputs is not None and [np.shape(o) for o in outputs] == self.shapes:
                row[:] = flat(outputs)
        return rows.reshape(len(directions), len(steps), self.weights.size)

    def judged(self, directions: Sequence[Sequence[Array]], first: float) -> Iterator[Judgement]:
        """Judge the gradients in each direction, with steps from ``first``."""
        halves = first * 0.5 ** np.arange(HALVINGS)
        values = self.values(directions, np.concatenate([[0.0], halves, -halves]))
        steps = halves.tolist()
        with np.errstate(all="ignore"):
            for direction, rows in zip(directions, values, strict=True):
                base = rows[0]
                magnitude = float(np.abs(self.weights) @ np.abs(base))
                moves = ((rows[1:] - base) @ self.weights).tolist()
                yield self.of_moves(direction, steps, moves, magnitude)

    def of_moves(
        self, direction: Sequence[Array], steps: list[float], moves: list[float], magnitude: float
    ) -> Judgement:
        """Judge from the changes of the forward for the steps and their opposites."""
        used = list(zip(steps, moves[:HALVINGS], moves[HALVINGS:], strict=True))
        pairs = zip(self.gradients, direction, strict=True)
        actual = float(sum(np.sum(g * d) for g, d in pairs))
        roundoff = 8 * self.precision.unit * magnitude
        noise = [roundoff / h for h, _, _ in used]
        central, error = extrapolated([(u - d) / (2 * h) for h, u, d in used], noise, 4.0)
        right, right_error = extrapolated([u / h for h, u, _ in used], noise, 2.0)
        left, left_error = extrapolated([-d / h for h, _, d in used], noise, 2.0)
        if not math.isfinite(central + right + left):
            return Judgement(Outcome.UNDECIDED)
        scale = max(abs(central), self.steepest, 1e-3 * magnitude)
        difference = abs(central - actual)
        limits = self.precision
        if not abs(right - left) <= 50 * (right_error + left_error) + limits.smooth * scale:
            outcome = Outcome.KINK
        elif not error <= limits.vague * scale:
            outcome = Outcome.UNDECIDED
        elif difference <= 20 * error + limits.wrong * scale:
            outcome = Outcome.RIGHT
        elif difference <= abs(right - left):  # there may be a kink or a jump nearby
            outcome = Outcome.UNDECIDED
        else:
            outcome = Outcome.WRONG
        relative = difference / scale if scale else 0.0
        return Judgement(outcome, central, actual, error, relative)

    def unless_crooked(
        self, one: tuple[list[Array], Judgement], two: tuple[list[Array], Judgement], first: float
    ) -> Judgement:
        """Return the first judgement, or that of a kink if the slopes do not add.

        A median of three equal numbers has the same slope to both sides in any direction, and
        no gradient gives it in all.
        """
        (a, judged), (b, other) = one, two
        wrong = min(abs(j.expected - j.actual) for j in (judged, other))
        if not math.isfinite(wrong):  # a gradient of nan
            wrong = max(abs(j.expected) for j in (judged, other))
        signs = 1.0, -1.0
        combined = [[x + s * y for x, y in zip(a, b, strict=True)] for s in signs]
        crooked = False
        for s, both in zip(signs, self.judged(combined, first), strict=True):
            rest = abs(both.expected - judged.expected - s * other.expected)
            error = both.error + judged.error + other.error
            crooked |= not rest <= 20 * error + 0.01 * wrong
        return replace(judged, outcome=Outcome.KINK) if crooked else judged

    def unless_noisy(self, judged: Judgement, random: np.random.Generator) -> Judgement:
        """Return the judgement, or that the forward is noisy if this explains it."""
        scale = (
            max(abs(judged.expected), self.steepest) if judged.expected == judged.expected else 0
        )
        settled = judged.outcome is Outcome.RIGHT and judged.error <= 1e-9 * scale
        gross = judged.outcome is Outcome.WRONG and not judged.relative <= _GROSS
        if self.precision is _SINGLE or settled or gross:
            return judged
        return replace(judged, outcome=Outcome.NOISY) if self.is_noisy(scale, random) else judged

    def is_noisy(self, scale: float, random: np.random.Generator) -> bool:
        """Return whether the forward has noise that is no roundoff of float64.

        Differences of high order leave the noise alone. Those of a kink or a steep function
        shrink with the step, noise does not.
        """
        direction = self.direction(random)
        # Not at the point itself, where a function on a grid of numbers may jump.
        counts = np.arange(1, _NOISE_VALUES + 1)
        (rows,) = self.values([direction], np.concatenate([step * counts for step in _NOISE_STEPS]))
        with np.errstate(all="ignore"):
            moves = (rows - rows[0]) @ self.weights
            scale = max(scale, float(np.abs(self.weights) @ np.abs(rows[0])))
        if not np.isfinite(moves).all():
            return False
        wide, narrow = (noise_of(part) for part in moves.reshape(2, _NOISE_VALUES))
        low, high = (part * scale for part in _NOISE)
        return low < narrow < high and narrow / 4 < wide < 4 * narrow


def flat(arrays: Sequence[Array]) -> Array:
    """Return the numbers of all arrays in one row."""
    if len(arrays) == 1:
        return np.asarray(arrays[0], np.float64).reshape(-1)
    return np.concatenate([np.asarray(a, np.float64).reshape(-1) for a in arrays])


def extrapolated(
    quotients: Sequence[float], noise: Sequence[float], factor: float
) -> tuple[float, float]:
    """Return the best entry of a Richardson table, and its error.

    ``quotients``: difference quotients for steps that halve; ``noise``: the roundoff in each.
    ``factor``: by how much the first term of their errors shrinks from one to the next, 2 for
    one-sided quotients and 4 for central ones.

    Examples
    --------
    >>> steps = [0.1, 0.05, 0.025, 0.0125]
    >>> central = [(math.exp(h) - math.exp(-h)) / (2 * h) for h in steps]
    >>> slope, error = extrapolated(central, [1e-14] * 4, 4.0)
    >>> abs(slope - 1) < error < 1e-10
    True
    """
    best, least = math.nan, math.inf
    previous: list[float] = []
    for quotient, roundoff in zip(quotients, noise, strict=True):
        row = [quotient]
        power = 1.0
        for older in previous:
            power *= factor
            lower = row[-1]
            entry = lower + (lower - older) / (power - 1)
            row.append(entry)
            error = max(abs(entry - lower), abs(entry - older)) + roundoff
            if error < least:
                best, least = entry, error
        previous = row
    return best, least


def noise_of(values: Array) -> float:
    """Estimate the noise in values of a smooth function at equal steps.

    The difference of order k of independent errors of size s has the mean square
    ``s * s * binomial(2 * k, k)``; that of a smooth function vanishes with the step. Differences
    of several orders have to tell the same size, else it is none of noise, and 0.

    Examples
    --------
    >>> y = np.exp(np.arange(8) / 4096)
    >>> noise_of(y) < 1e-14, 1e-9 < noise_of(y.astype(np.float32)) < 1e-7
    (True, True)
    """
    sizes = []
    for order in (4, 5, 6):
        mean = float(np.mean(np.diff(values, order) ** 2))
        sizes.append(math.sqrt(mean / math.comb(2 * order, order)))
    return min(sizes) if max(sizes) < 8 * min(sizes) else 0.0
