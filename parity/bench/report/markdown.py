"""The Markdown summary, for a pull request or the summary page of a CI job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from parity._util.markdown import escape, table
from parity.bench.report import figures
from parity.bench.report.compare import Comparison, Verdict
from parity.bench.report.model import NONE, change_row, changes, side
from parity.bench.report.results import REFERENCE, Ratio, Results, Times
from parity.bench.report.words import Says, mean, summary

#: Changes beyond these are counted: a comment on a pull request has a greatest length.
MOST = 50
#: Headings whose sentences the table says better.
_IN_TABLE = f"Speed against {REFERENCE}"


def markdown(results: Results, comparison: Comparison | None) -> str:
    """The summary as text; the same result gives the same text."""
    lines = [f"## Performance of {escape(figures.listed(results.names or ['nothing']))}", ""]
    lines += [_origin(results, comparison), ""]
    for says in summary(results, comparison):
        if says.heading != _IN_TABLE:
            lines += [*_block(says), ""]
    if comparison:
        lines += _changed(comparison)
    lines += _ratios(results)
    return "\n".join(lines).rstrip() + "\n"


def _origin(results: Results, comparison: Comparison | None) -> str:
    machine = f" on {results.machine.cpu}" if results.machine.cpu else ""
    revision = results.versions.get("revision")
    at = f", revision {revision}" if revision else ""
    older = f"; against the result of {figures.moment(comparison.created)}" if comparison else ""
    return escape(f"Measured {figures.moment(results.created)}{machine}{at}{older}.")


def _block(says: Says) -> Iterator[str]:
    heading = escape(says.heading)
    if says.loud:
        yield "> [!WARNING]"
        sentences = (f"{says.heading}.", *says.sentences)
        yield from (f"> {escape(sentence)}  " for sentence in sentences)
        return
    yield f"**{heading}**"
    yield ""
    yield from (f"- {escape(sentence)}" for sentence in says.sentences)


def _changed(comparison: Comparison) -> list[str]:
    """A row for every regression and improvement, and nothing else."""
    signs = {Verdict.REGRESSION: "🔴", Verdict.IMPROVEMENT: "🟢"}
    rows = [
        [sign, *(cell.text for cell in cells)]
        for verdict, sign in signs.items()
        for cells in map(change_row, comparison.of(verdict))
    ]
    if not rows:
        return []
    lines = _escaped_table(["", *changes(comparison).columns], rows[:MOST])
    more = len(rows) - MOST
    return [*lines, "", *([f"And {more:,} more in report.html.", ""] if more > 0 else [])]


def _ratios(results: Results) -> list[str]:
    """A row a workload and one for all: geometric mean, least and greatest ratio."""
    names = results.compared
    if not names:
        return []
    workloads = list(dict.fromkeys(t.workload for t in results.times if t.ratios))
    rows = [
        [workload, *(_cell([t for t in results.times if t.workload == workload], n) for n in names)]
        for workload in workloads
    ]
    rows.append(["all", *(_cell(results.times, name) for name in names)])
    note = (
        f"How many times as fast as {REFERENCE}: geometric mean over shapes and dtypes (least to "
        "greatest; faster + and slower - where the 95 % interval says so, of all cases)."
    )
    return [note, "", *_escaped_table(["workload", *names], rows)]


def _cell(times: Iterable[Times], name: str) -> str:
    cases = [t.ratios[name] for t in times if name in t.ratios]
    told = [ratio for ratio in cases if not ratio.noisy]
    if not told:
        return "too noisy" if cases else NONE
    values = [ratio.ratio for ratio in told]
    text = figures.significant(mean(told))
    if len(values) > 1:
        low, high = figures.significant(min(values)), figures.significant(max(values))
        text += f" ({low} to {high})"
    return f"{text}; {_count(told, 'faster')}+ {_count(told, 'slower')}- of {len(cases)}"


def _count(ratios: Sequence[Ratio], which: str) -> int:
    return sum(side(ratio) == which for ratio in ratios)


def _escaped_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return table([*map(escape, columns)], ([*map(escape, row)] for row in rows))
