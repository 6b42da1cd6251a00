"""Peak live memory and growth, each point in a process of its own.

The peak of a process only rises, and what one library freed another one reuses: so each number
comes from a fresh process that runs one workload on one side. Linux only: the peak is set back
through ``/proc`` after a small warm-up.
"""

from __future__ import annotations

import gc
import re
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from parity.bench.backends.base import Backend
from parity.bench.clock import clock
from parity.bench.measure import Stopwatch
from parity.bench.workloads import DEEP_CHAIN, Shape, Workload, start

#: Nodes of the chain by which growth is measured, and those of a quick run.
LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
QUICK_LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000)
#: Graphs of small arrays are longer here than where they are timed: pages are the unit.
LONGER = 50
#: A short graph is timed again, up to so many times and seconds; the median counts.
_AGAIN, _SECONDS = 9, 0.3
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def available() -> bool:
    """Whether the system tells the peak of a process."""
    return _RESET.exists()


def longer(workload: Workload, shape: Shape) -> int:
    """How many times as long as where it is timed a graph is whose memory is measured."""
    return LONGER if not workload.fixed and int(np.prod(shape)) <= 16 else 1


def peak(
    side: Backend, workload: Workload, shape: Shape, dtype: str, steps: int, threads: int = 1
) -> dict[str, Any]:
    """Peak of live memory above what the process had before, in bytes, and seconds of a run."""
    # What is loaded late is loaded here, by a graph too small to leave memory for the next one.
    warm = () if side.max_ndim == 0 else (64, 64)
    side.run(DEEP_CHAIN, (start(warm, dtype),), 5)
    leaves = workload.leaves(start(shape, dtype))
    if available():
        before = _kilobytes("VmRSS")
        _RESET.write_text("5")  # the peak is now what is in use
    gc.collect()  # else the first full collection, of all that is loaded, falls into the run
    watch = Stopwatch(clock(threads))
    times = [watch.run(workload, side, leaves, steps)]
    found = 1024 * (_kilobytes("VmHWM") - before) if available() else None
    while len(times) < _AGAIN and sum(times) < _SECONDS:
        times.append(watch.run(workload, side, leaves, steps))
    return {"bytes": found, "seconds": statistics.median(times)}


def _kilobytes(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    assert found, f"{_STATUS} has no {field}"
    return int(found[1])
