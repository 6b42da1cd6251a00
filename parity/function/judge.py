"""Whether values and gradients are right: by a reference, or by differences of the values."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from parity.function.cases import Array
from parity.function.frameworks import Framework, Function
from parity.oracle.neighbours import Placement, Surroundings, judge_among_neighbours
from parity.oracle.own_forward import Judgement, Outcome, judge_gradient, wrong_partials
from parity.oracle.rounded_operations import CLEAR, LEAF_ULPS, RoundedOperations
from parity.oracle.tolerance import SAMPLES, sampled_bound

#: Arrays of a run, None where an input has no gradient.
Arrays: TypeAlias = Sequence[Array | None]
#: A run with random rounding errors, of the given seed and errors of the inputs, and how many
#: numbers had errors.
Sample: TypeAlias = Callable[[int, float], tuple[Arrays, int]]

#: The unit roundoff of a type.
UNITS = {"float64": 2.0**-53, "float32": 2.0**-24, "bfloat16": 2.0**-8, "float16": 2.0**-11}

#: An array without larger numbers is 0, or what is left of numbers near 1 that cancel.
_ZERO = 1e-12


def sampler(
    framework: Framework,
    run: Callable[[Sequence[Array], Sequence[Array]], Arrays],
    arrays: Sequence[Array],
    seeds: Sequence[Array],
    unit: float,
) -> Sample:
    """Return a way to run something with rounding errors of the size ``unit``.

    In PyTorch each operation on the CPU has errors, forward and backward, else inputs alone.
    """

    def sample(seed: int, ulps: float) -> tuple[Arrays, int]:
        random = np.random.default_rng(seed)
        count = 0

        def disturbed(array: Array) -> Array:
            nonlocal count
            if array.dtype.kind != "f":
                return array
            count += array.size
            noise: Array = random.uniform(-1, 1, array.shape)
            return np.asarray(array * (1 + unit * ulps * noise), np.float64)

        moved = [disturbed(a) for a in arrays], [disturbed(s) for s in seeds]
        if not framework.rounds:
            return run(*moved), count
        mode = RoundedOperations(unit, seed)
        with mode:
            found = run(*moved)
        return found, count + mode.count

    return sample


def differing(
    actual: Arrays,
    expected: Arrays,
    unit: float,
    sample: Sample | None,
    clear: float = CLEAR,
) -> list[int]:
    """Return the numbers of the arrays that differ by more than rounding explains.

    ``sample``: gives the bound (``parity.oracle.rounded_operations``) where errors are larger than
    a few roundings of the largest number; None if none are allowed beyond those. ``clear``: a
    difference above this part of the largest number is no rounding of the inputs.

    Examples
    --------
    >>> one = np.ones(2)
    >>> differing([one, one], [one * (1 + 1e-15), one * 1.01], 2.0**-53, None)
    [1]
    """
    wide = [np.zeros(()) if e is None else e for e in expected]
    bounds = [_least(e, unit) for e in wide]
    differ = _beyond(actual, wide, bounds)
    if not differ or sample is None:
        return differ
    moving, still = (_sampled(wide, sample, ulps) for ulps in (LEAF_ULPS, 0.0))
    for i in differ:
        most = max(clear, 16 * unit) * _largest(wide[i])
        bounds[i] = bounds[i] + np.maximum(still[i], np.minimum(moving[i], most))
    return _beyond(actual, wide, bounds)


def _least(expected: Array, unit: float) -> Array:
    smallest = np.finfo(np.float64).tiny
    with np.errstate(all="ignore"):
        own: Array = np.nan_to_num(8 * unit * np.abs(expected), nan=0.0, posinf=0.0)
    largest = _largest(expected)
    cancelled = min(1024 * unit, 2.0**-4) if largest <= _ZERO else 0.0
    return np.asarray(own + 16 * unit * largest + cancelled + smallest)


def _beyond(actual: Arrays, expected: Sequence[Array], bounds: Sequence[Array]) -> list[int]:
    differ = []
    for i, (a, e, bound) in enumerate(zip(actual, expected, bounds, strict=True)):
        found = np.zeros(e.shape) if a is None else a
        if found.shape != e.shape and e.shape:
            differ.append(i)
            continue
        with np.errstate(all="ignore"):
            same = (found == e) | (np.isnan(found) & np.isnan(e)) | (np.abs(found - e) <= bound)
        if not same.all():
            differ.append(i)
    return differ


def _sampled(expected: Sequence[Array], sample: Sample, ulps: float) -> list[Array]:
    runs, count = [], 1
    for seed in range(SAMPLES):
        found, count = sample(seed, ulps)
        runs.append(found)
    bounds = []
    for i, e in enumerate(expected):
        arrays = [np.zeros(e.shape) if r[i] is None else r[i] for r in runs]
        alike = all(a is not None and a.shape == e.shape for a in arrays)
        bounds.append(sampled_bound(e, arrays, max(count, 1)) if alike else np.zeros(e.shape))
    return bounds


def _largest(array: Array) -> float:
    sizes = np.abs(array[np.isfinite(array)])
    return float(sizes.max(initial=0.0))


#: How many roundings of the upstream gradient may be left where a gradient cancels to 0.
_CANCELLED = 2.0**16
#: Where points around agree, or none of them explains the gradient.
_SURE = (Surroundings.SMOOTH, Surroundings.ISOLATED)
#: Of at most how many elements points around show all conventions of a tie.
_MOST_TIED = 12


@dataclass(frozen=True)
class Answer:
    """What is wrong with the gradient of one input.

    Attributes
    ----------
    input
        The number of the input.
    right
        Computes the gradient that is right, which takes longer than to see that one is wrong.
    note
        What else is to be said, or "".
    """

    input: int
    right: Callable[[], Array | None]
    note: str = ""

    @functools.cached_property
    def expected(self) -> Array | None:
        """The gradient that is right; None where only a range of it is known."""
        return self.right()


@dataclass(frozen=True)
class Question:
    """Gradients at a point, and the function whose slopes they have to be.

    Attributes
    ----------
    forward
        From leaves to outputs.
    leaves, seeds, gradients
        The point, the upstream gradients, and the gradients to judge.
    backward
        From leaves to gradients with these seeds, to look at points around; None: not looked at.
    """

    forward: Callable[[Sequence[Array]], Arrays]
    leaves: Sequence[Array]
    seeds: Sequence[Array]
    gradients: Arrays
    backward: Callable[[Sequence[Array]], Arrays] | None = None

    def wrong(self, random: np.random.Generator) -> list[Answer]:
        """Return the inputs whose gradients are wrong by the slopes of the function."""
        moved = [i for i, x in enumerate(self.leaves) if x.dtype.kind == "f" and x.size]
        if not moved or self._judged(random, moved).outcome is Outcome.RIGHT:
            return []
        answers = [answer for i in moved if (answer := self._of(i, random)) is not None]
        if answers or self.backward is None or len(moved) < 2 or not self._is_small(moved):
            return answers
        placed = judge_among_neighbours(self._backwards, self.leaves, self.gradients, random)
        if placed.surroundings is not Surroundings.OUTSIDE:
            return []
        return [Answer(i, lambda: None, _outside(placed)) for i in moved]  # each is in its range

    def is_convention(self, random: np.random.Generator) -> bool:
        """Return whether the point is a tie or kink of anything, where gradients are a choice."""
        placed = judge_among_neighbours(self._backwards, self.leaves, self.gradients, random)
        return placed.surroundings not in _SURE

    def _is_large(self, judged: Judgement) -> bool:
        """Return whether a difference is more than the rounding of numbers near 1 that cancel."""
        single = any(leaf.dtype == np.float32 for leaf in self.leaves)
        unit = UNITS["float32" if single else "float64"]
        largest = max((float(np.abs(s).max(initial=0.0)) for s in self.seeds), default=0.0)
        return not abs(judged.expected - judged.actual) <= _CANCELLED * unit * largest

    def _is_small(self, moved: Sequence[int]) -> bool:
        """Return whether points around show all conventions of a tie."""
        return sum(self.leaves[i].size for i in moved) <= _MOST_TIED

    def _judged(self, random: np.random.Generator, moved: Sequence[int]) -> Judgement:
        wanted = [i in moved for i in range(len(self.leaves))]
        return judge_gradient(
            self._forwards, self.leaves, self.seeds, self.gradients, random, wanted
        )

    def _of(self, i: int, random: np.random.Generator) -> Answer | None:
        """Judge the gradient of one input."""
        judged = self._judged(random, [i])
        if judged.outcome is Outcome.RIGHT:
            return None
        if self.backward is not None:
            placed = judge_among_neighbours(
                self._backwards, self.leaves, self.gradients, random, self._only(i)
            )
            around = placed.surroundings
            if around is Surroundings.ISOLATED:
                note = "those at points around agree on another"
                return Answer(i, lambda: self._around(i, random), note)
            if around is Surroundings.OUTSIDE and self._is_small([i]):
                return Answer(i, lambda: None, _outside(placed))
            if around is not Surroundings.SMOOTH:
                return None
        if judged.outcome is not Outcome.WRONG or not self._is_large(judged):
            return None
        return Answer(i, lambda: self._repaired(i, random))

    def _only(self, i: int) -> list[bool]:
        return [k == i for k in range(len(self.leaves))]

    def _repaired(self, i: int, random: np.random.Generator) -> Array:
        """Return the gradient with the entries that are wrong replaced."""
        given = self.gradients[i]
        right = np.zeros(self.leaves[i].shape) if given is None else given.copy()
        for partial in wrong_partials(
            self._forwards, self.leaves, self.seeds, self.gradients, random, self._only(i)
        ):
            right[partial.index] = float(f"{partial.expected:.9g}")
        return right

    def _around(self, i: int, random: np.random.Generator) -> Array:
        """Return the gradient at a point very near."""
        near = list(self.leaves)
        near[i] = near[i] + 2.0**-20 * random.uniform(0.5, 1, near[i].shape)
        (found,) = self._backwards([near])
        gradient = None if found is None else found[i]
        return np.zeros(self.leaves[i].shape) if gradient is None else np.round(gradient, 4)

    def _forwards(self, sets: Sequence[Sequence[Array]]) -> list[list[Array] | None]:
        found = [_tried(self.forward, leaves) for leaves in sets]
        shapes = [s.shape for s in self.seeds]
        return [
            None
            if ys is None
            else [np.zeros(s) if y is None else y for y, s in zip(ys, shapes, strict=True)]
            for ys in found
        ]

    def _backwards(self, sets: Sequence[Sequence[Array]]) -> list[Arrays | None]:
        assert self.backward is not None
        return [_tried(self.backward, leaves) for leaves in sets]


def _outside(placed: Placement) -> str:
    """Say in which range a number has to lie."""
    entry = f"entry {placed.index} of input {placed.leaf}"
    what = "the sum of all gradients" if placed.leaf is None else entry
    between = f"between {placed.low:.6g} and {placed.high:.6g}"
    return f"at this tie or kink {what} has to lie {between}, and is {placed.actual:.6g}"


def _tried(run: Callable[[Sequence[Array]], Arrays], leaves: Sequence[Array]) -> Arrays | None:
    with contextlib.suppress(Exception):  # a point nearby may be outside of the domain
        return run(leaves)
    return None


def own_question(
    framework: Framework,
    f: Function,
    arrays: Sequence[Array],
    seeds: Arrays,
    shapes: Sequence[tuple[int, ...]],
    gradients: Arrays,
) -> Question:
    """Return the question whether gradients are the slopes of a function's own values.

    ``shapes``: those of the outputs.
    """
    weights = [np.zeros(s) if v is None else v for v, s in zip(seeds, shapes, strict=True)]
    return Question(
        lambda leaves: framework.values(f, leaves),
        arrays,
        weights,
        gradients,
        lambda leaves: framework.gradients(f, leaves, seeds),
    )


def second_question(
    framework: Framework,
    f: Function,
    arrays: Sequence[Array],
    seeds: Sequence[Array],
    weights: Arrays,
    seconds: Arrays,
) -> Question:
    """Return the question whether second derivatives are the slopes of the gradients."""
    count = len(arrays)

    def firsts(leaves: Sequence[Array]) -> Arrays:
        found = framework.gradients(f, leaves[:count], list(leaves[count:]))
        kept = [(g, a) for g, a, w in zip(found, arrays, weights, strict=True) if w is not None]
        return [np.zeros(a.shape) if g is None else g for g, a in kept]

    def again(leaves: Sequence[Array]) -> Arrays:
        return framework.second(f, leaves[:count], list(leaves[count:]), weights)

    starts = [w for w in weights if w is not None]
    return Question(firsts, [*arrays, *seeds], starts, seconds, again)


def unlike_reference(
    framework: Framework,
    reference: Function,
    arrays: Sequence[Array],
    seeds: Sequence[Array | None],
    gradients: Arrays,
    unit: float,
) -> list[Answer]:
    """Return the inputs whose gradients are not those of the reference."""
    expected = framework.gradients(reference, arrays, seeds)
    given = [i for i, s in enumerate(seeds) if s is not None]

    def run(xs: Sequence[Array], vs: Sequence[Array]) -> Arrays:
        starts: list[Array | None] = [None] * len(seeds)
        for i, v in zip(given, vs, strict=True):
            starts[i] = v
        return framework.gradients(reference, xs, starts)

    vs = [s for s in seeds if s is not None]
    sample = sampler(framework, run, arrays, vs, unit)
    wide = [np.zeros(a.shape) if e is None else e for e, a in zip(expected, arrays, strict=True)]
    differ = differing(gradients, wide, unit, sample)
    return [Answer(i, functools.partial(wide.__getitem__, i)) for i in differ]


def unless_convention(
    answers: Sequence[Answer], question: Question, random: np.random.Generator
) -> list[Answer]:
    """Drop differences from a reference at a tie or kink, where a convention decides."""
    kept = []
    for answer in answers:
        only = [k == answer.input for k in range(len(question.leaves))]
        alone = replace(question, gradients=question.gradients)
        placed = judge_among_neighbours(
            alone._backwards, question.leaves, question.gradients, random, only
        )
        if placed.surroundings is not Surroundings.CONVENTION:
            kept.append(answer)
    return kept
