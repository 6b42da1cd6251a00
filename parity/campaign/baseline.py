"""Baselines: TOML lists of accepted findings.

    [[known]]
    kind = "gradient"
    program = '''
    x0 = leaf(3.0)
    x1 = add(x0, x0)
    backward(x1)
    '''
    reason = "waits for the new traversal"
    url = "https://example.org/issues/12"

``program`` is the reduced program as in a report; an entry for a probe has ``probe``, its name,
instead. A finding matches an entry if its kind and its reduced program are equal to those of the
entry. The reduction may replace an operation by that of the entry, or reuse a value, and so turn
one defect into another. Therefore a finding that reduces to an entry is reduced again without such
passes (``BaselineMatcher``); one of an accepted defect that does not reduce to the entry then
needs an entry of its own.

A baseline can still hide a second defect: on programs that show both; if every program that shows
it contains the entry's program; if both defects affect most operations alike; and if the engine
stops, as there is no second reduction then. An entry of kind ``flaky`` accepts all flaky programs.
"""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity._util.errors import UsageError
from parity._util.escape import one_line
from parity.diagnose.shrink import SIMPLER, depends_on_operation, reduced
from parity.diagnose.shrink_passes import Freedom
from parity.engines.base import Engine
from parity.engines.runner import AnyEngine
from parity.language.program import Apply, Program, ProgramError
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from parity.oracle.finding import KINDS, Finding, Kind
from parity.oracle.probes import PROBES_BY_NAME

#: Findings of one kind in the baseline after which a run ignores further ones of that kind.
MAX_REDUCED = 400
#: Runs of a flaky program after which it counts as one that agrees.
FLAKY_RUNS = 200

_PROPOSAL = """\
# Proposed by `parity check --propose-known`. Nothing here is accepted yet: give each entry
# that shall be a reason and the URL of its issue, and move it into the list of --known.
"""


class BaselineError(UsageError):
    """A baseline cannot be read or written; the message is one line."""


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """An accepted finding of a program, or of the probe named ``probe``."""

    kind: str
    reason: str
    url: str
    program: Program | None = None
    probe: str = ""

    def occurs(self, engine: AnyEngine, reference: Engine) -> bool:
        """Return whether the program or probe still gives a finding of this kind."""
        finding = None
        if self.kind == Kind.FLAKY and self.program is not None:
            runs = (check_program(self.program, engine, reference) for _ in range(FLAKY_RUNS))
            return any(finding is not None for finding in runs)
        if self.program is not None:
            finding = check_program(self.program, engine, reference)
        elif (probe := PROBES_BY_NAME[self.probe]).applies(engine):
            finding = probe.first(engine)
        return finding is not None and finding.kind == self.kind

    @property
    def where(self) -> str:
        return str(self.program) if self.program is not None else f"probe {self.probe}"

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "text": self.where, "reason": self.reason, "url": self.url}

    def __str__(self) -> str:
        return one_line(f"{self.kind}, {self.reason} ({self.url})")

    def stale(self) -> str:
        """Return the message for an entry that no longer occurs."""
        where = textwrap.indent(self.where, "    ")
        return f"known finding no longer occurs: remove it\n  {self}\n{where}"


@dataclass(frozen=True, slots=True)
class Baseline:
    """The accepted findings; none by default."""

    entries: tuple[BaselineEntry, ...] = ()

    def find(self, kind: str, key: str) -> BaselineEntry | None:
        """Return the entry for a kind and a ``Report.key``, or None.

        An entry of kind ``flaky`` stands for all flaky programs: any of them may be the first.
        """
        if kind == Kind.FLAKY:
            return next((e for e in self.entries if e.kind == kind), None)
        return next((e for e in self.entries if (e.kind, e.where) == (kind, key)), None)

    def may_cover(self, kind: str) -> bool:
        """Return whether a finding of ``kind`` may match an entry once it is reduced."""
        kinds = SIMPLER.get(kind, frozenset()) | {kind}
        return any(e.kind in kinds for e in self.entries)

    def stale(self, engine: AnyEngine, reference: Engine) -> tuple[BaselineEntry, ...]:
        """Return the entries whose findings no longer occur."""
        return tuple(e for e in self.entries if not e.occurs(engine, reference))


class BaselineMatcher:
    """Reduces findings, and matches them with the entries of a baseline."""

    def __init__(self, baseline: Baseline, engine: AnyEngine, reference: Engine) -> None:
        self.baseline = baseline
        self.engine = engine
        self.reference = reference
        self._covered: dict[tuple[str, Program], bool] = {}

    def match(
        self, program: Program, finding: Finding
    ) -> tuple[Program, Finding, BaselineEntry | None]:
        """Return the reduced finding, and its entry or None.

        A finding that reduces to an entry is reduced again without other operations and without
        further uses of values. If the result is no entry, the finding still matches if it
        does not depend on its operations, and with another operation it is an entry.
        """
        small, found = reduced(program, finding, self.engine, self.reference)
        entry = self.baseline.find(found.kind, str(small))
        if entry is None or finding.stopped:
            return small, found, entry
        kept, own = reduced(program, finding, self.engine, self.reference, Freedom.NONE)
        key = (own.kind, kept)
        if key not in self._covered:
            self._covered[key] = self._covers(kept, own)
        return (small, found, entry) if self._covered[key] else (kept, own, None)

    def _covers(self, program: Program, finding: Finding) -> bool:
        """Return whether a finding is an entry, up to operations that do not matter to it."""
        if self.baseline.find(finding.kind, str(program)) is not None:
            return True
        swapped, found = reduced(program, finding, self.engine, self.reference, Freedom.SWAP)
        return self.baseline.find(found.kind, str(swapped)) is not None and not any(
            depends_on_operation(number, program, finding, self.engine, self.reference)
            for number, s in enumerate(program.statements)
            if isinstance(s, Apply)
        )


def load_baseline(file: Path) -> Baseline:
    """Read a baseline from a TOML file. Raises BaselineError if it is malformed."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BaselineError(f"{file} cannot be read: {one_line(error)}") from None
    rows = data.pop("known", [])
    if data:
        raise BaselineError(f"{file}: {next(iter(data))!r} is not known; entries are [[known]]")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BaselineError(f"{file}: entries are [[known]] tables")
    entries: list[BaselineEntry] = []
    for number, row in enumerate(rows, 1):
        try:
            entry = _entry(row)
        except ValueError as error:
            raise BaselineError(f"{file}: entry {number}: {error}") from None
        if any((e.kind, e.where) == (entry.kind, entry.where) for e in entries):
            raise BaselineError(f"{file}: entry {number} is there twice")
        entries.append(entry)
    return Baseline(tuple(entries))


def _entry(row: Mapping[str, Any]) -> BaselineEntry:
    """Return an entry from TOML data. Raises ValueError if it is malformed."""
    for key, value in row.items():
        if key not in ("kind", "program", "probe", "reason", "url"):
            raise ValueError(f"{key!r} is not known")
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{key} is not a text, or is empty")
    missing = [key for key in ("kind", "reason", "url") if key not in row]
    if missing:
        raise ValueError(f"it has no {' and no '.join(missing)}")
    if ("program" in row) == ("probe" in row):
        raise ValueError("it needs a program or a probe, and not both")
    if row["kind"] not in KINDS:
        raise ValueError(f"{row['kind']!r} is no kind; there are {', '.join(KINDS)}")
    if "://" not in row["url"]:
        raise ValueError(f"url {row['url']!r} is no URL")
    if "probe" in row and row["probe"] not in PROBES_BY_NAME:
        raise ValueError(f"{row['probe']!r} is no probe; there are {', '.join(PROBES_BY_NAME)}")
    program = None
    if "program" in row:
        try:
            program = program_from_text(row["program"])
        except ProgramError as error:
            raise ValueError(f"program: {error}") from None
    return BaselineEntry(row["kind"], row["reason"], row["url"], program, row.get("probe", ""))


def check_proposal(file: Path) -> None:
    """Raise BaselineError if proposals cannot be written to ``file``."""
    if file.exists():
        raise BaselineError(f"{file} exists already: proposals are written to a new file")
    if not file.resolve().parent.is_dir():
        raise BaselineError(f"{file}: there is no folder {file.parent}")


def propose(file: Path, findings: Iterable[tuple[str, Program | None, str]]) -> int:
    """Write findings as incomplete entries to a new file, if there are any; return their number.

    A finding is its kind, its reduced program or None, and the name of its probe or "". Raises
    BaselineError if the file exists or cannot be written.
    """
    entries = []
    for kind, program, probe in findings:
        if program is not None or probe:
            where = f'probe = "{probe}"' if program is None else f"program = '''\n{program}\n'''"
            entries.append(f'[[known]]\nkind = "{kind}"\n{where}\nreason = ""\nurl = ""\n')
    if not entries:
        return 0
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write("\n".join([_PROPOSAL, *entries]))
    except OSError as error:
        raise BaselineError(f"{file} cannot be written: {error}") from error
    return len(entries)
