"""A process that measures: it reads a task a line and answers in a line, both JSON.

The process that asks (``parity/bench/client.py``) sets threads and paths by the environment,
which libraries read when they are loaded; what they print goes to the error output.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from parity.bench.backends.base import Backend
from parity.bench.backends.load import load_backend
from parity.bench.clock import clock
from parity.bench.measure import Case, Stopwatch, difference, one_line, row
from parity.bench.workloads import DEEP_CHAIN, WORKLOADS


@cache
def _side(spec: str, threads: int) -> Backend:
    return load_backend(spec, threads)


@cache
def _keep_freed_memory() -> bool:
    from dezero.allocator import keep_freed_memory

    return keep_freed_memory()


def _case(task: dict[str, Any]) -> Case:
    return Case(_workload(task["workload"]), tuple(task["shape"]), task["dtype"])


def _workload(name: str) -> Any:
    return DEEP_CHAIN if name == DEEP_CHAIN.name else WORKLOADS[name]


def _times(task: dict[str, Any]) -> dict[str, Any]:
    """A row of times, with freed memory kept for all: they share the process."""
    kept = _keep_freed_memory()
    sides = [_side(spec, task["threads"]) for spec in task["engines"]]
    return {
        "row": row(_case(task), sides, task["seconds"], task["seed"], task["threads"]),
        "kept": kept,
    }


def _peak(task: dict[str, Any]) -> dict[str, Any]:
    from parity.bench.memory import peak

    side = _side(task["engine"], task["threads"])
    case = _case(task)
    reason = side.cannot(case.workload, case.shape, case.dtype)
    if reason is not None:
        return {"cannot": reason}
    return peak(side, case.workload, case.shape, case.dtype, task["steps"], task["threads"])


def _about(task: dict[str, Any]) -> dict[str, Any]:
    """What an engine is."""
    side = _side(task["engine"], task["threads"])
    return {
        "name": side.name,
        "version": side.version,
        "control": side.control,
        "dtypes": list(side.dtypes),
    }


def _generator(task: dict[str, Any]) -> dict[str, Any]:
    from parity.bench.generator import measure_generator

    return {"rows": measure_generator(task["engine"], task["programs"], task["seed"])}


def _agrees(task: dict[str, Any]) -> dict[str, Any]:
    """Whether dezero here gives PyTorch's gradients, and how long a run takes."""
    case, side = _case(task), _side("dezero", 1)
    leaves, steps = case.leaves(), case.steps()
    reason = side.cannot(case.workload, case.shape, case.dtype)
    if reason is None:
        sides = (side, _side("torch", 1))
        ours, theirs = ([s.array(g) for g in s.run(case.workload, leaves, steps)] for s in sides)
        reason = difference(ours, theirs, case.dtype)
    return {"reason": reason, "seconds": min(_seconds(case, 3))}


def _seconds(case: Case, times: int) -> list[float]:
    side, leaves, steps = _side("dezero", 1), case.leaves(), case.steps()
    watch = Stopwatch(clock(1))
    return [watch.run(case.workload, side, leaves, steps) for _ in range(times)]


def _repeat(task: dict[str, Any]) -> dict[str, Any]:
    """The mean of some runs of dezero in a row."""
    return {"seconds": sum(_seconds(_case(task), task["times"])) / task["times"]}


TASKS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "times": _times,
    "peak": _peak,
    "about": _about,
    "generator": _generator,
    "agrees": _agrees,
    "repeat": _repeat,
}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for line in sys.stdin:
        task = json.loads(line)
        try:
            answer = TASKS[task["do"]](task)
        except Exception as error:
            answer = {"error": one_line(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
