"""Several results in the order of time: how the speed went, and since when a figure differs."""

from __future__ import annotations

import datetime
import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from parity.bench.report import formatting
from parity.bench.report.results import Estimate, Ratio, ReportError, Results, Times, load
from parity.bench.report.speed import mean, told

#: Each result is a column of a table.
MOST_RESULTS = 50


@dataclass(frozen=True)
class Step:
    """A figure that changed for good: means of the ratio, and the index of the first result."""

    engine: str
    case: Times
    before: float
    now: float
    at: int


@dataclass(frozen=True)
class Course:
    """Geometric means of an engine by result, None where it has none, over the same cases."""

    engine: str
    cases: int
    means: tuple[float | None, ...]


@dataclass(frozen=True)
class History:
    """Results, the oldest first; the last is the one that is reported."""

    results: tuple[Results, ...]

    @classmethod
    def read(cls, files: Sequence[Path]) -> History:
        """Load files in any order. Raises ReportError, also if a result is there twice."""
        if len(files) > MOST_RESULTS:
            raise ReportError(f"{len(files)} results, and a report shows at most {MOST_RESULTS}")
        loaded = [(file, load(file)) for file in files]
        if len(files) == 1:
            return cls((loaded[0][1],))
        dated = sorted(((_moment(*pair), *pair) for pair in loaded), key=lambda one: one[0])
        for (when, first, _), (other, second, _) in itertools.pairwise(dated):
            if when == other:
                raise ReportError(
                    f"{first} and {second} are the same result, or two of the same time: "
                    "name each result once"
                )
        return cls(tuple(results for _, _, results in dated))

    @property
    def last(self) -> Results:
        return self.results[-1]

    @property
    def previous(self) -> Results | None:
        return self.results[-2] if len(self.results) > 1 else None

    @functools.cached_property
    def courses(self) -> list[Course]:
        """One for each engine, over the cases of all results that have the engine."""
        return [self._course(name) for name in self._names()]

    def _names(self) -> list[str]:
        return list(dict.fromkeys(n for r in reversed(self.results) for n in r.compared))

    def _course(self, name: str) -> Course:
        ratios = [
            {(t.title, t.nodes): ratio.value for t, ratio in told(results.times, name)}
            for results in self.results
        ]
        keys = [set(one) for one in ratios if one]
        shared = sorted(set.intersection(*keys)) if keys else []
        means = (mean([one[key] for key in shared]) if one and shared else None for one in ratios)
        return Course(name, len(shared), tuple(means))

    @functools.cached_property
    def steps(self) -> list[Step]:
        """The steps of every figure, the latest first."""
        series: dict[tuple[str, str, int], list[tuple[int, Times, Ratio]]] = {}
        for (index, results), name in itertools.product(enumerate(self.results), self._names()):
            for times, ratio in told(results.times, name):
                figure = (name, times.title, times.nodes)
                series.setdefault(figure, []).append((index, times, ratio))
        found = [step for figure, points in series.items() for step in _steps(figure[0], points)]
        return sorted(found, key=lambda step: -step.at)


def _moment(file: Path, results: Results) -> datetime.datetime:
    try:
        when = datetime.datetime.fromisoformat(results.created)
    except ValueError:
        raise ReportError(
            f"{file}: created is {results.created!r}, no date, so that its place among the "
            "results is unknown; report it alone"
        ) from None
    return when if when.tzinfo else when.replace(tzinfo=datetime.UTC)


def _steps(engine: str, points: Sequence[tuple[int, Times, Ratio]]) -> Iterator[Step]:
    parts = segments([ratio for _, _, ratio in points])
    for before, after in itertools.pairwise(parts):
        was, now = (mean([points[i][2].value for i in part]) for part in (before, after))
        at, times, _ = points[after[0]]
        yield Step(engine, times, was, now, at)


def segments(intervals: Sequence[Estimate]) -> list[list[int]]:
    """Indices of 95 % intervals, in the order of time, between steps; there is at least one.

    A step is where the next two intervals lie above all since the last step, or both below; at the
    newest result, the next one. So one outlier is no step unless it is the newest. One side of a
    step has at least two results.

    >>> around = lambda value: Estimate(value, value - 0.1, value + 0.1)
    >>> segments([around(v) for v in (2.8, 2.8, 1.5, 2.8, 2.1, 2.1)])
    [[0, 1, 3], [4, 5]]
    """
    parts = [[0]]
    for i, interval in enumerate(intervals[1:], 1):
        since = [intervals[k] for k in parts[-1]]
        side, following = _side(interval, since), intervals[i + 1 : i + 2]
        if side == 0:
            parts[-1].append(i)
        elif _side(following[0], since) == side if following else len(since) > 1:
            parts.append([i])
    return parts


def _side(interval: Estimate, others: Sequence[Estimate]) -> int:
    """1 above all others, -1 below all, 0 if it overlaps with what they span."""
    above = interval.low > max(other.high for other in others)
    return above - (interval.high < min(other.low for other in others))


def label(results: Results) -> str:
    """Date and revision of a result: ``2026-11-24 abc1``."""
    return f"{formatting.day(results.created)} {results.versions.get('revision', '')}".rstrip()
