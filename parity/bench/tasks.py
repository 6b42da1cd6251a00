"""Tasks of a worker that measures: each takes and returns plain data.

``parity/bench/client.py`` calls them by name in a process of its own, whose threads and paths it
sets by environment variables, which libraries read when they are imported.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from parity.bench.backends.base import Backend
from parity.bench.backends.load import load_backend
from parity.bench.clock import clock
from parity.bench.measure import Stopwatch, TimedCase, difference, row
from parity.bench.workloads import DEEP_CHAIN, WORKLOADS


@cache
def _backend(spec: str, threads: int) -> Backend:
    return load_backend(spec, threads)


@cache
def _keep_freed_memory() -> bool:
    from dezero.allocator import keep_freed_memory

    return keep_freed_memory()


def _case(task: dict[str, Any]) -> TimedCase:
    return TimedCase(_workload(task["workload"]), tuple(task["shape"]), task["dtype"])


def _workload(name: str) -> Any:
    return DEEP_CHAIN if name == DEEP_CHAIN.name else WORKLOADS[name]


def times(task: dict[str, Any]) -> dict[str, Any]:
    """A row of times; freed memory is kept for all engines, which share the process."""
    kept = _keep_freed_memory()
    backends = [_backend(spec, task["threads"]) for spec in task["engines"]]
    return {
        "row": row(_case(task), backends, task["seconds"], task["seed"], task["threads"]),
        "kept": kept,
    }


def peak(task: dict[str, Any]) -> dict[str, Any]:
    from parity.bench import memory

    backend = _backend(task["engine"], task["threads"])
    case = _case(task)
    reason = backend.unsupported(case.workload, case.shape, case.dtype)
    if reason is not None:
        return {"unsupported": reason}
    return memory.peak(
        backend, case.workload, case.shape, case.dtype, task["steps"], task["threads"]
    )


def about(task: dict[str, Any]) -> dict[str, Any]:
    """Name, version and dtypes of an engine."""
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
    case, backend = _case(task), _backend("dezero", 1)
    leaves, steps = case.leaves(), case.steps()
    reason = backend.unsupported(case.workload, case.shape, case.dtype)
    if reason is None:
        backends = (backend, _backend("torch", 1))
        ours, theirs = ([s.array(g) for g in s.run(case.workload, leaves, steps)] for s in backends)
        reason = difference(ours, theirs, case.dtype)
    return {"reason": reason, "seconds": min(_seconds(case, 3))}


def _seconds(case: TimedCase, times: int) -> list[float]:
    backend, leaves, steps = _backend("dezero", 1), case.leaves(), case.steps()
    watch = Stopwatch(clock(1))
    return [watch.run(case.workload, backend, leaves, steps) for _ in range(times)]


def repeat(task: dict[str, Any]) -> dict[str, Any]:
    """The mean time of consecutive runs of dezero."""
    return {"seconds": sum(_seconds(_case(task), task["times"])) / task["times"]}
