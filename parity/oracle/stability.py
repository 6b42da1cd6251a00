"""Stability: the share of programs that give the same result when they run twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from parity.engines.trace import Trace
from parity.language.program import Program

#: One program in so many runs twice on the engine, so that a check takes about 1% longer.
SAMPLED = 32

_Run = tuple[Program, Trace | None]


@dataclass
class Stability:
    """Counts programs that ran twice, and those that gave the same result, bit for bit."""

    programs: int = 0
    same: int = 0
    #: One program in so many runs twice; none if it is 0.
    sampled: int = SAMPLED
    _read: int = 0
    _seen: int = 0
    _last: Trace | None = None

    def doubled(self, programs: Iterable[Program]) -> Iterator[Program]:
        """Yield programs, and one in ``sampled`` a second time right after the first."""
        for program in programs:
            self._read += 1
            yield program
            if self.sampled and self._read % self.sampled == 0:
                yield program

    def first_runs(self, runs: list[_Run]) -> list[_Run]:
        """Count the second runs among ``runs``, and return the others."""
        first = []
        for run in runs:
            self._seen += 1
            if self.sampled and self._seen % (self.sampled + 1) == 0:
                self._count(self._last, run[1])
            else:
                first.append(run)
                self._last = run[1]
        return first

    def _count(self, one: Trace | None, other: Trace | None) -> None:
        if one is not None and other is not None:
            self.programs += 1
            self.same += one.result() == other.result()

    def to_json(self) -> dict[str, Any]:
        share = round(self.same / self.programs, 4) if self.programs else None
        return {"programs": self.programs, "same": self.same, "share": share}

    def __str__(self) -> str:
        share = 100 * self.same / self.programs if self.programs else 100
        # Rounded down: 100% says that there was no difference.
        return f"stability: {int(share * 10) / 10:g}% of {self.programs:,} programs that ran twice"
