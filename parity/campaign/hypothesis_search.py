"""Runs one property of the suite: programs of one profile, drawn by Hypothesis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.database import ExampleDatabase
from hypothesis.errors import Flaky

from parity._util.decode import decode
from parity._util.process import fuzzing_runtime
from parity.campaign.baseline import Baseline, BaselineEntry, BaselineMatcher
from parity.campaign.cases import FuzzInput
from parity.campaign.database import examples_of
from parity.campaign.finish import add_cause, explained, judge_finding
from parity.campaign.flaky import KEPT, FlakyPrograms, Repetition, kept_state
from parity.campaign.records import FindingData
from parity.campaign.result import Report
from parity.diagnose.triage import Triage
from parity.engines.base import Engine
from parity.engines.runner import AnyEngine
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.strategies import programs
from parity.language import program as pr
from parity.language.program import Program
from parity.oracle.adjudicate import adjudicate
from parity.oracle.check import check_programs
from parity.oracle.finding import KINDS, Finding, Kind
from parity.oracle.verdict import ILL_CONDITIONED

#: Programs in each Hypothesis example: drawing one costs as much as drawing eight.
PROGRAMS_PER_EXAMPLE = 8


@dataclass
class Tally:
    """Counts of programs: all, those with values of two or five uses, and ill-conditioned ones."""

    programs: int = 0
    reused: int = 0
    hubs: int = 0
    ill_conditioned: int = 0

    def add(self, program: Program) -> None:
        uses = Counter(i for s in program.statements if isinstance(s, pr.Apply) for i in s.inputs)
        most = max(uses.values(), default=0)
        self.programs += 1
        self.reused += most >= 2
        self.hubs += most >= 5


@dataclass
class Outcome:
    """The result of a property."""

    tally: Tally = field(default_factory=Tally)
    reported: list[Report] = field(default_factory=list)
    #: How often each entry of the baseline was found.
    known: Counter[BaselineEntry] = field(default_factory=Counter)


def property_of(
    decoder: Decoder,
    check: Callable[[list[Program]], None],
    database: ExampleDatabase | None,
    examples: int = 1,
    number: int = 0,
) -> Any:
    """Return a Hypothesis test that calls ``check`` with a list of programs of ``decoder``.

    Tests on the same profile and ``database`` replay each other's failing examples first.
    """

    # A seed switches the database off; settings that are applied after it count.
    @settings(
        max_examples=examples,
        database=database,
        derandomize=False,
        deadline=None,
        phases=(Phase.reuse, Phase.generate),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        print_blob=False,
    )
    @seed(number)
    @given(programs(decoder, PROGRAMS_PER_EXAMPLE))
    def run(several: list[Program]) -> None:
        check(several)

    return run


def run_property(
    decoder: Decoder,
    engine: AnyEngine,
    reference: Engine,
    count: int,
    number: int,
    baseline: Baseline | None = None,
    database: str | None = None,
    triage: Triage | None = None,
) -> Outcome:
    """Run at least ``count`` programs with seed ``number``, up to the first finding of each kind.

    Findings are reduced by ``parity.diagnose.shrink``, several times as fast as by Hypothesis,
    which sees only bytes. Programs of the profile that failed in an earlier run or a campaign
    with the same engine come first, unless CI is set and no ``database`` is named
    (``parity.campaign.database``): then a run depends on the seed alone. With a ``baseline`` the
    cause of each finding is searched at once; the first that is not in it ends the run.
    ``triage``: that of the engine, if several properties share it.
    """
    triage = triage or Triage(engine, reference)
    search = _Search(triage, baseline or Baseline())
    examples = -(-count // PROGRAMS_PER_EXAMPLE)
    saved = examples_of(engine, decoder.profile.name, database)
    run = property_of(decoder, search.check, saved, examples, number)
    with fuzzing_runtime():
        try:
            run()
        except (Difference, Flaky, ExceptionGroup) as error:
            if not search.raised or not _is_expected(error):
                raise
        search.report()
    return search.outcome


class _Search:
    """The state of a running property."""

    def __init__(self, triage: Triage, baseline: Baseline) -> None:
        self.triage, self.baseline = triage, baseline
        self.engine, self.reference = engine, reference = triage.engine, triage.reference
        self.outcome = Outcome()
        self.matcher = BaselineMatcher(baseline, triage)
        self.repetition = Repetition(engine, reference)
        self.flaky = FlakyPrograms(engine, reference)
        self.stopped: list[tuple[Program, Finding]] = []
        #: The last program of each kind for which Hypothesis has seen an exception. What it raises
        #: itself depends on whether the engine differs again.
        self.raised: dict[str, tuple[Program, Finding]] = {}

    def check(self, several: list[Program]) -> None:
        """Run programs; raise a Difference for a finding that comes again."""
        if self.stopped or self.outcome.reported:
            return
        for program, finding in check_programs(several, self.engine, self.reference):
            if self.outcome.reported:
                return
            self.outcome.tally.add(program)
            if finding is not None:
                self._handle(program, finding)
            self.repetition.ran(program, finding)
            if self.stopped:  # Hypothesis would run it several times more
                return

    def _handle(self, program: Program, found: Finding) -> None:
        finding = self.repetition.judged(program, found)
        if finding.stopped:
            self.stopped.append((program, finding))
        elif finding.kind is Kind.FLAKY:
            self.flaky.add(program, finding, -1)
        elif finding.what == KEPT:
            pass  # reported at the end
        elif self.baseline.entries:
            self._add(self._reports(program, finding))
        elif adjudicate(program, finding, self.engine, self.reference).wrong == ILL_CONDITIONED:
            self.outcome.tally.ill_conditioned += 1  # no finding: the run goes on
        else:
            self.raised.pop(finding.kind, None)
            self.raised[finding.kind] = program, finding
            raise _DIFFERENCES[finding.kind](program, finding)

    def report(self) -> None:
        """Add what was found to the outcome: the causes, else the reduced programs."""
        for whole in [*self.raised.values(), *self.stopped]:
            self._add(self._reports(*whole))
        self._add([reported for reported, _ in self.flaky.reports()])
        if self.repetition.disturbed:
            self._add([kept_state(self.repetition.disturbed)])
        self.outcome.tally.ill_conditioned += self.flaky.ill_conditioned

    def _reports(self, program: Program, finding: Finding) -> list[Report]:
        """Return the reports on a failing program; none if it is flaky or rounding decides."""
        known = explained(program, finding, self.triage, -1)
        if known:
            return known
        whole = program, finding
        small = self.triage.reduced(*whole)
        settled = self.repetition.settled(small, whole)
        if settled.kind is Kind.FLAKY:
            self.flaky.add(small[0], settled, -1)
            return []
        small = whole if settled is finding else small
        reported = judge_finding(small, whole, self.engine, self.reference, -1)
        if reported is None:
            return []
        add_cause(reported, self.triage)
        return [reported]

    def _add(self, several: list[Report]) -> None:
        """Add reports that are neither in the baseline nor there already."""
        there = {(r.finding.kind, r.key) for r in self.outcome.reported}
        for reported in several:
            entry = self.baseline.find(reported.finding.kind, reported.key)
            if entry is None and reported.cause is not None:
                entry = self.matcher.entry(reported.cause)
            if entry is not None:
                self.outcome.known[entry] += reported.programs
            elif (reported.finding.kind, reported.key) not in there:
                self.outcome.reported.append(reported)


class Difference(Exception):  # noqa: N818 - it carries a finding
    """Raised for a program and its finding, as Hypothesis needs an exception."""


#: A class for each kind of finding, as Hypothesis distinguishes failures by type and line.
_DIFFERENCES: dict[Kind, type[Difference]] = {
    kind: type(f"{kind.name.title().replace('_', '')}Difference", (Difference,), {})
    for kind in Kind
}


def _is_expected(error: BaseException) -> bool:
    """Return whether an exception is a Difference, or says that one did not come again."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_expected, error.exceptions))
    return isinstance(error, Difference | Flaky)


def export_to_hypothesis(finding: FindingData, engine: AnyEngine, where: str | None = None) -> bool:
    """Save a finding as a failing example of its profile, and return whether it was saved.

    ``where``: as in ``parity.campaign.database.examples_of``. The program is not run again.
    """
    if finding["case"] is None:
        return False
    case = decode(FuzzInput, finding["case"])
    database = examples_of(engine, case.profile, where)
    if database is None:
        return False

    def fail(several: list[Program]) -> NoReturn:
        raise _DIFFERENCES[KINDS[finding["kind"]]]

    saving = property_of(Decoder.of(PROFILES[case.profile], engine), fail, database)
    try:
        # The other programs of the example are the simplest ones: zeros.
        saving.hypothesis.fuzz_one_input(
            case.data.ljust(PROGRAMS_PER_EXAMPLE * len(case.data), b"\0")
        )
    except Difference:
        return True
    return False
