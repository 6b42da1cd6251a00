"""Peak live memory, and growth; each number is from a new process.

The peak of a process never falls, and libraries reuse memory that others have freed. So each
process runs one workload on one backend. Linux only: after a warm-up, the peak is reset through
``/proc``.
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
from parity.bench.workload import Shape, Workload, start
from parity.bench.workloads import DEEP_CHAIN

#: Numbers of nodes of the chain whose growth is measured, and those of a quick run.
LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
QUICK_LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000)
#: Graphs of small arrays are so many times longer here, since memory is counted in pages.
LONGER = 50
#: A short graph is timed repeatedly, up to so many times and seconds; the median is recorded.
_AGAIN, _SECONDS = 9, 0.3
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def available() -> bool:
    """Whether the system reports the peak memory of a process."""
    return _RESET.exists()


def longer(workload: Workload, shape: Shape) -> int:
    """The factor by which a graph is longer than where it is timed."""
    return LONGER if not workload.fixed and int(np.prod(shape)) <= 16 else 1


def peak(
    backend: Backend, workload: Workload, shape: Shape, dtype: str, steps: int, threads: int = 1
) -> dict[str, Any]:
    """Peak live memory of a run, less the memory before it, in bytes; and seconds of a run."""
    # Loads what libraries load late, with a graph too small to leave free memory for the next.
    warm = () if backend.max_ndim == 0 else (64, 64)
    backend.run(DEEP_CHAIN, (start(warm, dtype),), 5)
    leaves = workload.leaves(start(shape, dtype))
    if available():
        before = _kilobytes("VmRSS")
        _RESET.write_text("5")  # the peak is now the memory in use
    gc.collect()  # otherwise the first full collection takes place during the run
    watch = Stopwatch(clock(threads))
    times = [watch.run(workload, backend, leaves, steps)]
    found = 1024 * (_kilobytes("VmHWM") - before) if available() else None
    while len(times) < _AGAIN and sum(times) < _SECONDS:
        times.append(watch.run(workload, backend, leaves, steps))
    return {"bytes": found, "seconds": statistics.median(times)}


def _kilobytes(field: str) -> int:
    found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    assert found, f"{_STATUS} has no {field}"
    return int(found[1])
