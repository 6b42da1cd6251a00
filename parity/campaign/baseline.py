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
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from parity._util.decode import Check, Decoder, one_of
from parity._util.errors import UsageError
from parity._util.escape import one_line
from parity._util.files import parse_toml, read_bytes
from parity.diagnose.shrink import SIMPLER, depends_on_operation, reduced
from parity.diagnose.shrink_passes import Freedom
from parity.engines.base import Engine
from parity.engines.runner import AnyEngine
from parity.language.program import Apply, Program
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from parity.oracle.finding import KINDS, Finding, Kind
from parity.oracle.probes import PROBES_BY_NAME

#: Bytes and entries of a file that is read.
LARGEST, MOST_ENTRIES = 2**20, 1000
#: Findings of one kind in the baseline after which a run ignores further ones of that kind.
MAX_REDUCED = 400
#: Runs of a flaky program after which it counts as one that agrees.
FLAKY_RUNS = 200

_PROPOSAL = """\
# Proposed by `parity check --propose-known`. Nothing here is accepted yet: give each entry
# that shall be a reason and the URL of its issue, and move it into the list of --known.
"""


_Text = Annotated[str, Check("a text with a word", lambda text: bool(text.strip()))]


def _few(rows: list[Any]) -> bool:
    return len(rows) <= MOST_ENTRIES


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


@dataclass(frozen=True)
class _Row:
    """An entry as it stands in the file."""

    kind: Annotated[str, one_of(KINDS)]
    reason: _Text
    url: Annotated[str, Check("a URL like https://example.org/issues/12", lambda s: "://" in s)]
    program: _Text | None = None
    probe: Annotated[str, one_of(PROBES_BY_NAME)] | None = None

    def __post_init__(self) -> None:
        if (self.program is None) == (self.probe is None):
            raise ValueError("it needs a program or a probe, and not both")

    def entry(self) -> BaselineEntry:
        """Return the entry. Raises ProgramError if the program makes no sense."""
        program = None if self.program is None else program_from_text(self.program)
        return BaselineEntry(self.kind, self.reason, self.url, program, self.probe or "")


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
