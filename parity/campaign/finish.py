"""Turns a reduced finding into a report: verdict, cause and reproducer script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from parity.campaign.flaky import KEPT
from parity.campaign.result import Report
from parity.diagnose.causes import Cause
from parity.diagnose.reproducer import script
from parity.diagnose.triage import Triage
from parity.engines.base import Engine
from parity.engines.load import EngineError
from parity.engines.runner import AnyEngine
from parity.language.program import Program
from parity.oracle.adjudicate import adjudicate
from parity.oracle.finding import Finding, Kind
from parity.oracle.probes import PROBES_BY_NAME
from parity.oracle.rounded_operations import is_own
from parity.oracle.verdict import ENGINE, ILL_CONDITIONED, REFERENCE


def judge_finding(
    small: tuple[Program, Finding],
    whole: tuple[Program, Finding],
    engine: AnyEngine,
    reference: Engine,
    number: int,
) -> Report | None:
    """Adjudicate a reduced finding (``small``), and return its report.

    If the reduced finding is ill-conditioned, the report is on the ``whole`` program, which may
    show more. Return None if both are ill-conditioned, or if the whole one is and the reduced one
    is undecided: the reduction may have led to values that are no real numbers. Return None as
    well where a convention decides that no quirk declares. Of the forward of the engine itself only
    what another judge confirms is reported.
    """
    (program, finding), verdict = small, adjudicate(*small, engine, reference)
    if verdict.wrong in (None, ILL_CONDITIONED) and small[0] != whole[0]:
        of_whole = adjudicate(*whole, engine, reference)
        if of_whole.wrong == ILL_CONDITIONED:
            return None
        if verdict.wrong == ILL_CONDITIONED:
            (program, finding), verdict = whole, of_whole
    if verdict.wrong == ILL_CONDITIONED or verdict.convention:
        return None
    if is_own(reference) and verdict.wrong != ENGINE:
        return None
    return Report(finding, program, number, verdict=verdict)


def report_of(cause: Cause, triage: Triage, number: int) -> Report | None:
    """Return the report of a cause by its witness; None if rounding decides there."""
    assert cause.witness is not None
    assert cause.finding is not None
    shown = cause.witness, cause.finding
    reported = judge_finding(shown, shown, triage.engine, triage.reference, number)
    if reported is not None:
        reported.cause = cause
    return reported


def explained(program: Program, finding: Finding, triage: Triage, number: int) -> list[Report]:
    """Return the reports of the causes that explain a failing program; empty if none does."""
    causes = triage.blame(program, finding)
    return [r for cause in causes if (r := report_of(cause, triage, number)) is not None]


def add_cause(reported: Report, triage: Triage) -> None:
    """Add the cause to a report, unless the reference is wrong.

    An engine that stopped and one that differs in some runs only get none: a comparison needs the
    same result each time.
    """
    finding, program = reported.finding, reported.program
    unsteady = finding.kind is Kind.FLAKY or finding.what == KEPT
    if reported.wrong == REFERENCE or finding.stopped or unsteady:
        return
    if program is not None:
        blamed = triage.blame(program, finding)
        reported.cause = blamed[0] if blamed else triage.unexplained(program, finding)
    elif (probe := PROBES_BY_NAME.get(reported.probe_name)) is not None:
        reported.cause = triage.cause_of_probe(probe, finding)


def write_scripts(
    reported: Iterable[Report], engine: AnyEngine, folder: Path, taken: Collection[str] = ()
) -> None:
    """Write a script for each finding that has a program: ``KIND-1.py``, ``KIND-2.py``, ...

    ``taken``: names of files that stay as they are.
    """
    numbers: Counter[str] = Counter()
    for one in reported:
        kind = one.finding.kind
        numbers[kind] += 1
        while f"{kind}-{numbers[kind]}.py" in taken:
            numbers[kind] += 1
        write_script(one, engine, folder, f"{kind}-{numbers[kind]}")


def write_script(reported: Report, engine: AnyEngine, folder: Path, stem: str) -> None:
    """Write the script of a finding that has a program, and set ``reported.script``."""
    if reported.program is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{stem}.py"
    try:
        text = script(reported.program, reported.finding, engine, file.name)
    except EngineError:  # the finding counts, also where the source of the engine cannot be read
        return
    file.write_text(text, "utf-8")
    reported.script = str(file)
