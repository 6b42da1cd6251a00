"""Changes between two results: figures whose 95 % intervals do not overlap."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from parity.bench.report.results import REFERENCE, Estimate, ReportCase, Results


class Verdict(enum.Enum):
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
    #: When the older result was measured.
    created: str
    changes: tuple[Change, ...]
    #: Figures of the NumPy baseline, which no engine can have changed.
    baseline: tuple[Change, ...]
    #: Other machines, versions and settings.
    differences: tuple[str, ...]
    #: Numbers of ratios that only one of the results has.
    only_now: int
    only_before: int

    def of(self, verdict: Verdict) -> list[Change]:
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
        tuple(differences(now, before)),
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
        for what in ("time", "memory") if past else ():
            figure, attribute = f"exponent of {what}", f"{what}_exponent"
            new, old = getattr(growth, attribute), getattr(past, attribute)
            if new and old:
                verdict = _verdict(new, old, more_is_better=False)
                yield Change(growth.engine, growth, figure, old, new, None, verdict)


def differences(now: Results, before: Results) -> Iterator[str]:
    """Machines, versions and settings that are not the same."""
    # Loads differ between any two runs.
    machine = ("cpu", "cores", "memory_bytes", "system")
    versions = sorted({*before.versions, *now.versions} - {"revision"})
    # A package that both sections name is compared once.
    engines = [n for n in now.names if n in before.engines and n not in versions]
    old, new = ({n: r.engines[n].version for n in engines if n in r.engines} for r in (before, now))
    settings = sorted({*before.settings, *now.settings})
    sections: tuple[tuple[str, Mapping[str, object], Mapping[str, object], Iterable[str]], ...] = (
        ("machine", vars(before.machine), vars(now.machine), machine),
        ("version of", before.versions, now.versions, versions),
        ("version of", old, new, engines),
        ("setting", before.settings, now.settings, settings),
    )
    for what, olds, news, names in sections:
        for name in names:
            if olds.get(name) != news.get(name):
                pair = (olds.get(name), news.get(name))
                was, is_now = ("unknown" if one in (None, "") else one for one in pair)
                yield f"{what} {name}: {was} before, {is_now} now"
