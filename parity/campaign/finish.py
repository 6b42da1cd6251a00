"""From a reduced finding to a report: who is wrong, which defect it is, and its script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from parity.campaign.result import Report
from parity.diagnose.diagnose import diagnose, diagnose_probe
from parity.diagnose.reproducer import script
from parity.engines.base import Engine
from parity.engines.runner import AnyEngine
from parity.language.program import Program
from parity.oracle.adjudicate import adjudicate
from parity.oracle.finding import Finding
from parity.oracle.probes import PROBES
from parity.oracle.verdict import ILL_CONDITIONED, REFERENCE


def judged(
    small: tuple[Program, Finding],
    whole: tuple[Program, Finding],
    engine: AnyEngine,
    reference: Engine,
    number: int,
) -> Report | None:
    """The finding on the reduced program with what the third opinion says of it.

    Where rounding decides there, that on the ``whole`` program, which may show more. None if
    rounding decides in both, or in the whole one while the reduced one is undecided, as it may
    have left the real numbers on the way.
    """
    (program, finding), verdict = small, adjudicate(*small, engine, reference)
    if verdict.wrong in (None, ILL_CONDITIONED) and small[0] != whole[0]:
        of_whole = adjudicate(*whole, engine, reference)
        if of_whole.wrong == ILL_CONDITIONED:
            return None
        if verdict.wrong == ILL_CONDITIONED:
            (program, finding), verdict = whole, of_whole
    if verdict.wrong == ILL_CONDITIONED:
        return None
    return Report(finding, program, number, verdict=verdict)


def add_diagnosis(reported: Report, engine: AnyEngine, reference: Engine) -> None:
    """Say which known defect a finding looks like, unless the reference is wrong.

    The known defects come back with a result: none is like an engine that does not.
    """
    finding, program = reported.finding, reported.program
    if reported.wrong == REFERENCE or finding.stopped:
        return
    if program is not None:
        reported.diagnosis = diagnose(program, finding, engine, reference)
        return
    probe = next((p for p in PROBES if p.description == reported.probe), None)
    if probe is None:
        return
    reported.diagnosis = diagnose_probe(probe, finding, engine, reference)


def write_scripts(reported: Iterable[Report], engine: AnyEngine, folder: Path) -> None:
    """One script a finding that has a program: ``KIND-1.py``, ``KIND-2.py``, ..."""
    numbers: Counter[str] = Counter()
    for one in reported:
        kind = one.finding.kind
        numbers[kind] += 1
        write_script(one, engine, folder, f"{kind}-{numbers[kind]}")


def write_script(reported: Report, engine: AnyEngine, folder: Path, stem: str) -> None:
    """Write the script of a finding, if it has a program; its path goes into ``reported``."""
    if reported.program is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{stem}.py"
    file.write_text(script(reported.program, reported.finding, engine, file.name))
    reported.script = str(file)
