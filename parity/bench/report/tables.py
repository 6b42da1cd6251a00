"""The tables of a report, for both the page and the Markdown summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from parity.bench.report import formatting
from parity.bench.report.compare import Change, Comparison
from parity.bench.report.history import History, label
from parity.bench.report.results import (
    REFERENCE,
    Estimate,
    Growth,
    Ratio,
    ReportCase,
    Results,
)
from parity.bench.report.speed import gradient_ratios

NONE = "\N{EN DASH}"
_CASE = ("workload", "shape", "dtype")


@dataclass(frozen=True)
class Cell:
    """A text, its sort key (None: last), and a class for its style."""

    text: str
    key: float | str | None = None
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """The first cell of a row is its heading; columns from index ``numeric`` on are numbers."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    numeric: int
    note: str = ""


def tables(
    results: Results, comparison: Comparison | None, history: History | None = None
) -> dict[str, Table]:
    """All tables that are not empty, by name."""
    made = [
        *([changes(comparison)] if comparison else []),
        *([history_table(history), _steps(history)] if history else []),
        _ratios(results),
        noise(results),
        _times(results),
        _gradients(results),
        _growth(results),
        _points(results),
        _memory(results),
        _generator(results),
        _conditions(results),
    ]
    return {table.name: table for table in made if table.rows}


def history_table(history: History) -> Table:
    """One row per engine, one column per result."""
    rows = [
        (_word(course.engine), _count(course.cases), *map(_number, course.means))
        for course in history.courses
    ]
    return Table(
        "history",
        f"How many times as fast as {REFERENCE}, by result",
        ("engine", "cases", *map(label, history.results)),
        rows,
        1,
        "Geometric means over the cases that all of the results with the engine have.",
    )


def _steps(history: History) -> Table:
    rows = [
        (
            _word(step.engine),
            *_case(step.case),
            _number(step.before),
            _number(step.now),
            _number(step.now / step.before),
            _word(label(history.results[step.at])),
        )
        for step in history.steps
    ]
    return Table(
        "steps",
        "Steps: figures that changed for good",
        ("engine", *_CASE, "before", "now", "now / before", "from"),
        rows,
        4,
        "The 95 % intervals before a step and those after it do not overlap.",
    )


def _ratios(results: Results) -> Table:
    rows = [
        (*_case(t), *(_figure(t.ratios, t.not_measured, name) for name in results.compared))
        for t in results.times
        if t.ratios
    ]
    return Table(
        "ratios",
        f"How many times as fast as {REFERENCE}",
        (*_CASE, *map(results.titled, results.compared)),
        rows,
        3,
        f"{REFERENCE}'s time / the engine's time with its 95 % interval; above 1 the engine is "
        "faster. Bold: the interval lies above or below 1.",
    )


def noise(results: Results) -> Table:
    """Per engine the cases whose ratio is too noisy, each workload once."""
    rows = []
    for name in results.compared:
        cases = [t for t in results.times if name in t.ratios]
        noisy = [t for t in cases if t.ratios[name].noisy]
        groups = formatting.grouped(noisy, lambda t: t.workload)
        texts = [f"{group[0].workload} {', '.join(t.size for t in group)}" for group in groups]
        share = Cell(f"{len(noisy):,} of {len(cases):,}", len(noisy))
        if noisy:
            rows.append((_word(name), share, Cell("; ".join(texts), None, "long")))
    return Table("noise", "Cases too noisy to tell", ("engine", "ratios", "cases"), rows, 3)


def _times(results: Results) -> Table:
    """Medians in milliseconds: the numbers behind the plots of time against size."""
    names = [n for n in results.names if any(n in t.engines for t in results.times)]
    rows = [
        (*_case(t), _count(t.nodes), *(_figure(t.engines, t.not_measured, n) for n in names))
        for t in results.times
    ]
    return Table(
        "times",
        "Time of forward and backward in milliseconds",
        (*_CASE, "nodes", *map(results.titled, names)),
        rows,
        3,
        "Medians with their 95 % intervals.",
    )


def _gradients(results: Results) -> Table:
    """Forward and backward divided by the forward alone, of libraries with a forward alone."""
    figures = [(t, gradient_ratios(t)) for t in results.times]
    names = [n for n in results.names if any(n in ratios for _, ratios in figures)]
    rows = []
    for times, ratios in figures:
        found = [(str(r), r) if (r := ratios.get(name)) else (NONE, None) for name in names]
        cells = [
            Cell(text, None if r is None or r.noisy else r.value, "noisy" if r and r.noisy else "")
            for text, r in found
        ]
        if ratios:
            rows.append((*_case(times), *cells))
    return Table(
        "gradients",
        "Time of forward and backward / time of forward alone",
        (*_CASE, *map(results.titled, names)),
        rows,
        3,
        "Medians with their 95 % intervals; the forward makes the leaves and builds the graph.",
    )


def _growth(results: Results) -> Table:
    """Exponents, and time and memory per node of the longest graph."""
    rows = [
        (
            _word(g.engine),
            Cell(g.ended, g.ended, "ended") if g.ended else Cell("completed", ""),
            *_case(g),
            *(
                Cell(str(exponent), exponent.value) if exponent else Cell("too few points")
                for exponent in (g.time_exponent, g.memory_exponent)
            ),
            _number(g.microseconds_per_node),
            _number(g.forward_microseconds_per_node),
            _number(_backward(g)),
            _number(g.bytes_per_node),
            _count(max(p.nodes for p in g.points)) if g.points else Cell("none"),
        )
        for g in results.lengths
    ]
    exponents = ("exponent of time", "exponent of memory")
    parts = ("µs per node", "of it to build the graph", "of it backward")
    return Table(
        "growth",
        "Growth with the length of the graph",
        ("engine", "end", *_CASE, *exponents, *parts, "bytes per node", "longest graph"),
        rows,
        5,
        "An exponent of 1: twice as many nodes take twice as much.",
    )


def _backward(growth: Growth) -> float | None:
    """Microseconds per node of the backward alone."""
    whole, forward = growth.microseconds_per_node, growth.forward_microseconds_per_node
    return None if whole is None or forward is None else max(0.0, whole - forward)


def _points(results: Results) -> Table:
    """Time and memory by graph length: the numbers behind the plots."""
    rows = [
        (
            _word(g.engine),
            *_case(g),
            _count(p.nodes),
            _number(p.time),
            _number(p.bytes, formatting.size),
        )
        for g in results.lengths
        for p in g.points
    ]
    return Table(
        "points",
        "Time and memory by length of the graph",
        ("engine", *_CASE, "nodes", "time in ms", "peak memory"),
        rows,
        4,
        "Each measured in a new process.",
    )


def _memory(results: Results) -> Table:
    names = [n for n in results.names if any(n in m.engines for m in results.memory)]
    rows = []
    for one in results.memory:
        cells = [*_case(one), _count(one.nodes)]
        for name in names:
            if peak := one.engines.get(name):
                text = f"{formatting.significant(peak.bytes_per_node)} "
                cells.append(Cell(f"{text}({formatting.size(peak.bytes)})", peak.bytes_per_node))
            else:
                cells.append(_absent(one.not_measured, name))
        rows.append(tuple(cells))
    return Table(
        "memory",
        "Peak live memory: bytes per node (and in total)",
        (*_CASE, "nodes", *map(results.titled, names)),
        rows,
        3,
    )


def _generator(results: Results) -> Table:
    rows = [
        (
            _word(g.what),
            _word(g.engine),
            _count(g.programs),
            _number(g.statements),
            _number(g.programs_per_second),
            *(
                _number(share, formatting.percent)
                for share in (g.decoding, g.in_engine, g.in_reference, g.rest)
            ),
        )
        for g in results.generator
    ]
    shares = ("decoding", "in the engine", f"in {REFERENCE}", "rest")
    return Table(
        "generator",
        "Throughput of the program generator",
        ("what", "engine", "programs", "statements per program", "programs per second", *shares),
        rows,
        2,
        "The last four columns are shares of the time.",
    )


def changes(comparison: Comparison) -> Table:
    """One row per figure that both results have; regressions first."""
    order = ("regression", "improvement", "too noisy to tell", "no change seen")
    found = sorted(comparison.changes, key=lambda change: order.index(change.verdict.value))
    return Table(
        "changes",
        "Changes against the older result",
        ("engine", "verdict", *_CASE, "figure", "before", "now", "now / before"),
        [change_row(change) for change in found],
        6,
        f"Older result of {formatting.moment(comparison.created)}. A regression or an improvement "
        "is marked only if the two 95 % intervals do not overlap.",
    )


def change_row(change: Change) -> tuple[Cell, ...]:
    """A change as a row of ``changes``."""
    verdict = change.verdict
    return (
        _word(change.engine),
        Cell(verdict.value, verdict.value, verdict.name.lower()),
        *_case(change.case),
        _word(change.figure),
        Cell(str(change.before)),
        Cell(str(change.now)),
        _number(change.factor),
    )


def _conditions(results: Results) -> Table:
    machine = results.machine
    loads = (machine.load_before, machine.load_after)
    known = [formatting.significant(load, 2) for load in loads if load is not None]
    engines = {name: e.version for name, e in results.engines.items() if not e.baseline}
    facts: dict[str, object] = {
        "created": results.created,
        "took": None if results.seconds is None else f"{formatting.significant(results.seconds)} s",
        "processor": machine.cpu,
        "cores": machine.cores,
        "memory": formatting.size(machine.memory_bytes) if machine.memory_bytes else None,
        "system": machine.system,
        "load before and after": " and ".join(known) if len(known) == 2 else None,
        **{f"version of {name}": found for name, found in {**results.versions, **engines}.items()},
        **{f"setting {name}": _setting(value) for name, value in results.settings.items()},
    }
    rows = [(_word(k), _word(str(v))) for k, v in facts.items() if v not in (None, "")]
    return Table("conditions", "Machine, versions and settings", ("what", "value"), rows, 2)


def _setting(value: str | bool | float | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return formatting.plain(value) if isinstance(value, float) else str(value or "none")


def _case(case: ReportCase) -> tuple[Cell, Cell, Cell]:
    shape = Cell(str(case.shape or "0-d"), case.elements)
    return _word(case.workload), shape, _word(case.dtype)


def _word(text: str) -> Cell:
    return Cell(text, text)


def _count(number: int) -> Cell:
    return Cell(f"{number:,}", number)


def _number(value: float | None, text: Callable[[float], str] = formatting.significant) -> Cell:
    return Cell(NONE) if value is None else Cell(text(value), value)


def _figure(figures: Mapping[str, Estimate], reasons: Mapping[str, str], name: str) -> Cell:
    found = figures.get(name)
    if found is None:
        return _absent(reasons, name)
    if not isinstance(found, Ratio):
        return Cell(str(found), found.value)
    if found.noisy:
        return Cell(str(found), None, "noisy")
    return Cell(str(found), found.value, found.direction)


def _absent(reasons: Mapping[str, str], name: str) -> Cell:
    return Cell(f"not measured: {reasons[name]}" if name in reasons else NONE, None, "absent")
