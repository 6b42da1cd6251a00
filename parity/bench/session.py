"""A whole run of ``parity bench``: times, growth, memory and the generator, as one JSON object.

``Session.result`` holds what has been measured so far, so that an interrupted run loses nothing.
"""

from __future__ import annotations

import datetime
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from parity import __version__
from parity.bench.backends.libraries import BASELINE, REFERENCE
from parity.bench.client import ROOT, Worker, WorkerError, once
from parity.bench.measure import DIFFERS, TimedCase
from parity.bench.memory import Growth, available
from parity.bench.workload import DTYPES, SHAPES, Shape, Workload
from parity.bench.workloads import DEEP_CHAIN

PARTS = ("times", "lengths", "memory", "generator")
#: Cases of a quick run: shapes and their dtypes.
QUICK_CASES: dict[Shape, tuple[str, ...]] = {(): DTYPES, (64, 64): ("float32",)}
#: Workloads and shapes whose memory is measured, in float32.
_MEMORY_SHAPES: tuple[Shape, ...] = ((4, 4), (512, 512))
_QUICK_MEMORY = ("chain", "diamond-ladder")
#: Graphs of small arrays are so many times longer there, since memory is counted in pages.
_LONGER = 50
#: Numbers of nodes of the chain whose growth is measured.
LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
QUICK_LENGTHS = (1_000, 3_000, 10_000, 30_000, 100_000)
_PROGRAMS, _QUICK_PROGRAMS = 4000, 800
#: Limits in seconds: of one number from a new process, the same in a quick run, of one case.
_POINT, _QUICK_POINT, _CASE = 90.0, 15.0, 600.0


@dataclass(frozen=True)
class Plan:
    """What to measure. ``engines``: names or adapters, with the reference among them."""

    engines: tuple[str, ...]
    workloads: tuple[Workload, ...]
    quick: bool = False
    threads: int = 1
    seed: int = 0
    parts: tuple[str, ...] = PARTS

    @property
    def seconds(self) -> float:
        return 0.2 if self.quick else 1.0

    @property
    def point(self) -> float:
        """Limit in seconds of a new process that measures one number."""
        return _QUICK_POINT if self.quick else _POINT

    @property
    def all_engines(self) -> tuple[str, ...]:
        return (*self.engines, BASELINE)

    @property
    def fuzzed(self) -> str | None:
        """The engine with which the generator is measured: the first except the reference."""
        return next((e for e in self.engines if e != REFERENCE), None)

    @property
    def lengths(self) -> tuple[int, ...]:
        return QUICK_LENGTHS if self.quick else LENGTHS

    def cases(self) -> list[TimedCase]:
        """Rows of the table of times."""
        shapes = QUICK_CASES if self.quick else dict.fromkeys(SHAPES, DTYPES)
        return [
            TimedCase(workload, shape, dtype)
            for workload in self.workloads
            for shape in workload.shapes(tuple(shapes))
            # A workload with a fixed shape has the dtypes of the first shape.
            for dtype in shapes.get(shape, next(iter(shapes.values())))
        ]

    def peaks(self) -> list[TimedCase]:
        """Rows of the table of memory."""
        shapes = _MEMORY_SHAPES[:1] if self.quick else _MEMORY_SHAPES
        return [
            TimedCase(workload, shape, "float32", _LONGER if math.prod(shape) <= 16 else 1)
            for workload in self.workloads
            for shape in workload.shapes(shapes)
            if not self.quick or workload.name in _QUICK_MEMORY
        ]

    def steps(self) -> int:
        """How often ``Session.run`` calls ``step``."""
        counts = {
            "times": len(self.cases()),
            "lengths": len(self.all_engines) * len(self.lengths),
            "memory": len(self.peaks()) * len(self.all_engines),
            "generator": int(self.fuzzed is not None),
        }
        return sum(counts[part] for part in self.parts)


@dataclass
class Session:
    """A run of a plan.

    ``step`` is called with the name of each finished step, ``show`` with each finished object.
    """

    plan: Plan
    step: Callable[[str], None] = lambda what: None
    show: Callable[[str, dict[str, Any]], None] = lambda part, row: None
    result: dict[str, Any] = field(default_factory=dict)
    #: Name, version and dtypes by engine.
    about: dict[str, dict[str, Any]] = field(default_factory=dict)
    _began: float = field(default_factory=time.perf_counter)

    def start(self) -> None:
        """Initialize ``result`` and load each engine once. Raises WorkerError if one fails."""
        plan = self.plan
        workloads = [*plan.workloads, *([DEEP_CHAIN] if "lengths" in plan.parts else [])]
        self.result = {
            "format": "parity-bench",
            "format_version": 1,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": 0.0,
            "complete": False,
            "machine": {**machine(), "load_before": load(), "load_after": 0.0},
            "versions": versions(),
            "settings": {
                "quick": plan.quick,
                "threads": plan.threads,
                "seconds_each": plan.seconds,
                "gc": "enabled",
                "clock": "processor" if plan.threads == 1 else "wall",
                "seed": plan.seed,
                "keep_freed_memory": False,
            },
            "engines": {},
            "workloads": {w.name: {"says": w.description} for w in workloads},
            **{part: [] for part in PARTS},
        }
        with Worker(plan.threads) as worker:
            for spec in plan.all_engines:
                about = worker.ask({"do": "about", "engine": spec}, _POINT)
                self.about[spec] = about
                baseline = {"control": True} if about["baseline"] else {}
                self.result["engines"][about["name"]] = {"version": about["version"], **baseline}

    def run(self) -> None:
        rows = (self._times, self._lengths, self._memory, self._generator)
        for part in self.plan.parts:
            for row in rows[PARTS.index(part)]():
                self.result[part].append(row)
                self.show(part, row)
        self.result["complete"] = True

    def end(self) -> dict[str, Any]:
        """Finish and return the result."""
        self.result["seconds"] = round(time.perf_counter() - self._began, 1)
        self.result["machine"]["load_after"] = load()
        return self.result

    @property
    def wrong(self) -> list[str]:
        """The cases in which a gradient differs from PyTorch's."""
        return [
            f"{row['workload']} {tuple(row['shape'])} {row['dtype']}: {engine}: {reason}"
            for row in self.result["times"]
            for engine, reason in row["not_measured"].items()
            if reason.startswith(DIFFERS)
        ]

    def _times(self) -> Iterator[dict[str, Any]]:
        """Cases with small arrays in one process, each with large ones in a new one."""
        engines, settings = self.plan.all_engines, self.result["settings"]
        common = {"seconds": self.plan.seconds, "seed": self.plan.seed}
        worker: Worker | None = None
        with ExitStack() as running:
            for case in self.plan.cases():
                if worker is None or case.is_large:
                    running.close()
                    worker = running.enter_context(Worker(self.plan.threads))
                task = {"do": "times", **case.to_json(), "engines": engines, **common}
                try:
                    answer = worker.ask(task, _CASE)
                except WorkerError as error:
                    worker = None  # the process has ended
                    reasons = {self.about[e]["name"]: str(error) for e in engines}
                    nothing = {"rounds": 0, "engines": {}, "ratios": {}, "not_measured": reasons}
                    yield {**case.to_json(), "nodes": case.nodes, **nothing}
                else:
                    settings["keep_freed_memory"] = answer["kept"]
                    yield answer["row"]
                if case.is_large:
                    worker = None
                self.step(f"{case.workload.name} {case.shape} {case.dtype}")

    def _peak(self, spec: str, case: TimedCase) -> dict[str, Any]:
        """Memory and time from a new process. Raises WorkerError."""
        task = {"do": "peak", "engine": spec, **case.to_json(), "longer": case.longer}
        return once(task, self.plan.threads, self.plan.point)

    def _lengths(self) -> Iterator[dict[str, Any]]:
        for spec in self.plan.all_engines:
            growth = Growth(self.about[spec]["name"], self.about[spec]["dtypes"][0])
            for nodes in self.plan.lengths:
                if growth.goes_on(nodes, self.plan.point):
                    case = TimedCase(DEEP_CHAIN, (), growth.dtype, nodes // DEEP_CHAIN.nodes)
                    try:
                        growth.add(nodes, self._peak(spec, case))
                    except WorkerError as error:
                        growth.end(nodes, str(error))
                self.step(f"{DEEP_CHAIN.name} of {nodes:,} nodes, {growth.engine}")
            yield growth.to_json()

    def _memory(self) -> Iterator[dict[str, Any]]:
        for case in self.plan.peaks() if available() else ():
            engines: dict[str, Any] = {}
            not_measured: dict[str, str] = {}
            for spec in self.plan.all_engines:
                name = self.about[spec]["name"]
                try:
                    answer = self._peak(spec, case)
                except WorkerError as error:
                    answer = {"unsupported": str(error)}
                if "unsupported" in answer:
                    not_measured[name] = answer["unsupported"]
                else:
                    per_node = round(answer["bytes"] / case.nodes, 1)
                    engines[name] = {"bytes": answer["bytes"], "bytes_a_node": per_node}
                self.step(f"memory of {case.workload.name} {case.shape}, {name}")
            measured = {"engines": engines, "not_measured": not_measured}
            yield {**case.to_json(), "nodes": case.nodes, **measured}

    def _generator(self) -> Iterator[dict[str, Any]]:
        spec = self.plan.fuzzed
        if spec is None:
            return
        programs = _QUICK_PROGRAMS if self.plan.quick else _PROGRAMS
        task = {"do": "generator", "engine": spec, "programs": programs, "seed": self.plan.seed}
        try:
            yield from once(task, self.plan.threads, _CASE)["rows"]
        finally:
            self.step("the generator")


def machine() -> dict[str, Any]:
    """The object ``machine`` of the JSON, without the loads."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        memory = 0
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count() or 0,
        "memory_bytes": memory,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
    }


def load() -> float:
    """The average load of the last minute; 0 where the system does not know it."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return 0.0


def versions() -> dict[str, str]:
    """The object ``versions`` of the JSON.

    ``revision`` is the commit of this package, with ``+`` where files differ from it; it is empty
    outside a git checkout.
    """
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        revision = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    except OSError:  # no git
        revision = ""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": metadata.version("torch").partition("+")[0],
        "parity": __version__,
        "revision": revision,
    }
