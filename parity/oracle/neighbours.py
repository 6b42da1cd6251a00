"""Judge a gradient at a tie or a kink by the gradients of the same engine at points around.

For an operation that is differentiable almost everywhere. One-sided derivatives would not do, as
those of a sorted array depend on all elements that tie. Two rules remain that every convention
keeps (docs/semantics.md 9):

- Where the gradients around agree, the point is no kink, and its gradient is theirs.
- Where they differ, each entry of the gradient, and the sum of all, lies between theirs. What
  lies outside is no subgradient: ties that each count in full, for example.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from parity.oracle.own_forward import Array, flat

#: From many sets of leaves to the gradients of the leaves for each; None where it raised.
Gradients: TypeAlias = Callable[
    [Sequence[Sequence[Array]]], Sequence[Sequence[Array | None] | None]
]

#: How many neighbours tell that there is no kink, that there is one, and what lies between.
FEW, SOME, MANY = 12, 24, 150


class Surroundings(enum.StrEnum):
    """How the gradient at a point fits those around it."""

    #: It continues them.
    SMOOTH = "smooth"
    #: They agree, and it differs: wrong.
    ISOLATED = "isolated"
    #: They differ, and it lies between them: a convention.
    CONVENTION = "convention"
    #: They differ, and it lies outside: wrong.
    OUTSIDE = "outside"
    #: It is not finite, and they are: a convention, unless PyTorch's is finite.
    NOT_FINITE = "not finite at a kink"
    #: Too few of them are finite.
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Placement:
    """How the gradient at a point fits those around it, and the entry that decides.

    Attributes
    ----------
    surroundings
        The verdict.
    leaf, index
        The entry that lies furthest outside; ``leaf`` is None if it is the sum of all entries.
    actual, low, high
        The number there, and the least and the largest around.
    """

    surroundings: Surroundings
    leaf: int | None = None
    index: tuple[int, ...] = ()
    actual: float = math.nan
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Distances of the neighbours, which vary by ``decades``, and the least difference."""

    far: float
    near: float
    decades: float
    least: float


_DOUBLE = _Sizes(2.0**-12, 2.0**-18, 3.0, 1e-6)
_SINGLE = _Sizes(2.0**-8, 2.0**-11, 2.0, 1e-2)


def judge_among_neighbours(
    gradients_at: Gradients,
    leaves: Sequence[Array],
    gradients: Sequence[Array | None],
    random: np.random.Generator,
    wanted: Sequence[bool] | None = None,
) -> Placement:
    """Judge the gradients at a point by those at points around.

    Parameters
    ----------
    gradients_at
        Runs forward and backward for many sets of leaves.
    leaves
        The point. Integers and booleans are not moved.
    gradients
        What the engine has there for each leaf; None counts as zeros.
    random
        Draws the neighbours.
    wanted
        Which leaves require a gradient; None: all.

    Examples
    --------
    The gradient of ``abs`` at 0 may be any number from -1 to 1:

    >>> def gradients_at(points):
    ...     return [[np.sign(x)] for (x,) in points]
    >>> x, random = np.array([0.0, 2.0]), np.random.default_rng(0)
    >>> for at_zero in 0.0, -1.0, 2.0:
    ...     given = [np.array([at_zero, 1.0])]
    ...     print(judge_among_neighbours(gradients_at, [x], given, random).surroundings)
    convention
    convention
    outside
    """
    around = _Around(gradients_at, leaves, gradients, random, wanted)
    sizes = around.sizes
    if not around.moved or around.point.size == 1:
        return Placement(Surroundings.SMOOTH)
    rows = around.rows(around.moves(FEW // 2, sizes.far))
    if len(rows) > FEW / 2 and around.fits(rows, slack=1.0) and _alike(rows, 1e-3):
        return Placement(Surroundings.SMOOTH)
    rows = around.rows(around.moves(SOME // 2, sizes.near))
    if len(rows) <= SOME / 2:
        return Placement(Surroundings.UNDECIDED)
    if _alike(rows, 1e-3):
        fits = around.fits(rows, slack=10.0)
        return around.placed(Surroundings.SMOOTH if fits else Surroundings.ISOLATED, rows)
    if not np.isfinite(around.point).all():
        return around.placed(Surroundings.NOT_FINITE, rows)
    if not around.fits(rows, slack=0.05):
        moves = [around.ordered(sizes.near), *around.moves(MANY // 2, sizes.near)]
        rows = np.concatenate([rows, around.rows(moves)])
    fits = around.fits(rows, slack=0.05)
    return around.placed(Surroundings.CONVENTION if fits else Surroundings.OUTSIDE, rows)


class _Around:
    """A point with its gradients; rows hold all entries of the gradients, and then their sum."""

    def __init__(
        self,
        gradients_at: Gradients,
        leaves: Sequence[Array],
        gradients: Sequence[Array | None],
        random: np.random.Generator,
        wanted: Sequence[bool] | None,
    ) -> None:
        self.gradients_at, self.leaves, self.random = gradients_at, leaves, random
        wanted = wanted or [True] * len(leaves)
        self.moved = [i for i, x in enumerate(leaves) if wanted[i] and x.dtype.kind == "f"]
        self.point = self.row(gradients) if self.moved else np.zeros(1)
        narrow = any(leaves[i].dtype == np.float32 for i in self.moved)
        self.sizes = _SINGLE if narrow else _DOUBLE

    def row(self, gradients: Sequence[Array | None]) -> Array:
        given = ((gradients[i], self.leaves[i].shape) for i in self.moved)
        entries = flat([np.zeros(shape) if g is None else g for g, shape in given])
        with np.errstate(all="ignore"):
            return np.append(entries, entries.sum())

    def moves(self, count: int, distance: float) -> list[list[Array]]:
        """Draw moves of the leaves by at most that much."""
        shapes = [self.leaves[i].shape for i in self.moved]
        decades = self.sizes.decades
        return [
            [
                self.random.choice((-distance, distance), shape)
                * 10 ** -self.random.uniform(0, decades, shape)
                for shape in shapes
            ]
            for _ in range(count)
        ]

    def ordered(self, distance: float) -> list[Array]:
        """Return the move that breaks ties by the place of an element, as many engines do."""
        ranks = np.linspace(0, distance, self.point.size)[1:]
        sizes = [self.leaves[i].size for i in self.moved]
        parts = np.split(ranks, np.cumsum(sizes)[:-1])
        return [p.reshape(self.leaves[i].shape) for p, i in zip(parts, self.moved, strict=True)]

    def rows(self, moves: Sequence[Sequence[Array]]) -> Array:
        """Return the finite rows of the points at both ends of the moves.

        With both of them both sides of a kink are seen.
        """
        sets = []
        for move in moves:
            for sign in (1.0, -1.0):
                near = list(self.leaves)
                for i, step in zip(self.moved, move, strict=True):
                    near[i] = np.asarray(near[i] + sign * step, near[i].dtype)
                sets.append(near)
        found = [self.row(g) for g in self.gradients_at(sets) if g is not None]
        rows = np.array(found).reshape(len(found), self.point.size)
        finite: Array = rows[np.isfinite(rows).all(axis=1)]
        return finite

    def outside(self, rows: Array, slack: float) -> Array:
        """Return by how much each entry leaves the range of the rows, which ``slack`` widens."""
        low, high = rows.min(axis=0), rows.max(axis=0)
        finite = self.point[np.isfinite(self.point)]
        largest = float(np.abs(np.concatenate([rows.ravel(), finite])).max())
        widened = slack * (high - low) + self.sizes.least * largest + 1e-9
        with np.errstate(all="ignore"):
            beyond: Array = np.maximum(low - self.point, self.point - high) - widened
        return np.where(np.isnan(beyond), np.inf, beyond)

    def fits(self, rows: Array, slack: float) -> bool:
        return bool((self.outside(rows, slack) <= 0).all())

    def placed(self, surroundings: Surroundings, rows: Array) -> Placement:
        """Return a placement with the entry that is furthest outside the rows."""
        worst = int(np.argmax(self.outside(rows, 0.0)))
        low, high = float(rows[:, worst].min()), float(rows[:, worst].max())
        numbers = float(self.point[worst]), low, high
        first = 0
        for i in self.moved:
            shape = self.leaves[i].shape
            if worst - first < math.prod(shape):
                index = tuple(int(k) for k in np.unravel_index(worst - first, shape))
                return Placement(surroundings, i, index, *numbers)
            first += math.prod(shape)
        return Placement(surroundings, None, (), *numbers)


def _alike(rows: Array, part: float) -> bool:
    """Return whether rows are equal but for a part of their largest entry."""
    spread = rows.max(axis=0) - rows.min(axis=0)
    return bool((spread <= part * float(np.abs(rows).max()) + 1e-9).all())
