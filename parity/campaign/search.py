"""Runs many programs on an engine and collects the findings, reduced and deduplicated.

The same seed gives the same programs and the same findings.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

from parity._util.process import fuzzing_runtime
from parity.campaign.baseline import MAX_REDUCED, Baseline, BaselineMatcher
from parity.campaign.finish import add_diagnosis, judge_finding, write_scripts
from parity.campaign.flaky import KEPT, FlakyPrograms, Repetition, kept_state
from parity.campaign.flaky import STATE as STATE
from parity.campaign.result import Report, SearchResult
from parity.engines.base import Engine
from parity.engines.limits import Limits
from parity.engines.load import load_engine
from parity.engines.open import open_engines
from parity.engines.runner import AnyEngine, Runner, as_runner
from parity.engines.selfcheck import check_adapter
from parity.generate.coverage import Coverage
from parity.generate.schedule import decoders_of, stream
from parity.language.program import Program
from parity.oracle.check import check_programs
from parity.oracle.finding import Finding, Kind
from parity.oracle.probes import PROBES

#: Failing programs that are reduced for each kind of finding, as one kind may have several causes.
REDUCED_PER_KIND = 3
#: A search ends after so many programs that ended the engine's process, if they are most of them:
#: each may have taken seconds, and the next ones say no more.
STOPS = 40
#: Places of exceptions that are reported, one finding each.
PLACES = 12


def search(
    engine: AnyEngine,
    reference: Engine,
    examples: int,
    seed: int = 0,
    ops: tuple[str, ...] | None = None,
    folder: Path | None = None,
    coverage: bool = False,
    baseline: Baseline | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> SearchResult:
    """Run ``examples`` programs and the probes; write a script for each finding to ``folder``.

    ``stopped`` is called before each program; once it returns True, the search ends with the
    findings so far and runs no probes. The other arguments are as of ``check``.
    """
    runner = as_runner(engine)
    running = _Search(runner, reference, seed, ops, baseline)
    result = running.result
    result.coverage = Coverage.of(runner, ops) if coverage else None
    started = time.perf_counter()
    with fuzzing_runtime():
        running.run_programs(examples, stopped)
        if ops is None and not result.interrupted and not result.cut:
            running.run_probes()
        running.add_flaky()
        running.add_state()
        result.untested += tuple(sorted(result.unsupported))
        result.stale = running.matcher.baseline.stale(runner, reference)
    result.findings.sort(key=lambda reported: (reported.size[0], reported.number))
    if folder is not None:  # before the diagnosis, which takes longer: nothing found is lost
        try:
            write_scripts(result.findings, runner, folder)
        except OSError as error:  # a full disk: the report is as good without scripts
            result.unwritten = str(error)
    for reported in result.findings:
        with runner.fresh_process() if result.disturbed else nullcontext():
            add_diagnosis(reported, runner, reference)
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
    """The state of a running search: the result so far, and the findings already seen."""

    def __init__(
        self,
        engine: Runner,
        reference: Engine,
        seed: int,
        ops: tuple[str, ...] | None,
        baseline: Baseline | None,
    ) -> None:
        self.result = SearchResult(engine, reference, seed)
        self.matcher = BaselineMatcher(baseline or Baseline(), engine, reference)
        self.result.known = Counter(dict.fromkeys(self.matcher.baseline.entries, 0))
        self.has_baseline = baseline is not None
        #: Programs that ended the process of the engine.
        self.stops = 0
        self.accepted: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.seen: set[tuple[str, Program | str]] = set()
        #: Places of exceptions of which a program was reduced.
        self.places: set[str] = set()
        self.repetition = Repetition(engine, reference)
        self.flaky = FlakyPrograms(engine, reference)
        self.decoders = decoders_of(engine, ops)
        untested = (u for decoder in self.decoders for u in decoder.untested)
        self.result.untested = tuple(dict.fromkeys(untested))

    def run_programs(self, examples: int, stopped: Callable[[], bool]) -> None:
        result = self.result
        programs = itertools.islice(stream(self.decoders, result.seed), examples)
        for program, finding in check_programs(
            programs,
            result.engine,
            result.reference,
            result.unsupported,
            stability=result.stability,
        ):
            if stopped():
                result.interrupted = True
                return
            result.programs += 1
            if result.coverage is not None:
                result.coverage.add(program)
            if finding is not None:
                self.handle_finding(program, finding)
                self.stops += finding.stopped
                if self.stops >= STOPS and 2 * self.stops > result.programs:
                    result.cut = True
                    return
            self.repetition.ran(program, finding)

    def handle_finding(self, program: Program, finding: Finding) -> None:
        """Count a finding, and reduce it if it is one of the first of its kind."""
        if not self._wanted(finding):
            self.result.failing += 1
            return
        judged = self.repetition.judged(program, finding)
        if judged.what == KEPT:
            return
        self.result.failing += 1
        if judged.kind is Kind.FLAKY:
            self.flaky.add(program, judged, self.result.programs - 1)
        elif self._wanted(judged):
            known = self.add_reduced(program, judged)
            (self.accepted if known else self.found)[judged.kind] += 1
            if judged.place and not known:
                self.places.add(judged.place)

    def _wanted(self, finding: Finding) -> bool:
        kind, place = finding.kind, finding.place
        more = self.found[kind] < REDUCED_PER_KIND
        if place:
            more = place not in self.places and len(self.places) < PLACES
        return more and self.accepted[kind] < MAX_REDUCED

    def add_reduced(self, program: Program, finding: Finding) -> bool:
        """Reduce a finding; count it if it is in the baseline, else add it to the result.

        A finding that was seen before, or that is within rounding error, is not added. Return
        whether it is in the baseline.
        """
        result = self.result
        small, found, entry = self.matcher.match(program, finding)
        if entry is not None:
            self.seen.add((found.kind, found.place or small))
            result.known[entry] += 1
            return True
        settled = self.repetition.settled((small, found), (program, finding))
        if settled.kind is Kind.FLAKY:
            self.flaky.add(small, settled, result.programs - 1)
            return False
        if settled is finding:
            small, found = program, finding
        if (key := (found.kind, found.place or small)) in self.seen:
            return False
        self.seen.add(key)
        sides = result.engine, result.reference
        reported = judge_finding((small, found), (program, finding), *sides, result.programs - 1)
        if reported is None:
            result.ill_conditioned += 1
        else:
            result.findings.append(reported)
        return False

    def run_probes(self) -> None:
        """Add the findings of the probes.

        Without a baseline, a probe is left out if programs showed the same kind of finding, as it
        says no more than they do. With a baseline, each finding must be matched by itself.
        """
        for reported in run_probes(self.result.engine):
            kind = reported.finding.observed
            if self.has_baseline or not (self.found[kind] or kind in self.flaky.groups):
                self.add(reported)

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
        else:
            self.result.known[entry] += reported.programs


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
