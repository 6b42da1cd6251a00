"""Tables for a terminal, line by line as objects are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_TITLES = {
    "times": "forward and backward: torch's time / the engine's (95 % interval); above 1 the "
    "engine is faster",
    "lengths": "growth: time ~ nodes ** exponent, the same for peak memory (95 % intervals)",
    "memory": "peak live memory, MB (bytes per node)",
    "generator": "throughput of the fuzzer",
}


def lines(part: str, row: dict[str, Any], first: bool) -> Iterator[str]:
    """The lines of one object of the JSON; the first has the title of the table before it."""
    if first:
        yield f"\n{_TITLES[part]}"
    yield from _LINES[part](row)


def _case(row: dict[str, Any]) -> str:
    return f"{row['workload']:15}{tuple(row['shape'])!s:11}{row['dtype']:8}"


def _of_times(row: dict[str, Any]) -> Iterator[str]:
    torch = row["engines"].get("torch")
    cells = [f"torch {torch['median']:.3g} ms"] if torch else []
    cells += [f"{name} {ratio_text(found)}" for name, found in row["ratios"].items()]
    yield f"{_case(row)}  {'   '.join(cells)}".rstrip()
    for name, reason in row["not_measured"].items():
        yield f"{'':34}  {name} not measured: {reason}"


def ratio_text(found: dict[str, Any]) -> str:
    """A ratio with its interval, or "too noisy to tell"."""
    interval = f"({found['low']:.2f} to {found['high']:.2f})"
    return f"too noisy to tell {interval}" if found["noisy"] else f"{found['ratio']:.2f} {interval}"


def _of_lengths(row: dict[str, Any]) -> Iterator[str]:
    last = row["points"][-1] if row["points"] else None
    cells = []
    if last:
        cells.append(f"{last['nodes']:,} nodes: {row['microseconds_a_node']:.3g} us and")
        cells.append(f"{row['bytes_a_node']:.0f} bytes per node;")
    for name in ("time", "memory"):
        found = row[f"{name}_exponent"]
        if found:
            cells.append(f"{name} {found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})")
    if row["ended"]:
        cells.append(f"ended: {row['ended']}")
    yield f"{row['workload']:15}{row['engine']:11} {' '.join(cells)}"


def _of_memory(row: dict[str, Any]) -> Iterator[str]:
    cells = [
        f"{name} {found['bytes'] / 1e6:.2f} ({found['bytes_a_node']:.0f})"
        for name, found in row["engines"].items()
    ]
    yield f"{_case(row)}{row['nodes']:>8,} nodes  {'   '.join(cells)}"
    for name, reason in row["not_measured"].items():
        yield f"{'':34}  {name} not measured: {reason}"


def _of_generator(row: dict[str, Any]) -> Iterator[str]:
    shares = ", ".join(
        f"{100 * row[share]:.0f} % {label}"
        for share, label in (
            ("decoding", "drawing"),
            ("in_engine", f"in {row['engine']}"),
            ("in_reference", "in torch"),
            ("rest", "comparing"),
        )
    )
    yield (
        f"{row['what']}: {row['programs_a_second']:,.0f} programs per second of "
        f"{row['statements']:.1f} statements; {shares}"
    )


_LINES: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "times": _of_times,
    "lengths": _of_lengths,
    "memory": _of_memory,
    "generator": _of_generator,
}
