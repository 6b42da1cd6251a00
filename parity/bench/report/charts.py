"""Plots of a result, as SVG with the colours of the page.

Matplotlib draws with placeholder colours, which ``svg`` replaces by CSS variables, so that one
drawing fits both colour schemes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from typing import Any, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from parity.bench.report import formatting
from parity.bench.report.results import REFERENCE, Growth, ReportCase, Results, Times
from parity.bench.report.summary import named
from parity.bench.report.svg import AXIS, GRID, TEXT, recolored, series_color
from parity.bench.report.tables import titled

K = TypeVar("K")
V = TypeVar("V")
#: Width in inches; the page scales plots.
WIDTH = 5.6
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
_LONGEST = 26
#: For axes of up to so many decades: ticks at these multiples of powers of ten.
_TICKS = ((0.7, (1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 7.0)), (2.5, (1.0, 2.0, 5.0)))


@dataclass(frozen=True)
class Chart:
    """A plot; ``table``: the name of the table with its numbers."""

    name: str
    section: str
    title: str
    description: str
    svg: str
    table: str


def charts(results: Results) -> list[Chart]:
    """All plots for which the result has data."""
    with _settings():
        return [
            *_overview(results),
            *_ratio_charts(results),
            *_size_charts(results),
            *_length_charts(results),
            *_memory_charts(results),
        ]


def overview(results: Results) -> Chart | None:
    """The plot of the README, with one case per workload; None if there are no ratios."""
    with _settings():
        return next(_overview(results), None)


def _overview(results: Results) -> Iterator[Chart]:
    groups = _grouped((t for t in results.times if t.ratios), lambda t: t.workload)
    cases = [_typical(group) for group in groups.values()]
    if cases:
        title = f"Speed relative to {REFERENCE}, one case per workload"
        yield _bars(results, "overview", title, cases, _in_two_lines)


def _in_two_lines(case: ReportCase) -> str:
    return f"{_short(case.workload)}\n{_shape_and_dtype(case)}"


def _typical(cases: Sequence[Times]) -> Times:
    """The middle size of the first dtype."""
    same = [t for t in cases if t.dtype == cases[0].dtype]
    return sorted(same, key=lambda t: t.elements)[len(same) // 2]


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
                "axes.edgecolor": AXIS,
                "axes.labelcolor": TEXT,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.axisbelow": True,
                "xtick.color": AXIS,
                "xtick.labelcolor": TEXT,
                "ytick.color": AXIS,
                "ytick.labelcolor": TEXT,
                "text.color": TEXT,
                "grid.color": GRID,
                "grid.linewidth": 0.8,
            }
        )
        yield


def _ratio_charts(results: Results) -> Iterator[Chart]:
    groups = _grouped((t for t in results.times if t.ratios), lambda t: t.workload)
    for number, (workload, cases) in enumerate(groups.items()):
        title = f"{workload}: speed relative to {REFERENCE}"
        yield _bars(results, f"ratios-{number}", title, cases, _shape_and_dtype)


def _shape_and_dtype(case: ReportCase) -> str:
    return f"{formatting.shape(case.shape)} {case.dtype}"


def _bars(
    results: Results,
    name: str,
    title: str,
    cases: Sequence[Times],
    label: Callable[[Times], str],
) -> Chart:
    """Bars from 1 on a log axis: one group per case, one bar per engine."""
    engines = [n for n in results.compared if any(n in t.ratios for t in cases)]
    high = 0.17 * len(cases) * (len(engines) + 1)
    figure, axes = _figure(results, max(high, 0.6), engines)
    for number, engine in enumerate(engines):
        below = (number - (len(engines) - 1) / 2) / (len(engines) + 1)
        _bars_of(axes, results, cases, engine, below)
    axes.axvline(1, color=AXIS, linewidth=1.2)
    axes.set_yticks(range(len(cases)), [label(t) for t in cases])
    axes.set_ylim(len(cases) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    _log(axes, "x", formatting.plain)
    axes.grid(axis="x")
    axes.set_xlabel(f"times as fast as {REFERENCE} (right of 1: faster)")
    _legend(figure, results, engines, lines=False)
    noisy = sum(t.ratios[n].noisy for t in cases for n in engines if n in t.ratios)
    left_out = f" Too noisy to show: {noisy}." if noisy else ""
    description = (
        f"Bars: {REFERENCE}'s time divided by the engine's time with 95 % intervals, for "
        f"{formatting.listed(engines)}.{left_out}"
    )
    return Chart(
        name, "ratios", title, description, _svg(figure, name, title, description), "ratios"
    )


def _bars_of(
    axes: Axes, results: Results, cases: Sequence[Times], engine: str, below: float
) -> None:
    """The bars of one engine, each ``below`` the centre of its case."""
    all_ratios = [(y, t.ratios[engine]) for y, t in enumerate(cases) if engine in t.ratios]
    clear = [(y + below, ratio) for y, ratio in all_ratios if not ratio.noisy]
    if not clear:
        return
    ys, ratios = zip(*clear, strict=True)
    high = 0.85 / (len(results.compared) + 1)
    ends = [ratio.ratio for ratio in ratios]
    axes.barh(ys, [end - 1 for end in ends], high, left=1, color=_color(results, engine))
    around = [
        [max(0.0, ratio.ratio - ratio.low) for ratio in ratios],
        [max(0.0, ratio.high - ratio.ratio) for ratio in ratios],
    ]
    style: dict[str, Any] = {"color": TEXT, "linestyle": "none", "elinewidth": 1.1, "capsize": 1.8}
    axes.errorbar(ends, ys, xerr=around, **style)


def _size_charts(results: Results) -> Iterator[Chart]:
    groups = _grouped(results.times, lambda t: (t.workload, t.dtype))
    for number, ((workload, dtype), cases) in enumerate(groups.items()):
        if len({t.elements for t in cases}) < 2:
            continue
        in_order = sorted(cases, key=lambda t: t.elements)
        lines = {
            name: [(t.elements, t.engines[name].median) for t in in_order if name in t.engines]
            for name in results.names
        }
        yield _lines(
            results,
            _Plot(
                f"sizes-{number}",
                "times",
                f"{workload} {dtype}: time against size",
                ("elements of an array", formatting.plain),
                ("milliseconds", formatting.plain),
                "times",
            ),
            lines,
        )


def _length_charts(results: Results) -> Iterator[Chart]:
    groups = _grouped(results.lengths, lambda g: g.case)
    kinds: tuple[tuple[str, str, Callable[[float], str], str], ...] = (
        ("time", "milliseconds", formatting.plain, "time"),
        ("memory", "peak memory", formatting.round_size, "bytes"),
    )
    for number, growths in enumerate(groups.values()):
        for what, unit, form, attribute in kinds:
            plot = _Plot(
                f"{what}-by-length-{number}",
                "lengths",
                f"{named(growths[0])}: {what} against length of the graph",
                ("nodes of the graph", formatting.plain),
                (unit, form),
                "points",
            )
            yield from _length_chart(results, plot, growths, attribute)


def _length_chart(
    results: Results, plot: _Plot, growths: Sequence[Growth], attribute: str
) -> Iterator[Chart]:
    lines = {
        g.engine: [(p.nodes, getattr(p, attribute)) for p in g.points if getattr(p, attribute)]
        for g in growths
    }
    ended = {g.engine: g.ended for g in growths if g.ended}
    if any(lines.values()):
        yield _lines(results, plot, lines, ended)


@dataclass(frozen=True)
class _Plot:
    """The texts of a line plot; an axis has a label and a format of its numbers."""

    name: str
    section: str
    title: str
    x: tuple[str, Callable[[float], str]]
    y: tuple[str, Callable[[float], str]]
    table: str


def _lines(
    results: Results,
    plot: _Plot,
    lines: Mapping[str, Sequence[tuple[float, float]]],
    ended: dict[str, str] | None = None,
) -> Chart:
    """One line per engine on log axes, with a cross at the end if the engine ended early."""
    drawn = {engine: dots for engine, dots in lines.items() if dots}
    figure, axes = _figure(results, 3.2, list(drawn))
    for engine, dots in drawn.items():
        xs, ys = zip(*dots, strict=True)
        axes.plot(xs, ys, **_style(results, engine))
        if ended and engine in ended:
            axes.plot(xs[-1:], ys[-1:], marker="x", markersize=15, markeredgewidth=2, color=TEXT)
    for letter, (label, form) in (("x", plot.x), ("y", plot.y)):
        _log(axes, letter, form)
        axes.set(**{f"{letter}label": label})
    axes.grid()
    _legend(figure, results, list(drawn), lines=True)
    description = f"Lines on log axes for {formatting.listed(list(drawn))}."
    ends = [f"{engine}: {text}" for engine, text in (ended or {}).items()]
    if ends:
        description += f" Crosses: ended early ({'; '.join(ends)})."
    drawing = _svg(figure, plot.name, plot.title, description)
    return Chart(plot.name, plot.section, plot.title, description, drawing, plot.table)


def _memory_charts(results: Results) -> Iterator[Chart]:
    cases = [m for m in results.memory if any(p.bytes_per_node > 0 for p in m.engines.values())]
    if not cases:
        return
    engines = [n for n in results.names if any(n in m.engines for m in cases)]
    figure, axes = _figure(results, 0.5 * len(cases) + 0.4, engines)
    for y, case in enumerate(cases):
        for engine in engines:
            peak = case.engines.get(engine)
            if peak and peak.bytes_per_node > 0:
                axes.plot(peak.bytes_per_node, y, **_style(results, engine, line=False))
    axes.set_yticks(range(len(cases)), [_in_two_lines(case) for case in cases])
    axes.set_ylim(len(cases) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    _log(axes, "x", formatting.round_size)
    axes.grid()
    axes.set_xlabel("peak memory per node")
    _legend(figure, results, engines, lines=True)
    title, description = (
        "Peak memory per node",
        f"Dots on a log axis for {formatting.listed(engines)}.",
    )
    drawing = _svg(figure, "memory-per-node", title, description)
    yield Chart("memory-per-node", "memory", title, description, drawing, "memory")


def _figure(results: Results, high: float, engines: Sequence[str]) -> tuple[Figure, Axes]:
    """A figure with ``high`` inches for the plot, plus labels and the legend."""
    rows = math.ceil(len(engines) / _per_row(results, engines))
    figure = Figure((WIDTH, high + 0.75 + 0.25 * rows), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.add_subplot()


def _per_row(results: Results, engines: Sequence[str]) -> int:
    """Names per row of the legend: a letter takes about 0.085 inches, a line sample 0.55."""
    longest = max((len(_short(titled(results, name))) for name in engines), default=1)
    return max(1, min(len(engines), int(WIDTH / (0.085 * longest + 0.55))))


def _legend(figure: Figure, results: Results, engines: Sequence[str], lines: bool) -> None:
    handles = [
        Line2D([], [], **_style(results, name, line=lines))
        if lines
        else Line2D([], [], color=_color(results, name), linewidth=8)
        for name in engines
    ]
    # Matplotlib leaves out labels that start with "_".
    labels = [f" {_short(titled(results, name))}" for name in engines]
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=_per_row(results, engines),
        frameon=False,
        handlelength=1.6,
    )


def _style(results: Results, engine: str, line: bool = True) -> dict[str, Any]:
    number = results.names.index(engine)
    baseline = results.is_baseline(engine)
    return {
        "color": _color(results, engine),
        "marker": _MARKERS[number % len(_MARKERS)],
        "markersize": 7,
        "markeredgewidth": 1.5,
        "markerfacecolor": "none" if baseline else _color(results, engine),
        "linewidth": 1.8,
        "linestyle": ("--" if baseline else "-") if line else "none",
    }


def _color(results: Results, engine: str) -> str:
    return series_color(results.names.index(engine))


def _log(axes: Axes, letter: str, form: Callable[[float], str]) -> None:
    """A log axis with round ticks: the fewer decades, the more ticks in each."""
    axes.set(**{f"{letter}scale": "log"})
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


def _grouped(items: Iterable[V], key: Callable[[V], K]) -> dict[K, list[V]]:
    """Lists of items with the same key, in the order of their first items."""
    groups: dict[K, list[V]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _svg(figure: Figure, name: str, title: str, description: str) -> str:
    text = StringIO()
    none = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(text, format="svg", transparent=True, metadata=none)
    return recolored(text.getvalue(), name, title, description)
