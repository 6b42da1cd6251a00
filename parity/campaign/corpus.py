"""The corpus of a campaign: what is done, what was found, and the cases that are kept.

    campaign.json          which engine, reference and seed it is for
    shards/NUMBER.json     counts of a shard that is done; FIRST-LAST.json of several
    findings/HASH.json     a finding, named by its reduced program
    scripts/HASH.py        its script
    ill-conditioned/HASH.json  a difference that is no finding, since rounding decides there
    cases/HASH.json        bytes that reached something new
    lock.json              the process that is at work, which holds a lock on the file .lock

What a shard found is written before the shard is: a process that is killed in between
runs it again, and finds the same. Files that cannot be read are named and left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

from parity._util.decode import Check, Count, decode, encode, one_of
from parity.campaign.cases import FuzzInput
from parity.campaign.errors import CampaignError, one_line
from parity.campaign.records import (
    FindingData,
    Record,
    case_name,
    checked_finding,
    identity,
    names,
    size_of,
)
from parity.campaign.shard import Answer
from parity.campaign.storage import Store
from parity.generate.profiles import PROFILES
from parity.oracle.verdict import ILL_CONDITIONED

FORMAT = 1
CAMPAIGN = "campaign.json"
#: Shards that are recorded one by one before they are put together.
LOOSE = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Identity:
    """What a corpus is for: engines by name and version, and how it is cut in shards.

    ``spec``: the engine's name on the command line; ``size``: programs a shard.
    """

    spec: str
    engine: str
    reference: str
    seed: str
    size: Annotated[int, Check("a number of programs", lambda size: 1 <= size < 10**9)]

    @staticmethod
    def from_json(data: object) -> Identity:
        """The inverse of ``to_json``. Raises FormatError where this is anything else."""
        decode(_Format, data)
        return decode(Identity, data)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return {**encode(_Format(FORMAT)), **encode(self)}


_Version = Annotated[int, Check(str(FORMAT), lambda number: number == FORMAT)]


@dataclass(frozen=True)
class _Format:
    """What tells the versions of ``campaign.json`` apart."""

    format: _Version


@dataclass(frozen=True, order=True)
class Kept:
    """A kept case: the shard that kept it, and which of its cases it was."""

    shard: Count
    place: Count
    profile: Annotated[str, one_of(PROFILES)]
    data: bytes

    def __post_init__(self) -> None:
        _ = self.case  # raises ValueError where the profile takes another number of bytes

    @property
    def case(self) -> FuzzInput:
        return FuzzInput(self.profile, self.data)


class Corpus:
    """A corpus in a store, read whole when it is opened; ``note`` is told what is unreadable."""

    def __init__(self, store: Store, note: Callable[[str], None] = lambda text: None) -> None:
        self.store = store
        self.note = note
        self.identity: Identity | None = self._identity()
        self.unreadable: set[str] = set()
        #: The shards from 0 on that are put together, and those after them.
        self.together: Record | None = None
        self.loose: dict[int, Record] = {}
        self.findings: dict[str, FindingData] = {}
        self.ill_conditioned: dict[str, FindingData] = {}
        self.kept: dict[str, Kept] = {}
        self._read_shards()
        for name, finding in self._read_all("findings", checked_finding):
            self.findings[_stem(name)] = finding
        for name, difference in self._read_all(ILL_CONDITIONED, checked_finding):
            self.ill_conditioned[_stem(name)] = difference
        for name, kept in self._read_all("cases", partial(decode, Kept)):
            self.kept[_stem(name)] = kept

    # Reading.

    def _identity(self) -> Identity | None:
        data = self.store.read(CAMPAIGN)
        if data is None:
            return None
        try:
            return Identity.from_json(json.loads(data))
        except (ValueError, RecursionError) as error:
            raise CampaignError(
                f"{self.store.where}/{CAMPAIGN} cannot be read ({error}): mend it, or use another "
                "corpus"
            ) from None

    def _read_all(self, folder: str, read: Callable[[Any], T]) -> list[tuple[str, T]]:
        """The files of a folder that can be read."""
        result = []
        for name in self.store.names(folder):
            if not name.endswith(".json"):
                continue
            try:
                result.append((name, read(json.loads(self.store.read(name) or b""))))
            except (ValueError, RecursionError) as error:
                self.unreadable.add(name)
                where = f"{self.store.where}/{name}"
                self.note(f"{where} cannot be read and is left out: {one_line(error)}")
            except CampaignError as error:
                self.unreadable.add(name)
                self.note(f"{name} is left out: {error}")
        return result

    def _read_shards(self) -> None:
        for _, record in self._read_all("shards", Record.from_json):
            if record.first == record.last:
                self.loose[record.first] = record
            elif self.together is None or record.last > self.together.last:
                self.together = record
        behind = self.together.last if self.together else -1
        self.loose = {n: r for n, r in self.loose.items() if n > behind}

    # What is there.

    def done(self, number: int, programs: int) -> bool:
        """Whether a shard ran all of its ``programs``."""
        if self.together is not None and number <= self.together.last:
            return True
        record = self.loose.get(number)
        return record is not None and record.programs >= programs

    def finished(self, count: int) -> bool:
        """Whether the first ``count`` shards are done, whole."""
        first = self.together.last + 1 if self.together else 0
        loose = (self.loose.get(n) for n in range(first, count))
        return all(record is not None and record.complete for record in loose)

    def total(self) -> Record:
        """The counts of all shards that are done."""
        return Record.total([*([self.together] if self.together else ()), *self.loose.values()])

    def kept_before(self, number: int) -> tuple[FuzzInput, ...]:
        """The cases that the first ``number`` shards kept, in the order of their discovery."""
        return tuple(k.case for k in sorted(self.kept.values()) if k.shard < number)

    def kinds_before(self, number: int) -> frozenset[str]:
        """The kinds of the findings of the first ``number`` shards."""
        findings = self.findings.values()
        return frozenset(f["kind"] for f in findings if f["first_seen"]["shard"] < number)

    def reported(self) -> list[tuple[str, FindingData]]:
        """Name and data of each finding with its count, the smallest programs first."""
        counts = self.total().findings
        counted = [(n, {**f, "count": counts[n] or f["count"]}) for n, f in self.findings.items()]
        return sorted(counted, key=lambda pair: (size_of(pair[1]), pair[0]))

    # Writing.

    def begin(self, identity: Identity) -> None:
        """Make a new corpus."""
        self._write(CAMPAIGN, identity.to_json())
        self.identity = identity

    def add(self, answer: Answer) -> list[FindingData]:
        """Record a shard, what it found first; the findings that are new.

        A shard that is recorded already, with as many programs or whole, is not counted again.
        """
        record = answer.record
        if self.done(record.first, record.programs):
            return []
        new = []
        for finding, text in zip(answer.findings, answer.scripts, strict=True):
            name, is_new = self._add_finding(finding, text)
            record.findings[name] += finding["count"]
            new += [finding] if is_new else []
        for undecided in answer.ill_conditioned:
            self._add_undecided(undecided)
        for place, case in enumerate(answer.kept):
            self._add_case(Kept(record.first, place, case.profile, case.data))
        self._write_record(record)
        self.loose[record.first] = record
        self._put_together()
        return new

    def _add_finding(self, finding: FindingData, script: str) -> tuple[str, bool]:
        name = self._name(finding)
        before = self.findings.get(name)
        if before is None or _number(finding) < _number(before):
            self._put(name, finding, script)
        return name, before is None

    def _name(self, finding: FindingData, now: str = "") -> str:
        """The name for a finding, whose name is ``now``; another has the same if it is the same."""
        name, second = names(finding)
        other = self.findings.get(name) if name != now else None
        return name if other is None or identity(other) == identity(finding) else second

    def _put(self, name: str, finding: FindingData, script: str) -> None:
        if script:
            self.store.write(f"scripts/{name}.py", script.encode())
        stored = {**finding, "script": f"scripts/{name}.py" if script else ""}
        self._write(f"findings/{name}.json", stored)
        self.findings[name] = stored

    def _add_undecided(self, difference: FindingData) -> None:
        name, _ = names(difference)
        before = self.ill_conditioned.get(name)
        if before is None or _number(difference) < _number(before):
            self._write(f"{ILL_CONDITIONED}/{name}.json", difference)
            self.ill_conditioned[name] = difference

    def _add_case(self, kept: Kept) -> None:
        name = case_name(kept.case)
        if name not in self.kept or kept < self.kept[name]:
            self._write(f"cases/{name}.json", encode(kept), quick=True)
            self.kept[name] = kept

    def _put_together(self) -> None:
        """Write the first shards into one file when there are many, then remove theirs."""
        first = self.together.last + 1 if self.together else 0
        count = 0
        while (record := self.loose.get(first + count)) is not None and record.complete:
            count += 1
        if count < LOOSE:
            return
        several = [self.loose[n] for n in range(first, first + count)]
        before = self.together
        self.together = Record.total([*([before] if before else ()), *several])
        self._write_record(self.together)
        for record in several:
            del self.loose[record.first]
            self.store.remove(f"shards/{record.first}.json")
        if before is not None:
            self.store.remove(f"shards/0-{before.last}.json")

    def settle(self) -> None:
        """Write the counts of the findings into their files."""
        for name, finding in self.reported():
            if finding != self.findings[name]:
                self._write(f"findings/{name}.json", finding)
                self.findings[name] = finding

    def replace(self, name: str, finding: FindingData, script: str) -> str:
        """Put a finding in the place of the one with that name; the name that it has now."""
        new = self._name(finding, name)
        if new != name and new in self.findings:
            finding = _merged(self.findings[new], finding)
        self._put(new, finding, script)
        if new != name:
            self._recount(name, new)
            self.drop(name)
        return new

    def _recount(self, name: str, new: str) -> None:
        """Count what shards found under one name under a new one."""
        for record in (*self.loose.values(), *([self.together] if self.together else ())):
            if record.findings[name]:
                record.findings[new] += record.findings.pop(name)
                self._write_record(record)

    def _write_record(self, record: Record) -> None:
        several = "" if record.first == record.last else f"-{record.last}"
        self._write(f"shards/{record.first}{several}.json", record.to_json())

    def forget(self, name: str) -> None:
        """Move a finding that is fixed to the folder ``fixed``."""
        self._write(f"fixed/{name}.json", {**self.findings[name], "script": ""})
        self.drop(name)

    def drop(self, name: str) -> None:
        """Remove a finding."""
        self.store.remove(f"findings/{name}.json")
        self.store.remove(f"scripts/{name}.py")
        del self.findings[name]

    def _write(self, name: str, data: Any, quick: bool = False) -> None:
        if name in self.unreadable:  # what a person may want to mend is not written over
            self.store.write(f"{name}.unreadable", self.store.read(name) or b"")
            self.unreadable.discard(name)
        text = json.dumps(data, indent=1, allow_nan=False) + "\n"
        self.store.write(name, text.encode(), quick)


def _merged(one: FindingData, other: FindingData) -> FindingData:
    first = min(one, other, key=_number)
    return {**first, "count": one["count"] + other["count"]}


def _number(finding: FindingData) -> int:
    return int(finding["first_seen"]["program"])


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".json")
