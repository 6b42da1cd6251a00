"""The function under test, with the inputs that it accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from parity._util.errors import UsageError
from parity._util.escape import described
from parity.function.cases import Array, Case
from parity.function.frameworks import Framework, Function
from parity.function.judge import UNITS
from parity.language.shapes import Shape

#: Upstream gradients of the outputs, None for an output that has none.
Seeds: TypeAlias = list[Array | None]

#: Numbers of upstream gradients that are not uniform.
_VARIED = np.array([0.5, 1.0, -1.0, 1.5, -0.75, 2.0, -0.25])
#: At how many inputs the function is compared with itself, with ties or zeros and without.
_MOST_PLAIN = 3


@dataclass(frozen=True)
class Point:
    """Inputs that the function accepts, and its outputs there."""

    case: Case
    values: list[Array]

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.case.arrays

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [y.shape for y in self.values]

    def varied(self, seed: int) -> list[Array]:
        """Return upstream gradients that are not uniform."""
        random = np.random.default_rng(seed)
        return [random.choice(_VARIED, shape) for shape in self.shapes]

    def upstreams(self, seed: int) -> Iterator[tuple[str, Seeds]]:
        """Yield upstream gradients, with a word for each kind."""
        varied = self.varied(seed)
        yield "uniform", [np.ones(shape) for shape in self.shapes]
        yield "varied", list(varied)
        for k in range(len(varied)) if len(varied) > 1 else ():
            yield f"only output {k}", [v if i == k else None for i, v in enumerate(varied)]


@dataclass
class Subject:
    """A function under test.

    Attributes
    ----------
    f, reference
        The function, and one in plain operations that is right; None if there is none.
    framework, wide, dtype
        Where it runs, where the reference does, in float64, and the widest type that it accepts.
    points
        The inputs that it accepts and at which its outputs are finite.
    untested
        What was not tested, and why.
    notes
        What is no fault but worth to know.
    """

    f: Function
    reference: Function | None
    framework: Framework
    wide: Framework
    dtype: str
    seed: int
    points: list[Point] = field(default_factory=list)
    untested: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def unit(self) -> float:
        return UNITS[self.dtype]

    @property
    def random(self) -> np.random.Generator:
        """Return random numbers that are the same for each question."""
        return np.random.default_rng(self.seed)

    @property
    def plain(self) -> list[Point]:
        """Return few points without special values, from small to large."""
        kept = [p for p in self.points if p.case.floats and not p.case.is_empty]
        chosen: list[Point] = []
        for generic in False, True:
            some = [p for p in kept if p.case.is_generic is generic and not p.case.special]
            chosen += some[:: max(1, len(some) // _MOST_PLAIN)][:_MOST_PLAIN]
        return [p for p in kept if any(p is c for c in chosen)]

    def as_given(self, case: Case) -> Case:
        """Return inputs in the type in which the function runs."""
        return case.narrowed() if self.dtype != "float64" else case

    @property
    def is_single(self) -> bool:
        """Whether all outputs are numbers of float32, though the inputs are none."""
        smooth = [p for p in self.plain if any((a != a.astype("f4")).any() for a in p.arrays)]
        values = [y for p in smooth for y in p.values]
        whole = all((256 * y == np.round(256 * y)).all() for y in values)  # such as signs
        return not whole and all((y == y.astype("f4")).all() for y in values)

    def accept(self, cases: Sequence[Case], shapes: tuple[Shape, ...]) -> None:
        """Keep the inputs that the function accepts; UsageError if none has the given shapes."""
        refused: dict[str, str] = {}
        singular = 0
        for case in map(self.as_given, cases):
            try:
                values = self.framework.values(self.f, case.arrays)
            except Exception as error:
                refused.setdefault(str(list(case.shapes)), described(error, 120))
                continue
            if all(np.isfinite(v).all() for v in values) or self.reference is not None:
                self.points.append(Point(case, values))
            else:
                singular += 1
        if not any(p.values and p.case.shapes == shapes for p in self.points):
            given = refused.get(str(list(shapes)))
            why = given or "its outputs are not finite, or no real numbers"
            raise UsageError(f"the function cannot be tested: {why}")
        if refused:
            text = ", ".join(list(refused)[:4])
            why = next(iter(refused.values()))
            self.untested.append(f"inputs of shapes {text}: {why}")
        if singular:
            self.untested.append(f"{singular} inputs at which an output is not finite")
