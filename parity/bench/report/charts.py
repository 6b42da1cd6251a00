"""Plots of a result, as SVG with the colours of the page.

Matplotlib draws with placeholder colours, which ``svg`` replaces by CSS variables, so that one
drawing fits both colour schemes.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from parity.bench.report import formatting
from parity.bench.report.history import History
from parity.bench.report.results import REFERENCE, ReportCase, Results, Times
from parity.bench.report.svg import AXIS, GRID, TEXT, recolored, series_color

#: Width in inches; the page scales plots.
WIDTH = 5.6
#: Plots of a report and cases of a plot; the tables have all numbers.
MOST_PLOTS, MOST_ROWS = 40, 60
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
_LONGEST = 26
#: Dates that fit below a plot.
_DATES = 4
#: For axes of up to so many decades: ticks at these multiples of powers of ten.
_TICKS = ((0.7, (1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0)), (2.5, (1.0, 2.0, 5.0)))


@dataclass(frozen=True)
class Chart:
    """A plot; ``table``: the name of the table with its numbers; ``closed``: shown on demand."""

    name: str
    title: str
    description: str
    svg: str
    table: str
    closed: bool = False


def charts(results: Results, history: History | None = None) -> list[Chart]:
    kinds = (_ratio_charts, _size_charts, _length_charts, _memory_charts)
    with _settings():
        first = _history_charts(history) if history else ()
        every = itertools.chain(first, *(kind(results) for kind in kinds))
        return list(itertools.islice(every, MOST_PLOTS))


def overview(results: Results) -> Chart | None:
    """The plot of the README, with one case per workload; None if there are no ratios."""
    with _settings():
        return next(_ratio_charts(results), None)


@contextmanager
def _settings() -> Iterator[None]:
    """Default settings of Matplotlib, without the user's matplotlibrc."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        # Text is measured with another font than the browser shows.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "parity",
                "text.parse_math": False,
                "font.size": 11,
                **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), AXIS),
                **dict.fromkeys(("axes.labelcolor", "text.color"), TEXT),
                **dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), TEXT),
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.axisbelow": True,
                "grid.color": GRID,
                "grid.linewidth": 0.8,
            }
        )
        yield


def _ratio_charts(results: Results) -> Iterator[Chart]:
    """An overview with one case per workload; the table has all cases."""
    groups = formatting.grouped((t for t in results.times if t.ratios), lambda t: t.workload)
    typical = []
    for group in groups:
        # The middle size of the first dtype.
        same = sorted((t for t in group if t.dtype == group[0].dtype), key=lambda t: t.elements)
        typical.append(same[len(same) // 2])
    if typical:
        title = f"Speed relative to {REFERENCE}, one case per workload"
        yield _bars(results, "overview", title, typical)


def _history_charts(history: History) -> Iterator[Chart]:
    """One line per engine: its mean speed by result, at equal distances."""
    results = history.last
    courses = [c for c in history.courses if c.engine in results.names and any(c.means)]
    if not courses:
        return
    engines = [course.engine for course in courses]
    figure, axes = _figure(results, 2.6, engines)
    for course in courses:
        dots = [(x, value) for x, value in enumerate(course.means) if value]
        axes.plot(*zip(*dots, strict=True), **_style(results, course.engine))
    axes.axhline(1, color=AXIS, linewidth=1.2)
    last = len(history.results) - 1
    shown = sorted({round(part * last / (_DATES - 1)) for part in range(_DATES)})
    axes.set_xticks(shown, [formatting.day(history.results[x].created)[:10] for x in shown])
    _log(axes, "y", f"times as fast as {REFERENCE}", formatting.plain)
    axes.grid()
    _legend(figure, results, engines, lines=True)
    description = f"Lines by date on a log axis for {formatting.listed(engines)}."
    title = f"Speed relative to {REFERENCE} over time"
    yield _chart(figure, "history-of-speed", title, description, "history")


def _in_two_lines(case: ReportCase) -> str:
    return f"{_short(case.workload)}\n{case.size}"


def _bars(results: Results, name: str, title: str, cases: Sequence[Times]) -> Chart:
    """Bars from 1 on a log axis: one group per case, one bar per engine."""
    left_out = _left_out(cases)
    cases = cases[:MOST_ROWS]
    engines = [n for n in results.compared if any(n in t.ratios for t in cases)]
    high = 0.17 * len(cases) * (len(engines) + 1)
    figure, axes = _figure(results, max(high, 0.6), engines)
    for number, engine in enumerate(engines):
        below = (number - (len(engines) - 1) / 2) / (len(engines) + 1)
        _bars_of(axes, results, cases, engine, below)
    axes.axvline(1, color=AXIS, linewidth=1.2)
    _rows(axes, [_in_two_lines(t) for t in cases], 0.45, 0.55)
    _log(axes, "x", f"times as fast as {REFERENCE} (right of 1: faster)", formatting.plain)
    axes.grid(axis="x")
    _legend(figure, results, engines, lines=False)
    noisy = sum(t.ratios[n].noisy for t in cases for n in engines if n in t.ratios)
    left_out += f" Too noisy to show: {noisy}." if noisy else ""
    description = (
        f"Bars: {REFERENCE}'s time divided by the engine's time with 95 % intervals, for "
        f"{formatting.listed(engines)}.{left_out}"
    )
    return _chart(figure, name, title, description, "ratios")


def _left_out(cases: Sequence[object]) -> str:
    """A sentence on the cases that are too many for a plot."""
    more = len(cases) - MOST_ROWS
    return f" {more:,} more cases are in the table." if more > 0 else ""


def _bars_of(
    axes: Axes, results: Results, cases: Sequence[Times], engine: str, below: float
) -> None:
    """The bars of one engine, each ``below`` the centre of its case."""
    found = {y + below: t.ratios[engine] for y, t in enumerate(cases) if engine in t.ratios}
    clear = {y: ratio for y, ratio in found.items() if not ratio.noisy}
    if not clear:
        return
    ys, ratios = list(clear), clear.values()
    high = 0.85 / (len(results.compared) + 1)
    ends = [ratio.value for ratio in ratios]
    axes.barh(ys, [end - 1 for end in ends], high, left=1, color=_color(results, engine))
    around = [
        [max(0.0, ratio.value - ratio.low) for ratio in ratios],
        [max(0.0, ratio.high - ratio.value) for ratio in ratios],
    ]
    style: dict[str, Any] = {"color": TEXT, "linestyle": "none", "elinewidth": 1.1, "capsize": 1.8}
    axes.errorbar(ends, ys, xerr=around, **style)


def _size_charts(results: Results) -> Iterator[Chart]:
    """One per workload, of its first dtype."""
    groups = formatting.grouped(results.times, lambda t: t.workload)
    for number, group in enumerate(groups):
        cases = [t for t in group if t.dtype == group[0].dtype]
        if len({t.elements for t in cases}) < 2:
            continue
        in_order = sorted(cases, key=lambda t: t.elements)
        lines = {
            name: [(t.elements, t.engines[name].value) for t in in_order if name in t.engines]
            for name in results.names
        }
        title = f"{cases[0].workload} {cases[0].dtype}: time against size"
        figure, description = _lines(
            results, "elements of an array", ("milliseconds", formatting.plain), lines, {}
        )
        chart = _chart(figure, f"sizes-{number}", title, description, "times")
        yield dataclasses.replace(chart, closed=True)


def _length_charts(results: Results) -> Iterator[Chart]:
    time, memory = ("milliseconds", formatting.plain), ("peak memory", formatting.round_size)
    for number, growths in enumerate(formatting.grouped(results.lengths, lambda g: g.title)):
        ended = {g.engine: g.ended for g in growths if g.ended}
        for what, unit, attribute in (("time", time, "time"), ("memory", memory, "bytes")):
            lines = {
                g.engine: [(p.nodes, value) for p in g.points if (value := getattr(p, attribute))]
                for g in growths
            }
            if any(lines.values()):
                name = f"{what}-by-length-{number}"
                title = f"{growths[0].title}: {what} against length of the graph"
                figure, description = _lines(results, "nodes of the graph", unit, lines, ended)
                yield _chart(figure, name, title, description, "points")


def _lines(
    results: Results,
    x: str,
    y: tuple[str, Callable[[float], str]],
    lines: Mapping[str, Sequence[tuple[float, float]]],
    ended: Mapping[str, str],
) -> tuple[Figure, str]:
    """One line per engine on log axes, with a cross at the end if the engine ended early.

    ``x`` is the label of an axis, ``y`` a label and a format. Returns also a description.
    """
    drawn = {engine: dots for engine, dots in lines.items() if dots}
    figure, axes = _figure(results, 3.2, list(drawn))
    for engine, dots in drawn.items():
        xs, ys = zip(*dots, strict=True)
        axes.plot(xs, ys, **_style(results, engine))
        if engine in ended:
            axes.plot(xs[-1:], ys[-1:], marker="x", markersize=15, markeredgewidth=2, color=TEXT)
    _log(axes, "x", x, formatting.plain)
    _log(axes, "y", *y)
    axes.grid()
    _legend(figure, results, list(drawn), lines=True)
    description = f"Lines on log axes for {formatting.listed(list(drawn))}."
    if ended:
        ends = "; ".join(f"{engine}: {text}" for engine, text in ended.items())
        description += f" Crosses: ended early ({ends})."
    return figure, description


def _memory_charts(results: Results) -> Iterator[Chart]:
    cases = [m for m in results.memory if any(p.bytes_per_node > 0 for p in m.engines.values())]
    if not cases:
        return
    left_out = _left_out(cases)
    cases = cases[:MOST_ROWS]
    engines = [n for n in results.names if any(n in m.engines for m in cases)]
    figure, axes = _figure(results, 0.5 * len(cases) + 0.4, engines)
    for y, case in enumerate(cases):
        for engine in engines:
            peak = case.engines.get(engine)
            if peak and peak.bytes_per_node > 0:
                axes.plot(peak.bytes_per_node, y, **_style(results, engine, line=False))
    _rows(axes, [_in_two_lines(case) for case in cases], 0.5, 0.5)
    _log(axes, "x", "peak memory per node", formatting.round_size)
    axes.grid()
    _legend(figure, results, engines, lines=True)
    description = f"Dots on a log axis for {formatting.listed(engines)}.{left_out}"
    title = "Peak memory per node"
    yield _chart(figure, "memory-per-node", title, description, "memory")


def _chart(figure: Figure, name: str, title: str, description: str, table: str) -> Chart:
    text = StringIO()
    none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(text, format="svg", transparent=True, metadata=none)
    svg = recolored(text.getvalue(), name, title, description)
    return Chart(name, title, description, svg, table)


def _figure(results: Results, high: float, engines: Sequence[str]) -> tuple[Figure, Axes]:
    """A figure with ``high`` inches for the plot, plus labels and the legend."""
    rows = math.ceil(len(engines) / _per_row(results, engines))
    figure = Figure((WIDTH, high + 0.75 + 0.25 * rows), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _per_row(results: Results, engines: Sequence[str]) -> int:
    """Names per row of the legend: a letter takes about 0.085 inches, a line sample 0.55."""
    longest = max((len(_short(results.titled(name))) for name in engines), default=1)
    return max(1, min(len(engines), int(WIDTH / (0.085 * longest + 0.55))))


def _legend(figure: Figure, results: Results, engines: Sequence[str], lines: bool) -> None:
    """The names of the engines, with lines as they are drawn or thick ones for bars."""
    styles: list[dict[str, Any]] = [
        _style(results, name) if lines else {"linewidth": 8, "color": _color(results, name)}
        for name in engines
    ]
    figure.legend(
        [Line2D([], [], **style) for style in styles],
        # Matplotlib leaves out labels that start with "_".
        [f" {_short(results.titled(name))}" for name in engines],
        loc="outside lower center",
        ncols=_per_row(results, engines),
        frameon=False,
        handlelength=1.6,
    )


def _style(results: Results, engine: str, line: bool = True) -> dict[str, Any]:
    number, color = results.names.index(engine), _color(results, engine)
    baseline = results.is_baseline(engine)
    return {
        "color": color,
        "marker": _MARKERS[number % len(_MARKERS)],
        "markersize": 7,
        "markeredgewidth": 1.5,
        "markerfacecolor": "none" if baseline else color,
        "linewidth": 1.8,
        "linestyle": ("--" if baseline else "-") if line else "none",
    }


def _color(results: Results, engine: str) -> str:
    return series_color(results.names.index(engine))


def _rows(axes: Axes, labels: Sequence[str], below: float, above: float) -> None:
    """A y axis with a label per row, the first on top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - below, -above)
    axes.tick_params(axis="y", length=0)


def _log(axes: Axes, letter: str, label: str, form: Callable[[float], str]) -> None:
    """A log axis with round ticks: the fewer decades, the more ticks in each."""
    axes.set(**{f"{letter}scale": "log", f"{letter}label": label})
    axis = axes.xaxis if letter == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    # On the x axis, a long number needs the space of two short ones.
    room = math.log10(high / low) * (2 if letter == "x" and high >= 1000 else 1)
    subs = next((subs for decades, subs in _TICKS if room < decades), (1.0,))
    axis.set_major_locator(LogLocator(subs=subs, numticks=9))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: form(value)))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
