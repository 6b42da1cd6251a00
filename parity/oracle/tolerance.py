"""How far two correct engines may differ on a program, and no further.

1. Exact programs (``parity.oracle.exactness``): not at all.
2. Programs whose every bit IEEE 754 fixes: not at all, if the engine declares that
   it sums in PyTorch's order (``Engine.bitwise``).
3. Others: a bound for this very program and its data, from random rounding
   (Monte Carlo arithmetic, D. S. Parker 1997). The program is run again in
   float64 with each operand of each use and each result disturbed by the
   rounding that is allowed there. To first order the disturbance of an observed
   number is a sum of c_i * s_i with one random number s_i a disturbed element, of
   either sign and of mean square 1. Its root mean square is the 2-norm of c, and
   by Cauchy-Schwarz the worst case, the 1-norm, is at most sqrt(N) times that for
   N elements. Two engines differ by at most twice the worst case; another factor 2
   covers the estimate of the norm from a few samples. Where a kink or a pole lies
   within rounding, the samples scatter and so the bound grows: such a program
   decides nothing. A few further samples disturb gradients alone: where values tie,
   most elements lose their gradient in a sample that breaks the tie, and an element
   that loses it in all of them would have no bound for what it really gets.
   The bound is a sum over the samples, so each of them can only raise it: what the
   first ones allow needs no further ones, and what all of them forbid is a finding.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.oracle.exactness import is_exact, is_rounded
from parity.oracle.perturbed import UNIT_ROUNDOFF, Perturbed

SAMPLES = 8
#: How many samples disturb gradients alone, after the others.
STILL = 4
#: After how many of them it is looked whether they allow a difference.
STEPS = (1, 2, SAMPLES, SAMPLES + STILL)


class Tolerance:
    """The bounds of one program; samples are drawn when they are first needed.

    ``quirks``: the dialect in which it runs (``parity.engines.quirks.table``).
    """

    def __init__(
        self, program: pr.Program, bitwise: bool = False, quirks: frozenset[str] = frozenset()
    ) -> None:
        self.program = program
        self.bitwise = bitwise
        self.quirks = quirks
        self._samples: list[Trace] = []
        self._wanted = STEPS[-1]  # how many of them bounds are made of
        self._count = 1

    @cached_property
    def unit(self) -> float:
        """The roundoff of the narrowest dtype in the program."""
        narrow = any(leaf.dtype == "float32" for leaf in self.program.leaves)
        return UNIT_ROUNDOFF["float32" if narrow else "float64"]

    @cached_property
    def strict(self) -> bool:
        """Whether engines must agree in every bit."""
        return is_exact(self.program) or (self.bitwise and is_rounded(self.program))

    def excess(
        self, place: int, error: NDArray[Any], reference: NDArray[Any]
    ) -> NDArray[Any] | None:
        """``error`` over its bound in observation number ``place``, by element.

        None if no error exceeds its bound. For programs that must agree in every
        bit the unit is the roundoff of the value.
        """
        floor = self._floor(reference)
        if self.strict:
            return np.where(error > 0, error / floor, 0.0)
        least = bound = 8 * floor
        for wanted in STEPS:
            if np.all(error <= bound):
                return None
            self._wanted = wanted
            bound = least + self._sampled(place, reference.shape)
        return None if np.all(error <= bound) else np.where(error > 0, error / bound, 0.0)

    def bound(self, place: int, reference: NDArray[Any]) -> NDArray[Any]:
        """The largest difference allowed in observation number ``place``, by element."""
        if self.strict:
            return np.zeros(reference.shape)
        self._wanted = STEPS[-1]
        bound: NDArray[Any] = 8 * self._floor(reference) + self._sampled(place, reference.shape)
        return bound

    def _floor(self, reference: NDArray[Any]) -> NDArray[Any]:
        """The roundoff of each element."""
        floor = self.unit * np.abs(reference.astype(np.float64))
        finite: NDArray[Any] = np.where(np.isfinite(floor), floor, 0.0)
        return finite + np.finfo(np.float64).tiny

    def _sampled(self, place: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """The part of the bound that comes from samples, as many as are wanted."""
        self._draw()
        traces = [self._base, *self._samples[: self._wanted]]
        if place >= min(len(t.observations) for t in traces):
            return np.zeros(shape)
        exact, *samples = [t.observations[place].array for t in traces]
        if exact is None or exact.shape != shape:
            return np.zeros(shape)
        return sampled_bound(exact, samples, self._count)

    @cached_property
    def _seed(self) -> int:
        return zlib.crc32(repr(self.program).encode())

    @cached_property
    def _base(self) -> Trace:
        """The run that nothing disturbs."""
        return self._run(Perturbed(0.0, _folds(self.program), self._seed))

    def _draw(self) -> None:
        """Run the samples that are wanted and not there yet."""
        for k in range(len(self._samples), self._wanted):
            engine = Perturbed(
                self.unit, _folds(self.program), (self._seed, k + 1), still=k >= SAMPLES
            )
            self._samples.append(self._run(engine))
            if k == 0:
                self._count = max(1, engine.count)

    def _run(self, engine: Perturbed) -> Trace:
        return execute(self.program, with_quirks(engine, self.quirks))


def sampled_bound(exact: NDArray[Any], samples: Sequence[Any], count: int) -> NDArray[Any]:
    """The bound from disturbed values of what is ``exact``: ``count`` elements were disturbed.

    Of fewer than ``SAMPLES`` samples it is a part of the bound, never more. Each further
    one, as those of gradients alone, can only raise it.
    """
    squares = np.zeros(exact.shape)
    for array in samples:
        with np.errstate(all="ignore"):
            deviation = np.where(_same(array, exact), 0.0, array - exact)
            squares = squares + deviation * deviation
    bound = 4 * np.sqrt(count * squares / SAMPLES)
    return np.where(np.isnan(bound), np.inf, bound)


def _folds(program: pr.Program) -> int:
    """How often a sum of contributions may be rounded, in all backwards together."""
    uses = Counter(v for statement in program.statements for v in pr.operands(statement))
    passes = sum(isinstance(s, pr.Backward) for s in program.statements)
    return max(uses.values(), default=0) + passes


def _same(a: Any, b: Any) -> Any:
    return (a == b) | (np.isnan(a) & np.isnan(b))
