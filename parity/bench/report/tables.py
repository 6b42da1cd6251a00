"""The tables of a report, for both the page and the Markdown summary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from parity.bench.report import formatting
from parity.bench.report.compare import Change, Comparison
from parity.bench.report.results import (
    REFERENCE,
    Exponent,
    Growth,
    Ratio,
    ReportCase,
    Results,
    Times,
)

T = TypeVar("T")
NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class Cell:
    """A text, its sort key (None: last), and a class for its style."""

    text: str
    key: float | str | None = None
    mark: str = ""


@dataclass(frozen=True)
class Table:
    """The first cell of a row is its heading; ``numeric``: indices of columns of numbers."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: frozenset[int] = field(default=frozenset())
    note: str = ""


def tables(results: Results, comparison: Comparison | None) -> dict[str, Table]:
    """All tables that are not empty, by name."""
    made = [
        *([changes(comparison)] if comparison else []),
        ratios(results),
        times(results),
        growth(results),
        points(results),
        memory(results),
        generator(results),
        conditions(results),
    ]
    return {table.name: table for table in made if table.rows}


def ratios(results: Results) -> Table:
    """Speed relative to the reference: one row per case, one column per engine."""
    rows = [
        (*_case(t), *(_ratio(t, name) for name in results.compared))
        for t in results.times
        if t.ratios
    ]
    return _wide(
        "ratios",
        f"How many times as fast as {REFERENCE}",
        _CASE,
        [titled(results, name) for name in results.compared],
        rows,
        f"{REFERENCE}'s time / the engine's time with its 95 % interval; above 1 the engine is "
        "faster. Bold: the interval lies above or below 1.",
    )


def _ratio(times: Times, name: str) -> Cell:
    ratio = times.ratios.get(name)
    if ratio is None:
        return _absent(times.not_measured, name)
    if ratio.noisy:
        return Cell("too noisy", None, "noisy")
    text = formatting.span(ratio.ratio, ratio.low, ratio.high)
    return Cell(text, ratio.ratio, direction(ratio))


def direction(ratio: Ratio) -> str:
    """``faster`` or ``slower`` than the reference; "" if the interval includes 1."""
    if ratio.noisy or ratio.low <= 1 <= ratio.high:
        return ""
    return "faster" if ratio.low > 1 else "slower"


def times(results: Results) -> Table:
    """Medians in milliseconds: the numbers behind the plots of time against size."""
    names = [n for n in results.names if any(n in t.engines for t in results.times)]
    rows = [
        (*_case(t), _count(t.nodes), *(_time(t, name) for name in names)) for t in results.times
    ]
    return _wide(
        "times",
        "Time of forward and backward in milliseconds",
        (*_CASE, "nodes"),
        [titled(results, name) for name in names],
        rows,
        "Medians with their 95 % intervals.",
    )


def _time(times: Times, name: str) -> Cell:
    timing = times.engines.get(name)
    if timing is None:
        return _absent(times.not_measured, name)
    return Cell(formatting.span(timing.median, timing.low, timing.high), timing.median)


def growth(results: Results) -> Table:
    """One row per engine: exponents, and time and memory per node of the longest graph."""
    rows = [
        (
            Cell(g.engine, g.engine),
            Cell(g.ended, g.ended, "ended") if g.ended else Cell("completed", ""),
            *_case(g),
            _exponent(g.time_exponent),
            _exponent(g.memory_exponent),
            _optional(g.microseconds_per_node, formatting.significant),
            _optional(g.bytes_per_node, formatting.significant),
            _longest(g),
        )
        for g in results.lengths
    ]
    own = (
        "exponent of time",
        "exponent of memory",
        "µs per node",
        "bytes per node",
        "longest graph",
    )
    return Table(
        "growth",
        "Growth with the length of the graph",
        ("engine", "end", *_CASE, *own),
        tuple(rows),
        frozenset(range(5, 10)),
        "An exponent of 1: twice as many nodes take twice as much.",
    )


def _exponent(exponent: Exponent | None) -> Cell:
    if exponent is None:
        return Cell("too few points")
    text = formatting.span(exponent.value, exponent.low, exponent.high)
    return Cell(text, exponent.value)


def _longest(growth: Growth) -> Cell:
    if not growth.points:
        return Cell("none")
    return _count(max(p.nodes for p in growth.points))


def points(results: Results) -> Table:
    """Time and memory by graph length: the numbers behind the plots."""
    rows = [
        (
            Cell(g.engine, g.engine),
            *_case(g),
            _count(p.nodes),
            _optional(p.time, formatting.significant),
            _optional(p.bytes, formatting.size),
        )
        for g in results.lengths
        for p in g.points
    ]
    return Table(
        "points",
        "Time and memory by length of the graph",
        ("engine", *_CASE, "nodes", "time in ms", "peak memory"),
        tuple(rows),
        frozenset({4, 5, 6}),
        "Each measured in a new process.",
    )


def memory(results: Results) -> Table:
    """Peak live memory per node, one column per engine."""
    names = [n for n in results.names if any(n in m.engines for m in results.memory)]
    rows = []
    for one in results.memory:
        cells = [
            Cell(
                f"{formatting.significant(peak.bytes_per_node)} ({formatting.size(peak.bytes)})",
                peak.bytes_per_node,
            )
            if (peak := one.engines.get(name))
            else _absent(one.not_measured, name)
            for name in names
        ]
        rows.append((*_case(one), _count(one.nodes), *cells))
    return _wide(
        "memory",
        "Peak live memory: bytes per node (and in total)",
        (*_CASE, "nodes"),
        [titled(results, name) for name in names],
        rows,
    )


def generator(results: Results) -> Table:
    """Throughput of the program generator and the shares of its time."""
    rows = [
        (
            Cell(g.what, g.what),
            Cell(g.engine, g.engine),
            _count(g.programs),
            Cell(formatting.significant(g.statements), g.statements),
            Cell(formatting.significant(g.programs_per_second), g.programs_per_second),
            *(
                Cell(formatting.percent(share), share)
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
        tuple(rows),
        frozenset(range(2, 9)),
        "The last four columns are shares of the time.",
    )


def changes(comparison: Comparison) -> Table:
    """One row per figure that both results have; regressions first."""
    order = {"regression": 0, "improvement": 1, "too noisy to tell": 2, "no change seen": 3}
    found = sorted(comparison.changes, key=lambda change: order[change.verdict.value])
    rows = [change_row(change) for change in found]
    return Table(
        "changes",
        "Changes against the older result",
        ("engine", "verdict", *_CASE, "figure", "before", "now", "now / before"),
        tuple(rows),
        frozenset({6, 7, 8}),
        f"Older result of {formatting.moment(comparison.created)}. A regression or an improvement "
        "is marked only if the two 95 % intervals do not overlap.",
    )


def change_row(change: Change) -> tuple[Cell, ...]:
    """A change as a row of ``changes``."""
    verdict = change.verdict.value
    return (
        Cell(change.engine, change.engine),
        Cell(verdict, verdict, change.verdict.name.lower()),
        *_case(change.case),
        Cell(change.figure, change.figure),
        Cell(change.before),
        Cell(change.now),
        _optional(change.factor, formatting.significant),
    )


def conditions(results: Results) -> Table:
    """Machine, versions and settings."""
    machine = results.machine
    facts: dict[str, object] = {
        "created": results.created,
        "took": None if results.seconds is None else f"{formatting.significant(results.seconds)} s",
        "processor": machine.cpu,
        "cores": machine.cores,
        "memory": formatting.size(machine.memory_bytes) if machine.memory_bytes else None,
        "system": machine.system,
        "load before and after": _loads(results),
        **{f"version of {name}": version for name, version in results.versions.items()},
        **{
            f"version of {name}": engine.version
            for name, engine in results.engines.items()
            if not engine.baseline
        },
        **{f"setting {name}": _setting(value) for name, value in results.settings.items()},
    }
    rows = [(Cell(k, k), Cell(str(v), str(v))) for k, v in facts.items() if v not in (None, "")]
    return Table("conditions", "Machine, versions and settings", ("what", "value"), tuple(rows))


def _loads(results: Results) -> str | None:
    loads = [results.machine.load_before, results.machine.load_after]
    if None in loads:
        return None
    return " and ".join(formatting.significant(load, 2) for load in loads if load is not None)


def _setting(value: str | bool | float | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return formatting.plain(value) if isinstance(value, float) else str(value or "none")


_CASE = ("workload", "shape", "dtype")


def _case(case: ReportCase) -> tuple[Cell, Cell, Cell]:
    shape = formatting.shape(case.shape)
    return (
        Cell(case.workload, case.workload),
        Cell(shape, case.elements),
        Cell(case.dtype, case.dtype),
    )


def titled(results: Results, name: str) -> str:
    """The name of an engine as the title of a column."""
    return f"{name} (baseline)" if results.is_baseline(name) else name


def _count(number: int) -> Cell:
    return Cell(f"{number:,}", number)


def _optional(value: T | None, text: Callable[[T], str]) -> Cell:
    return Cell(NONE) if value is None else Cell(text(value), _key(value))


def _key(value: object) -> float | None:
    return value if isinstance(value, (int, float)) else None


def _absent(reasons: Mapping[str, str], name: str) -> Cell:
    return Cell(f"not measured: {reasons[name]}" if name in reasons else NONE, None, "absent")


def _wide(
    name: str,
    caption: str,
    fixed: Sequence[str],
    engines: Sequence[str],
    rows: Iterable[tuple[Cell, ...]],
    note: str = "",
) -> Table:
    """A table whose last columns are one per engine."""
    columns = (*fixed, *engines)
    return Table(name, caption, columns, tuple(rows), frozenset(range(3, len(columns))), note)
