"""Searches a set of engines, and writes their findings on one page.

Each engine is searched with several seeds. Findings with the same diagnosis or the same
reduced program are merged. A finding is confirmed if its reproducer script fails and the
verdict does not say that the reference is wrong.
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

from parity._util.markdown import table
from parity.campaign.describe import distinguishable_texts
from parity.campaign.finish import write_scripts
from parity.campaign.result import Report
from parity.campaign.search import search
from parity.engines.base import Engine, label
from parity.engines.limits import Limits
from parity.engines.load import EngineError
from parity.engines.open import open_engines
from parity.engines.runner import AnyEngine, Runner
from parity.oracle.finding import KINDS
from parity.oracle.verdict import ENGINE

#: Seconds after which a script is stopped, and does not confirm its finding.
SCRIPT_LIMIT = 60.0


@dataclass
class Entry:
    """A merged finding: the report with the smallest program, and all kinds and seeds."""

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
    """The result for one engine; ``error`` says why it cannot run."""

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
    """Search each engine with ``seeds`` seeds; scripts go to ``scripts/ENGINE``.

    PyTorch itself is compared with the exact evaluation. ``after`` is called with the name of
    each engine that is done. ``isolate`` and ``limits`` are those of ``open_engines``. A spec
    may end in ``@N``, the number of examples for this engine. An engine that cannot be loaded
    is listed with the reason.
    """
    result = []
    for spec in specs:
        name, number = named_number(spec)
        result.append(_surveyed(name, number or examples, seeds, scripts, isolate, limits))
        after(name)
    return result


def named_number(spec: str) -> tuple[str, int | None]:
    """Split ``jax@200`` into a name and a number, which is None for a plain name."""
    name, at, number = spec.rpartition("@")
    return (name, int(number)) if at and number.isdecimal() and int(number) else (spec, None)


def _surveyed(
    spec: str, examples: int, seeds: int, scripts: Path, isolate: bool | None, limits: Limits | None
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
        for reported in found.findings:
            _add(result.entries, reported, seed)
    result.entries.sort(key=lambda e: (_size(e.reported), e.kinds))
    _confirm(result, scripts)
    engine.close()  # one engine at a time: the next one has the memory
    result.seconds = time.perf_counter() - started
    return result


def _add(entries: list[Entry], reported: Report, seed: int) -> None:
    """Merge a finding into the entry of the same cause, or add an entry."""
    for entry in entries:
        if _cause(entry.reported) == _cause(reported):
            entry.seeds = sorted({*entry.seeds, seed})
            entry.kinds = sorted({*entry.kinds, reported.finding.kind})
            if _size(reported) < _size(entry.reported):
                entry.reported = reported
            return
    entries.append(Entry(reported, [reported.finding.kind], [seed]))


def _cause(reported: Report) -> tuple[Any, ...]:
    """Return the key by which findings are merged: the diagnosis, else the program."""
    if reported.diagnosis is not None and reported.diagnosis.matches:
        return tuple(match.defect for match in reported.diagnosis.matches)
    if reported.diagnosis is not None and reported.diagnosis.operation:
        return (reported.finding.kind, reported.diagnosis.operation)
    return (reported.finding.kind, reported.program, reported.probe)


def _size(reported: Report) -> tuple[int, int]:
    program = reported.program
    return (len(program.statements), len(program.leaves)) if program else (0, 0)


def _confirm(result: Surveyed, scripts: Path) -> None:
    """Write and run the script of each finding: exit status 1 means that the engine is wrong."""
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
    """Return the versions of Python, NumPy and PyTorch as text."""
    import torch  # not needed where nothing is surveyed

    return (
        f"Python {platform.python_version()}, NumPy {np.__version__}, "
        f"PyTorch {torch.__version__.partition('+')[0]}"
    )


def markdown(result: Sequence[Surveyed], date: datetime.date, command: str) -> str:
    """Return Markdown: a table of engines and kinds, then the findings of each engine."""
    kinds = [k for k in KINDS if any(k in e.kinds for s in result for e in s.entries)]
    lines = [
        "# What real engines get wrong",
        "",
        f"Made by `{command}` on {date.isoformat()} ({versions()}).",
        "",
        "A finding is the smallest program on which the engine differs from PyTorch. Findings with "
        "one cause count once; the numbers say how many causes show as each kind.",
        "",
        *table(
            ("engine", "programs", "findings", *kinds),
            (_row(one, kinds) for one in result),
            "lrr" + "r" * len(kinds),
        ),
    ]
    for one in result:
        lines += ["", *_section(one)]
    return "\n".join(lines) + "\n"


def _row(one: Surveyed, kinds: Sequence[str]) -> tuple[object, ...]:
    counts = [sum(k in e.kinds for e in one.entries) or "" for k in kinds]
    if one.engine is None:
        return (one.spec, "not run", "", *counts)
    return (label(one.engine), one.programs, len(one.entries), *counts)


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
    shown = distinguishable_texts(finding.engine, finding.reference)
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
