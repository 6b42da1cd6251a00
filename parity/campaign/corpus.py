"""The corpus of a campaign: shards that are done, findings, and kept inputs.

    campaign.json          engine, reference and seed of the campaign
    shards/NUMBER.json     counts of a shard; FIRST-LAST.json: of several
    findings/HASH.json     a finding, named by its reduced program
    scripts/HASH.py        its script
    ill-conditioned/HASH.json  a difference that is no finding, since rounding decides it
    cases/HASH.json        a kept input: bytes with a new feature
    fixed/HASH.json        a finding that no longer occurs
    status.json            progress, for monitoring
    lock.json              the process that runs the campaign; it holds a lock on the file .lock
    lock-TOKEN.json        the process that takes over the lock with this token

Findings of a shard are written before its counts, so that a shard whose process is killed in
between runs again and finds the same. Files that cannot be read are reported and kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, TypeVar

from parity._util.decode import Check, Count, decode, encode, one_of
from parity._util.escape import one_line
from parity._util.files import parse_json
from parity.campaign.cases import FuzzInput
from parity.campaign.errors import CampaignError
from parity.campaign.records import (
    FindingData,
    Record,
    checked_finding,
    digest,
    identity,
    names,
    size_of,
)
from parity.campaign.shard import Answer
from parity.campaign.storage import Store
from parity.generate.profiles import PROFILES
from parity.oracle.verdict import ILL_CONDITIONED

CAMPAIGN = "campaign.json"
#: So many consecutive shards are merged into one file.
MERGED = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Identity:
    """The campaign of a corpus: engines by name and version, seed, and programs per shard."""

    #: The engine as named on the command line.
    spec: str
    engine: str
    reference: str
    seed: str
    size: Annotated[int, Check("a number of programs", lambda size: 1 <= size < 10**9)]

    @staticmethod
    def from_json(data: object) -> Identity:
        """The inverse of ``to_json``. Raises FormatError if the data are of anything else."""
        decode(_Format, data)
        return decode(Identity, data)

    def to_json(self) -> dict[str, Any]:
        return {**encode(_Format(1)), **encode(self)}


@dataclass(frozen=True)
class _Format:
    """The version of ``campaign.json``."""

    format: Annotated[int, Check("1", lambda number: number == 1)]


@dataclass(frozen=True, order=True)
class KeptInput:
    """A kept input, the shard that kept it, and its index among the inputs of that shard."""

    shard: Count
    index: Count = field(metadata={"key": "place"})
    profile: Annotated[str, one_of(PROFILES)]
    data: bytes

    def __post_init__(self) -> None:
        _ = self.fuzz_input  # raises ValueError if the profile takes another number of bytes

    @property
    def fuzz_input(self) -> FuzzInput:
        return FuzzInput(self.profile, self.data)


class Corpus:
    """A corpus in a store, which is read when opened; ``note`` is called for unreadable files."""

    def __init__(self, store: Store, note: Callable[[str], None] = lambda text: None) -> None:
        self.store = store
        self.note = note
        self.identity = self._identity()
        self.unreadable: set[str] = set()
        #: The record of the merged shards, from 0 on, and those of single shards after them.
        self.merged: Record | None = None
        self.single: dict[int, Record] = {}
        for record in self._read_all("shards", Record.from_json).values():
            if record.first == record.last:
                self.single[record.first] = record
            elif self.merged is None or record.last > self.merged.last:
                self.merged = record
        self.single = {n: r for n, r in self.single.items() if n >= self._first_single}
        self.findings = self._read_all("findings", checked_finding)
        self.ill_conditioned = self._read_all(ILL_CONDITIONED, checked_finding)
        self.kept = self._read_all("cases", partial(decode, KeptInput))

    def _identity(self) -> Identity | None:
        data = self.store.read(CAMPAIGN)
        if data is None:
            return None
        try:
            return Identity.from_json(parse_json(data))
        except ValueError as error:
            raise CampaignError(
                f"{self.store.where}/{CAMPAIGN} cannot be read ({one_line(error)}): mend it, "
                "or use another corpus"
            ) from None

    def _read_all(self, folder: str, read: Callable[[Any], T]) -> dict[str, T]:
        """What is in the readable files of a folder, by their names without folder and suffix."""
        result = {}
        for name in self.store.names(folder):
            if not name.endswith(".json"):
                continue
            try:
                stem = name.rpartition("/")[2].removesuffix(".json")
                result[stem] = read(parse_json(self.store.read(name) or b""))
            except ValueError as error:
                self.unreadable.add(name)
                where = f"{self.store.where}/{name}"
                self.note(f"{where} cannot be read and is left out: {one_line(error)}")
            except CampaignError as error:
                self.unreadable.add(name)
                self.note(f"{name} is left out: {error}")
        return result

    @property
    def _first_single(self) -> int:
        return self.merged.last + 1 if self.merged else 0

    @property
    def _records(self) -> list[Record]:
        return [*([self.merged] if self.merged else ()), *self.single.values()]

    def done(self, number: int, programs: int) -> bool:
        """Whether a shard has run ``programs`` programs."""
        record = self.single.get(number)
        return number < self._first_single or (record is not None and record.programs >= programs)

    def finished(self, count: int) -> bool:
        """Whether the first ``count`` shards are complete."""
        single = (self.single.get(n) for n in range(self._first_single, count))
        return all(record is not None and record.complete for record in single)

    def programs_before(self, number: int, size: int) -> int:
        """The programs of the first ``number`` shards of ``size`` programs, all complete.

        Shards that several campaigns were merged into have any number of programs.
        """
        if self.merged is None or number <= self.merged.last:
            return number * size
        return self.merged.programs + (number - self._first_single) * size

    def total(self) -> Record:
        return Record.total(self._records)

    def kept_before(self, number: int) -> tuple[FuzzInput, ...]:
        """The inputs that the first ``number`` shards kept, in order."""
        return tuple(k.fuzz_input for k in sorted(self.kept.values()) if k.shard < number)

    def groups_before(self, number: int) -> frozenset[str]:
        """The groups (``Finding.group``) of the findings of the first ``number`` shards."""
        findings = (f for f in self.findings.values() if f["first_seen"]["shard"] < number)
        return frozenset(f"{f['kind']} {f.get('place', '')}".rstrip() for f in findings)

    def reported(self) -> list[tuple[str, FindingData]]:
        """Name and data of each finding with its current count, the smallest programs first."""
        counts = self.total().findings
        counted = [(n, {**f, "count": counts[n] or f["count"]}) for n, f in self.findings.items()]
        return sorted(counted, key=lambda pair: (size_of(pair[1]), pair[0]))

    def begin(self, identity: Identity) -> None:
        self._write(CAMPAIGN, identity.to_json())
        self.identity = identity

    def add(self, answer: Answer) -> list[FindingData]:
        """Record the answer of a shard, and return its new findings.

        A shard that is recorded with as many programs, or merged, is not counted again.
        """
        record = answer.record
        if self.done(record.first, record.programs):
            return []
        new = []
        for finding, text in zip(answer.findings, answer.scripts, strict=True):
            name = self._name(finding)
            record.findings[name] += finding["count"]
            if name not in self.findings:
                new.append(finding)
            if _is_earlier(finding, self.findings.get(name)):
                self._put(name, finding, text)
        for difference in answer.ill_conditioned:
            name, _ = names(difference)
            if _is_earlier(difference, self.ill_conditioned.get(name)):
                self._write(f"{ILL_CONDITIONED}/{name}.json", difference)
                self.ill_conditioned[name] = difference
        for index, one in enumerate(answer.kept):
            kept = KeptInput(record.first, index, one.profile, one.data)
            name = digest(f"{one.profile}:{one.data.hex()}")
            if name not in self.kept or kept < self.kept[name]:
                self._write(f"cases/{name}.json", encode(kept), quick=True)
                self.kept[name] = kept
        self._write_record(record)
        self.single[record.first] = record
        self._merge_shards()
        return new

    def _name(self, finding: FindingData, now: str = "") -> str:
        """A name for a finding, which is ``now`` unless that of another finding."""
        name, second = names(finding)
        other = self.findings.get(name) if name != now else None
        return name if other is None or identity(other) == identity(finding) else second

    def _put(self, name: str, finding: FindingData, script: str) -> None:
        if script:
            self.store.write(f"scripts/{name}.py", script.encode())
        stored = {**finding, "script": f"scripts/{name}.py" if script else ""}
        self._write(f"findings/{name}.json", stored)
        self.findings[name] = stored

    def _merge_shards(self) -> None:
        """Merge the first shards into one file if there are many, then remove their files."""
        several: list[Record] = []
        while record := self.single.get(self._first_single + len(several)):
            if not record.complete:
                break
            several.append(record)
        if len(several) < MERGED:
            return
        before = self.merged
        self.merged = Record.total([*([before] if before else ()), *several])
        self._write_record(self.merged)
        for record in several:
            del self.single[record.first]
            self.store.remove(f"shards/{record.first}.json")
        if before is not None:
            self.store.remove(f"shards/0-{before.last}.json")

    def write_counts(self) -> None:
        """Write the current counts of findings into their files."""
        for name, finding in self.reported():
            if finding != self.findings[name]:
                self._write(f"findings/{name}.json", finding)
                self.findings[name] = finding

    def replace(self, name: str, finding: FindingData, script: str) -> str:
        """Replace the finding of a name by another, and return the name of that."""
        new = self._name(finding, name)
        if new != name and new in self.findings:
            other = self.findings[new]
            first = min(other, finding, key=_number)
            finding = {**first, "count": other["count"] + finding["count"]}
        self._put(new, finding, script)
        if new != name:
            for record in self._records:
                if record.findings[name]:
                    record.findings[new] += record.findings.pop(name)
                    self._write_record(record)
            self.drop(name)
        return new

    def _write_record(self, record: Record) -> None:
        several = "" if record.first == record.last else f"-{record.last}"
        self._write(f"shards/{record.first}{several}.json", record.to_json())

    def remove_kept(self, names: Iterable[str]) -> None:
        """Remove kept inputs, one file after the other."""
        for name in names:
            self.store.remove(f"cases/{name}.json")
            del self.kept[name]

    def forget(self, name: str) -> None:
        """Move a fixed finding to the folder ``fixed``."""
        self._write(f"fixed/{name}.json", {**self.findings[name], "script": ""})
        self.drop(name)

    def drop(self, name: str) -> None:
        self.store.remove(f"findings/{name}.json")
        self.store.remove(f"scripts/{name}.py")
        del self.findings[name]

    def _write(self, name: str, data: Any, quick: bool = False) -> None:
        if name in self.unreadable:  # kept, since it may be repaired by hand
            self.store.write(f"{name}.unreadable", self.store.read(name) or b"")
            self.unreadable.discard(name)
        text = json.dumps(data, indent=1, allow_nan=False) + "\n"
        self.store.write(name, text.encode(), quick)


def _number(finding: FindingData) -> int:
    return int(finding["first_seen"]["program"])


def _is_earlier(finding: FindingData, other: FindingData | None) -> bool:
    return other is None or _number(finding) < _number(other)
