"""A whole run of ``parity bench``: times, growth, memory and the generator, as one JSON object.

``Session.result`` holds what has been measured so far, so that an interrupted run loses nothing.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from parity.bench import machine
from parity.bench.backends.load import BASELINE, REFERENCE
from parity.bench.client import Worker, WorkerError, once
from parity.bench.growth import Growth
from parity.bench.measure import DIFFERS
from parity.bench.memory import LENGTHS, QUICK_LENGTHS, available, longer
from parity.bench.workload import DTYPES, SHAPES, SMALL, Shape, Workload, start
from parity.bench.workloads import DEEP_CHAIN

PARTS = ("times", "lengths", "memory", "generator")
#: Cases of a quick run: shapes and their dtypes.
QUICK_CASES: dict[Shape, tuple[str, ...]] = {(): DTYPES, (64, 64): ("float32",)}
#: Workloads and shapes whose memory is measured, in float32.
_MEMORY_SHAPES: tuple[Shape, ...] = ((4, 4), (512, 512))
_QUICK_MEMORY = ("chain", "diamond-ladder")
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
        """Seconds per engine and case."""
        return 0.2 if self.quick else 1.0

    @property
    def point(self) -> float:
        """Limit in seconds of a new process that measures one number."""
        return _QUICK_POINT if self.quick else _POINT

    @property
    def all_engines(self) -> tuple[str, ...]:
        """The engines and the NumPy baseline."""
        return (*self.engines, BASELINE)

    def cases(self) -> list[tuple[Workload, Shape, str]]:
        """Rows of the table of times."""
        shapes = QUICK_CASES if self.quick else dict.fromkeys(SHAPES, DTYPES)
        return [
            (workload, shape, dtype)
            for workload in self.workloads
            for shape in workload.shapes(tuple(shapes))
            # A workload with a fixed shape has the dtypes of the first shape.
            for dtype in shapes.get(shape, next(iter(shapes.values())))
        ]

    def peaks(self) -> list[tuple[Workload, Shape]]:
        """Rows of the table of memory."""
        shapes = _MEMORY_SHAPES[:1] if self.quick else _MEMORY_SHAPES
        return [
            (workload, shape)
            for workload in self.workloads
            for shape in workload.shapes(shapes)
            if not self.quick or workload.name in _QUICK_MEMORY
        ]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Numbers of nodes of the deep chain."""
        return QUICK_LENGTHS if self.quick else LENGTHS

    def steps(self) -> int:
        """How often ``Session.run`` calls ``step``."""
        counts = {
            "times": len(self.cases()),
            "lengths": len(self.all_engines) * len(self.lengths),
            "memory": len(self.peaks()) * len(self.all_engines),
            "generator": int(self.fuzzed is not None),
        }
        return sum(counts[part] for part in self.parts)

    @property
    def fuzzed(self) -> str | None:
        """The engine with which the generator is measured: the first except the reference."""
        return next((e for e in self.engines if e != REFERENCE), None)


@dataclass
class Session:
    """A run of a plan.

    ``step`` is called with the name of each finished step, ``show`` with each finished object.
    """

    plan: Plan
    step: Callable[[str], None] = lambda what: None
    show: Callable[[str, dict[str, Any]], None] = lambda part, row: None
    result: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    dtypes: dict[str, list[str]] = field(default_factory=dict)
    _began: float = field(default_factory=time.perf_counter)

    def start(self) -> None:
        """Initialize ``result`` and load each engine once. Raises WorkerError if one fails."""
        plan = self.plan
        self.result = {
            "format": "parity-bench",
            "format_version": 1,
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": 0.0,
            "complete": False,
            "machine": {**machine.machine(), "load_before": machine.load(), "load_after": 0.0},
            "versions": machine.versions(),
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
            "workloads": {w.name: {"says": w.description} for w in plan.workloads},
            **{part: [] for part in PARTS},
        }
        if "lengths" in plan.parts:
            self.result["workloads"][DEEP_CHAIN.name] = {"says": DEEP_CHAIN.description}
        with Worker(plan.threads) as worker:
            for spec in plan.all_engines:
                self._add_engine(worker, spec)

    def _once(self, task: dict[str, Any]) -> dict[str, Any]:
        return once(task, self.plan.threads, self.plan.point)

    def _add_engine(self, worker: Worker, spec: str) -> None:
        about = worker.ask({"do": "about", "engine": spec}, _POINT)
        self.names[spec] = about["name"]
        self.dtypes[spec] = about["dtypes"]
        baseline = {"control": True} if about["baseline"] else {}
        self.result["engines"][about["name"]] = {"version": about["version"], **baseline}

    def run(self) -> None:
        """Measure all parts of the plan."""
        for part in self.plan.parts:
            for row in _PARTS[part](self):
                self.result[part].append(row)
                self.show(part, row)
        self.result["complete"] = True

    def end(self) -> dict[str, Any]:
        """Finish and return the result."""
        self.result["seconds"] = round(time.perf_counter() - self._began, 1)
        self.result["machine"]["load_after"] = machine.load()
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
        worker: Worker | None = None
        try:
            for workload, shape, dtype in self.plan.cases():
                large = start(shape, dtype).size > SMALL
                if worker is None or large:
                    if worker is not None:
                        worker.close()
                    worker = Worker(self.plan.threads)
                try:
                    yield self._case(worker, workload, shape, dtype)
                except WorkerError as error:
                    yield self._failed(workload, shape, dtype, str(error))
                    large = True  # the process has ended
                if large:
                    worker.close()
                    worker = None
                self.step(f"{workload.name} {shape} {dtype}")
        finally:
            if worker is not None:
                worker.close()

    def _case(self, worker: Worker, workload: Workload, shape: Shape, dtype: str) -> dict[str, Any]:
        task = {
            "do": "times",
            "workload": workload.name,
            "shape": shape,
            "dtype": dtype,
            "engines": self.plan.all_engines,
            "seconds": self.plan.seconds,
            "seed": self.plan.seed,
        }
        answer = worker.ask(task, _CASE)
        self.result["settings"]["keep_freed_memory"] = answer["kept"]
        row: dict[str, Any] = answer["row"]
        return row

    def _failed(self, workload: Workload, shape: Shape, dtype: str, reason: str) -> dict[str, Any]:
        return {
            "workload": workload.name,
            "shape": list(shape),
            "dtype": dtype,
            "nodes": workload.nodes * workload.steps_for(start(shape, dtype)),
            "rounds": 0,
            "engines": {},
            "ratios": {},
            "not_measured": {self.names[e]: reason for e in self.plan.all_engines},
        }

    def _lengths(self) -> Iterator[dict[str, Any]]:
        for spec in self.plan.all_engines:
            growth = Growth(self.names[spec], self.dtypes[spec][0])
            for nodes in self.plan.lengths:
                if growth.goes_on(nodes, self.plan.point):
                    steps = nodes // DEEP_CHAIN.nodes
                    task = self._peak_task(spec, DEEP_CHAIN, (), growth.dtype, steps)
                    try:
                        growth.add(nodes, self._once(task))
                    except WorkerError as error:
                        growth.end(nodes, str(error))
                self.step(f"{DEEP_CHAIN.name} of {nodes:,} nodes, {self.names[spec]}")
            yield growth.to_json(DEEP_CHAIN.name)

    def _memory(self) -> Iterator[dict[str, Any]]:
        for workload, shape in self.plan.peaks() if available() else ():
            steps = workload.steps_for(start(shape, "float32"), longer(workload, shape))
            nodes = steps * workload.nodes
            engines: dict[str, Any] = {}
            not_measured: dict[str, str] = {}
            for spec in self.plan.all_engines:
                name = self.names[spec]
                found = self._peak(spec, workload, shape, steps)
                if isinstance(found, str):
                    not_measured[name] = found
                else:
                    per_node = round(found / nodes, 1)
                    engines[name] = {"bytes": found, "bytes_a_node": per_node}
                self.step(f"memory of {workload.name} {shape}, {name}")
            yield {
                "workload": workload.name,
                "shape": list(shape),
                "dtype": "float32",
                "nodes": nodes,
                "engines": engines,
                "not_measured": not_measured,
            }

    def _peak(self, spec: str, workload: Workload, shape: Shape, steps: int) -> int | str:
        """Bytes, or the reason why they were not measured."""
        task = self._peak_task(spec, workload, shape, "float32", steps)
        try:
            answer = self._once(task)
        except WorkerError as error:
            return str(error)
        return str(answer["unsupported"]) if "unsupported" in answer else int(answer["bytes"])

    def _peak_task(
        self, spec: str, workload: Workload, shape: Shape, dtype: str, steps: int
    ) -> dict[str, Any]:
        return {
            "do": "peak",
            "engine": spec,
            "workload": workload.name,
            "shape": shape,
            "dtype": dtype,
            "steps": steps,
        }

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


_PARTS: dict[str, Callable[[Session], Iterator[dict[str, Any]]]] = {
    "times": Session._times,
    "lengths": Session._lengths,
    "memory": Session._memory,
    "generator": Session._generator,
}
