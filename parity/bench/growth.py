"""Growth of time and memory with the length of the graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from parity.bench.statistics import exponent, rounded, significant


@dataclass
class Growth:
    """Measurements of one engine by number of nodes; ``ended``: why there are no more."""

    engine: str
    dtype: str
    nodes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    ended: str | None = None

    def goes_on(self, nodes: int, limit: float) -> bool:
        """Whether to measure a longer graph; sets ``ended`` if that would take too long."""
        if self.ended is None and self.seconds:
            expected = self.seconds[-1] * nodes / self.nodes[-1]
            if expected > limit:
                self.ended = f"not tried at {nodes} nodes: more than {limit:g} s"
        return self.ended is None

    def add(self, nodes: int, answer: dict[str, Any]) -> None:
        """Add an answer of the worker."""
        self.nodes.append(nodes)
        self.seconds.append(answer["seconds"])
        self.bytes.append(answer["bytes"] or 0)

    def end(self, nodes: int, reason: str) -> None:
        """Record that the engine failed on a graph of ``nodes`` nodes."""
        kind = "RecursionError" if reason.startswith("RecursionError") else reason
        self.ended = f"{kind} at {nodes} nodes"

    def to_json(self, workload: str) -> dict[str, Any]:
        """An object of ``lengths`` in the JSON; numbers per node are of the longest graph."""
        points = [
            {"nodes": n, "time": significant(s * 1e3), "bytes": b}
            for n, s, b in zip(self.nodes, self.seconds, self.bytes, strict=True)
        ]
        last = self.nodes[-1] if self.nodes else 1
        return {
            "workload": workload,
            "engine": self.engine,
            "shape": [],
            "dtype": self.dtype,
            "points": points,
            "time_exponent": rounded(exponent(self.nodes, self.seconds)),
            "memory_exponent": rounded(exponent(self.nodes, self.bytes)),
            "bytes_a_node": significant(self.bytes[-1] / last) if points else None,
            "microseconds_a_node": significant(self.seconds[-1] / last * 1e6) if points else None,
            "ended": self.ended,
        }
