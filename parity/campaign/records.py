"""What is recorded of shards and findings, as plain data."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from parity._util.decode import Check, Count, Decoder, decode, encode, one_of
from parity.campaign.cases import FuzzInput
from parity.language.json_format import dumps, program_from_json
from parity.oracle.finding import KINDS
from parity.oracle.probes import PROBES
from parity.oracle.verdict import ENGINE, ILL_CONDITIONED, REFERENCE

#: One finding: the object of ``parity check --json`` and what ``finding_json`` adds to it.
FindingData = dict[str, Any]
_FROM_ZERO = Check("a number, 0 or more", lambda number: number >= 0)


@dataclass
class Record:
    """Counts of the shards ``first`` to ``last``.

    ``findings``: how often each was found, by name; programs that fail in a way that was
    reduced often enough are in ``failing`` only, by kind. ``exposure``: cells of
    ``generate.coverage`` by text, counted on a part of the programs. ``complete``: False where
    a shard was ended before its last program; it is then run again, whole.
    """

    first: Count
    last: Count
    programs: Count = 0
    seconds: Annotated[float, _FROM_ZERO] = 0.0
    ill_conditioned: Count = 0
    kept: Count = 0
    complete: bool = True
    failing: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    exposure: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"the first shard, {self.first}, is after the last, {self.last}")

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {**encode(self), "seconds": round(self.seconds, 3)}

    @staticmethod
    def from_json(data: object) -> Record:
        """The inverse of ``to_json``. Raises FormatError where this is anything else."""
        # Counts of a later version would be lost when shards are put together.
        return Decoder(exact=True).decode(Record, data)

    @staticmethod
    def total(records: Iterable[Record]) -> Record:
        """The sum of records, which need not lie side by side."""
        result = Record(0, 0)
        several = list(records)
        for one in several:
            for name in ("programs", "seconds", "ill_conditioned", "kept"):
                setattr(result, name, getattr(result, name) + getattr(one, name))
            for name in _COUNTS:
                getattr(result, name).update(getattr(one, name))
        result.first = min((r.first for r in several), default=0)
        result.last = max((r.last for r in several), default=0)
        return result


_COUNTS = ("failing", "findings", "exposure")


@dataclass(frozen=True)
class _Match:
    """A defect that a diagnosis names."""

    defect: str
    says: str
    agrees: Count
    of: Count


#: A probe has the number -1: it is no program of the stream.
_ProgramNumber = Count | Literal[-1]
#: An array as a list, an exception as text, or no gradient.
_Outcome = str | tuple[Any, ...] | None


@dataclass(frozen=True)
class _FirstSeen:
    shard: Count
    program: _ProgramNumber


@dataclass(frozen=True)
class _Finding:
    """What a file of a finding must have; it may have more."""

    kind: Annotated[str, one_of(KINDS)]
    statements: Count
    leaves: Count
    program: Any
    text: str
    engine: _Outcome
    reference: _Outcome
    wrong: Annotated[str, one_of((ENGINE, REFERENCE, ILL_CONDITIONED))] | None
    error_over_bound: float | None
    diagnosis: tuple[_Match, ...]
    program_number: _ProgramNumber
    script: str
    says: str
    shown: tuple[str, str]
    probe: Annotated[str, one_of(("", *(p.name for p in PROBES)))]
    case: FuzzInput | None
    first_seen: _FirstSeen
    count: Count

    def __post_init__(self) -> None:
        if not self.probe:
            program_from_json(self.program)


def checked_finding(data: Any) -> FindingData:
    """The same data. Raises FormatError where it is no finding that ``finding_json`` made."""
    decode(_Finding, data)
    return data  # type: ignore[no-any-return]


def defects(finding: FindingData) -> tuple[str, ...]:
    """The names of the defects that the diagnosis gives."""
    return tuple(d["defect"] for d in finding["diagnosis"])


def identity(finding: FindingData) -> tuple[Any, ...]:
    """What makes two findings one: kind, diagnosis, and reduced program or probe."""
    return finding["kind"], defects(finding), _subject(finding)


def names(finding: FindingData) -> tuple[str, str]:
    """The name of a finding, by its reduced program; the second if another has the first."""
    return _digest(_subject(finding)), _digest(repr(identity(finding)))


def case_name(case: FuzzInput) -> str:
    """The name of a kept case."""
    return _digest(f"{case.profile}:{case.data.hex()}")


def _subject(finding: FindingData) -> str:
    if finding["probe"]:
        return f"probe {finding['probe']}"
    return dumps(program_from_json(finding["program"]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def size_of(finding: FindingData) -> tuple[int, int, int]:
    """The order of reports: the smallest programs first, then by time of discovery."""
    return finding["statements"], finding["leaves"], finding["first_seen"]["program"]
