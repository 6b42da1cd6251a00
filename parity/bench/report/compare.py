"""Changes between two results: figures whose 95 % intervals do not overlap."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from parity.bench.report import formatting
from parity.bench.report.results import REFERENCE, Growth, Ratio, ReportCase, Results, Times


class Verdict(enum.Enum):
    """The verdict on a figure that two results have."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    SAME = "no change seen"
    NOISY = "too noisy to tell"


class _Interval(Protocol):
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


@dataclass(frozen=True)
class Change:
    """One figure of both results as text; ``factor``: the new ratio divided by the old one."""

    engine: str
    case: ReportCase
    figure: str
    before: str
    now: str
    factor: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """A result compared with an older one.

    Attributes
    ----------
    created
        When the older result was measured.
    changes
        Figures of engines.
    baseline
        Figures of the NumPy baseline, which no engine can have changed.
    differences
        Other machines, versions and settings.
    only_now, only_before
        Numbers of ratios that only one of the results has.
    """

    created: str
    changes: tuple[Change, ...]
    baseline: tuple[Change, ...]
    differences: tuple[str, ...]
    only_now: int
    only_before: int

    def of(self, verdict: Verdict) -> list[Change]:
        """The changes of engines with a verdict."""
        return [change for change in self.changes if change.verdict is verdict]


def compare(now: Results, before: Results) -> Comparison:
    """Compare what both results measured, except for cases whose graph has another size."""
    changes = [*_ratios(now, before), *_exponents(now, before)]
    keys_now, keys_before = _ratio_keys(now), _ratio_keys(before)
    return Comparison(
        before.created,
        tuple(c for c in changes if not now.is_baseline(c.engine)),
        tuple(c for c in changes if now.is_baseline(c.engine)),
        tuple(_differences(now, before)),
        len(keys_now - keys_before),
        len(keys_before - keys_now),
    )


def _ratio_keys(results: Results) -> set[object]:
    return {(t.case, t.nodes, name) for t in results.times for name in t.ratios}


def _ratios(now: Results, before: Results) -> Iterator[Change]:
    older = {(t.case, t.nodes): t for t in before.times}
    for times in now.times:
        old = older.get((times.case, times.nodes))
        for name, ratio in times.ratios.items():
            if old and name in old.ratios:
                yield _ratio_change(name, times, old.ratios[name], ratio)


def _ratio_change(name: str, times: Times, before: Ratio, now: Ratio) -> Change:
    noisy = now.noisy or before.noisy
    return Change(
        name,
        times,
        f"speed against {REFERENCE}",
        _shown(before),
        _shown(now),
        None if noisy else now.ratio / before.ratio,
        Verdict.NOISY if noisy else _verdict(now, before, more_is_better=True),
    )


def _shown(ratio: Ratio) -> str:
    return "too noisy" if ratio.noisy else formatting.span(ratio.ratio, ratio.low, ratio.high)


def _verdict(now: _Interval, before: _Interval, more_is_better: bool) -> Verdict:
    """A change only if the intervals do not overlap."""
    if now.low <= before.high and before.low <= now.high:
        return Verdict.SAME
    is_more = now.low > before.high
    return Verdict.IMPROVEMENT if is_more == more_is_better else Verdict.REGRESSION


def _exponents(now: Results, before: Results) -> Iterator[Change]:
    older = {(g.case, g.engine): g for g in before.lengths}
    for growth in now.lengths:
        old = older.get((growth.case, growth.engine))
        if old:
            yield from _growth_changes(growth, old)


def _growth_changes(now: Growth, before: Growth) -> Iterator[Change]:
    pairs = (
        ("exponent of time", now.time_exponent, before.time_exponent),
        ("exponent of memory", now.memory_exponent, before.memory_exponent),
    )
    for figure, new, old in pairs:
        if new and old:
            was, is_now = (formatting.span(one.value, one.low, one.high) for one in (old, new))
            verdict = _verdict(new, old, more_is_better=False)
            yield Change(now.engine, now, figure, was, is_now, None, verdict)


def _differences(now: Results, before: Results) -> Iterator[str]:
    yield from _differing("machine", vars(before.machine), vars(now.machine), _MACHINE)
    versions = sorted({*before.versions, *now.versions} - {"revision"})
    yield from _differing("version of", before.versions, now.versions, versions)
    # A package that both sections name is compared once.
    engines = [n for n in now.names if n in before.engines and n not in versions]
    old, new = ({n: r.engines[n].version for n in engines if n in r.engines} for r in (before, now))
    yield from _differing("version of", old, new, engines)
    settings = sorted({*before.settings, *now.settings})
    yield from _differing("setting", before.settings, now.settings, settings)


#: Fields that are compared; loads differ between any two runs.
_MACHINE = ("cpu", "cores", "memory_bytes", "system")


def _differing(
    what: str, before: Mapping[str, object], now: Mapping[str, object], names: Iterable[str]
) -> Iterator[str]:
    for name in names:
        old, new = before.get(name), now.get(name)
        if old != new:
            yield f"{what} {name}: {_named(old)} before, {_named(new)} now"


def _named(value: object) -> str:
    return "unknown" if value in (None, "") else str(value)
