"""What engines get wrong: a set of them on one page.

Each engine is hunted with several seeds. Findings that the diagnosis explains by the
same defect, or whose reduced programs are equal, are one. A finding counts as confirmed
if its script shows it, with the engine and PyTorch alone, and if the third opinion says
that the engine is wrong.
"""

from __future__ import annotations

import datetime
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from parity.campaign.describe import told_apart
from parity.campaign.finish import write_scripts
from parity.campaign.result import Report
from parity.campaign.search import search
from parity.engines.base import Engine, label
from parity.engines.load import EngineError
from parity.engines.open import open_engines
from parity.engines.runner import AnyEngine, Limits, Runner
from parity.oracle.adjudicate import ENGINE
from parity.oracle.finding import KINDS

#: Seconds after which a script counts as one that does not end.
SCRIPT_LIMIT = 60.0


@dataclass
class Entry:
    """One finding of an engine: the smallest program, and all kinds that it was seen as."""

    reported: Report
    kinds: list[str]
    seeds: list[int]
    confirmed: bool | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            **self.reported.to_json(),
            "kinds": self.kinds,
            "seeds": self.seeds,
            "confirmed": self.confirmed,
        }


@dataclass
class Surveyed:
    """One engine: what it can do and what was found; ``error`` where it cannot run."""

    spec: str
    engine: Runner | None = None
    reference: Engine | None = None
    error: str = ""
    programs: int = 0
    seconds: float = 0.0
    untested: tuple[str, ...] = ()
    entries: list[Entry] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = {"spec": self.spec, "error": self.error}
        if self.engine is not None and self.reference is not None:
            data |= {
                "engine": label(self.engine),
                "reference": label(self.reference),
                "programs": self.programs,
                "seconds": round(self.seconds, 1),
                "abilities": sorted(self.engine.abilities),
                "ops": sorted(self.engine.ops),
                "quirks": sorted(self.engine.quirks),
                "untested": list(self.untested),
                "findings": [entry.to_json() for entry in self.entries],
            }
        return data


def survey(
    specs: Sequence[str],
    examples: int,
    seeds: int,
    scripts: Path,
    after: Callable[[str], None] = lambda spec: None,
    isolate: bool | None = None,
    limits: Limits | None = None,
) -> list[Surveyed]:
    """Hunt each engine with ``seeds`` seeds; scripts go to ``scripts/ENGINE``.

    PyTorch itself is compared with the exact evaluation. ``after`` is called with each
    engine that is done. ``isolate`` and ``limits`` are those of ``open_engines``.
    A spec may end in ``@N``: so many examples for this engine. An engine that cannot be
    loaded, or whose adapter is at fault, is listed with the reason.
    """
    result = []
    for spec in specs:
        name, number = named_number(spec)
        result.append(_surveyed(name, number or examples, seeds, scripts, isolate, limits))
        after(name)
    return result


def named_number(spec: str) -> tuple[str, int | None]:
    """``jax@200`` as a name and a number, which is None where there is none."""
    name, at, number = spec.rpartition("@")
    return (name, int(number)) if at and number.isdecimal() and int(number) else (spec, None)


def _surveyed(
    spec: str,
    examples: int,
    seeds: int,
    scripts: Path,
    isolate: bool | None,
    limits: Limits | None,
) -> Surveyed:
    try:
        right = "exact" if spec == "torch" else "torch"
        engine, reference = open_engines(spec, right, isolate, limits)
    except EngineError as error:
        return Surveyed(spec, error=str(error))
    result = Surveyed(spec, engine, reference)
    started = time.perf_counter()
    for seed in range(seeds):
        found = search(engine, reference, examples, seed)
        result.programs += found.programs
        result.untested = found.untested
        for reported in found.reported:
            _add(result.entries, reported, seed)
    result.entries.sort(key=lambda e: (_size(e.reported), e.kinds))
    _confirm(result, scripts)
    engine.close()  # one engine at a time: the next one has the memory
    result.seconds = time.perf_counter() - started
    return result


def _add(entries: list[Entry], reported: Report, seed: int) -> None:
    """Put a finding with those of the same cause, the smallest program first."""
    for entry in entries:
        if _cause(entry.reported) == _cause(reported):
            entry.seeds = sorted({*entry.seeds, seed})
            entry.kinds = sorted({*entry.kinds, reported.finding.kind})
            if _size(reported) < _size(entry.reported):
                entry.reported = reported
            return
    entries.append(Entry(reported, [reported.finding.kind], [seed]))


def _cause(reported: Report) -> tuple[Any, ...]:
    """What makes two findings one: the defect that explains both, or the same program."""
    if reported.diagnosis is not None and reported.diagnosis.matches:
        return tuple(match.defect for match in reported.diagnosis.matches)
    if reported.diagnosis is not None and reported.diagnosis.operation:
        return (reported.finding.kind, reported.diagnosis.operation)
    return (reported.finding.kind, reported.program, reported.probe)


def _size(reported: Report) -> tuple[int, int]:
    program = reported.program
    return (len(program.statements), len(program.leaves)) if program else (0, 0)


def _confirm(result: Surveyed, scripts: Path) -> None:
    """Write the script of each finding and run it: status 1 says that the engine is wrong."""
    assert result.engine is not None
    folder = scripts / result.engine.name
    write_scripts([entry.reported for entry in result.entries], result.engine, folder)
    for entry in result.entries:
        if entry.reported.script:
            entry.confirmed = _shows(Path(entry.reported.script)) and (
                entry.reported.wrong in (ENGINE, None)
            )


def _shows(script: Path) -> bool:
    try:
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, timeout=SCRIPT_LIMIT
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 1


def versions() -> str:
    """What the survey ran on."""
    import torch  # not needed where nothing is surveyed

    return (
        f"Python {platform.python_version()}, NumPy {np.__version__}, "
        f"PyTorch {torch.__version__.partition('+')[0]}"
    )


def markdown(result: Sequence[Surveyed], date: datetime.date, command: str) -> str:
    """The page: a table of engines and kinds, then each engine with its findings."""
    kinds = [k for k in KINDS if any(k in e.kinds for s in result for e in s.entries)]
    lines = [
        "# What real engines get wrong",
        "",
        f"Made by `{command}` on {date.isoformat()} ({versions()}).",
        "",
        "A finding is the smallest program on which the engine differs from PyTorch. Findings with "
        "one cause count once; the numbers say how many causes show as each kind.",
        "",
        f"| engine | programs | findings | {' | '.join(kinds)} |",
        f"|---|---:|---:|{'---:|' * len(kinds)}",
    ]
    for one in result:
        counts = [sum(k in e.kinds for e in one.entries) or "" for k in kinds]
        name = label(one.engine) if one.engine else one.spec
        row = (one.programs, len(one.entries), *counts) if one.engine else ("not run", "", *counts)
        lines.append(f"| {name} | {' | '.join(map(str, row))} |")
    for one in result:
        lines += ["", *_section(one)]
    return "\n".join(lines) + "\n"


def _section(one: Surveyed) -> list[str]:
    if one.engine is None or one.reference is None:
        return [f"## {one.spec}", "", f"Not run: {one.error}"]
    lines = [
        f"## {label(one.engine)}",
        "",
        f"{one.programs} programs against {label(one.reference)}; {len(one.engine.ops)} operations "
        f"({', '.join(sorted(one.engine.ops))}); abilities: "
        f"{', '.join(sorted(one.engine.abilities)) or 'none of the optional ones'}; "
        f"dtypes: {', '.join(one.engine.dtypes)}.",
    ]
    if one.engine.quirks:
        lines += ["", f"Quirks: {', '.join(sorted(one.engine.quirks))}."]
    if not one.entries:
        lines += ["", "No difference found."]
    for number, entry in enumerate(one.entries, 1):
        lines += ["", *_entry(number, entry, one.engine, one.reference)]
    return lines


_CONFIRMED = {True: "its script shows it", False: "its script does not show it", None: "no script"}


def _entry(number: int, entry: Entry, engine: AnyEngine, reference: Engine) -> list[str]:
    reported = entry.reported
    finding = reported.finding
    lines = [f"### {number}. {', '.join(entry.kinds)}: {finding.kind.description}", ""]
    if reported.program is None:
        lines += [f"Probe: {reported.probe}.", ""]
    else:
        lines += ["```", str(reported.program), "```", ""]
    shown = told_apart(finding.engine, finding.reference)
    for who, text in zip((engine, reference), shown, strict=True):
        lines.append(f"- {label(who)}: `{' '.join(text.split())}`")
    wrong = {ENGINE: f"{engine.name} is wrong", None: "undecided"}.get(
        reported.wrong, f"{reference.name} is wrong"
    )
    if reported.program is not None:
        lines.append(f"- third opinion: {wrong}; {_CONFIRMED[entry.confirmed]}")
    if reported.diagnosis is not None:
        lines += [f"- {line}" for line in reported.diagnosis.text().splitlines()]
    return lines
