"""Records of shards and findings, as plain data."""

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
from parity.oracle.stability import Stability
from parity.oracle.verdict import ENGINE, ILL_CONDITIONED, REFERENCE

#: One finding: the object of ``parity check --json`` and what ``finding_json`` adds to it.
FindingData = dict[str, Any]
_FROM_ZERO = Check("a number, 0 or more", lambda number: number >= 0)


@dataclass
class Record:
    """Counts of the shards ``first`` to ``last``."""

    first: Count
    last: Count
    programs: Count = 0
    seconds: Annotated[float, _FROM_ZERO] = 0.0
    ill_conditioned: Count = 0
    kept: Count = 0
    #: False if a shard was ended before its last program; it then runs again as a whole.
    complete: bool = True
    #: Programs that fail, by kind of finding.
    failing: Counter[str] = field(default_factory=Counter)
    #: By name. Programs beyond those that a shard reduces are only in ``failing``.
    findings: Counter[str] = field(default_factory=Counter)
    #: Features of ``parity.generate.coverage`` by text, counted on a sample of the programs.
    coverage: Counter[str] = field(default_factory=Counter, metadata={"key": "exposure"})
    #: Programs that ran twice, and those that gave the same result (``parity.oracle.stability``).
    twice: Count = 0
    same: Count = 0

    def __post_init__(self) -> None:
        if self.first > self.last:
            raise ValueError(f"the first shard, {self.first}, is after the last, {self.last}")

    def to_json(self) -> dict[str, Any]:
        return {**encode(self), "seconds": round(self.seconds, 3)}

    @staticmethod
    def from_json(data: object) -> Record:
        """The inverse of ``to_json``. Raises FormatError if the data are of anything else."""
        # Counts of a later version would be lost when shards are put together.
        return Decoder(known=True, all=True).decode(Record, data)

    @staticmethod
    def total(records: Iterable[Record]) -> Record:
        """The sum of records, which need not be consecutive."""
        several = list(records)
        first = min((r.first for r in several), default=0)
        last = max((r.last for r in several), default=0)
        result = Record(first, last)
        for one in several:
            for name in ("programs", "seconds", "ill_conditioned", "kept", "twice", "same"):
                setattr(result, name, getattr(result, name) + getattr(one, name))
            for name in ("failing", "findings", "coverage"):
                getattr(result, name).update(getattr(one, name))
        return result

    @property
    def stability(self) -> Stability:
        return Stability(self.twice, self.same)


@dataclass(frozen=True)
class _Match:
    """A defect that a diagnosis names."""

    defect: str
    says: str
    agrees: Count
    of: Count


#: A probe has the number -1, since it is no program of the stream.
_ProgramNumber = Count | Literal[-1]
#: An array as a list, an exception as text, or no gradient.
_Outcome = str | tuple[Any, ...] | None


@dataclass(frozen=True)
class _FirstSeen:
    shard: Count
    program: _ProgramNumber


@dataclass(frozen=True)
class _ErrorSize:
    relative: float
    says: str


@dataclass(frozen=True)
class _Finding:
    """The fields that the file of a finding must have; it may have more."""

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
    #: "" also in files of earlier versions.
    place: str = ""
    error_size: _ErrorSize | None = None

    def __post_init__(self) -> None:
        if not self.probe:
            program_from_json(self.program)


def checked_finding(data: Any) -> FindingData:
    """Check and return the data of a finding. Raises FormatError if they are of anything else."""
    decode(_Finding, data)
    return data  # type: ignore[no-any-return]


def defects(finding: FindingData) -> tuple[str, ...]:
    return tuple(d["defect"] for d in finding["diagnosis"])


def identity(finding: FindingData) -> tuple[Any, ...]:
    """The identity of a finding: kind, diagnosis, and reduced program or probe.

    An exception whose place is known is identified by its place instead.
    """
    if finding.get("place"):
        return finding["kind"], (), finding["place"]
    subject = f"probe {finding['probe']}"
    if (repeats := finding.get("repeats")) and not finding["probe"]:
        subject = f"flaky {repeats['kind']}"  # one finding, whichever program differed
    elif finding.get("before"):
        subject = "after other programs"
    elif not finding["probe"]:
        subject = dumps(program_from_json(finding["program"]))
    return finding["kind"], defects(finding), subject


def names(finding: FindingData) -> tuple[str, str]:
    """Two names of a finding; the second is used if another finding has the first."""
    whole = identity(finding)
    return digest(whole[-1]), digest(repr(whole))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def size_of(finding: FindingData) -> tuple[int, int, int]:
    """The sort key of findings: the smallest programs first, then by program number."""
    return finding["statements"], finding["leaves"], finding["first_seen"]["program"]
