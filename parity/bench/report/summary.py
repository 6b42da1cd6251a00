"""A result in sentences: what the report says before any table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from parity.bench.report import formatting
from parity.bench.report.compare import Comparison, Verdict, differences
from parity.bench.report.history import History
from parity.bench.report.results import REFERENCE, Ratio, ReportCase, Results
from parity.bench.report.speed import Common, gradient_ratios, mean, told, two

#: Examples beyond these are counted, not named.
NAMED = 3
#: The same for steps of the history.
_STEPS = 12
_MOVED = (Verdict.REGRESSION, Verdict.IMPROVEMENT)


@dataclass(frozen=True)
class Paragraph:
    """Sentences under a heading; ``loud``: a warning."""

    heading: str
    sentences: tuple[str, ...]
    loud: bool = False


def summary(
    results: Results, comparison: Comparison | None = None, history: History | None = None
) -> list[Paragraph]:
    """Paragraphs on a result, warnings first; those without a sentence are left out."""
    conditions = tuple(_conditions(comparison)) if comparison else ()
    paragraphs = [
        Paragraph("Incomplete", tuple(_incomplete(results)), loud=True),
        Paragraph("The machine was busy", tuple(busy(results)), loud=True),
        Paragraph("Not the same machine, versions or settings", conditions, loud=True),
        Paragraph("Changes", tuple(_changes(comparison)) if comparison else ()),
        Paragraph("History", tuple(_history(history)) if history else ()),
        Paragraph(f"Speed against {REFERENCE}", tuple(_speed(results))),
        Paragraph("Backward against forward", tuple(_gradients(results))),
        Paragraph("Growth with the length of the graph", tuple(_growth(results))),
        Paragraph("Memory", tuple(_memory(results))),
        Paragraph("Noise", tuple(_noise(results))),
        Paragraph("Program generator", tuple(_generator(results))),
    ]
    return [one for one in paragraphs if one.sentences]


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


def busy(results: Results) -> Iterator[str]:
    """Sentences on other programs that used the machine, by its load."""
    machine = results.machine
    if not machine.cores:
        return
    used = results.settings.get("threads")
    threads = used if isinstance(used, float | int) else 1
    half = machine.cores / 2
    loads = (("before", machine.load_before, half), ("after", machine.load_after, half + threads))
    for when, load, most in loads:
        if load is not None and load > most:
            cores = formatting.counted(machine.cores, "core")
            yield (
                f"The load {when} the measurement was {two(load)} on {cores}, above "
                f"{formatting.plain(most)}: other programs ran. Measure again on an idle machine."
            )


def _conditions(comparison: Comparison) -> Iterator[str]:
    for difference in comparison.differences:
        yield f"{difference[0].upper()}{difference[1:]}."
    moved = sum(c.verdict in _MOVED for c in comparison.baseline)
    if moved:
        yield (
            f"The NumPy baseline changed in {formatting.counted(moved, 'case')}, which no engine "
            f"affects: the machine, NumPy or {REFERENCE} changed there."
        )


def _changes(comparison: Comparison) -> Iterator[str]:
    if not comparison.changes:
        yield "The two results have no figure in common."
    for verdict in _MOVED:
        found = [f"{c.engine} on {c.case.title}, {c.figure}" for c in comparison.of(verdict)]
        if found:
            yield f"{formatting.counted(len(found), verdict.value)}: {_some(found)}."
        elif comparison.changes:
            yield f"No {verdict.value}."
    same, noisy = len(comparison.of(Verdict.SAME)), len(comparison.of(Verdict.NOISY))
    if same or noisy:
        figures = formatting.counted(same, "figure")
        yield f"No change seen in {figures}; {noisy:,} too noisy to tell."
    if comparison.only_now or comparison.only_before:
        yield (
            f"Not compared: {formatting.counted(comparison.only_now, 'ratio')} of this "
            f"result only and {comparison.only_before:,} of the older one only."
        )


def _some(texts: list[str]) -> str:
    """The first texts, and the number of the others."""
    more = [f"and {len(texts) - NAMED:,} more"] if len(texts) > NAMED else []
    return "; ".join([*texts[:NAMED], *more])


def _history(history: History) -> Iterator[str]:
    *older, last = history.results
    steps = history.steps
    counted = formatting.counted(len(history.results), "result")
    since = formatting.day(history.results[0].created)
    if steps:
        yield f"{formatting.counted(len(steps), 'step')} in {counted} since {since}."
    else:
        yield f"No step in {counted} since {since}."
    for step in steps[:_STEPS]:
        was, now = two(step.before), two(step.now)
        if was == now:
            was, now = map(formatting.significant, (step.before, step.now))
        first = history.results[step.at]
        revision = first.versions.get("revision")
        at = f", revision {revision}" if revision else ""
        yield (
            f"{_who(last, step.engine)} on {step.case.title}: {was} to {now} from "
            f"{formatting.day(first.created)}{at}."
        )
    if len(steps) > _STEPS:
        yield f"And {formatting.counted(len(steps) - _STEPS, 'more step')}, all in the table."
    others = sum(any(differences(last, one)) for one in older)
    if others:
        yield (
            f"{others:,} of the {formatting.counted(len(older), 'older result')} "
            f"{'was' if others == 1 else 'were'} measured on "
            "another machine, or with other versions or settings."
        )


def _speed(results: Results) -> Iterator[str]:
    common = Common.of(results)
    for name in results.compared:
        own, shared = told(results.times, name), told(common.cases, name)
        who = _who(results, name)
        if not own:
            yield f"{who} cannot be told from noise in any case."
            continue
        if name in common.few or not shared:
            shared, of = own, f"its own {formatting.counted(len(own), 'case')} alone"
        elif len(shared) < len(common.cases):
            of = f"{len(shared):,} of the {common.title}"
        else:
            of = f"the {common.title}"
        mean_of = _in_the_mean([ratio.value for _, ratio in shared], of)
        yield f"{who} {mean_of}. {_where(own)}"


def _who(results: Results, name: str) -> str:
    return f"{name}, the baseline without an engine," if results.is_baseline(name) else name


def _in_the_mean(ratios: Sequence[float], of: str) -> str:
    times = f"is {two(mean(ratios))} times as fast as {REFERENCE} in the geometric mean of {of}"
    return f"{times} ({two(min(ratios))} to {two(max(ratios))})" if len(ratios) > 1 else times


def _where(cases: Sequence[tuple[ReportCase, Ratio]]) -> str:
    slower = [(r.value, case.title) for case, r in cases if r.direction == "slower"]
    slower.sort(key=lambda pair: pair[0])
    faster = sum(ratio.direction == "faster" for _, ratio in cases)
    even = len(cases) - faster - len(slower)
    text = f"Of its {formatting.counted(len(cases), 'case')}, faster in {faster:,}"
    text += f", slower in {len(slower):,}"
    text += f", no difference seen in {even:,}." if even else "."
    if slower:
        worst = [f"{two(ratio)} on {title}" for ratio, title in slower[:NAMED]]
        text += f" Slowest: {'; '.join(worst)}."
    return text


def _gradients(results: Results) -> Iterator[str]:
    """One sentence on the engines with a forward alone, over the cases that all of them have."""
    ratios = [
        {name: r.value for name, r in gradient_ratios(t).items() if not r.noisy}
        for t in results.times
    ]
    names = [name for name in results.names if any(name in case for case in ratios)]
    # An engine with few cases would leave few for the others.
    most = max((sum(n in case for case in ratios) for n in names), default=0)
    names = [n for n in names if 2 * sum(n in case for case in ratios) >= most]
    shared = [case for case in ratios if all(n in case for n in names)]
    if names and shared:
        means = [f"{name} {two(mean([case[name] for case in shared]))}" for name in names]
        cases = formatting.counted(len(shared), "case")
        yield (
            f"Forward and backward take so many times the forward alone: {', '.join(means)}, "
            f"in the geometric mean of the {cases} that all of these have."
        )


def _growth(results: Results) -> Iterator[str]:
    for growths in formatting.grouped(results.lengths, lambda g: g.title):
        where = growths[0].title
        powers = {
            "Time": [f"{g.engine} {g.time_exponent}" for g in growths if g.time_exponent],
            "Memory": [f"{g.engine} {g.memory_exponent}" for g in growths if g.memory_exponent],
        }
        for what, texts in powers.items():
            if texts:
                yield f"{what} on {where} grows as nodes to the power: {', '.join(texts)}."
        ended = [f"{g.engine} ({g.ended})" for g in growths if g.ended]
        if ended:
            yield f"On {where} ended early: {formatting.listed(ended)}."


def _memory(results: Results) -> Iterator[str]:
    by_engine: dict[str, list[float]] = {}
    for growth in results.lengths:
        if growth.bytes_per_node is not None:
            by_engine.setdefault(growth.engine, []).append(growth.bytes_per_node)
    if by_engine:
        texts = [f"{name} {_range(counts)}" for name, counts in by_engine.items()]
        yield f"Peak bytes per node of a long graph: {', '.join(texts)}."
    for name in (n for n in results.names if n != REFERENCE):
        shares = [
            m.engines[name].bytes / m.engines[REFERENCE].bytes
            for m in results.memory
            if name in m.engines and REFERENCE in m.engines and m.engines[REFERENCE].bytes > 0
        ]
        if shares:
            times = f"{_range(shares)} times the memory of {REFERENCE}"
            cases = formatting.counted(len(shares), "workload")
            yield f"{_who(results, name)} takes {times} in {cases}."


def _range(counts: list[float]) -> str:
    low, high = two(min(counts)), two(max(counts))
    return low if low == high else f"{low} to {high}"


def _noise(results: Results) -> Iterator[str]:
    ratios = [(t, name, ratio) for t in results.times for name, ratio in t.ratios.items()]
    noisy = [name for _, name, ratio in ratios if ratio.noisy]
    if noisy:
        counted = formatting.counted(len(ratios), "ratio")
        by_engine = [f"{name} {noisy.count(name):,}" for name in dict.fromkeys(noisy)]
        yield f"{len(noisy):,} of {counted} too noisy to tell: {', '.join(by_engine)}."
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
