"""Findings that are accepted for now: a list in TOML that people write and review.

    [[known]]
    kind = "gradient"
    program = '''
    x0 = leaf(3.0)
    x1 = add(x0, x0)
    backward(x1)
    '''
    reason = "waits for the new traversal"
    url = "https://example.org/issues/12"

``program`` is the reduced program as a report shows it; a finding of a probe has
``probe``, its name, instead. A finding is known if both its kind and its reduced
program are those of an entry, and if the reduction did not bring in what the entry
needs: it may have put the operation of the entry in place of another that has a fault
of its own, or have used a value twice where the entry is about values used twice. So
what reduces to an entry is reduced once more without such steps (``Sorter``).

What may still be hidden: a program that shows both faults, if that of the entry comes
first or is what remains (other programs show the other alone); a fault whose every
program contains the entry's own; two faults that are alike in most operations, on
programs that differ in the operations only; and what makes the engine stop, where the
first reduction decides. On the other side, a finding of an accepted fault whose program
does not become the entry without such steps is reported: it can be accepted as well.

Whether an entry still occurs is seen by running its own program, not by waiting for it
to be generated.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parity._util.errors import UsageError
from parity.diagnose.shrink import SIMPLER, depends_on_operation, reduced
from parity.diagnose.shrink_passes import Freedom
from parity.engines.base import Engine
from parity.engines.runner import AnyEngine
from parity.language.program import Apply, Program, ProgramError
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from parity.oracle.finding import KINDS, Finding
from parity.oracle.probes import PROBES

#: Programs that are reduced only to see that their findings are known; a run that has
#: seen so many of one kind looks at no more of that kind.
MAX_REDUCED = 400

_PROPOSAL = """\
# Proposed by `parity check --propose-known`. Nothing here is accepted yet: give each entry
# that shall be a reason and the URL of its issue, and move it into the list of --known.
"""


class BaselineError(UsageError):
    """A list cannot be used or written; the message is one line that says why."""


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """One accepted finding: of a program, or of the probe named ``probe``."""

    kind: str
    reason: str
    url: str
    program: Program | None = None
    probe: str = ""

    def occurs(self, engine: AnyEngine, reference: Engine) -> bool:
        """Whether the engine still shows this kind of finding on the program or probe."""
        if self.program is not None:
            finding = check_program(self.program, engine, reference)
        else:
            probe = next(p for p in PROBES if p.name == self.probe)
            finding = probe.first(engine) if probe.applies(engine) else None
        return finding is not None and finding.kind == self.kind

    @property
    def where(self) -> str:
        """The program or the probe as a person reads it."""
        return str(self.program) if self.program is not None else f"probe {self.probe}"

    def to_json(self) -> dict[str, str]:
        """What ``parity check --json`` says of the entry."""
        return {"kind": self.kind, "text": self.where, "reason": self.reason, "url": self.url}

    def __str__(self) -> str:
        return f"{self.kind}, {self.reason} ({self.url})"

    def stale(self) -> str:
        """What is reported if the finding no longer occurs."""
        lines = ["known finding no longer occurs: remove it", f"  {self}"]
        return "\n".join([*lines, *("    " + line for line in self.where.splitlines())])


@dataclass(frozen=True, slots=True)
class Baseline:
    """The entries of a list; without a list there are none."""

    entries: tuple[BaselineEntry, ...] = ()

    def find(self, kind: str, key: str) -> BaselineEntry | None:
        """The entry for a kind of finding on a program (its text) or probe, or None."""
        return next((e for e in self.entries if (e.kind, e.where) == (kind, key)), None)

    def of(self, program: Program, finding: Finding) -> BaselineEntry | None:
        """The entry of a finding whose program is reduced, or None."""
        return self.find(finding.kind, str(program))

    def may_cover(self, kind: str) -> bool:
        """Whether a finding of ``kind``, once it is reduced, may be known."""
        kinds = SIMPLER.get(kind, frozenset()) | {kind}
        return any(e.kind in kinds for e in self.entries)

    def stale(self, engine: AnyEngine, reference: Engine) -> tuple[BaselineEntry, ...]:
        """The entries whose findings no longer occur."""
        return tuple(e for e in self.entries if not e.occurs(engine, reference))


class BaselineMatcher:
    """Reduces findings and tells those that are known from others."""

    def __init__(self, known: Baseline, engine: AnyEngine, reference: Engine) -> None:
        self.known = known
        self.engine = engine
        self.reference = reference
        self._covered: dict[tuple[str, Program], bool] = {}

    def sort(
        self, program: Program, finding: Finding
    ) -> tuple[Program, Finding, BaselineEntry | None]:
        """The finding reduced, with the entry that accepts it, or None.

        What reduces to an entry is reduced again with its own operations, and no value
        used more often than before. If that gives no entry, it is known all the same if
        most other operations show it in place of its own, and one of them is the entry.
        """
        small, found = reduced(program, finding, self.engine, self.reference)
        entry = self.known.of(small, found)
        if entry is None or finding.stopped:
            return small, found, entry
        kept, own = reduced(program, finding, self.engine, self.reference, Freedom.NONE)
        key = (own.kind, kept)
        if key not in self._covered:
            self._covered[key] = self.known.of(kept, own) is not None or self._is_like(kept, own)
        return (small, found, entry) if self._covered[key] else (kept, own, None)

    def _is_like(self, program: Program, finding: Finding) -> bool:
        """Whether a finding is an entry's but for operations on which it does not depend."""
        swapped = reduced(program, finding, self.engine, self.reference, Freedom.SWAP)
        return self.known.of(*swapped) is not None and not any(
            depends_on_operation(number, program, finding, self.engine, self.reference)
            for number, s in enumerate(program.statements)
            if isinstance(s, Apply)
        )


def load_baseline(file: Path) -> Baseline:
    """The list in a TOML file. Raises BaselineError where it is malformed."""
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BaselineError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
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
    """An entry of plain data; ValueError says what is wrong with it."""
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
    if "probe" in row and row["probe"] not in {p.name for p in PROBES}:
        names = ", ".join(p.name for p in PROBES)
        raise ValueError(f"{row['probe']!r} is no probe; there are {names}")
    program = None
    if "program" in row:
        try:
            program = program_from_text(row["program"])
        except ProgramError as error:
            raise ValueError(f"program: {error}") from None
    return BaselineEntry(row["kind"], row["reason"], row["url"], program, row.get("probe", ""))


def check_proposal(file: Path) -> None:
    """Raise BaselineError, before anything runs, where proposals cannot be written to ``file``."""
    if file.exists():
        raise BaselineError(f"{file} exists already: proposals are written to a new file")
    if not file.resolve().parent.is_dir():
        raise BaselineError(f"{file}: there is no folder {file.parent}")


def propose(file: Path, findings: Iterable[tuple[str, Program | None, str]]) -> int:
    """Write findings as entries to a new file, for people to complete; how many there are.

    A finding is its kind, and its reduced program or the name of its probe.

    Nothing is written if there are none. Raises BaselineError as ``check_proposal`` does.
    """
    entries = [_proposed(*f) for f in findings if f[1] is not None or f[2]]
    if not entries:
        return 0
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write("\n".join([_PROPOSAL, *entries]))
    except OSError as error:
        raise BaselineError(f"{file} cannot be written: {error}") from error
    return len(entries)


def _proposed(kind: str, program: Program | None, probe: str) -> str:
    where = f'probe = "{probe}"' if program is None else f"program = '''\n{program}\n'''"
    return f'[[known]]\nkind = "{kind}"\n{where}\nreason = ""\nurl = ""\n'
