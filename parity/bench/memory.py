"""Peak live memory, and growth; each number is from a new process.

The peak of a process never falls, and libraries reuse memory that others have freed. So each
process runs one workload on one backend. Linux only: after a warm-up, the peak is reset through
``/proc``.
"""

from __future__ import annotations

import gc
import re
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parity.bench.backends.base import Backend
from parity.bench.measure import TimedCase, clock
from parity.bench.statistics import exponent, significant
from parity.bench.workload import start
from parity.bench.workloads import DEEP_CHAIN

#: A short graph is timed repeatedly, up to so many times and seconds; the median is recorded.
_AGAIN, _SECONDS = 9, 0.3
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def available() -> bool:
    """Whether the system reports the peak memory of a process."""
    return _RESET.exists()


def peak(backend: Backend, case: TimedCase, threads: int) -> dict[str, Any]:
    """Peak live memory of a run, less the memory before it, in bytes; and seconds of a run.

    ``forward`` is the part of the seconds that builds the graph, None where that is not apart.
    """
    # Loads what libraries load late, with a graph too small to leave free memory for the next.
    warm = () if backend.max_ndim == 0 else (64, 64)
    backend.run(DEEP_CHAIN, (start(warm, case.dtype),), 5)
    now = clock(threads)
    assert case.leaves  # they are made now, before the memory is read
    if available():
        before = _kilobytes("VmRSS")
        _RESET.write_text("5")  # the peak is now the memory in use
    gc.collect()  # otherwise the first full collection takes place during the run
    times = [case.parts(backend, now)]
    found = 1024 * (_kilobytes("VmHWM") - before) if available() else None
    while len(times) < _AGAIN and sum(took.seconds for took in times) < _SECONDS:
        times.append(case.parts(backend, now))
    forward = [took.forward for took in times if took.forward is not None]
    return {
        "bytes": found,
        "seconds": statistics.median(took.seconds for took in times),
        "forward": statistics.median(forward) if forward else None,
    }


def _kilobytes(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    assert found, f"{_STATUS} has no {name}"
    return int(found[1])


@dataclass
class Growth:
    """Measurements of one engine by number of nodes; ``ended``: why there are no more."""

    engine: str
    dtype: str
    nodes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    #: Seconds of the forward alone of the longest graph.
    forward: float | None = None
    ended: str | None = None

    def goes_on(self, nodes: int, limit: float) -> bool:
        """Whether to measure a longer graph; sets ``ended`` if that would take too long."""
        if self.ended is None and self.seconds:
            expected = self.seconds[-1] * nodes / self.nodes[-1]
            if expected > limit:
                self.ended = f"not tried at {nodes} nodes: more than {limit:g} s"
        return self.ended is None

    def add(self, nodes: int, answer: dict[str, Any]) -> None:
        self.nodes.append(nodes)
        self.seconds.append(answer["seconds"])
        self.bytes.append(answer["bytes"] or 0)
        self.forward = answer.get("forward")

    def end(self, nodes: int, reason: str) -> None:
        """Record that the engine failed on a graph of ``nodes`` nodes."""
        kind = "RecursionError" if reason.startswith("RecursionError") else reason
        self.ended = f"{kind} at {nodes} nodes"

    def to_json(self) -> dict[str, Any]:
        """An object of ``lengths`` in the JSON; numbers per node are of the longest graph."""
        time, memory = (exponent(self.nodes, values) for values in (self.seconds, self.bytes))
        last = self.nodes[-1] if self.nodes else None
        forward = self.forward / last if last and self.forward is not None else None
        return {
            "workload": DEEP_CHAIN.name,
            "engine": self.engine,
            "shape": [],
            "dtype": self.dtype,
            "points": [
                {"nodes": n, "time": significant(s * 1e3), "bytes": b}
                for n, s, b in zip(self.nodes, self.seconds, self.bytes, strict=True)
            ],
            "time_exponent": time and time.to_json(),
            "memory_exponent": memory and memory.to_json(),
            "bytes_a_node": significant(self.bytes[-1] / last) if last else None,
            "microseconds_a_node": significant(self.seconds[-1] / last * 1e6) if last else None,
            "forward_microseconds_a_node": forward and significant(forward * 1e6),
            "ended": self.ended,
        }
