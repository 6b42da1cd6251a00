"""Searches a set of engines, and writes their findings on one page.

Findings with the same diagnosis or the same reduced program are merged. A finding is confirmed if
its reproducer script fails and the verdict does not say that the reference is wrong.
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

from parity._util import escape
from parity._util.markdown import table
from parity.campaign.finish import write_scripts
from parity.campaign.report import by_harm
from parity.campaign.result import Report, distinguishable_texts
from parity.campaign.search import search
from parity.diagnose.causes import UNEXPLAINED
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
        own = {"kinds": self.kinds, "seeds": self.seeds, "confirmed": self.confirmed}
        return {**self.reported.to_json(), **own}


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
                "warnings": list(self.engine.warnings),
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
    stopped: Callable[[], bool] = lambda: False,
) -> list[Surveyed]:
    """Search each engine with ``seeds`` seeds; scripts go to ``scripts/ENGINE``.

    PyTorch itself is compared with the exact evaluation. ``after`` is called with the name of
    each engine that is done. A spec may end in ``@N``, the number of examples for this engine. An
    engine that cannot be loaded is listed with the reason. Once ``stopped`` returns True, the
    result is what was found so far, and findings that are not confirmed yet stay so.
    """
    result = []
    for spec in specs:
        if stopped():
            break
        name, number = named_number(spec)
        try:
            pair = open_engines(name, "exact" if name == "torch" else "torch", isolate, limits)
        except EngineError as error:
            result.append(Surveyed(name, error=str(error)))
        else:
            result.append(_surveyed(name, *pair, number or examples, seeds, scripts, stopped))
        after(name)
    return result


def named_number(spec: str) -> tuple[str, int | None]:
    """Split ``jax@200`` into a name and a number, which is None for a plain name."""
    name, at, number = spec.rpartition("@")
    return (name, int(number)) if at and number.isdecimal() and int(number) else (spec, None)


def _surveyed(
    spec: str,
    engine: Runner,
    reference: Engine,
    examples: int,
    seeds: int,
    scripts: Path,
    stopped: Callable[[], bool],
) -> Surveyed:
    result = Surveyed(spec, engine, reference)
    started = time.perf_counter()
    for seed in range(seeds):
        if stopped():
            break
        found = search(engine, reference, examples, seed, stopped=stopped)
        result.programs += found.programs
        result.untested = found.untested
        for reported in found.findings:
            _add(result.entries, reported, seed)
    result.entries.sort(key=lambda e: by_harm(e.reported))
    folder = scripts / escape.file_name(engine.name)
    write_scripts((entry.reported for entry in result.entries), engine, folder)
    for entry in result.entries:
        if entry.reported.script and not stopped():
            shows = _shows(Path(entry.reported.script))
            entry.confirmed = shows and entry.reported.wrong in (ENGINE, None)
    engine.close()  # one engine at a time: the next one has the memory
    result.seconds = time.perf_counter() - started
    return result


def _add(entries: list[Entry], reported: Report, seed: int) -> None:
    """Merge a finding into the entry of the same cause, or add an entry."""
    for entry in entries:
        if _cause(entry.reported) == _cause(reported):
            entry.seeds = sorted({*entry.seeds, seed})
            entry.kinds = sorted({*entry.kinds, reported.finding.kind})
            if reported.size < entry.reported.size:
                entry.reported = reported
            return
    entries.append(Entry(reported, [reported.finding.kind], [seed]))


def _cause(reported: Report) -> tuple[Any, ...]:
    """Return the key by which findings are merged: the cause, else the program."""
    cause = reported.cause
    if cause is not None and cause.name != UNEXPLAINED:
        return (cause.category, cause.key)
    if reported.finding.repeats is not None:  # which programs differ is chance
        return (reported.finding.kind, reported.finding.observed)
    return (reported.finding.kind, reported.program, reported.probe)


def _shows(script: Path) -> bool:
    """Whether a script ends with status 1: the engine is wrong."""
    command = [sys.executable, str(script)]
    try:
        return subprocess.run(command, capture_output=True, timeout=SCRIPT_LIMIT).returncode == 1
    except subprocess.TimeoutExpired:
        return False


def markdown(result: Sequence[Surveyed], date: datetime.date, command: str) -> str:
    """Return Markdown: a table of engines and kinds, then the findings of each engine."""
    import torch  # not needed where nothing is surveyed

    versions = (
        f"Python {platform.python_version()}, NumPy {np.__version__}, "
        f"PyTorch {torch.__version__.partition('+')[0]}"
    )
    kinds = [k for k in KINDS if any(k in e.kinds for s in result for e in s.entries)]
    rows = []
    for one in result:
        name, programs, findings = escape.markdown(one.spec), "not run", ""
        if one.engine is not None:
            name = escape.markdown(label(one.engine))
            programs, findings = str(one.programs), str(len(one.entries))
        counts = (sum(k in e.kinds for e in one.entries) or "" for k in kinds)
        rows.append((name, programs, findings, *counts))
    lines = [
        "# What real engines get wrong",
        "",
        f"Made by {escape.code(command)} on {date.isoformat()} ({versions}).",
        "",
        "Each cause is shown by the smallest program on which the engine differs from PyTorch. The "
        "numbers say how many causes show as each kind.",
        "",
        *table(("engine", "programs", "causes", *kinds), rows, "lrr" + "r" * len(kinds)),
    ]
    for one in result:
        lines += ["", *_section(one)]
    return "\n".join(lines) + "\n"


def _section(one: Surveyed) -> list[str]:
    if one.engine is None or one.reference is None:
        return [f"## {escape.markdown(one.spec)}", "", f"Not run: {escape.markdown(one.error)}"]
    lines = [
        f"## {escape.markdown(label(one.engine))}",
        "",
        f"{one.programs} programs against {escape.markdown(label(one.reference))}; "
        f"{len(one.engine.ops)} operations "
        f"({', '.join(sorted(one.engine.ops))}); abilities: "
        f"{', '.join(sorted(one.engine.abilities)) or 'none of the optional ones'}; "
        f"dtypes: {', '.join(one.engine.dtypes)}.",
    ]
    if one.engine.quirks:
        lines += ["", f"Quirks: {', '.join(sorted(one.engine.quirks))}."]
    for text in one.engine.warnings:
        lines += ["", f"Warning: {escape.markdown(text)}."]
    if not one.entries:
        lines += ["", "No difference found."]
    for number, entry in enumerate(one.entries, 1):
        lines += ["", *_entry(number, entry, one.engine, one.reference)]
    return lines


_CONFIRMED = {True: "its script shows it", False: "its script does not show it", None: "no script"}


def _entry(number: int, entry: Entry, engine: AnyEngine, reference: Engine) -> list[str]:
    reported = entry.reported
    finding = reported.finding
    sentence = reported.cause.sentence if reported.cause else finding.says
    lines = [f"### {number}. {', '.join(entry.kinds)}: {sentence}", ""]
    if reported.program is None:
        lines += [f"Probe: {reported.probe}.", ""]
    else:
        lines += [*escape.block(str(reported.program)), ""]
    shown = distinguishable_texts(finding.engine, finding.reference)
    for who, text in zip((engine, reference), shown, strict=True):
        lines.append(f"- {escape.markdown(label(who))}: {escape.code(' '.join(text.split()))}")
    if reported.program is not None:
        wrong = "undecided"
        if reported.wrong is not None:
            side = engine if reported.wrong == ENGINE else reference
            wrong = f"{escape.markdown(side.name)} is wrong"
        lines.append(f"- third opinion: {wrong}; {_CONFIRMED[entry.confirmed]}")
    if reported.cause is not None:
        lines += [f"- {line}" for line in reported.cause.text()]
    return lines
