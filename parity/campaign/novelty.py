"""What programs did that none before them did: cells of exposure, and lines of the engine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.line_coverage import Lines, lines_of
from parity.engines.runner import AnyEngine
from parity.generate.coverage import Cell, reached
from parity.language import program as pr

#: A program's group and cell of ``parity.generate.coverage``.
Reached = tuple[str, Cell]
#: After so many programs that did nothing new only one in ``EVERY`` is looked at: it costs a
#: tenth of a program, and what is new by then is rare.
QUIET, EVERY = 500, 8


class Novelty:
    """What the programs of a run reached: cells, and lines of an engine in this process.

    ``every``: 1 to look at all programs, however long nothing was new.
    """

    def __init__(self, seen: Iterable[Reached], lines: Lines, every: int = EVERY) -> None:
        self.seen = set(seen)
        self.lines = lines
        self.every = every
        self.programs = 0
        # Whoever knows something at the start expects little that is new.
        self.quiet = QUIET if self.seen else 0

    def is_new(self, program: pr.Program) -> bool:
        """Whether ``program`` does anything for the first time."""
        self.programs += 1
        new = (self.quiet < QUIET or not self.programs % self.every) and self._reaches(program)
        return self.lines.fresh(program, new or self.every == 1) or new

    def _reaches(self, program: pr.Program) -> bool:
        before = len(self.seen)
        self.seen.update(reached(program))
        new = len(self.seen) > before
        self.quiet = 0 if new else self.quiet + 1
        return new


class SeenFeatures:
    """What kept cases do, worked out once in a process for all its guides.

    Lists of kept cases grow at their end, so that only the new ones are looked at. What is
    said of a list depends on it alone, not on the lists before.
    """

    def __init__(self, engine: AnyEngine, reader: Reader) -> None:
        self.engine = engine
        self.reader = reader
        self._forget()

    def _forget(self) -> None:
        self.cases: list[FuzzInput] = []
        #: Those that do what none before them in the list does.
        self.useful: list[FuzzInput] = []
        self.known = Novelty((), lines_of(self.engine), every=1)

    def of(self, cases: Sequence[FuzzInput]) -> tuple[list[FuzzInput], Novelty]:
        """The cases that are worth a change, and a behaviour that knows what all of them do.

        Runs those that it has not seen on the engine, if that is in this process.
        """
        if self.cases != list(cases[: len(self.cases)]):
            self._forget()
        new = cases[len(self.cases) :]
        if new:
            programs = map(self.reader.program, new)
            adding = map(self.known.is_new, programs)
            self.useful += [case for case, adds in zip(new, adding, strict=True) if adds]
            self.cases += new
        known = self.known
        return list(self.useful), Novelty(known.seen, known.lines.copy())
