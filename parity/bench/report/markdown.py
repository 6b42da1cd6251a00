"""The Markdown summary, for a pull request or the summary page of a CI job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from parity._util.escape import markdown as escape
from parity._util.markdown import table
from parity.bench.report import formatting
from parity.bench.report.compare import Comparison, Verdict
from parity.bench.report.history import History
from parity.bench.report.results import REFERENCE, Results, Times
from parity.bench.report.speed import Common, mean, told, verdict
from parity.bench.report.summary import Paragraph, summary
from parity.bench.report.tables import NONE, change_row, changes, history_table, noise

#: Changes beyond these are counted, since comments on pull requests have a limited length.
MOST = 50
#: The heading whose sentences repeat the table.
_IN_TABLE = f"Speed against {REFERENCE}"


def markdown(
    results: Results, comparison: Comparison | None, history: History | None = None
) -> str:
    """The summary as text; the same result gives the same text."""
    lines = [f"## Performance of {escape(formatting.listed(results.names or ['nothing']))}", ""]
    lines += [f"**{escape(verdict(results, comparison))}**", "", _origin(results, comparison), ""]
    for paragraph in summary(results, comparison, history):
        if paragraph.heading != _IN_TABLE:
            lines += [*_block(paragraph), ""]
    if history:
        lines += _history(history)
    if comparison:
        lines += _changed(comparison)
    lines += [*_ratios(results), *_noise(results)]
    return "\n".join(lines).rstrip() + "\n"


def _origin(results: Results, comparison: Comparison | None) -> str:
    machine = f" on {results.machine.cpu}" if results.machine.cpu else ""
    revision = results.versions.get("revision")
    at = f", revision {revision}" if revision else ""
    older = f"; against the result of {formatting.moment(comparison.created)}" if comparison else ""
    return escape(f"Measured {formatting.moment(results.created)}{machine}{at}{older}.")


def _block(paragraph: Paragraph) -> Iterator[str]:
    sentences = map(escape, paragraph.sentences)
    if paragraph.loud:
        yield from ("> [!WARNING]", f"> {escape(paragraph.heading)}.  ")
        yield from (f"> {sentence}  " for sentence in sentences)
    else:
        yield from (f"**{escape(paragraph.heading)}**", "")
        yield from (f"- {sentence}" for sentence in sentences)


def _changed(comparison: Comparison) -> list[str]:
    signs = {Verdict.REGRESSION: "🔴", Verdict.IMPROVEMENT: "🟢"}
    rows = [
        [sign, *(cell.text for cell in change_row(change))]
        for verdict, sign in signs.items()
        for change in comparison.of(verdict)
    ]
    if not rows:
        return []
    lines = _escaped_table(["", *changes(comparison).columns], rows[:MOST])
    more = len(rows) - MOST
    return [*lines, "", *([f"And {more:,} more in report.html.", ""] if more > 0 else [])]


def _history(history: History) -> list[str]:
    table = history_table(history)
    rows = [[cell.text for cell in row] for row in table.rows]
    if not rows:
        return []
    return [f"{table.caption}. {table.note}", "", *_escaped_table(table.columns, rows), ""]


def _ratios(results: Results) -> list[str]:
    """One row per workload and one for the common cases: geometric mean, least and greatest."""
    names = results.compared
    if not names:
        return []
    groups = formatting.grouped((t for t in results.times if t.ratios), lambda t: t.workload)
    common = Common.of(results)
    rows = [[cases[0].workload, *(_cell(cases, name) for name in names)] for cases in groups]
    rows.append(
        [
            f"the {common.title}",
            *(f"{_cell(common.cases, n)} (its own: {_own(results, n):,})" for n in names),
        ]
    )
    note = (
        f"How many times as fast as {REFERENCE}: geometric mean over shapes and dtypes (least to "
        "greatest; of all cases, + faster and - slower by their 95 % intervals)."
    )
    return [note, "", *_escaped_table(["workload", *names], rows), ""]


def _own(results: Results, name: str) -> int:
    return sum(name in t.ratios for t in results.times)


def _noise(results: Results) -> list[str]:
    """All that was too noisy, closed."""
    table = noise(results)
    rows = [[cell.text for cell in row] for row in table.rows]
    if not rows:
        return []
    start = ["<details>", f"<summary>{escape(table.caption)}</summary>", ""]
    return [*start, *_escaped_table(table.columns, rows), "", "</details>", ""]


def _cell(times: Iterable[Times], name: str) -> str:
    cases = [t for t in times if name in t.ratios]
    ratios = [ratio for _, ratio in told(cases, name)]
    if not ratios:
        return "too noisy" if cases else NONE
    values = [ratio.value for ratio in ratios]
    text = formatting.significant(mean(values))
    if len(values) > 1:
        low, high = formatting.significant(min(values)), formatting.significant(max(values))
        text += f" ({low} to {high})"
    directions = [ratio.direction for ratio in ratios]
    faster, slower = directions.count("faster"), directions.count("slower")
    return f"{text}; {faster}+ {slower}- of {len(cases)}"


def _escaped_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return table([*map(escape, columns)], ([*map(escape, row)] for row in rows))
