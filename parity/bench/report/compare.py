"""What changed between two results: only what the intervals exclude to be noise."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from parity.bench.report import figures
from parity.bench.report.results import REFERENCE, Case, Growth, Ratio, Results, Times


class Verdict(enum.Enum):
    """What may be said of a figure that was measured twice."""

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
    """One figure in both results, as text; ``factor`` is how many times as fast as before."""

    engine: str
    case: Case
    figure: str
    before: str
    now: str
    factor: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """A result against an older one.

    ``differences`` say what else changed between them, which may be why.
    ``control`` are changes of the work by hand: no engine is the reason for those.
    """

    created: str
    changes: tuple[Change, ...]
    control: tuple[Change, ...]
    differences: tuple[str, ...]
    only_now: int
    only_before: int

    def of(self, verdict: Verdict) -> list[Change]:
        """The changes of engines that are a ``verdict``."""
        return [change for change in self.changes if change.verdict is verdict]


def compare(now: Results, before: Results) -> Comparison:
    """All that both results measured; a case whose graph changed is not compared."""
    changes = [*_ratios(now, before), *_exponents(now, before)]
    keys_now, keys_before = _ratio_keys(now), _ratio_keys(before)
    return Comparison(
        before.created,
        tuple(c for c in changes if not now.is_control(c.engine)),
        tuple(c for c in changes if now.is_control(c.engine)),
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
    return "too noisy" if ratio.noisy else figures.span(ratio.ratio, ratio.low, ratio.high)


def _verdict(now: _Interval, before: _Interval, more_is_better: bool) -> Verdict:
    """A change only where the intervals have no number in common."""
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
            was, is_now = (figures.span(one.value, one.low, one.high) for one in (old, new))
            verdict = _verdict(new, old, more_is_better=False)
            yield Change(now.engine, now, figure, was, is_now, None, verdict)


def _differences(now: Results, before: Results) -> Iterator[str]:
    yield from _differing("machine", vars(before.machine), vars(now.machine), _MACHINE)
    versions = sorted({*before.versions, *now.versions} - {"revision"})
    yield from _differing("version of", before.versions, now.versions, versions)
    # Versions of packages that both sections name are said once.
    engines = [n for n in now.names if n in before.engines and n not in versions]
    old, new = ({n: r.engines[n].version for n in engines if n in r.engines} for r in (before, now))
    yield from _differing("version of", old, new, engines)
    settings = sorted({*before.settings, *now.settings})
    yield from _differing("setting", before.settings, now.settings, settings)


#: What loads say changes with every run.
_MACHINE = ("cpu", "cores", "memory_bytes", "system")


def _differing(
    what: str, before: Mapping[str, object], now: Mapping[str, object], names: Iterable[str]
) -> Iterator[str]:
    for name in names:
        old, new = before.get(name), now.get(name)
        if old != new:
            yield f"{what} {name}: {_said(old)} before, {_said(new)} now"


def _said(value: object) -> str:
    return "not said" if value in (None, "") else str(value)
