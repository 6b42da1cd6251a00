"""Runs a shard, the unit of work of a campaign: about a thousand programs on one worker.

The same task gives the same programs. Tasks and answers are plain data, so that a worker may be
any process. A worker writes no files: the coordinator of the campaign records the answers.
"""

from __future__ import annotations

import functools
import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from parity._util.decode import decode, encode
from parity._util.escape import one_line
from parity._util.process import fuzzing_runtime
from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.finish import add_cause, judge_finding, report_of
from parity.campaign.flaky import (
    FIRST,
    FIRST_RARE,
    KEPT,
    FlakyPrograms,
    Repetition,
    kept_after,
)
from parity.campaign.guide import Guide, SeenFeatures
from parity.campaign.records import FindingData, Record, names
from parity.campaign.result import Report, finding_json
from parity.campaign.search import run_probes
from parity.diagnose.causes import Cause
from parity.diagnose.reproducer import script
from parity.diagnose.triage import Triage
from parity.engines.limits import Limits
from parity.engines.load import EngineError
from parity.engines.open import open_engines
from parity.engines.runner import AnyEngine
from parity.engines.trace import AdapterError
from parity.generate.coverage import Coverage
from parity.language.json_format import program_to_json
from parity.language.program import Program
from parity.oracle.check import check_programs
from parity.oracle.finding import Finding, Kind
from parity.oracle.stability import Stability
from parity.oracle.verdict import ILL_CONDITIONED, Verdict

#: Feature coverage is counted on every tenth program, as counting costs a tenth of a program.
COUNTED = 10
#: A shard reduces so many failing programs of a new kind, and of any kind in early shards;
#: later one program of a kind in every fourth shard. Of exceptions of one place it reduces one,
#: and of ``PLACES`` places at most.
NEW_KIND, EARLY_SHARDS, LATER = 3, 8, 4
PLACES = 12
#: Programs of a kind that a shard runs again many times once flaky findings are known.
LATER_FLAKY = 2


@dataclass(frozen=True)
class Task:
    """A shard as a worker receives it."""

    engine: str
    reference: str
    isolate: bool | None
    limits: Limits
    seed: str
    number: int
    #: Its number of programs, and that of a complete shard.
    programs: int
    size: int
    #: Cases that earlier shards kept, and groups of findings (``Finding.group``).
    kept: tuple[FuzzInput, ...] = ()
    known: frozenset[str] = frozenset()
    #: When to stop, in seconds since the epoch.
    until: float | None = None


@dataclass
class Answer:
    """The result of a shard: counts, findings with their scripts, and kept cases."""

    record: Record
    findings: list[FindingData] = field(default_factory=list)
    #: The script of each finding, "" if it has none.
    scripts: list[str] = field(default_factory=list)
    kept: list[FuzzInput] = field(default_factory=list)
    #: Differences within rounding error: no findings, recorded for people to check.
    ill_conditioned: list[FindingData] = field(default_factory=list)
    #: Why the shard could not run, or "".
    error: str = ""


def visible(number: int) -> int:
    """Return the number of first shards whose results shard ``number`` uses.

    That is half of the shards before it: so it need not wait for shards that run at the same
    time, and its programs do not depend on the number of workers.
    """
    return number // 2


def run_shard(task: Task, stopped: Callable[[], bool] = lambda: False) -> Answer:
    """Run a shard. It ends early once ``stopped``, called before each program, returns True."""
    try:
        engines = _worker_engines(task.engine, task.reference, task.isolate, task.limits)
        # A worker may have several threads; an engine is used by one at a time.
        with engines.lock, fuzzing_runtime():
            return _Shard(task, engines, stopped).run()
    except (AdapterError, EngineError) as error:
        return Answer(Record(task.number, task.number), error=one_line(error))


def run_encoded(task: dict[str, Any], stop_file: str, parent: int) -> dict[str, Any]:
    """Run a shard in a worker process: ``run_shard`` with plain data.

    It ends early once ``stop_file`` exists or ``parent``, the campaign's process, is gone.
    """
    answer: dict[str, Any] = encode(
        run_shard(decode(Task, task), lambda: os.path.exists(stop_file) or os.getppid() != parent)
    )
    return answer


class _WorkerEngines:
    """The engine and the reference of a worker, loaded once for all its shards."""

    def __init__(self, engine: str, reference: str, isolate: bool | None, limits: Limits) -> None:
        self.engine, self.reference = open_engines(engine, reference, isolate, limits, check=False)
        # Without state of programs of the shards.
        self.triage = Triage(self.engine.renewed(), self.reference)
        self.reader = Reader(self.engine)
        self.seen = SeenFeatures(self.engine, self.reader)
        self.lock = threading.Lock()


_worker_engines = functools.lru_cache(maxsize=2)(_WorkerEngines)


class _Shard:
    def __init__(self, task: Task, engines: _WorkerEngines, stopped: Callable[[], bool]) -> None:
        self.task = task
        self.stopped = stopped
        # Without state of earlier programs.
        self.engine = engines.engine if engines.engine.isolated else engines.engine.renewed()
        self.reference = engines.reference
        seed = f"{task.seed}:{task.number}"
        self.source = Guide(self.engine, engines.reader, seed, task.kept, seen=engines.seen)
        self.answer = Answer(Record(task.number, task.number))
        self.coverage = Coverage()
        self.triage = engines.triage
        #: Causes of failing programs, each with the first program and the number of programs.
        self.explained: dict[Cause, tuple[int, FuzzInput]] = {}
        self.explains: Counter[Cause] = Counter()
        self.failed: list[tuple[int, FuzzInput, Program, Finding]] = []
        sides = self.engine, self.reference
        again = (LATER_FLAKY, 1) if Kind.FLAKY in task.known else (FIRST, FIRST_RARE)
        self.repetition = Repetition(*sides, again)
        self.flaky = FlakyPrograms(*sides)
        self.stability = Stability()
        #: Programs that differ only after those of the second list.
        self.disturbed: list[tuple[int, FuzzInput, Program, tuple[Program, ...]]] = []

    def run(self) -> Answer:
        record = self.answer.record
        started = time.perf_counter()
        self._run_programs(record)
        self._reduce(record)
        if self.task.number == 0 and record.complete:
            for reported in run_probes(self.engine):
                kind = reported.finding.observed  # programs say more than probes
                if not record.failing[kind] and kind not in self.flaky.groups:
                    self._add(reported, None)
        for group, counts in self.coverage.counts.items():
            record.coverage.update({_cell(group, cell): n for cell, n in counts.items()})
        self.answer.kept = list(self.source.kept)
        record.kept = len(self.answer.kept)
        record.twice, record.same = self.stability.programs, self.stability.same
        record.complete = record.complete and self.task.programs == self.task.size
        record.seconds = time.perf_counter() - started
        return self.answer

    def _run_programs(self, record: Record) -> None:
        """Run the programs, and keep the first failing ones of each kind for reduction."""
        until = self.task.until
        with closing(self._checked()) as checked:
            for case, program, finding in checked:
                if self.stopped() or (until is not None and time.time() >= until):
                    record.complete = False
                    return
                if record.programs % COUNTED == 0:
                    self.coverage.add(program)
                record.programs += 1
                if finding is not None:
                    self._failed(record, case, program, finding)
                self.repetition.ran(program, finding)
                self.source.observe(case, program)

    def _checked(self) -> Generator[tuple[FuzzInput, Program, Finding | None], None, None]:
        """Yield cases with their programs and findings; programs run ahead in batches."""
        inputs, ahead = itertools.tee(self.source.inputs(self.task.programs))
        checked = check_programs(
            (p for _, p in ahead), self.engine, self.reference, stability=self.stability
        )
        for (program, finding), (case, _) in zip(checked, inputs, strict=False):
            yield case, program, finding

    def _failed(self, record: Record, case: FuzzInput, program: Program, finding: Finding) -> None:
        self.source.reject(case)
        index, kept = record.programs - 1, tuple(self.repetition.recent)
        blamed = self.triage.blame(program, finding)
        if blamed:
            record.failing[finding.kind] += 1
            for cause in blamed:
                self.explained.setdefault(cause, (self._number(index), case))
                self.explains[cause] += 1
            return
        if not self._wanted(finding):
            record.failing[finding.kind] += 1
            return
        judged = self.repetition.judged(program, finding)
        record.failing[judged.kind] += 1
        if judged.kind is Kind.FLAKY:
            self.flaky.add(program, judged, self._number(index), case)
        elif judged.what == KEPT:
            self.disturbed.append((index, case, program, kept))
        elif self._wanted(judged):
            self.failed.append((index, case, program, judged))

    def _wanted(self, finding: Finding) -> bool:
        """Return whether another failing program of a kind, or of a place, shall be reduced."""
        kind, number = finding.kind, self.task.number
        limit = 1 if number % LATER == 0 else 0
        if number < EARLY_SHARDS or kind not in self.task.known:
            limit = NEW_KIND
        if finding.place:
            places = {f.place for *_, f in self.failed if f.place}
            limit = int(finding.group not in self.task.known and len(places) < PLACES)
        return sum(f.group == finding.group for *_, f in self.failed) < limit

    def _number(self, index: int) -> int:
        return self.task.number * self.task.size + index

    def _reduce(self, record: Record) -> None:
        for cause, (number, of) in self.explained.items():
            report = report_of(cause, self.triage, number)
            if report is None:
                record.ill_conditioned += self.explains[cause]
            else:
                report.programs = self.explains[cause]
                self._add(report, of)
        for index, case, program, finding in self.failed:
            whole, sides = (program, finding), (self.engine, self.reference)
            small = self.triage.reduced(*whole)
            settled = self.repetition.settled(small, whole)
            if settled.kind is Kind.FLAKY:
                self.flaky.add(small[0], settled, self._number(index), case)
                continue
            small = whole if settled is finding else small
            reported = judge_finding(small, whole, *sides, self._number(index))
            if reported is None:
                record.ill_conditioned += 1
                undecided = Report(
                    finding, program, self._number(index), verdict=Verdict(ILL_CONDITIONED)
                )
                data = finding_json(undecided, case, self.task.number)
                self.answer.ill_conditioned.append(data)
            else:
                self._add(reported, case)
        for reported, flaky_case in self.flaky.reports():
            self._add(reported, flaky_case)
        record.ill_conditioned += self.flaky.ill_conditioned
        if self.disturbed:
            index, case, program, before = self.disturbed[0]
            self._add(kept_after(program, before, len(self.disturbed), self._number(index)), case)

    def _add(self, reported: Report, case: FuzzInput | None) -> None:
        if reported.program is not None:
            found = reported.finding
            key = found.kind, found.place or program_to_json(reported.program)
            for finding in self.answer.findings:
                if (finding["kind"], finding["place"] or finding["program"]) == key:
                    finding["count"] += reported.programs
                    return
        if reported.cause is None:
            add_cause(reported, self.triage)
        data = finding_json(reported, case, self.task.number)
        self.answer.findings.append(data)
        self.answer.scripts.append(script_of(reported, self.engine, f"{names(data)[0]}.py"))


def script_of(reported: Report, engine: AnyEngine, file: str) -> str:
    """Return the script of a finding, to be saved as ``file``; "" if there can be none."""
    if reported.program is None or reported.finding.what == KEPT:
        return ""
    try:
        return script(reported.program, reported.finding, engine, file)
    except EngineError:  # an engine in another process whose source cannot be read
        return ""


def reachable(engine: AnyEngine) -> frozenset[str]:
    """Return the names of the features that programs for an engine may have."""
    groups = Coverage.of(engine).reachable
    return frozenset(_cell(group, cell) for group, cells in groups.items() for cell in cells)


def _cell(group: str, cell: tuple[Any, ...]) -> str:
    return f"{group}: {' '.join(map(str, cell))}"
