"""Tables for a terminal, line by line as objects are measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parity._util.escape import one_line

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
    form = {"times": _times, "lengths": _lengths, "memory": _memory, "generator": _generator}
    yield one_line(form[part](row))
    for name, reason in row.get("not_measured", {}).items():
        yield one_line(f"{'':34}  {name} not measured: {reason}")


def _case(row: dict[str, Any]) -> str:
    return f"{row['workload']:15}{tuple(row['shape'])!s:11}{row['dtype']:8}"


def _times(row: dict[str, Any]) -> str:
    torch = row["engines"].get("torch")
    cells = [f"torch {torch['median']:.3g} ms"] if torch else []
    for name, found in row["ratios"].items():
        ratio = "too noisy to tell" if found["noisy"] else f"{found['ratio']:.2f}"
        cells.append(f"{name} {ratio} ({found['low']:.2f} to {found['high']:.2f})")
    return f"{_case(row)}  {'   '.join(cells)}".rstrip()


def _lengths(row: dict[str, Any]) -> str:
    cells = []
    if row["points"]:
        nodes = row["points"][-1]["nodes"]
        cells.append(f"{nodes:,} nodes: {row['microseconds_a_node']:.3g} us and")
        cells.append(f"{row['bytes_a_node']:.0f} bytes per node;")
    for name in ("time", "memory"):
        found = row[f"{name}_exponent"]
        if found:
            cells.append(f"{name} {found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})")
    if row["ended"]:
        cells.append(f"ended: {row['ended']}")
    return f"{row['workload']:15}{row['engine']:11} {' '.join(cells)}"


def _memory(row: dict[str, Any]) -> str:
    cells = [
        f"{name} {found['bytes'] / 1e6:.2f} ({found['bytes_a_node']:.0f})"
        for name, found in row["engines"].items()
    ]
    return f"{_case(row)}{row['nodes']:>8,} nodes  {'   '.join(cells)}"


def _generator(row: dict[str, Any]) -> str:
    return (
        f"{row['what']}: {row['programs_a_second']:,.0f} programs per second of "
        f"{row['statements']:.1f} statements; {100 * row['decoding']:.0f} % drawing, "
        f"{100 * row['in_engine']:.0f} % in {row['engine']}, "
        f"{100 * row['in_reference']:.0f} % in torch, {100 * row['rest']:.0f} % comparing"
    )
