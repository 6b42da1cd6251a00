"""Runs many programs on an engine and collects findings, reduced and without repeats.

The same seed gives the same programs and the same findings.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from parity._util.quietly import quietly
from parity.campaign.baseline import MOST_REDUCED, Entry, Known, Sorter
from parity.diagnose.diagnose import Diagnosis, diagnose, diagnose_probe
from parity.diagnose.reproducer import script
from parity.engines.base import Engine
from parity.engines.quirks.table import says
from parity.engines.runner import Remote, alone
from parity.generate.coverage import Exposure
from parity.generate.decoder import PROFILES, Decoder, Profile, sweep
from parity.language.program import Program
from parity.oracle.adjudicate import ILL_CONDITIONED, REFERENCE, UNDECIDED, Verdict, adjudicate
from parity.oracle.check import check_program, check_programs
from parity.oracle.compare import Finding, Leak
from parity.oracle.probes import PROBES

#: Profiles take turns; the general one more often.
ROTATION = (
    *("general", "gradients", "zero", "accumulation", "moving", "aliasing", "second-order"),
    *("general", "broadcasting", "dtypes", "curvature", "multi-output", "modes", "clearing"),
    *("general", "functions", "zero", "twins", "moving", "aliasing", "gathering", "errors"),
)
#: Programs of one kind of finding that are reduced, to see whether they are the same one.
REDUCED_A_KIND = 3
#: What is run to see that an engine keeps something between programs.
STATE = "programs one after another in one process"


@dataclass
class Reported:
    """A finding in the form in which it is reported."""

    finding: Finding
    program: Program | None
    number: int
    probe: str = ""
    script: str = ""
    #: What the third opinion says.
    verdict: Verdict = UNDECIDED
    diagnosis: Diagnosis | None = None

    @property
    def wrong(self) -> str | None:
        """Which side is wrong: "engine", "reference", or None where that is undecided."""
        return self.verdict.wrong

    def to_json(self) -> dict[str, Any]:
        """The object of the contract (``parity check --json``)."""
        program = self.program
        return {
            "kind": self.finding.kind,
            "statements": len(program.statements) if program else 0,
            "leaves": len(program.leaves) if program else 0,
            "program": program.to_json() if program else {},
            "text": program.text() if program else self.probe,
            "engine": _plain(self.finding.engine),
            "reference": _plain(self.finding.reference),
            "wrong": self.wrong,
            "error_over_bound": None if self.verdict.bits else self.finding.error_over_bound,
            "diagnosis": self.diagnosis.to_json() if self.diagnosis else [],
            "program_number": self.number,
            "script": self.script,
        }


@dataclass
class Hunt:
    """The result of a run."""

    engine: Engine
    reference: Engine
    seed: int
    programs: int = 0
    seconds: float = 0.0
    failing: int = 0
    #: Reduced differences that rounding decides: no findings.
    ill_conditioned: int = 0
    #: Whether it was ended before the last program.
    interrupted: bool = False
    reported: list[Reported] = field(default_factory=list)
    #: Programs that differ only after others in the same process.
    disturbed: int = 0
    #: Findings that are accepted: how often each was found, and those that are gone.
    known: Counter[Entry] = field(default_factory=Counter)
    stale: tuple[Entry, ...] = ()
    untested: tuple[str, ...] = ()
    #: What the adapter said that the engine lacks, and how many programs ended there.
    lacks: Counter[str] = field(default_factory=Counter)
    exposure: Exposure | None = None

    def to_json(self) -> dict[str, Any]:
        """The object of the contract (``parity check --json``)."""
        exposure = {"exposure": self.exposure.to_json()} if self.exposure else {}
        return {
            "engine": label(self.engine),
            "reference": label(self.reference),
            "seed": self.seed,
            "programs": self.programs,
            "seconds": round(self.seconds, 3),
            "ill_conditioned": self.ill_conditioned,
            "interrupted": self.interrupted,
            "verdict": "findings" if self.fails else "parity",
            "untested": list(self.untested),
            "quirks": sorted(self.engine.quirks),
            "quirks_say": says(self.engine.quirks),
            "findings": [r.to_json() for r in self.reported],
            "known": [
                {**entry.to_json(), "programs": count, "occurs": entry not in self.stale}
                for entry, count in self.known.items()
            ],
            **exposure,
        }

    @property
    def fails(self) -> bool:
        """Whether there is a finding that is not known, or a known one that is gone."""
        return bool(self.reported or self.stale)


def rotation(engine: Engine) -> tuple[str, ...]:
    """The profiles that take turns: that of equal bits for engines that declare them."""
    return (*ROTATION, "bits") if engine.bitwise else ROTATION


def decoders_of(engine: Engine, ops: tuple[str, ...] | None = None) -> list[Decoder]:
    """The decoders of these profiles; ``ops``: the operations to use, all by default."""
    return [Decoder.of(_with_ops(PROFILES[name], ops), engine) for name in rotation(engine)]


def label(engine: Engine) -> str:
    """The engine's name and version."""
    return f"{engine.name} {engine.version}".rstrip()


def hunt(
    engine: Engine,
    reference: Engine,
    examples: int,
    seed: int = 0,
    ops: tuple[str, ...] | None = None,
    folder: Path | None = None,
    exposure: bool = False,
    known: Known | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Hunt:
    """Run ``examples`` programs and the probes; write a script a finding into ``folder``.

    ``ops``: the operations to use, all by default; ``exposure``: count what is exercised;
    ``known``: findings that are accepted. ``stopped`` is asked before each program whether to end
    with what was found so far; probes are then left out.
    """
    hunting = _Hunting(engine, reference, seed, ops, known)
    result = hunting.result
    result.exposure = Exposure.of(engine, ops) if exposure else None
    started = time.perf_counter()
    with quietly():
        hunting.run_programs(examples, stopped)
        if ops is None and not result.interrupted:
            hunting.run_probes()
        hunting.add_state()
        result.untested += tuple(sorted(result.lacks))
        result.stale = hunting.sorter.known.stale(engine, reference)
    result.reported.sort(key=_simplest_first)
    if folder is not None:  # before the diagnosis, which takes longer: nothing found is lost
        write_scripts(result.reported, engine, folder)
    for reported in result.reported:
        with alone(engine) if result.disturbed else nullcontext():
            add_diagnosis(reported, engine, reference)
    result.seconds = time.perf_counter() - started
    return result


class _Hunting:
    """A run on its way: the result so far, and what was seen."""

    def __init__(
        self,
        engine: Engine,
        reference: Engine,
        seed: int,
        ops: tuple[str, ...] | None,
        known: Known | None,
    ) -> None:
        self.result = Hunt(engine, reference, seed)
        self.sorter = Sorter(known or Known(), engine, reference)
        self.result.known = Counter(dict.fromkeys(self.sorter.known.entries, 0))
        #: Whether findings are accepted one by one.
        self.one_by_one = known is not None
        self.accepted: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.seen: set[tuple[str, Program]] = set()
        self.decoders = decoders_of(engine, ops)
        untested = (u for decoder in self.decoders for u in decoder.untested)
        self.result.untested = tuple(dict.fromkeys(untested))

    def run_programs(self, examples: int, stopped: Callable[[], bool]) -> None:
        """Run so many programs, unless ``stopped``; reduce the first that fail, of each kind."""
        result = self.result
        programs = itertools.islice(stream(self.decoders, result.seed), examples)
        for program, finding in check_programs(
            ahead(programs, result.engine), result.engine, result.reference, result.lacks
        ):
            if stopped():
                result.interrupted = True
                return
            result.programs += 1
            if result.exposure is not None:
                result.exposure.add(program)
            if finding is not None:
                self.look_at(program, finding)

    def look_at(self, program: Program, finding: Finding) -> None:
        """Count a finding, and reduce it if it is one of the first of its kind."""
        if not self._wanted(finding.kind):
            self.result.failing += 1
            return
        alone = finding if finding.stopped else self.undisturbed(program, finding)
        if alone is not None:
            self.result.failing += 1
            if self._wanted(alone.kind):
                known = self.accept(program, alone)
                (self.accepted if known else self.found)[alone.kind] += 1

    def _wanted(self, kind: str) -> bool:
        return self.found[kind] < REDUCED_A_KIND and self.accepted[kind] < MOST_REDUCED

    def undisturbed(self, program: Program, finding: Finding) -> Finding | None:
        """What a program shows where no other ran before it: the same, another thing or none."""
        result, engine = self.result, self.result.engine
        if not isinstance(engine, Remote):
            return finding
        with engine.alone():
            again = check_program(program, engine, result.reference)
        result.disturbed += again is None or again.kind != finding.kind
        return again

    def accept(self, program: Program, finding: Finding) -> bool:
        """Count a finding that is known, and say whether it is.

        Another is added, reduced, unless it was seen or rounding decides there.
        """
        result = self.result
        small, found, entry = self.sorter.sort(program, finding)
        if entry is not None:
            result.known[entry] += 1
            return True
        if (found.kind, small) in self.seen:
            return False
        self.seen.add((found.kind, small))
        sides = result.engine, result.reference
        reported = judged((small, found), (program, finding), *sides, result.programs - 1)
        if reported is None:
            result.ill_conditioned += 1
        else:
            result.reported.append(reported)
        return False

    def run_probes(self) -> None:
        """Add what the probes find.

        A probe says no more than a program that shows the same kind of fault. Where
        findings are accepted one by one, each has to be seen.
        """
        for reported in run_probes(self.result.engine):
            if self.one_by_one or not self.found[reported.finding.kind]:
                self.add(reported)

    def add_state(self) -> None:
        """Add the finding that programs change those that come after them, if they do."""
        if self.result.disturbed:
            shown = f"{self.result.disturbed} programs differ after others, not in that way alone"
            found = Leak(0, "state", 0, shown, "no program changes the next")
            self.add(Reported(found, None, -1, probe=STATE))

    def add(self, reported: Reported) -> None:
        """Add a finding that has no program; one that is known is only counted."""
        entry = self.sorter.known.find(reported)
        if entry is None:
            self.result.reported.append(reported)
        else:
            self.result.known[entry] += 1


def judged(
    small: tuple[Program, Finding],
    whole: tuple[Program, Finding],
    engine: Engine,
    reference: Engine,
    number: int,
) -> Reported | None:
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
    return Reported(finding, program, number, verdict=verdict)


def run_probes(engine: Engine) -> Iterator[Reported]:
    """The findings of the probes that apply to the engine."""
    for probe in PROBES:
        if probe.applies(engine):
            finding = next(probe.run(engine), None)
            if finding is not None:
                yield Reported(finding, None, -1, probe=probe.says)


def add_diagnosis(reported: Reported, engine: Engine, reference: Engine) -> None:
    """Say which known defect a finding looks like, unless the reference is wrong.

    The known defects come back with a result: none is like an engine that does not.
    """
    finding, program = reported.finding, reported.program
    if reported.wrong == REFERENCE or finding.stopped:
        return
    if program is not None:
        reported.diagnosis = diagnose(program, finding, engine, reference)
        return
    probe = next((p for p in PROBES if p.says == reported.probe), None)
    if probe is None:
        return
    reported.diagnosis = diagnose_probe(probe, finding, engine, reference)


def ahead(programs: Iterable[Program], engine: Engine) -> Iterable[Program]:
    """The same programs; an engine in another process may run them while others are compared."""
    return engine.ahead(programs) if isinstance(engine, Remote) else programs


def _with_ops(profile: Profile, ops: tuple[str, ...] | None) -> Profile:
    if ops is None:
        return profile
    kept = tuple(name for name in ops if profile.ops is None or name in profile.ops)
    return replace(profile, ops=kept or ops)


def stream(decoders: list[Decoder], seed: int) -> Iterator[Program]:
    """The profiles' programs in turn, without end."""
    streams = [sweep(d, f"{seed}:{i}") for i, d in enumerate(decoders)]
    return (next(stream) for stream in itertools.cycle(streams))


def _simplest_first(reported: Reported) -> tuple[int, int]:
    return (len(reported.program.statements) if reported.program else 0, reported.number)


def write_scripts(reported: Iterable[Reported], engine: Engine, folder: Path) -> None:
    """One script a finding that has a program: ``KIND-1.py``, ``KIND-2.py``, ..."""
    numbers: Counter[str] = Counter()
    for one in reported:
        kind = one.finding.kind
        numbers[kind] += 1
        write_script(one, engine, folder, f"{kind}-{numbers[kind]}")


def write_script(reported: Reported, engine: Engine, folder: Path, stem: str) -> None:
    """Write the script of a finding, if it has a program; its path goes into ``reported``."""
    if reported.program is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{stem}.py"
    file.write_text(script(reported.program, reported.finding, engine, file.name))
    reported.script = str(file)


def describe(reported: Reported, engine: Engine, reference: Engine) -> str:
    """A finding as a person reads it: program, both values, kind and script."""
    finding = reported.finding
    program = reported.program.text() if reported.program else reported.probe
    lines = [str(finding), *("    " + line for line in program.splitlines())]
    shown = told_apart(finding.engine, finding.reference)
    for who, text in zip((engine, reference), shown, strict=True):
        lines.append(f"  {label(who)}: " + text.replace("\n", "\n" + " " * 12))
    if reported.wrong == REFERENCE:  # otherwise it is what a finding says anyway
        lines.append(f"  by an exact evaluation it is {reference.name} that is wrong")
    if reported.verdict.note:
        undecided = "who is wrong is undecided: " if reported.wrong is None else ""
        lines.append(f"  {undecided}{reported.verdict.note}")
    if finding.error_over_bound is not None and not reported.verdict.bits:
        lines.append(f"  error: {finding.error_over_bound:.3g} times what rounding explains")
    if reported.diagnosis is not None:
        lines += ["  " + line for line in reported.diagnosis.text().splitlines()]
    if reported.script:
        lines.append(f"  script: {reported.script}")
    return "\n".join(lines)


def told_apart(a: Any, b: Any) -> tuple[str, str]:
    """Both as text, with as many digits as it takes to see a difference, then with their form."""
    for digits in None, "unique":
        with np.printoptions() if digits is None else np.printoptions(floatmode="unique"):
            texts = str(a), str(b)
        if texts[0] != texts[1]:
            return texts
    return _with_form(a), _with_form(b)


def _with_form(value: Any) -> str:
    return f"{value} ({value.dtype} {value.shape})" if isinstance(value, np.ndarray) else str(value)


def _plain(value: Any) -> Any:
    """Arrays as lists of numbers; what JSON lacks as text."""
    if value is None or isinstance(value, str):
        return value
    flat = np.asarray(value, np.float64).ravel().tolist()
    return [v if np.isfinite(v) else str(v) for v in flat]
