"""A shard: some thousand programs that one worker runs, the same for the same task.

What a worker is told and what it answers is plain data, so that it does not matter where
it runs. Nothing here writes: the coordinator of the campaign records what comes back.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from parity._util.decode import decode, encode
from parity._util.process import fuzzing_runtime
from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.finish import add_diagnosis, judged
from parity.campaign.guide import Guide
from parity.campaign.novelty import SeenFeatures
from parity.campaign.records import FindingData, Record, names
from parity.campaign.result import Report, finding_json
from parity.campaign.search import run_probes
from parity.diagnose.reproducer import script
from parity.diagnose.shrink import reduced
from parity.engines.limits import Limits
from parity.engines.load import EngineError
from parity.engines.open import open_engines
from parity.engines.runner import AnyEngine, Runner
from parity.engines.trace import AdapterError
from parity.generate.coverage import Coverage
from parity.language.json_format import program_to_json
from parity.language.program import Program
from parity.oracle.check import check_programs
from parity.oracle.finding import Finding
from parity.oracle.verdict import ILL_CONDITIONED, Verdict

#: Exposure is counted on one program of so many: it costs a tenth of a program.
COUNTED = 10
#: Failing programs of a kind that a shard reduces: many while a kind is new, later few.
NEW_KIND, EARLY_SHARDS, LATER = 3, 8, 4


@dataclass(frozen=True)
class Task:
    """What a worker needs to know of a shard.

    ``programs``: how many it has; ``size``: how many a whole one has. ``kept``: cases that
    earlier shards kept. ``known``: kinds that earlier shards found. ``until``: when it has to
    end, in seconds since the epoch, or None.
    """

    engine: str
    reference: str
    isolate: bool | None
    limits: Limits
    seed: str
    number: int
    programs: int
    size: int
    kept: tuple[FuzzInput, ...] = ()
    known: frozenset[str] = frozenset()
    until: float | None = None


@dataclass
class Answer:
    """What a worker found: counts, findings by their text as JSON, scripts, and cases."""

    record: Record
    findings: list[FindingData] = field(default_factory=list)
    #: A script a finding, "" where it has none.
    scripts: list[str] = field(default_factory=list)
    kept: list[FuzzInput] = field(default_factory=list)
    #: Differences that rounding decides by the third opinion: no findings, kept to be looked at.
    ill_conditioned: list[FindingData] = field(default_factory=list)
    #: Why the shard could not run, in one line.
    error: str = ""


def visible(number: int) -> int:
    """How many of the first shards a shard may learn from.

    Half of those before it: so it need not wait for others that run at the same time, and
    what it does depends on its number alone, however many workers there are.
    """
    return number // 2


def run_shard(task: Task, stopped: Callable[[], bool] | None = None) -> Answer:
    """Run a shard. ``stopped`` is asked before each program whether to end early."""
    try:
        bench = _bench(task.engine, task.reference, task.isolate, task.limits)
        # A worker may have several threads; an engine is used by one at a time.
        with bench.lock, fuzzing_runtime():
            return _Shard(task, bench, stopped or (lambda: False)).run()
    except (AdapterError, EngineError) as error:
        return Answer(Record(task.number, task.number), error=" ".join(str(error).split()))


def run_encoded(task: dict[str, Any], stop_file: str, parent: int) -> dict[str, Any]:
    """Run a shard that is given as plain data, for a worker process.

    It ends early once ``stop_file`` exists or ``parent``, the campaign's process, is gone.
    """

    def stopped() -> bool:
        return os.path.exists(stop_file) or os.getppid() != parent

    answer: dict[str, Any] = encode(run_shard(decode(Task, task), stopped))
    return answer


class _Bench:
    """Both engines in a worker, which are loaded once."""

    def __init__(self, engine: str, reference: str, isolate: bool | None, limits: Limits) -> None:
        self.engine, self.reference = open_engines(engine, reference, isolate, limits, check=False)
        self.reader = Reader(self.engine)
        self.seen = SeenFeatures(self.engine, self.reader)
        self.lock = threading.Lock()

    def fresh(self) -> Runner:
        """The engine without what earlier programs left in it."""
        return self.engine if self.engine.isolated else self.engine.renewed()


@functools.lru_cache(maxsize=2)
def _bench(engine: str, reference: str, isolate: bool | None, limits: Limits) -> _Bench:
    return _Bench(engine, reference, isolate, limits)


class _Shard:
    def __init__(self, task: Task, bench: _Bench, stopped: Callable[[], bool]) -> None:
        self.task = task
        self.stopped = stopped
        self.engine, self.reference = bench.fresh(), bench.reference
        seed = f"{task.seed}:{task.number}"
        self.source = Guide(self.engine, bench.reader, seed, task.kept, seen=bench.seen)
        self.answer = Answer(Record(task.number, task.number))
        self.exposure = Coverage()
        self.failed: list[tuple[int, FuzzInput, Program, Finding]] = []

    def run(self) -> Answer:
        record = self.answer.record
        started = time.perf_counter()
        self._sweep(record)
        self._reduce(record)
        if self.task.number == 0 and record.complete:
            self._probe()
        record.coverage = cells(self.exposure)
        self.answer.kept = list(self.source.kept)
        record.kept = len(self.answer.kept)
        record.complete = record.complete and self.task.programs == self.task.size
        record.seconds = time.perf_counter() - started
        return self.answer

    def _sweep(self, record: Record) -> None:
        """Run the programs; keep the first failing ones of each kind."""
        with closing(self._checked()) as checked:
            for case, program, finding in checked:
                if self._over():
                    record.complete = False
                    return
                if record.programs % COUNTED == 0:
                    self.exposure.add(program)
                record.programs += 1
                if finding is not None:
                    self._failed(record, case, program, finding)
                self.source.observe(case, program)

    def _checked(self) -> Generator[tuple[FuzzInput, Program, Finding | None], None, None]:
        """The cases with their programs and what these show; some programs run ahead."""
        waiting: deque[FuzzInput] = deque()

        def programs() -> Iterator[Program]:
            for case, program in self.source.inputs(self.task.programs):
                waiting.append(case)
                yield program

        for program, finding in check_programs(programs(), self.engine, self.reference):
            yield waiting.popleft(), program, finding

    def _failed(self, record: Record, case: FuzzInput, program: Program, finding: Finding) -> None:
        kind = finding.kind
        record.failing[kind] += 1
        self.source.reject(case)
        if sum(f.kind == kind for *_, f in self.failed) < self._most(kind):
            self.failed.append((record.programs - 1, case, program, finding))

    def _over(self) -> bool:
        until = self.task.until
        return self.stopped() or (until is not None and time.time() >= until)

    def _most(self, kind: str) -> int:
        """How many failing programs of a kind this shard reduces."""
        number = self.task.number
        if number < EARLY_SHARDS or kind not in self.task.known:
            return NEW_KIND
        return 1 if number % LATER == 0 else 0

    def _reduce(self, record: Record) -> None:
        for place, case, program, finding in self.failed:
            whole, sides = (program, finding), (self.engine, self.reference)
            small = reduced(*whole, *sides)
            number = self.task.number * self.task.size + place
            one = judged(small, whole, *sides, number)
            if one is None:
                record.ill_conditioned += 1
                undecided = Report(finding, program, number, verdict=Verdict(ILL_CONDITIONED))
                data = finding_json(undecided, case, self.task.number)
                self.answer.ill_conditioned.append(data)
            else:
                self._add(one, case)

    def _probe(self) -> None:
        """Add what the probes find, unless programs show the same kind of fault."""
        for one in run_probes(self.engine):
            if not self.answer.record.failing[one.finding.kind]:
                self._add(one, None)

    def _add(self, one: Report, case: FuzzInput | None) -> None:
        alike = (
            i
            for i, f in enumerate(self.answer.findings)
            if one.program is not None
            and (f["kind"], f["program"]) == (one.finding.kind, program_to_json(one.program))
        )
        if (place := next(alike, None)) is not None:
            self.answer.findings[place]["count"] += 1
            return
        add_diagnosis(one, self.engine, self.reference)
        data = finding_json(one, case, self.task.number)
        self.answer.findings.append(data)
        self.answer.scripts.append(script_of(one, self.engine, f"{names(data)[0]}.py"))


def script_of(one: Report, engine: AnyEngine, file: str) -> str:
    """The script of a finding, which will have the name ``file``; "" where there can be none."""
    if one.program is None:
        return ""
    try:
        return script(one.program, one.finding, engine, file)
    except EngineError:  # an engine in another process whose source cannot be read
        return ""


def cells(exposure: Coverage) -> Counter[str]:
    """The counts of an exposure by the group and the text of a cell."""
    return Counter(
        {
            _cell(group, cell): count
            for group, counts in exposure.groups().items()
            for cell, count in counts.items()
        }
    )


def reachable(engine: AnyEngine) -> frozenset[str]:
    """The cells that programs for an engine may reach, as ``cells`` names them."""
    several = Coverage.of(engine).reachable
    return frozenset(_cell(group, cell) for group, some in several.items() for cell in some)


def _cell(group: str, cell: tuple[Any, ...]) -> str:
    return f"{group}: {' '.join(map(str, cell))}"
