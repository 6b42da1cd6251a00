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
from parity.oracle.check import check_program, check_programs
from parity.oracle.finding import Finding, Kind
from parity.oracle.probes import PROBES

#: Failing programs that are reduced for each kind of finding, as one kind may have several causes.
REDUCED_PER_KIND = 3
#: Reported as the probe of the finding that an engine keeps state between programs.
STATE = "programs one after another in one process"


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
        if ops is None and not result.interrupted:
            running.run_probes()
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
        Whether an engine given by name runs in a worker process (the default for a file), and
        how much time and memory it may use there.
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
        self.accepted: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.seen: set[tuple[str, Program]] = set()
        self.decoders = decoders_of(engine, ops)
        untested = (u for decoder in self.decoders for u in decoder.untested)
        self.result.untested = tuple(dict.fromkeys(untested))

    def run_programs(self, examples: int, stopped: Callable[[], bool]) -> None:
        result = self.result
        programs = itertools.islice(stream(self.decoders, result.seed), examples)
        for program, finding in check_programs(
            programs, result.engine, result.reference, result.unsupported
        ):
            if stopped():
                result.interrupted = True
                return
            result.programs += 1
            if result.coverage is not None:
                result.coverage.add(program)
            if finding is not None:
                self.handle_finding(program, finding)

    def handle_finding(self, program: Program, finding: Finding) -> None:
        """Count a finding, and reduce it if it is one of the first of its kind."""
        if not self._wanted(finding.kind):
            self.result.failing += 1
            return
        alone = finding if finding.stopped else self.in_fresh_process(program, finding)
        if alone is not None:
            self.result.failing += 1
            if self._wanted(alone.kind):
                known = self.add_reduced(program, alone)
                (self.accepted if known else self.found)[alone.kind] += 1

    def _wanted(self, kind: str) -> bool:
        return self.found[kind] < REDUCED_PER_KIND and self.accepted[kind] < MAX_REDUCED

    def in_fresh_process(self, program: Program, finding: Finding) -> Finding | None:
        """Return the finding of the program, if any, where no other program ran before it."""
        result, engine = self.result, self.result.engine
        if not engine.isolated:
            return finding
        with engine.fresh_process():
            again = check_program(program, engine, result.reference)
        result.disturbed += again is None or again.kind != finding.kind
        return again

    def add_reduced(self, program: Program, finding: Finding) -> bool:
        """Reduce a finding; count it if it is in the baseline, else add it to the result.

        A finding that was seen before, or that is within rounding error, is not added. Return
        whether it is in the baseline.
        """
        result = self.result
        small, found, entry = self.matcher.match(program, finding)
        if entry is not None:
            result.known[entry] += 1
            return True
        if (found.kind, small) in self.seen:
            return False
        self.seen.add((found.kind, small))
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
            if self.has_baseline or not self.found[reported.finding.kind]:
                self.add(reported)

    def add_state(self) -> None:
        """Add the finding that the engine keeps state between programs, if it does."""
        if self.result.disturbed:
            shown = f"{self.result.disturbed} programs differ after others, not in that way alone"
            found = Finding(Kind.LEAK, 0, "state", 0, shown, "no program changes the next")
            self.add(Report(found, None, -1, probe=STATE))

    def add(self, reported: Report) -> None:
        """Add a finding that has no program, or count it if it is in the baseline."""
        entry = self.matcher.baseline.find(reported.finding.kind, reported.key)
        if entry is None:
            self.result.findings.append(reported)
        else:
            self.result.known[entry] += 1


def run_probes(engine: AnyEngine) -> Iterator[Report]:
    """Yield the findings of the probes that apply to the engine."""
    for probe in PROBES:
        if probe.applies(engine) and (finding := probe.first(engine)) is not None:
            yield Report(finding, None, -1, probe=probe.description)
