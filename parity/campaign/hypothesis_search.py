"""One property of the suite: many programs of a profile, drawn by Hypothesis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.database import ExampleDatabase

from parity._util.process import fuzzing_runtime
from parity.campaign.baseline import MAX_REDUCED, Baseline, BaselineEntry, BaselineMatcher
from parity.campaign.cases import FuzzInput
from parity.campaign.database import examples_of
from parity.campaign.finish import add_diagnosis, judged
from parity.campaign.records import FindingData
from parity.campaign.result import Report
from parity.diagnose.shrink import reduced
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

#: Programs that Hypothesis draws at once: drawing one costs as much as drawing eight.
PROGRAMS_AN_EXAMPLE = 8


@dataclass
class Tally:
    """Counts of the programs that ran; ``ill_conditioned`` ones differ, but rounding decides."""

    programs: int = 0
    reused: int = 0
    hubs: int = 0
    ill_conditioned: int = 0

    def add(self, program: Program) -> None:
        """Count a program, and how often it uses its most used value."""
        uses = Counter(i for s in program.statements if isinstance(s, pr.Apply) for i in s.inputs)
        most = max(uses.values(), default=0)
        self.programs += 1
        self.reused += most >= 2
        self.hubs += most >= 5


@dataclass
class Outcome:
    """What a property found."""

    tally: Tally = field(default_factory=Tally)
    reported: list[Report] = field(default_factory=list)
    #: How often known findings were found.
    known: Counter[BaselineEntry] = field(default_factory=Counter)


def property_of(
    decoder: Decoder,
    check: Callable[[list[Program]], None],
    database: ExampleDatabase | None,
    examples: int = 1,
    number: int = 0,
) -> Any:
    """The Hypothesis test that calls ``check`` with several programs of ``decoder`` at a time.

    What is saved in the ``database`` by one is replayed first by any other on the same
    profile, whatever they check.
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
    @given(programs(decoder, PROGRAMS_AN_EXAMPLE))
    def run(several: list[Program]) -> None:
        check(several)

    return run


def run_property(
    decoder: Decoder,
    engine: AnyEngine,
    reference: Engine,
    count: int,
    number: int,
    known: Baseline | None = None,
    database: str | None = None,
) -> Outcome:
    """Run at least ``count`` programs with seed ``number``; stop at findings, one a kind.

    ``diagnose.shrink`` makes small what is found: Hypothesis, which knows only bytes, would take
    several times as long. Programs of the profile that failed in an earlier run or a campaign
    with the same engine come first, except where CI is set and no ``database`` is named
    (``parity.campaign.database``): there a run depends on the seed alone. What may be one of the
    ``known`` findings is reduced at once to see whether it is; the first that is not ends the
    run.
    """
    outcome = Outcome()
    known = known or Baseline()
    sorter = BaselineMatcher(known, engine, reference)
    stopped: list[tuple[Program, Finding]] = []

    def check(several: list[Program]) -> None:
        if stopped or outcome.reported:
            return
        for program, finding in check_programs(several, engine, reference):
            if outcome.reported:
                return
            outcome.tally.add(program)
            if finding is None:
                continue
            if finding.stopped:  # Hypothesis would run it several times more
                stopped.append((program, finding))
                return
            if known.may_cover(finding.kind):
                if outcome.known.total() < MAX_REDUCED:
                    _sort_out(outcome, program, finding, sorter)
                continue
            if adjudicate(program, finding, engine, reference).wrong != ILL_CONDITIONED:
                raise _DIFFERENCES[finding.kind](program, finding)
            outcome.tally.ill_conditioned += 1  # no finding: the run goes on

    examples = -(-count // PROGRAMS_AN_EXAMPLE)
    saved = examples_of(engine, decoder.profile.name, database)
    run = property_of(decoder, check, saved, examples, number)
    with fuzzing_runtime():
        findings = stopped
        try:
            run()
        except BaseException as error:
            findings = [(d.program, d.finding) for d in _differences(error)]
            if not findings:
                raise
            findings += stopped
        # Findings of several kinds may come from one cause.
        small = [_reported(p, f, engine, reference) for p, f in findings]
        outcome.reported += {(r.finding.kind, r.program): r for r in small if r}.values()
    return outcome


class Difference(Exception):  # noqa: N818 - it carries a finding
    """A finding on a program as Hypothesis needs it: an exception."""

    def __init__(self, program: Program, finding: Finding) -> None:
        super().__init__(str(finding))
        self.program = program
        self.finding = finding


#: A class for each kind of finding, as Hypothesis tells failures apart by type and line.
_DIFFERENCES: dict[Kind, type[Difference]] = {
    kind: type(f"{kind.name.title().replace('_', '')}Difference", (Difference,), {})
    for kind in Kind
}


def _differences(error: BaseException) -> Iterable[Difference]:
    """The differences in an exception or a group of them."""
    if isinstance(error, Difference):
        yield error
    elif isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _differences(inner)


def _sort_out(
    outcome: Outcome, program: Program, finding: Finding, sorter: BaselineMatcher
) -> None:
    """Count a finding that is known, add one that is not."""
    small, found, entry = sorter.sort(program, finding)
    if entry is not None:
        outcome.known[entry] += 1
        return
    whole = program, finding
    reported = _judged((small, found), whole, sorter.engine, sorter.reference)
    if reported is not None:
        outcome.reported.append(reported)


def _reported(
    program: Program, finding: Finding, engine: AnyEngine, reference: Engine
) -> Report | None:
    whole = program, finding
    return _judged(reduced(*whole, engine, reference), whole, engine, reference)


def _judged(
    small: tuple[Program, Finding],
    whole: tuple[Program, Finding],
    engine: AnyEngine,
    reference: Engine,
) -> Report | None:
    reported = judged(small, whole, engine, reference, -1)
    if reported is not None:
        add_diagnosis(reported, engine, reference)
    return reported


def hand_over(finding: FindingData, engine: AnyEngine, where: str | None = None) -> bool:
    """Save the bytes of a finding for the tests of its profile; whether there is a database.

    ``where``: as in ``parity.campaign.database.examples_of``. Nothing runs on the engine: that the
    program fails is known.
    """
    if finding["case"] is None:
        return False
    case = FuzzInput.from_json(finding["case"])
    database = examples_of(engine, case.profile, where)
    if database is None:
        return False
    kind = KINDS[finding["kind"]]

    def fail(several: list[Program]) -> NoReturn:
        empty = Finding(kind, 0, "", 0, None, None)
        raise _DIFFERENCES[kind](several[0], empty)

    saving = property_of(Decoder.of(PROFILES[case.profile], engine), fail, database)
    try:
        # An example has several programs; the others are of zeros, the simplest there are.
        saving.hypothesis.fuzz_one_input(
            case.data.ljust(PROGRAMS_AN_EXAMPLE * len(case.data), b"\0")
        )
    except Difference:
        return True
    return False
