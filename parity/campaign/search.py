"""Runs many programs on an engine and collects the findings, reduced and deduplicated.

The same seed gives the same programs and the same findings.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path

from parity._util.process import fuzzing_runtime
from parity.campaign.baseline import Baseline, BaselineMatcher
from parity.campaign.finish import judge_finding, report_of
from parity.campaign.flaky import KEPT, FlakyPrograms, Repetition, kept_state
from parity.campaign.flaky import STATE as STATE
from parity.campaign.jobs import Checked, Jobs
from parity.campaign.report import by_harm
from parity.campaign.result import Report, SearchResult
from parity.campaign.scripts import replace_scripts
from parity.campaign.watch import Watch
from parity.diagnose.causes import UNEXPLAINED, WRONG_OPERATION, Cause
from parity.diagnose.triage import Triage
from parity.engines.base import Engine
from parity.engines.limits import Limits
from parity.engines.load import load_engine
from parity.engines.open import open_engines
from parity.engines.runner import AnyEngine, Runner, as_runner
from parity.engines.selfcheck import check_adapter
from parity.generate.coverage import Coverage
from parity.generate.schedule import decoders_of, stream
from parity.language.program import Program
from parity.oracle.check import check_program, check_programs
from parity.oracle.finding import Finding, Kind
from parity.oracle.probes import PROBES, PROBES_BY_NAME

#: Programs that no cause explains and that are reduced; and reductions in a row of one group of
#: findings (``Finding.group``) to programs seen before, after which no more of it are reduced.
REDUCED, REPEATED = 16, 3
#: A search ends after so many programs that ended the engine's process, if they are most of them:
#: each may have taken seconds, and the next ones say no more.
STOPS = 40
#: So many operations that fail alone are told of before the tape is known, which may explain more.
ALONE = 2


def search(
    engine: AnyEngine,
    reference: Engine,
    examples: int | None,
    seed: int = 0,
    ops: tuple[str, ...] | None = None,
    folder: Path | None = None,
    coverage: bool = False,
    baseline: Baseline | None = None,
    stopped: Callable[[], bool] = lambda: False,
    *,
    seconds: float = math.inf,
    first: bool = False,
    watch: Watch | None = None,
    jobs: Jobs | None = None,
) -> SearchResult:
    """Run ``examples`` programs and the probes; write a script for each finding to ``folder``.

    ``stopped`` is called before each program; once it returns True, the search ends with the
    findings so far and runs no probes. No program starts after ``seconds``; with ``first``, none
    after the first fault, which alone is reported. ``watch`` is told what is found, and ``jobs``
    are processes that check programs. The other arguments are as of ``check``.
    """
    started = time.perf_counter()
    runner = as_runner(engine)
    running = _Search(runner, reference, seed, ops, baseline, watch or Watch())
    result = running.result
    result.coverage = Coverage.of(runner, ops) if coverage else None
    running.first, running.until, running.jobs = first, started + seconds, jobs
    with fuzzing_runtime():
        running.run_programs(examples, stopped)
        if ops is None and not running.ended:
            running.watch.stage("probes")
            running.run_probes()
        running.add_causes()
        running.add_flaky()
        running.add_state()
        result.untested += tuple(sorted(result.unsupported))
        result.stale = running.matcher.stale()
    result.findings.sort(key=by_harm)
    if first:
        del result.findings[1:]
    if folder is not None:
        try:
            replace_scripts(result.findings, runner, folder)
            result.folder = f"{folder}" if any(r.script for r in result.findings) else ""
        except OSError as error:  # a full disk: the report is as good without scripts
            result.unwritten = str(error)
    result.seconds = time.perf_counter() - started
    return result


def check(
    engine: str | AnyEngine | type[Engine],
    reference: str | Engine = "torch",
    *,
    examples: int = 2000,
    seed: int = 0,
    ops: tuple[str, ...] | None = None,
    isolate: bool | None = None,
    limits: Limits | None = None,
    findings: Path | None = None,
    coverage: bool = False,
    baseline: Baseline | None = None,
) -> SearchResult:
    """Check an engine against a reference on random programs: ``parity.check``.

    Parameters
    ----------
    engine
        An engine, an engine class that needs no arguments, or a name as on the command line:
        a built-in name, ``package.module:Class`` or ``path/to/file.py:Class``.
    reference
        The engine that is right by definition: PyTorch, or another one.
    examples
        The number of programs to run.
    seed
        The same seed gives the same programs and the same findings.
    ops
        The operations to use; by default all that the engine supports.
    isolate, limits
        Whether an engine given by name runs in a worker process (the default unless it is built
        in), and how much time and memory it may use there.
    findings
        A folder to which a script is written for each finding; none by default.
    coverage
        Whether to count feature coverage.
    baseline
        Accepted findings (``parity.campaign.baseline.load_baseline``).

    Returns
    -------
    SearchResult
        Has ``ok``, ``verdict``, ``findings`` and ``to_json()``; ``str()`` of it is the report
        that ``parity check`` prints.

    Raises
    ------
    EngineError
        If the engine or its adapter cannot be used.

    Examples
    --------
    >>> import parity
    >>> parity.check("dezero", examples=200).verdict
    'parity'
    """
    right = load_engine(reference) if isinstance(reference, str) else reference
    if isinstance(engine, str):
        runner, _ = open_engines(
            engine, reference if isinstance(reference, str) else "torch", isolate, limits
        )
    else:
        runner = as_runner(engine() if isinstance(engine, type) else engine)
        check_adapter(runner)
    try:
        return search(runner, right, examples, seed, ops, findings, coverage, baseline)
    finally:
        if isinstance(engine, str):  # a runner of the caller stays open
            runner.close()


class _Search:
    """The state of a running search: the result so far, and the causes already seen."""

    def __init__(
        self,
        engine: Runner,
        reference: Engine,
        seed: int,
        ops: tuple[str, ...] | None,
        baseline: Baseline | None,
        watch: Watch,
    ) -> None:
        self.watch = watch
        self.told: set[Cause] = set()
        self.first, self.until = False, math.inf
        self.modelled = False
        self.jobs: Jobs | None = None
        self.result = SearchResult(engine, reference, seed)
        self.sides = engine, reference
        self.triage = Triage(engine, reference, ops)
        self.matcher = BaselineMatcher(baseline or Baseline(), self.triage)
        self.result.known = Counter(dict.fromkeys(self.matcher.baseline.entries, 0))
        #: Programs that ended the process of the engine.
        self.stops = 0
        #: Causes that are reduced programs, by ``Triage.key``; and reductions in a row, by group of
        #: findings, that led to one of them.
        self.reduced: dict[Hashable, Cause] = {}
        self.reductions = 0
        self.repeated: Counter[str] = Counter()
        #: Causes of operations of which reduced programs showed consequences.
        self.followed: list[Cause] = []
        self.repetition = Repetition(engine, reference)
        self.flaky = FlakyPrograms(engine, reference)
        self.decoders = decoders_of(engine, ops)
        untested = (u for decoder in self.decoders for u in decoder.untested)
        self.result.untested = tuple(dict.fromkeys(untested))

    @property
    def ended(self) -> bool:
        """Whether the search ended early, so that no probes run."""
        return self.result.interrupted or self.result.cut or (self.first and self.has_fault)

    @property
    def has_fault(self) -> bool:
        """Whether a failing program has led to a fault that is not in the baseline."""
        causes = self._causes() if self.result.failing else []
        found = (c for c in causes if c.programs and self.matcher.entry(c) is None)
        return any(found) or bool(self.flaky.groups) or self.repetition.disturbed > 0

    def run_programs(self, examples: int | None, stopped: Callable[[], bool]) -> None:
        self.watch.stage("")
        with contextlib.closing(self.checked(examples)) as checked:
            self.handle(checked, stopped)

    def checked(self, examples: int | None) -> Checked:
        """Yield the programs with their findings."""
        result, sides = self.result, self.sides
        if self.jobs is not None:
            yield from self.jobs.checked(sides, examples, result.unsupported, result.stability)
            return
        programs = itertools.islice(self._programs(), examples)
        counts = result.unsupported
        yield from check_programs(
            programs, *sides, counts, stability=result.stability, leave_out=True
        )

    def handle(self, checked: Checked, stopped: Callable[[], bool]) -> None:
        """Count programs and handle their findings until the search ends."""
        result = self.result
        for program, finding in checked:
            if stopped():
                result.interrupted = True
                return
            if time.perf_counter() > self.until:
                return
            if finding is None and result.engine.leaves_out(program):
                continue  # it was read before its operation was left out
            result.programs += 1
            self.watch.ran(result.programs)
            if result.coverage is not None:
                result.coverage.add(program)
            if finding is not None:
                self.handle_finding(program, finding)
                self.stops += finding.stopped
                if self.stops >= STOPS and 2 * self.stops > result.programs:
                    result.cut = True
                    return
                if self.first and self.has_fault:
                    return
            self.repetition.ran(program, finding)

    def _programs(self) -> Iterator[Program]:
        """Yield programs; each time an operation is left out, of those that are left."""
        engine, seed, left_out = self.result.engine, self.result.seed, frozenset[str]()
        programs = stream(self.decoders, seed)
        while True:
            if left_out != engine.left_out.keys():
                left_out = frozenset(engine.left_out)
                ops = tuple(n for n in self.triage.ops or engine.ops if n not in left_out)
                programs = stream(decoders_of(engine, ops), f"{seed}:{len(left_out)}")
            program = next(programs, None)
            if program is None:  # none is left
                self.result.cut = True
                return
            yield program

    def handle_finding(self, program: Program, finding: Finding) -> None:
        """Count a finding under the causes that explain it, or reduce it to a cause of its own."""
        result, number = self.result, self.result.programs - 1
        if self.repetition.disturbed and check_program(program, *self.sides) is None:
            self.repetition.disturbed += 1  # it ran before the process was replaced
            return
        # The first one before the operations run alone: that hides what programs left behind.
        first = not result.failing
        judged = self.repetition.judged(program, finding) if first else finding
        irregular = judged.kind is Kind.FLAKY or judged.what == KEPT
        if not irregular and not self.modelled:
            self.tell_model()
        blamed = () if irregular else self.triage.blame(program, judged)
        if blamed:
            result.failing += 1
            for cause in blamed:
                cause.count(number)
            return
        if not first:
            judged = self.repetition.judged(program, finding)
        if judged.what == KEPT:
            result.engine.restart()  # an earlier program left something behind
            return
        result.failing += 1
        if judged.kind is Kind.FLAKY:
            self.flaky.add(program, judged, number)
        elif judged.place in self.reduced:  # the place of an exception is its identity
            self.reduced[judged.place].count(number)
        elif (likely := self.triage.likely_cause(program, self.followed)) is not None:
            likely.count(number)
        elif self.reductions >= REDUCED or self.repeated[judged.group] >= REPEATED:
            result.unexplained += 1
        else:
            self.add_reduced(program, judged)

    def add_reduced(self, program: Program, finding: Finding) -> None:
        """Reduce a finding that no cause explains; unless rounding decides, it is a cause."""
        result, whole = self.result, (program, finding)
        self.reductions += 1
        small = self.triage.reduced(*whole)
        settled = self.repetition.settled(small, whole)
        if settled.kind is Kind.FLAKY:
            self.flaky.add(small[0], settled, result.programs - 1)
            return
        small = whole if settled is finding else small
        known = self.triage.consequence_of(*small)
        if known is not None:
            self.followed.append(known)
            known.count(result.programs - 1)
            return
        key = self._known_key(self.triage.key(*small))
        if key in self.reduced:
            self.repeated[finding.group] += 1
            self.triage.narrow(self.reduced[key], *small)
        else:
            self.repeated[finding.group] = 0
            reported = judge_finding(small, whole, *self.sides, result.programs - 1)
            if reported is None or reported.program is None:
                result.ill_conditioned += 1
                return
            cause = self.triage.unexplained(reported.program, reported.finding)
            alike = (c for c in self.triage.causes() if cause.quirk and c.quirk == cause.quirk)
            self.reduced[key] = next(alike, cause)
        self.reduced[key].count(result.programs - 1)
        self.tell(self.reduced[key])

    def tell_model(self) -> None:
        """Measure the operations and fit the tape, and tell of what is wrong there."""
        self.modelled = True
        self.watch.stage("every operation alone")
        suspicious = self.triage.table.suspicious()
        if len(suspicious) <= ALONE:  # of more, the tape may be at fault
            for op in sorted(suspicious):
                failing = next(r for r in self.triage.table.of(op) if r.fails)
                assert failing.finding is not None
                says = WRONG_OPERATION.get(failing.finding.kind, "`{}` is wrong").format(op)
                self.watch.fault(says, failing.cell.program, certain=False)
        self.watch.stage("the tape")
        for cause in self.triage.causes():
            self.tell(cause)
        self.watch.stage("")

    def tell(self, cause: Cause) -> None:
        """Tell of a cause once, unless it is in the baseline."""
        if cause not in self.told and self.matcher.entry(cause) is None:
            self.told.add(cause)
            self.watch.fault(cause.sentence, cause.witness)

    def _known_key(self, key: Hashable) -> Hashable:
        """Return the key of a cause with some of these operations, if there is one.

        Which operations matter is found by trying others, and some have none that fit.
        """
        if not isinstance(key, frozenset):
            return key
        sets = (known for known in self.reduced if isinstance(known, frozenset))
        return next((known for known in sets if known & key), key)

    def add_causes(self) -> None:
        """Add a report of each cause: those of the model, and the reduced programs."""
        stopping = (c.finding for c in self.reduced.values() if _always_stops(c))
        always = {finding.kind for finding in stopping if finding is not None}
        for cause in self._causes():
            if cause.ops and cause.finding is not None and cause.finding.kind in always:
                continue
            entry = self.matcher.entry(cause)
            if entry is not None:
                self.result.known[entry] += max(cause.programs, 1)
                continue
            reported = report_of(cause, self.triage, cause.number)
            if reported is None:
                self.result.ill_conditioned += 1
            else:
                self.result.findings.append(reported)

    def run_probes(self) -> None:
        """Add the findings of the probes that no cause of the model explains."""
        names = {cause.name for cause in self._of_model()}
        stops = 2 * self.stops > self.result.programs
        places = {c.finding.place for c in self._causes() if c.finding is not None}
        for reported in run_probes(self.result.engine):
            if reported.finding.stopped and stops:
                continue  # as most programs do
            if reported.finding.place and reported.finding.place in places:
                continue
            if reported.finding.kind is not Kind.FLAKY:
                probe = PROBES_BY_NAME[reported.probe_name]
                reported.cause = self.triage.cause_of_probe(probe, reported.finding)
                if reported.cause is None or reported.cause.name in names:
                    continue
            self.add(reported)

    def _causes(self) -> list[Cause]:
        """Return the causes of the model, and the reduced programs."""
        return list(dict.fromkeys([*self._of_model(), *self.reduced.values()]))

    def _of_model(self) -> list[Cause]:
        """Return the causes of the model, which is not fitted if there is nothing to explain."""
        if self.result.failing or self.triage.table.suspicious():
            return self.triage.causes()
        return []

    def add_flaky(self) -> None:
        """Add the findings of the programs that differ in some runs only."""
        for reported, _ in self.flaky.reports():
            self.add(reported)
        self.result.ill_conditioned += self.flaky.ill_conditioned

    def add_state(self) -> None:
        """Add the finding that the engine keeps state between programs, if it does."""
        self.result.disturbed = self.repetition.disturbed
        if self.result.disturbed:
            self.add(kept_state(self.result.disturbed))

    def add(self, reported: Report) -> None:
        """Add a finding that was not reduced, or count it if it is in the baseline."""
        entry = self.matcher.baseline.find(reported.finding.kind, reported.key)
        if entry is None:
            self.result.findings.append(reported)
            cause = reported.cause
            self.watch.fault(cause.sentence if cause else reported.finding.says, reported.program)
        else:
            self.result.known[entry] += reported.programs


def _always_stops(cause: Cause) -> bool:
    """Return whether the engine ends its process whatever the operations are."""
    return cause.name == UNEXPLAINED and cause.finding is not None and cause.finding.stopped


def run_probes(engine: AnyEngine) -> Iterator[Report]:
    """Yield the findings of the probes that apply to the engine."""
    for probe in PROBES:
        if probe.applies(engine) and (finding := probe.first(engine)) is not None:
            # Again on an engine that no probe has spoiled.
            if not finding.stopped and probe.first(as_runner(engine).renewed()) is None:
                if finding.kind is Kind.TIME:  # the machine was busy
                    continue
                finding = finding.flaky(1, 2)
            yield Report(finding, None, -1, probe=probe.description)
