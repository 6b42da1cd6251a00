"""What is recorded of shards and findings, as plain data."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from parity.campaign.cases import Case
from parity.campaign.describe import told_apart
from parity.campaign.result import Report
from parity.language.json_format import dumps, program_from_json
from parity.oracle.adjudicate import ENGINE, ILL_CONDITIONED, REFERENCE
from parity.oracle.finding import KINDS
from parity.oracle.probes import PROBES

#: One finding: the object of ``parity check --json`` and what ``finding_json`` adds to it.
FindingData = dict[str, Any]


@dataclass
class Record:
    """Counts of the shards ``first`` to ``last``.

    ``findings``: how often each was found, by name; programs that fail in a way that was
    reduced often enough are in ``failing`` only, by kind. ``exposure``: cells of
    ``generate.coverage`` by text, counted on a part of the programs. ``complete``: False where
    a shard was ended before its last program; it is then run again, whole.
    """

    first: int
    last: int
    programs: int = 0
    seconds: float = 0.0
    ill_conditioned: int = 0
    kept: int = 0
    complete: bool = True
    failing: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    exposure: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        data = {name: getattr(self, name) for name in (*_NUMBERS, "complete")}
        data["seconds"] = round(self.seconds, 3)
        return data | {name: dict(sorted(getattr(self, name).items())) for name in _COUNTS}

    @staticmethod
    def from_json(data: Any) -> Record:
        """Raises ValueError where this is no record that ``to_json`` made."""
        if not isinstance(data, dict) or set(data) != {*_NUMBERS, "complete", *_COUNTS}:
            raise ValueError("it is no record of shards")
        numbers = {name: data[name] for name in _NUMBERS}
        counts = {name: data[name] for name in _COUNTS}
        if not all(_is_count(n, whole=name != "seconds") for name, n in numbers.items()):
            raise ValueError("its numbers are not from 0 on")
        for one in counts.values():
            if not isinstance(one, dict) or not all(map(_is_count, one.values())):
                raise ValueError("its counts are not numbers by name")
        if not isinstance(data["complete"], bool) or numbers["first"] > numbers["last"]:
            raise ValueError("it is no record of shards")
        result = Record(**numbers, complete=data["complete"])
        for name, one in counts.items():
            setattr(result, name, Counter(one))
        return result

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


_NUMBERS = ("first", "last", "programs", "seconds", "ill_conditioned", "kept")
_COUNTS = ("failing", "findings", "exposure")
#: No campaign counts so far; what is larger stands in a file that is damaged.
_MOST = 10**18


def _is_count(value: Any, whole: bool = True) -> bool:
    kinds = (int,) if whole else (int, float)
    return isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value < _MOST


def finding_json(reported: Report, case: Case | None, shard: int) -> FindingData:
    """A finding as a corpus holds it: ``program_number`` is that of the whole campaign.

    ``shown``: what the engine and the reference gave, for people; unlike the numbers, these texts
    differ also where only dtypes or shapes do.
    """
    texts = told_apart(reported.finding.engine, reported.finding.reference)
    probe = next((p.name for p in PROBES if p.description == reported.probe), "")
    return {
        **reported.to_json(),
        "says": "; ".join(filter(None, (reported.finding.kind.description, reported.verdict.note))),
        "shown": [" ".join(text.split()) for text in texts],
        "probe": probe,
        "case": case.to_json() if case else None,
        "first_seen": {"shard": shard, "program": reported.number},
        "count": 1,
    }


def checked_finding(data: Any) -> FindingData:
    """The same data. Raises ValueError where it is no finding that ``finding_json`` made."""
    try:
        if not isinstance(data, dict) or data.get("kind") not in KINDS:
            raise ValueError('it has no "kind" of a finding')
        if data["probe"]:
            if data["probe"] not in {p.name for p in PROBES}:
                raise ValueError(f"there is no probe {data['probe']!r}")
        else:
            program_from_json(data["program"])
        if data["case"] is not None:
            Case.from_json(data["case"])
        seen = data["first_seen"]
        counts = [data[name] for name in ("statements", "leaves", "count")]
        # A probe has the number -1: it is no program of the stream.
        places = [n for n in (data["program_number"], seen["program"]) if n != -1]
        if not all(map(_is_count, [*counts, seen["shard"], *places])):
            raise ValueError("its counts and places are numbers from 0 on")
        for d in data["diagnosis"]:
            if not (isinstance(d["defect"], str) and isinstance(d["says"], str)):
                raise ValueError('"diagnosis" is a list of defects')
            if not all(map(_is_count, (d["agrees"], d["of"]))):
                raise ValueError('"diagnosis" has no counts')
        _check_sides(data)
        for name in ("text", "says", "script"):
            _check_text(name, data[name])
    except KeyError as error:
        raise ValueError(f"it has no {error}") from None
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from None
    return data


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise ValueError(f'"{name}" is no text')
    value.encode()  # JSON can hold half a character, which nothing can show


def _check_sides(data: Any) -> None:
    """What the engine and the reference gave, and how far apart."""
    for name in ("engine", "reference"):
        if not isinstance(data[name], str | list | None):
            raise ValueError(f'"{name}" is no text, list or null')
    if not isinstance(data["shown"], list) or len(data["shown"]) != 2:
        raise ValueError('"shown" is no list of two texts')
    for text in data["shown"]:
        _check_text("shown", text)
    error = data["error_over_bound"]
    if data["wrong"] not in (ENGINE, REFERENCE, ILL_CONDITIONED, None):
        raise ValueError('"wrong" is neither engine nor reference')
    if error is not None and (isinstance(error, bool) or not isinstance(error, int | float)):
        raise ValueError('"error_over_bound" is no number')
    if not math.isfinite(error or 0.0):
        raise ValueError('"error_over_bound" is no number')


def defects(finding: FindingData) -> tuple[str, ...]:
    """The names of the defects that the diagnosis gives."""
    return tuple(d["defect"] for d in finding["diagnosis"])


def identity(finding: FindingData) -> tuple[Any, ...]:
    """What makes two findings one: kind, diagnosis, and reduced program or probe."""
    return finding["kind"], defects(finding), _subject(finding)


def names(finding: FindingData) -> tuple[str, str]:
    """The name of a finding, by its reduced program; the second if another has the first."""
    return _digest(_subject(finding)), _digest(repr(identity(finding)))


def case_name(case: Case) -> str:
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
