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
instead. An entry without a kind may name a cause as reports do: ``cause = "overwrite"``.

A finding matches an entry if the entry names its cause, if its reduced program is that of the
entry, or if its cause is the only one of the entry's program. An accepted cause hides no other:
programs that show both are explained by both. An entry of kind ``flaky`` accepts all flaky
programs.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from parity._util.decode import Check, Decoder, one_of
from parity._util.errors import UsageError
from parity._util.escape import one_line
from parity._util.files import parse_toml, read_bytes
from parity.diagnose.causes import Cause
from parity.diagnose.triage import Triage
from parity.engines.base import Engine
from parity.engines.runner import AnyEngine
from parity.language.program import Program
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program, check_repeatedly
from parity.oracle.finding import KINDS, Kind
from parity.oracle.probes import PROBES_BY_NAME

#: Bytes and entries of a file that is read.
LARGEST, MOST_ENTRIES = 2**20, 1000
#: Runs of a flaky program after which it counts as one that agrees.
FLAKY_RUNS = 200

_PROPOSAL = """\
# Proposed by `parity check --propose-baseline`. Nothing here is accepted yet: give each entry
# that shall be a reason and the URL of its issue, and move it into the list of --baseline.
"""


_Text = Annotated[str, Check("a text with a word", lambda text: bool(text.strip()))]


def _few(rows: list[Any]) -> bool:
    return len(rows) <= MOST_ENTRIES


class BaselineError(UsageError):
    """A baseline cannot be read or written; the message is one line."""


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """An accepted finding of a program or of the probe named ``probe``, or a ``cause``."""

    kind: str
    reason: str
    url: str
    program: Program | None = None
    probe: str = ""
    cause: str = ""

    def occurs(self, engine: AnyEngine, reference: Engine) -> bool:
        """Return whether the program or probe still gives a finding of this kind."""
        finding = None
        if self.kind == Kind.FLAKY and self.program is not None:
            runs = check_repeatedly(self.program, engine, reference)
            return any(found is not None for found in itertools.islice(runs, FLAKY_RUNS))
        if self.program is not None:
            finding = check_program(self.program, engine, reference)
        elif (probe := PROBES_BY_NAME[self.probe]).applies(engine):
            finding = probe.first(engine)
        return finding is not None and finding.kind == self.kind

    @property
    def where(self) -> str:
        if self.cause:
            return f"cause {self.cause}"
        return str(self.program) if self.program is not None else f"probe {self.probe}"

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "text": self.where, "reason": self.reason, "url": self.url}

    def __str__(self) -> str:
        return one_line(f"{self.kind or self.where}, {self.reason} ({self.url})")

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


class BaselineMatcher:
    """Matches the causes of an engine with the entries of a baseline."""

    def __init__(self, baseline: Baseline, triage: Triage) -> None:
        self.baseline, self.triage = baseline, triage
        self._blamed: dict[BaselineEntry, tuple[Cause, ...]] = {}

    def entry(self, cause: Cause) -> BaselineEntry | None:
        """Return the entry that accepts a cause, or None.

        An entry names the cause, or has its witness, or has a program of which it is the only
        cause.
        """
        return next((e for e in self.baseline.entries if self._accepts(e, cause)), None)

    def _accepts(self, entry: BaselineEntry, cause: Cause) -> bool:
        if entry.cause:
            return entry.cause == cause.key
        if entry.program is None or entry.kind == Kind.FLAKY:
            return False
        kind = cause.finding.kind if cause.finding is not None else ""
        if (kind, str(cause.witness)) == (entry.kind, entry.where):
            return True
        if entry not in self._blamed:
            sides = self.triage.engine, self.triage.reference
            found = check_program(entry.program, *sides)
            self._blamed[entry] = self.triage.blame(entry.program, found) if found else ()
        return self._blamed[entry] == (cause,)

    def stale(self) -> tuple[BaselineEntry, ...]:
        """Return the entries whose findings no longer occur."""
        sides = self.triage.engine, self.triage.reference
        causes = [e for e in self.baseline.entries if e.cause]
        present = {c.key for c in self.triage.causes()} if causes else set()
        return tuple(
            e
            for e in self.baseline.entries
            if not (e.cause in present if e.cause else e.occurs(*sides))
        )


@dataclass(frozen=True)
class _Row:
    """An entry as it stands in the file."""

    reason: _Text
    url: Annotated[str, Check("a URL like https://example.org/issues/12", lambda s: "://" in s)]
    kind: Annotated[str, one_of(KINDS)] = ""
    program: _Text | None = None
    probe: Annotated[str, one_of(PROBES_BY_NAME)] | None = None
    cause: _Text | None = None

    def __post_init__(self) -> None:
        if [self.program, self.probe, self.cause].count(None) != 2:
            raise ValueError("it needs one of program, probe and cause")
        if bool(self.kind) == bool(self.cause):
            raise ValueError("a program and a probe need a kind, and a cause has none")

    def entry(self) -> BaselineEntry:
        """Return the entry. Raises ProgramError if the program makes no sense."""
        program = None if self.program is None else program_from_text(self.program)
        subject = program, self.probe or "", self.cause or ""
        return BaselineEntry(self.kind, self.reason, self.url, *subject)


@dataclass(frozen=True)
class _Rows:
    """The file; each row is decoded on its own, so that messages give its number."""

    known: Annotated[list[Any], Check(f"at most {MOST_ENTRIES:,} entries", _few)] = field(
        default_factory=list
    )


def load_baseline(file: Path) -> Baseline:
    """Read a baseline from a TOML file. Raises BaselineError if it is malformed."""
    decoder, entries = Decoder(known=True), dict[tuple[str, str], BaselineEntry]()
    where = f"{file}"
    try:
        rows = decoder.decode(_Rows, parse_toml(read_bytes(file, LARGEST))).known
        for number, row in enumerate(rows, 1):
            where = f"{file}: entry {number}"
            entry = decoder.decode(_Row, row).entry()
            if entries.setdefault((entry.kind, entry.where), entry) is not entry:
                raise ValueError("it is there twice: remove one")
    except OSError as error:
        raise BaselineError(f"{file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BaselineError(f"{where}: {one_line(error)}") from None
    return Baseline(tuple(entries.values()))


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
