"""Peak memory and growth, each measured in a process of its own.

The peak of a process only rises, and what one library freed another one reuses:
so each number comes from a fresh process that runs one workload on one side.
Linux only: the peak is set back through ``/proc`` after a small warm-up.
"""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity.bench.workloads import SHAPES, WORKLOADS, DezeroSide, Side, TorchSide, start

SIDES: dict[str, Callable[[int], Side]] = {"dezero": DezeroSide, "torch": TorchSide}
#: Steps of the chain by which growth is measured.
LENGTHS = (1_000, 10_000, 100_000, 1_000_000)
#: Graphs of small arrays are longer here than where they are timed: pages are the unit.
LONGER = 50
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Peak:
    """Peak of live memory above what the process had before, in bytes, and seconds taken."""

    workload: str
    shape: tuple[int, ...]
    side: str
    nodes: int
    bytes: int
    seconds: float


def peaks(lengths: tuple[int, ...] = LENGTHS) -> Iterator[Peak]:
    """Every workload in every shape (float32), then the chain of 0-d nodes by length.

    RuntimeError where the system does not tell the peak, or a process failed.
    """
    if not _RESET.exists():
        raise RuntimeError("peak memory is measured on Linux only: there is no /proc/self here")
    for workload in WORKLOADS.values():
        for shape in SHAPES[:1] if workload.fixed else SHAPES:
            for side in SIDES:
                yield measured(workload.name, shape, side, 0)
    for length in lengths:
        for side in SIDES:
            yield measured("deep-chain", (), side, length)


def noted(found: Iterator[Peak], into: list[Peak]) -> Iterator[Peak]:
    """The peaks as they come, each also appended to ``into``."""
    for peak in found:
        into.append(peak)
        yield peak


def table(found: Iterator[Peak]) -> Iterator[str]:
    """Lines of a table as the peaks come in, dezero and torch side by side."""
    yield f"{'workload':14}{'shape':12}{'nodes':>9}   dezero MB   torch MB   torch / dezero"
    pending: Peak | None = None
    for peak in found:
        if pending is None:
            pending = peak
            continue
        ours, theirs = pending, peak
        pending = None
        line = f"{ours.workload:14}{ours.shape!s:12}{ours.nodes or '':>9}"
        line += f"{ours.bytes / 1e6:12.2f}{theirs.bytes / 1e6:11.2f}"
        line += f"{theirs.bytes / max(ours.bytes, 1):17.2f}"
        if ours.nodes:
            line += "".join(
                f"  {p.side} {p.bytes / p.nodes:.0f} B, {p.seconds / p.nodes * 1e6:.2f} us a node"
                for p in (ours, theirs)
            )
        yield line


def measured(workload: str, shape: tuple[int, ...], side: str, nodes: int) -> Peak:
    """The peak of one workload on one side; with ``nodes``, of a chain of that many."""
    task = json.dumps({"workload": workload, "shape": shape, "side": side, "nodes": nodes})
    done = subprocess.run(
        [sys.executable, "-m", "parity.bench.memory", task],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    if done.returncode:
        raise RuntimeError(f"{workload} on {side} failed: {done.stderr.strip().splitlines()[-1:]}")
    return Peak(workload, shape, side, nodes, **json.loads(done.stdout))


def _chain(side: Side, array: Any, nodes: int) -> Any:
    """``y = y * x; y = y + x``: two nodes a round."""
    x = y = side.leaf(array)
    for _ in range(nodes // 2):
        y = y * x
        y = y + x
    side.backward(y)
    return x


def _measure(task: dict[str, Any]) -> dict[str, Any]:
    shape, nodes = tuple(task["shape"]), task["nodes"]
    # What is loaded late is loaded here, by a graph too small to leave memory for the next one.
    _chain(SIDES[task["side"]](1), start((64, 64), "float32"), 10)
    array = start(shape, "float32")
    side = SIDES[task["side"]](LONGER if array.size <= 16 else 1)
    before = _kilobytes("VmRSS")
    _RESET.write_text("5")  # the peak is now what is in use
    gc.collect()  # else the first full collection, of all that is loaded, falls into the run
    begin = time.perf_counter()
    if nodes:
        _chain(side, array, nodes)
    else:
        WORKLOADS[task["workload"]].run(side, array)
    seconds = time.perf_counter() - begin
    peak = _kilobytes("VmHWM") - before
    return {"bytes": peak * 1024, "seconds": seconds}


def _kilobytes(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    assert found, f"{_STATUS} has no {field}"
    return int(found[1])


if __name__ == "__main__":
    print(json.dumps(_measure(json.loads(sys.argv[1]))))
