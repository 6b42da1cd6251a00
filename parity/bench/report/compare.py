"""Changes between two results: figures whose 95 % intervals do not overlap."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from parity.bench.report.results import REFERENCE, Estimate, ReportCase, Results


class Verdict(enum.Enum):
    """The verdict on a figure that two results have."""

    REGRESSION = "regression"
    IMPROVEMENT = "improvement"
    SAME = "no change seen"
    NOISY = "too noisy to tell"


@dataclass(frozen=True)
class Change:
    """One figure of both results; ``factor``: the new ratio divided by the old one."""

    engine: str
    case: ReportCase
    figure: str
    before: Estimate
    now: Estimate
    factor: float | None
    verdict: Verdict


@dataclass(frozen=True)
class Comparison:
    """A result compared with an older one."""

    #: When the older result was measured.
    created: str
    #: Figures of engines.
    changes: tuple[Change, ...]
    #: Figures of the NumPy baseline, which no engine can have changed.
    baseline: tuple[Change, ...]
    #: Other machines, versions and settings.
    differences: tuple[str, ...]
    #: Numbers of ratios that only one of the results has.
    only_now: int
    only_before: int

    def of(self, verdict: Verdict) -> list[Change]:
        """The changes of engines with a verdict."""
        return [change for change in self.changes if change.verdict is verdict]


def compare(now: Results, before: Results) -> Comparison:
    """Compare what both results measured, except for cases whose graph has another size."""
    changes = [*_ratios(now, before), *_exponents(now, before)]
    ratios_now, ratios_before = (
        {(t.title, t.nodes, name) for t in results.times for name in t.ratios}
        for results in (now, before)
    )
    return Comparison(
        before.created,
        tuple(c for c in changes if not now.is_baseline(c.engine)),
        tuple(c for c in changes if now.is_baseline(c.engine)),
        tuple(_differences(now, before)),
        len(ratios_now - ratios_before),
        len(ratios_before - ratios_now),
    )


def _ratios(now: Results, before: Results) -> Iterator[Change]:
    figure = f"speed against {REFERENCE}"
    older = {(t.title, t.nodes): t.ratios for t in before.times}
    for times in now.times:
        ratios = older.get((times.title, times.nodes), {})
        for name, new in times.ratios.items():
            if name not in ratios:
                continue
            old = ratios[name]
            noisy = new.noisy or old.noisy
            factor = None if noisy else new.value / old.value
            verdict = Verdict.NOISY if noisy else _verdict(new, old, more_is_better=True)
            yield Change(name, times, figure, old, new, factor, verdict)


def _verdict(now: Estimate, before: Estimate, more_is_better: bool) -> Verdict:
    """A change only if the intervals do not overlap."""
    if now.low <= before.high and before.low <= now.high:
        return Verdict.SAME
    is_more = now.low > before.high
    return Verdict.IMPROVEMENT if is_more == more_is_better else Verdict.REGRESSION


def _exponents(now: Results, before: Results) -> Iterator[Change]:
    older = {(g.title, g.engine): g for g in before.lengths}
    for growth in now.lengths:
        past = older.get((growth.title, growth.engine))
        if past is None:
            continue
        pairs = {
            "exponent of time": (growth.time_exponent, past.time_exponent),
            "exponent of memory": (growth.memory_exponent, past.memory_exponent),
        }
        for figure, (new, old) in pairs.items():
            if new and old:
                verdict = _verdict(new, old, more_is_better=False)
                yield Change(growth.engine, growth, figure, old, new, None, verdict)


def _differences(now: Results, before: Results) -> Iterator[str]:
    # Loads differ between any two runs.
    machine = ("cpu", "cores", "memory_bytes", "system")
    yield from _differing("machine", vars(before.machine), vars(now.machine), machine)
    versions = sorted({*before.versions, *now.versions} - {"revision"})
    yield from _differing("version of", before.versions, now.versions, versions)
    # A package that both sections name is compared once.
    engines = [n for n in now.names if n in before.engines and n not in versions]
    old, new = ({n: r.engines[n].version for n in engines if n in r.engines} for r in (before, now))
    yield from _differing("version of", old, new, engines)
    settings = sorted({*before.settings, *now.settings})
    yield from _differing("setting", before.settings, now.settings, settings)


def _differing(
    what: str, before: Mapping[str, object], now: Mapping[str, object], names: Iterable[str]
) -> Iterator[str]:
    for name in names:
        old, new = before.get(name), now.get(name)
        if old != new:
            was, is_now = ("unknown" if one in (None, "") else one for one in (old, new))
            yield f"{what} {name}: {was} before, {is_now} now"
