"""Means over the cases that all engines have, and the verdict: a result in one line."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from parity.bench.measure import DIFFERS
from parity.bench.report import formatting
from parity.bench.report.compare import Comparison, Verdict
from parity.bench.report.results import REFERENCE, Ratio, Results, Times


def told(times: Iterable[Times], name: str) -> list[tuple[Times, Ratio]]:
    """The cases in which the ratio of an engine is not too noisy, with the ratios."""
    ratios = ((t, t.ratios[name]) for t in times if name in t.ratios)
    return [(t, ratio) for t, ratio in ratios if not ratio.noisy]


def gradient_ratios(times: Times) -> dict[str, Ratio]:
    """Time of forward and backward / time of forward alone, of the engines that have one."""
    found = {name: timing.gradient_to_forward for name, timing in times.engines.items()}
    return {name: ratio for name, ratio in found.items() if ratio}


def mean(ratios: Sequence[float]) -> float:
    """The geometric mean; the mean of the inverse ratios is its inverse.

    >>> round(mean([2.0, 8.0]), 6)
    4.0
    """
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def two(value: float) -> str:
    """Two significant digits, and all digits before the decimal point."""
    return formatting.significant(value, 2) if value < 100 else f"{value:,.0f}"


@dataclass(frozen=True)
class Common:
    """The cases in which every engine has a ratio; means over others cannot be compared.

    ``few`` are engines with less than half of the cases of another, such as those with scalars
    only. They and the baseline do not count as engines here: few cases would be left.
    """

    cases: tuple[Times, ...]
    few: tuple[str, ...]

    @classmethod
    def of(cls, results: Results) -> Common:
        engines = [n for n in results.compared if not results.is_baseline(n)] or results.compared
        own = {name: {id(t) for t, _ in told(results.times, name)} for name in engines}
        most = max(map(len, own.values()), default=0)
        few = tuple(name for name in engines if 2 * len(own[name]) < most)
        rest = [own[name] for name in engines if name not in few]
        shared = functools.reduce(set.intersection, rest) if rest else set()
        return cls(tuple(t for t in results.times if id(t) in shared), few)

    @property
    def title(self) -> str:
        """``13 cases that all engines have``."""
        but = f" but {formatting.listed(self.few)}" if self.few else ""
        return f"{formatting.counted(len(self.cases), 'case')} that all engines{but} have"


def verdict(results: Results, comparison: Comparison | None = None) -> str:
    """What a result says first: changes, wrong gradients, and the speed of the first engine."""
    parts = [*_moved(comparison), *_wrong(results), _speed(results)]
    return f"{'; '.join(parts)}."


def _moved(comparison: Comparison | None) -> Iterator[str]:
    if comparison:
        kinds = (Verdict.REGRESSION, Verdict.IMPROVEMENT)
        counts = [formatting.counted(len(comparison.of(kind)), kind.value) for kind in kinds]
        yield f"{' and '.join(counts)} since {formatting.moment(comparison.created)}"


def _wrong(results: Results) -> Iterator[str]:
    for name in results.names:
        reasons = [t.not_measured.get(name, "") for t in results.times]
        wrong = sum(reason.startswith(DIFFERS) for reason in reasons)
        if wrong:
            yield f"{name} has a wrong gradient in {formatting.counted(wrong, 'case')}"


def _speed(results: Results) -> str:
    """Over the common cases; over its own if there are none that all engines have."""
    engines = [n for n in results.compared if not results.is_baseline(n)] or results.compared
    if not engines:
        return f"no speed against {REFERENCE} was measured"
    name, common = engines[0], Common.of(results)
    own, shared = told(results.times, name), told(common.cases, name)
    if not own:
        return f"{name} cannot be told from noise in any case"
    over = f"the {common.title}" if shared else formatting.counted(len(own), "case")
    speed = two(mean([ratio.value for _, ratio in shared or own]))
    slower = sum(ratio.direction == "slower" for _, ratio in own)
    where = f"{slower:,} of its {len(own):,}" if slower else "none"
    return f"{name} is {speed} times as fast as {REFERENCE} over {over}; slower in {where}"
