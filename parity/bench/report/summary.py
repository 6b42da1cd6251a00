"""A result in sentences: what the report says before any table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from parity.bench.report import formatting
from parity.bench.report.compare import Change, Comparison, Verdict
from parity.bench.report.results import REFERENCE, Exponent, Growth, Ratio, ReportCase, Results
from parity.bench.report.tables import direction

#: Examples beyond these are counted, not named.
NAMED = 3


@dataclass(frozen=True)
class Paragraph:
    """Sentences under a heading; ``loud``: a warning."""

    heading: str
    sentences: tuple[str, ...]
    loud: bool = False


def summary(results: Results, comparison: Comparison | None = None) -> list[Paragraph]:
    """Paragraphs on a result, warnings first; those without a sentence are left out."""
    paragraphs = [
        Paragraph("Incomplete", tuple(_incomplete(results)), loud=True),
        Paragraph(
            "Not the same machine, versions or settings", tuple(_conditions(comparison)), loud=True
        ),
        Paragraph("Changes", tuple(_changes(comparison))),
        Paragraph(f"Speed against {REFERENCE}", tuple(_speed(results))),
        Paragraph("Growth with the length of the graph", tuple(_growth(results))),
        Paragraph("Memory", tuple(_memory(results))),
        Paragraph("Noise", tuple(_noise(results))),
        Paragraph("Program generator", tuple(_generator(results))),
    ]
    return [one for one in paragraphs if one.sentences]


def named(case: ReportCase) -> str:
    """A case in a few words."""
    return f"{case.workload} {formatting.shape(case.shape)} {case.dtype}"


def _incomplete(results: Results) -> Iterator[str]:
    if not results.complete:
        yield "The run was interrupted; the report has what was measured before."
    sections = {
        "times": results.times,
        "growth": results.lengths,
        "memory": results.memory,
        "generator": results.generator,
    }
    empty = [name for name, section in sections.items() if not section]
    if empty:
        yield f"The result has nothing on {formatting.listed(empty)}."


def _conditions(comparison: Comparison | None) -> Iterator[str]:
    if comparison is None:
        return
    for difference in comparison.differences:
        yield f"{difference[0].upper()}{difference[1:]}."
    moved = [c for c in comparison.baseline if c.verdict in _MOVED]
    if moved:
        yield (
            f"The NumPy baseline changed in {formatting.counted(len(moved), 'case', 'cases')}, "
            f"which no engine affects: the machine, NumPy or {REFERENCE} changed there."
        )


_MOVED = (Verdict.REGRESSION, Verdict.IMPROVEMENT)


def _changes(comparison: Comparison | None) -> Iterator[str]:
    if comparison is None:
        return
    if not comparison.changes:
        yield "The two results have no figure in common."
    for verdict in _MOVED:
        found = comparison.of(verdict)
        if found:
            yield f"{_many(len(found), verdict)}: {_some(found)}."
        elif comparison.changes:
            yield f"No {verdict.value}."
    same, noisy = len(comparison.of(Verdict.SAME)), len(comparison.of(Verdict.NOISY))
    if same or noisy:
        figure = formatting.counted(same, "figure", "figures")
        yield f"No change seen in {figure}; {noisy:,} too noisy to tell."
    if comparison.only_now or comparison.only_before:
        yield (
            f"Not compared: {formatting.counted(comparison.only_now, 'ratio', 'ratios')} of this "
            f"result only and {comparison.only_before:,} of the older one only."
        )


def _many(number: int, verdict: Verdict) -> str:
    return formatting.counted(number, verdict.value, f"{verdict.value}s")


def _some(changes: list[Change]) -> str:
    texts = [f"{c.engine} on {named(c.case)}, {c.figure}" for c in changes[:NAMED]]
    more = len(changes) - len(texts)
    return "; ".join(texts) + (f"; and {more:,} more" if more else "")


def _speed(results: Results) -> Iterator[str]:
    for name in results.compared:
        all_cases = [(t, t.ratios[name]) for t in results.times if name in t.ratios]
        cases = [(t, ratio) for t, ratio in all_cases if not ratio.noisy]
        who = _who(results, name)
        if cases:
            yield f"{who} {_in_the_mean(cases)}. {_where(cases)}"
        else:
            yield f"{who} cannot be told from noise in any case."


def _two(value: float) -> str:
    """Two significant digits, and all digits before the decimal point."""
    return formatting.significant(value, 2) if value < 100 else f"{value:,.0f}"


def _who(results: Results, name: str) -> str:
    return f"{name}, the baseline without an engine," if results.is_baseline(name) else name


def mean(ratios: list[Ratio]) -> float:
    """The geometric mean; the mean of the inverse ratios is its inverse."""
    return math.exp(sum(math.log(r.ratio) for r in ratios) / len(ratios))


def _in_the_mean(cases: Sequence[tuple[ReportCase, Ratio]]) -> str:
    values = [ratio.ratio for _, ratio in cases]
    average = _two(mean([ratio for _, ratio in cases]))
    if len(values) == 1:
        return f"is {average} times as fast as {REFERENCE} in the one case that was measured"
    low, high = _two(min(values)), _two(max(values))
    return (
        f"is {average} times as fast as {REFERENCE} in the geometric mean of "
        f"{len(values):,} cases ({low} to {high})"
    )


def _where(cases: Sequence[tuple[ReportCase, Ratio]]) -> str:
    slower = sorted(
        ((case, r) for case, r in cases if direction(r) == "slower"), key=lambda pair: pair[1].ratio
    )
    faster = sum(direction(ratio) == "faster" for _, ratio in cases)
    even = len(cases) - faster - len(slower)
    text = f"Faster in {faster:,}, slower in {len(slower):,}"
    text += f", no difference seen in {even:,}." if even else "."
    if slower:
        worst = [f"{_two(ratio.ratio)} on {named(case)}" for case, ratio in slower[:NAMED]]
        text += f" Slowest: {'; '.join(worst)}."
    return text


def _growth(results: Results) -> Iterator[str]:
    cases: dict[tuple[str, tuple[int, ...], str], list[Growth]] = {}
    for growth in results.lengths:
        cases.setdefault(growth.case, []).append(growth)
    for growths in cases.values():
        where = named(growths[0])
        time = [_power(g.engine, g.time_exponent) for g in growths if g.time_exponent]
        if time:
            yield f"Time on {where} grows as nodes to the power: {', '.join(time)}."
        memory = [_power(g.engine, g.memory_exponent) for g in growths if g.memory_exponent]
        if memory:
            yield f"Memory on {where} grows as nodes to the power: {', '.join(memory)}."
        ended = [f"{g.engine} ({g.ended})" for g in growths if g.ended]
        if ended:
            yield f"On {where} ended early: {formatting.listed(ended)}."


def _power(engine: str, exponent: Exponent) -> str:
    return f"{engine} {formatting.span(exponent.value, exponent.low, exponent.high)}"


def _memory(results: Results) -> Iterator[str]:
    found = [(g.engine, g.bytes_per_node) for g in results.lengths if g.bytes_per_node is not None]
    by_engine: dict[str, list[float]] = {}
    for name, count in found:
        by_engine.setdefault(name, []).append(count)
    if by_engine:
        texts = [f"{name} {_range(counts)}" for name, counts in by_engine.items()]
        yield f"Peak bytes per node of a long graph: {', '.join(texts)}."
    for name in (n for n in results.names if n != REFERENCE):
        yield from _memory_against(results, name)


def _range(counts: list[float]) -> str:
    low, high = (_two(one) for one in (min(counts), max(counts)))
    return low if low == high else f"{low} to {high}"


def _memory_against(results: Results, name: str) -> Iterator[str]:
    shares = [
        m.engines[name].bytes / m.engines[REFERENCE].bytes
        for m in results.memory
        if name in m.engines and REFERENCE in m.engines and m.engines[REFERENCE].bytes > 0
    ]
    if shares:
        times = _range(shares)
        cases = formatting.counted(len(shares), "workload", "workloads")
        yield f"{_who(results, name)} takes {times} times the memory of {REFERENCE} in {cases}."


def _noise(results: Results) -> Iterator[str]:
    ratios = [(t, name, ratio) for t in results.times for name, ratio in t.ratios.items()]
    noisy = [(t, name) for t, name, ratio in ratios if ratio.noisy]
    if noisy:
        texts = [f"{name} on {named(case)}" for case, name in noisy[:NAMED]]
        more = f"; and {len(noisy) - len(texts):,} more" if len(noisy) > len(texts) else ""
        counted = formatting.counted(len(ratios), "ratio", "ratios")
        yield f"{len(noisy):,} of {counted} too noisy to tell: {'; '.join(texts)}{more}."
    elif ratios:
        yield "No ratio was too noisy to tell."


def _generator(results: Results) -> Iterator[str]:
    for g in results.generator:
        yield (
            f"{g.what} on {g.engine}: {formatting.significant(g.programs_per_second)} programs per "
            f"second of {formatting.significant(g.statements)} statements; "
            f"{formatting.percent(g.in_engine)} of the time in the engine, "
            f"{formatting.percent(g.in_reference)} in {REFERENCE}."
        )
