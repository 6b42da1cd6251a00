"""Tasks of a worker that measures: each takes and returns plain data.

``parity/bench/client.py`` calls them by name in a process of its own, whose threads and paths it
sets by environment variables, which libraries read when they are imported.
"""

from __future__ import annotations

import functools
from typing import Any

from parity.bench import memory
from parity.bench.backends.libraries import load_backend
from parity.bench.measure import TimedCase, clock, difference, row
from parity.bench.workloads import DEEP_CHAIN, WORKLOADS

_backend = functools.cache(load_backend)


def _case(task: dict[str, Any]) -> TimedCase:
    workload = {**WORKLOADS, DEEP_CHAIN.name: DEEP_CHAIN}[task["workload"]]
    return TimedCase(workload, tuple(task["shape"]), task["dtype"], task.get("longer", 1))


def times(task: dict[str, Any]) -> dict[str, Any]:
    """A row of times; freed memory is kept for all engines, which share the process."""
    from dezero.allocator import keep_freed_memory

    kept, threads = keep_freed_memory(), task["threads"]
    backends = [_backend(spec, threads) for spec in task["engines"]]
    return {"row": row(_case(task), backends, task["seconds"], task["seed"], threads), "kept": kept}


def peak(task: dict[str, Any]) -> dict[str, Any]:
    """Memory and time of a run, or why the engine cannot run it."""
    backend, case = _backend(task["engine"], task["threads"]), _case(task)
    reason = backend.unsupported(case.workload, case.shape, case.dtype)
    return {"unsupported": reason} if reason else memory.peak(backend, case, task["threads"])


def about(task: dict[str, Any]) -> dict[str, Any]:
    backend = _backend(task["engine"], task["threads"])
    return {
        "name": backend.name,
        "version": backend.version,
        "baseline": backend.is_baseline,
        "dtypes": list(backend.dtypes),
    }


def generator(task: dict[str, Any]) -> dict[str, Any]:
    from parity.bench.generator import measure_generator

    return {"rows": measure_generator(task["engine"], task["programs"], task["seed"])}


def agrees(task: dict[str, Any]) -> dict[str, Any]:
    """Compare the gradients of dezero with PyTorch's, and time a run."""
    case = _case(task)
    ours, theirs = (case.gradients(_backend(name, 1)) for name in ("dezero", "torch"))
    return {
        "reason": difference(ours, theirs, case.dtype),
        "seconds": min(case.seconds(_backend("dezero", 1), clock(1)) for _ in range(3)),
    }


def repeat(task: dict[str, Any]) -> dict[str, Any]:
    """The mean time of consecutive runs of dezero."""
    case, backend, times = _case(task), _backend("dezero", 1), task["times"]
    return {"seconds": sum(case.seconds(backend, clock(1)) for _ in range(times)) / times}
