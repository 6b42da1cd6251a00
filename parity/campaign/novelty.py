"""Novelty of programs: features and lines of the engine that no program reached before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.line_coverage import Lines, lines_of
from parity.engines.runner import AnyEngine
from parity.generate.coverage import Cell, reached
from parity.language import program as pr

#: A feature: its group and cell in ``parity.generate.coverage``.
Feature = tuple[str, Cell]
#: After ``QUIET`` programs without a new feature only one in ``EVERY`` is examined: that takes a
#: tenth of the time of a program, and new features are rare by then.
QUIET, EVERY = 500, 8


class Novelty:
    """The features that the programs of a run reached, and lines of an engine in this process.

    Parameters
    ----------
    seen
        Features that are not new.
    lines
        Line coverage of the engine.
    every
        1 to examine all programs, however long none is new.
    """

    def __init__(self, seen: Iterable[Feature], lines: Lines, every: int = EVERY) -> None:
        self.seen = set(seen)
        self.lines = lines
        self.every = every
        self.programs = 0
        # With features from before, few new ones are expected.
        self.quiet = QUIET if self.seen else 0

    def is_new(self, program: pr.Program) -> bool:
        """Whether ``program`` has a feature, or reaches a line, for the first time."""
        self.programs += 1
        new = (self.quiet < QUIET or not self.programs % self.every) and self._has_new(program)
        return self.lines.adds(program, new or self.every == 1) or new

    def _has_new(self, program: pr.Program) -> bool:
        before = len(self.seen)
        self.seen.update(reached(program))
        new = len(self.seen) > before
        self.quiet = 0 if new else self.quiet + 1
        return new


class SeenFeatures:
    """Features and lines of kept inputs, computed once in a process for all its guides.

    Lists of kept inputs grow at their end, so that only the new ones are examined. The result for
    a list depends on that list alone, not on lists before.
    """

    def __init__(self, engine: AnyEngine, reader: Reader) -> None:
        self.engine = engine
        self.reader = reader
        self._clear()

    def _clear(self) -> None:
        self.inputs: list[FuzzInput] = []
        #: Those with a feature or a line that none before them in the list has.
        self.useful: list[FuzzInput] = []
        self.novelty = Novelty((), lines_of(self.engine), every=1)

    def of(self, inputs: Sequence[FuzzInput]) -> tuple[list[FuzzInput], Novelty]:
        """The inputs that are worth mutating, and a novelty that knows the features of all.

        Runs inputs that it has not seen before on the engine, if that is in this process.
        """
        if self.inputs != list(inputs[: len(self.inputs)]):
            self._clear()
        new = inputs[len(self.inputs) :]
        if new:
            programs = map(self.reader.program, new)
            adding = map(self.novelty.is_new, programs)
            self.useful += [one for one, adds in zip(new, adding, strict=True) if adds]
            self.inputs += new
        return list(self.useful), Novelty(self.novelty.seen, self.novelty.lines.copy())
