"""Error bounds: how far two correct engines may differ on a program.

1. Exact programs (``parity.oracle.exactness``): not at all.
2. Programs of which IEEE 754 determines every bit: not at all, if the engine declares that it
   adds in PyTorch's order (``Engine.bitwise``).
3. Other programs: by a bound for this program and its data, estimated by Monte Carlo arithmetic
   (D. S. Parker 1997). The program runs several times in float64 with random errors, of the size
   of the allowed rounding, in each operand of each use and in each result.

   To first order the error of an observed number is the sum of c_i * s_i, with one random number
   s_i of mean square 1 per perturbed element. Its root mean square is the 2-norm of c. By the
   Cauchy-Schwarz inequality the worst case, the 1-norm of c, is at most sqrt(N) times that for N
   elements. Two engines differ by at most twice the worst case. Another factor 2 covers
   the estimate of the norm from a few samples.

   Near a pole the samples scatter and the bound becomes large: no finding there. At ties and
   kinks they do so only where the two runs themselves are on different sides. Where both are on
   the same one the samples have the derivative of that side (``parity.oracle.choices``), since
   a convention decides there, not rounding.

   Each sample adds to the bound. So a difference that the first samples allow needs no further
   ones, and a difference that all of them forbid is a finding.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.oracle.choices import Choice, agreed_choices
from parity.oracle.exactness import is_exact, is_rounded, narrowest

FLOAT64 = np.finfo(np.float64)
#: How many samples there are.
SAMPLES = 8
#: Numbers of samples after which a difference is compared with the bound.
SAMPLE_COUNTS = (1, 2, 3, SAMPLES)
#: An error that exceeds the bound of so many samples that many times, and the largest number of the
#: program by the factor ``GROSS``, needs no further ones. All of n samples are r times smaller than
#: usual with a chance of about r**-n, here 1e-9. Small errors need all samples: where gradients
#: cancel, a sample often has no error at all, since its errors are whole units in the last place.
#: Where a choice is open, half of the samples choose otherwise, and all are needed.
GROSS = 1e-4
CLEARLY = {1: 1e9, 2: 3e4, 3: 1e3}


class Tolerance:
    """The error bounds of one program. Samples are drawn when they are first needed.

    ``bitwise``: whether both engines declare ``Engine.bitwise``. ``quirks``: those with which
    the program runs (``parity.engines.quirks``). ``right``: a run of the reference, which in
    float64 is what the program gives without random errors.
    """

    def __init__(
        self,
        program: pr.Program,
        bitwise: bool = False,
        quirks: frozenset[str] = frozenset(),
        right: Trace | None = None,
    ) -> None:
        self.program = program
        self.bitwise = bitwise
        self.quirks = quirks
        self.right = right
        self._traces: tuple[Trace, ...] = ()
        self._choices: list[Choice] | None = None
        self._base: Trace | None = None  # without random errors
        self._decided: list[bool] = []  # of each choice, whether it is not open
        self._samples: list[Trace] = []
        self._wanted = SAMPLE_COUNTS[-1]  # number of samples that the bound uses
        self._clear = False  # whether fewer samples than all decided
        self._count = 1

    @cached_property
    def unit(self) -> float:
        return float(narrowest(self.program).epsneg)

    @cached_property
    def strict(self) -> bool:
        """Whether engines must agree in every bit."""
        return is_exact(self.program) or (self.bitwise and is_rounded(self.program))

    def between(self, engine: Trace, reference: Trace) -> None:
        """Set the runs that are compared next: choices in which they agree are not in doubt."""
        self._traces = engine, reference
        self._choices = None

    def excess(
        self, index: int, error: NDArray[Any], reference: NDArray[Any]
    ) -> NDArray[Any] | None:
        """Return the errors of the observation number ``index``, divided by their bounds.

        In programs that must agree in every bit they are divided by the roundoff of the value.
        None if no error exceeds its bound.
        """
        if self.strict:
            return np.where(error > 0, error / self._floor(reference), 0.0)
        least = bound = self._least(reference)
        for wanted in SAMPLE_COUNTS:
            if np.all(error <= bound):
                return None
            self._wanted = wanted
            bound = least + self._sampled(index, reference.shape)
            clear = error > self._clearly.get(wanted, np.inf) * bound
            if np.any(clear) and np.any(clear & (error > GROSS * self._largest)):
                self._clear = True  # no further sample raises the bound that much
                break
        return None if np.all(error <= bound) else np.where(error > 0, error / bound, 0.0)

    @cached_property
    def _largest(self) -> float:
        """The largest number of the program."""
        arrays = [leaf.array() for leaf in self.program.leaves]
        run = self._traces[-1] if self._traces else self._prepared()
        arrays += [o.array for o in run.observations if o.array is not None]
        finite = (np.abs(a[np.isfinite(a)], dtype=np.float64) for a in arrays)
        return max((float(a.max()) for a in finite if a.size), default=0.0)

    @property
    def _clearly(self) -> dict[int, float]:
        return CLEARLY if all(self._decided) else {}

    def bound(self, index: int, reference: NDArray[Any]) -> NDArray[Any]:
        """Return the bound of each element of the observation number ``index``.

        After an error beyond doubt it is that of the samples which decided.
        """
        if self.strict:
            return np.zeros(reference.shape)
        if not self._clear:
            self._wanted = SAMPLE_COUNTS[-1]
        bound: NDArray[Any] = self._least(reference) + self._sampled(index, reference.shape)
        return bound

    def _least(self, reference: NDArray[Any]) -> NDArray[Any]:
        """Return the part of the bound that needs no samples."""
        return 8 * self._floor(reference)

    def _floor(self, reference: NDArray[Any]) -> NDArray[Any]:
        floor = self.unit * np.abs(reference.astype(np.float64))
        finite: NDArray[Any] = np.where(np.isfinite(floor), floor, 0.0)
        return finite + np.finfo(np.float64).tiny

    def _sampled(self, index: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return the part of the bound that comes from the first ``self._wanted`` samples."""
        base = self._prepared()
        for k in range(len(self._samples), self._wanted):
            sample, count = self._run(self.unit, (self._seed, k + 1), self._choices or ())
            self._samples.append(sample)
            if k == 0:
                self._count = max(1, count)
        traces = [base, *self._samples[: self._wanted]]
        if index >= min(len(t.observations) for t in traces):
            return np.zeros(shape)
        exact, *samples = [t.observations[index].array for t in traces]
        if exact is None or exact.shape != shape:
            return np.zeros(shape)
        return sampled_bound(exact, samples, self._count)

    @cached_property
    def _seed(self) -> int:
        return seed_of(self.program)

    def _prepared(self) -> Trace:
        """Return the trace without random errors; drop the samples if they chose otherwise."""
        if self._choices is None:
            alone = None if self._traces else self._run(0.0, self._seed)[0]
            self._choices = agreed_choices(self.program, (alone,) if alone else self._traces)
            decided = [choice is not None for choice in self._choices]
            if self._base is None or decided != self._decided:
                self._decided, self._samples = decided, []
                self._base = alone or self._without_errors(self._choices)
        assert self._base is not None
        return self._base

    def _without_errors(self, choices: Sequence[Choice] = ()) -> Trace:
        """Return the run without random errors: that of the reference, if it is in float64."""
        right = self.right
        if right is not None and right.failure is None and self.unit == FLOAT64.epsneg:
            return right
        return self._run(0.0, self._seed, choices)[0]

    def _run(self, unit: float, seed: Any, choices: Sequence[Choice] = ()) -> tuple[Trace, int]:
        """A run with random errors, and how many elements had one."""
        # A sum of a gradient may be rounded at each use and in each backward.
        uses = Counter(v for s in self.program.statements for v in s.operands())
        passes = sum(isinstance(s, pr.Backward) for s in self.program.statements)
        accumulations = max(uses.values(), default=0) + passes
        run = _chosen_run if any(choice is not None for choice in choices) else _known_run
        return run(self.program, self.quirks, unit, accumulations, seed, tuple(choices))


def _chosen_run(
    program: pr.Program,
    quirks: frozenset[str],
    unit: float,
    accumulations: int,
    seed: Any,
    choices: tuple[Choice, ...],
) -> tuple[Trace, int]:
    from parity.oracle.perturbed import Perturbed  # PyTorch, only where it is needed

    engine = Perturbed(unit, accumulations, seed, choices)
    return execute(program, with_quirks(engine, quirks)), engine.count


#: A program that differs is soon compared again, with runs of a model. Arrays of choices cannot be
#: looked up.
_known_run = lru_cache(maxsize=4 * SAMPLES)(_chosen_run)


def seed_of(program: pr.Program) -> int:
    """Return a seed for random numbers about a program: the same for the same program."""
    return zlib.crc32(repr(program).encode())


def sampled_bound(exact: NDArray[Any], samples: Sequence[Any], count: int) -> NDArray[Any]:
    """Compute an error bound from values without random errors and samples with them.

    ``count``: how many elements had errors. With fewer than ``SAMPLES`` samples the result is a
    lower bound of the full bound; each further sample can only raise it.
    """
    squares = np.zeros(exact.shape)
    for array in samples:
        with np.errstate(all="ignore"):
            deviation = np.where(same(array, exact), 0.0, array - exact)
            squares = squares + deviation * deviation
    bound = 4 * np.sqrt(count * squares / SAMPLES)
    return np.where(np.isnan(bound), np.inf, bound)


def same(a: Any, b: Any) -> Any:
    """By element, whether numbers are equal or both nan."""
    return (a == b) | (np.isnan(a) & np.isnan(b))
