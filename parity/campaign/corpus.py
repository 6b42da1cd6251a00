"""The corpus of a campaign: shards that are done, findings, and kept inputs.

    campaign.json          engine, reference and seed of the campaign
    shards/NUMBER.json     counts of a shard; FIRST-LAST.json: of several
    findings/HASH.json     a finding, named by its reduced program
    scripts/HASH.py        its script
    ill-conditioned/HASH.json  a difference that is no finding, since rounding decides it
    cases/HASH.json        a kept input: bytes with a new feature
    fixed/HASH.json        a finding that no longer occurs
    lock.json              the process that runs the campaign; it holds a lock on the file .lock

Findings of a shard are written before its counts, so that a shard whose process is killed in
between runs again and finds the same. Files that cannot be read are reported and kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, TypeVar

from parity._util.decode import Check, Count, decode, encode, one_of
from parity.campaign.cases import FuzzInput
from parity.campaign.errors import CampaignError, one_line
from parity.campaign.records import (
    FindingData,
    Record,
    checked_finding,
    identity,
    input_name,
    names,
    size_of,
)
from parity.campaign.shard import Answer
from parity.campaign.storage import Store
from parity.generate.profiles import PROFILES
from parity.oracle.verdict import ILL_CONDITIONED

FORMAT = 1
CAMPAIGN = "campaign.json"
#: So many consecutive shards are merged into one file.
MERGED = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Identity:
    """The campaign of a corpus: engines by name and version, seed, and size of shards.

    ``spec``: the engine as named on the command line; ``size``: programs per shard.
    """

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
        """Return the identity as plain data."""
        return {**encode(_Format(FORMAT)), **encode(self)}


_Version = Annotated[int, Check(str(FORMAT), lambda number: number == FORMAT)]


@dataclass(frozen=True)
class _Format:
    """The version of ``campaign.json``."""

    format: _Version


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
        self.identity: Identity | None = self._identity()
        self.unreadable: set[str] = set()
        #: The record of the merged shards, from 0 on, and those of single shards after them.
        self.merged: Record | None = None
        self.single: dict[int, Record] = {}
        self.findings: dict[str, FindingData] = {}
        self.ill_conditioned: dict[str, FindingData] = {}
        self.kept: dict[str, KeptInput] = {}
        self._read_shards()
        for name, finding in self._read_all("findings", checked_finding):
            self.findings[_stem(name)] = finding
        for name, difference in self._read_all(ILL_CONDITIONED, checked_finding):
            self.ill_conditioned[_stem(name)] = difference
        for name, kept in self._read_all("cases", partial(decode, KeptInput)):
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
        """The readable files of a folder, by name."""
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
                self.single[record.first] = record
            elif self.merged is None or record.last > self.merged.last:
                self.merged = record
        behind = self.merged.last if self.merged else -1
        self.single = {n: r for n, r in self.single.items() if n > behind}

    # Queries.

    def done(self, number: int, programs: int) -> bool:
        """Whether a shard has run ``programs`` programs."""
        if self.merged is not None and number <= self.merged.last:
            return True
        record = self.single.get(number)
        return record is not None and record.programs >= programs

    def finished(self, count: int) -> bool:
        """Whether the first ``count`` shards are complete."""
        first = self.merged.last + 1 if self.merged else 0
        single = (self.single.get(n) for n in range(first, count))
        return all(record is not None and record.complete for record in single)

    def total(self) -> Record:
        """The counts of all shards."""
        return Record.total([*([self.merged] if self.merged else ()), *self.single.values()])

    def kept_before(self, number: int) -> tuple[FuzzInput, ...]:
        """The inputs that the first ``number`` shards kept, in order."""
        return tuple(k.fuzz_input for k in sorted(self.kept.values()) if k.shard < number)

    def kinds_before(self, number: int) -> frozenset[str]:
        """The kinds of the findings of the first ``number`` shards."""
        findings = self.findings.values()
        return frozenset(f["kind"] for f in findings if f["first_seen"]["shard"] < number)

    def reported(self) -> list[tuple[str, FindingData]]:
        """Name and data of each finding with its current count, the smallest programs first."""
        counts = self.total().findings
        counted = [(n, {**f, "count": counts[n] or f["count"]}) for n, f in self.findings.items()]
        return sorted(counted, key=lambda pair: (size_of(pair[1]), pair[0]))

    # Writing.

    def begin(self, identity: Identity) -> None:
        """Create a new corpus."""
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
            name, is_new = self._add_finding(finding, text)
            record.findings[name] += finding["count"]
            new += [finding] if is_new else []
        for undecided in answer.ill_conditioned:
            self._add_undecided(undecided)
        for index, one in enumerate(answer.kept):
            self._add_input(KeptInput(record.first, index, one.profile, one.data))
        self._write_record(record)
        self.single[record.first] = record
        self._merge_shards()
        return new

    def _add_finding(self, finding: FindingData, script: str) -> tuple[str, bool]:
        name = self._name(finding)
        before = self.findings.get(name)
        if before is None or _number(finding) < _number(before):
            self._put(name, finding, script)
        return name, before is None

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

    def _add_undecided(self, difference: FindingData) -> None:
        name, _ = names(difference)
        before = self.ill_conditioned.get(name)
        if before is None or _number(difference) < _number(before):
            self._write(f"{ILL_CONDITIONED}/{name}.json", difference)
            self.ill_conditioned[name] = difference

    def _add_input(self, kept: KeptInput) -> None:
        name = input_name(kept.fuzz_input)
        if name not in self.kept or kept < self.kept[name]:
            self._write(f"cases/{name}.json", encode(kept), quick=True)
            self.kept[name] = kept

    def _merge_shards(self) -> None:
        """Merge the first shards into one file if there are many, then remove their files."""
        first = self.merged.last + 1 if self.merged else 0
        count = 0
        while (record := self.single.get(first + count)) is not None and record.complete:
            count += 1
        if count < MERGED:
            return
        several = [self.single[n] for n in range(first, first + count)]
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
            finding = _merged(self.findings[new], finding)
        self._put(new, finding, script)
        if new != name:
            self._recount(name, new)
            self.drop(name)
        return new

    def _recount(self, name: str, new: str) -> None:
        """Move the counts of a finding to its new name."""
        for record in (*self.single.values(), *([self.merged] if self.merged else ())):
            if record.findings[name]:
                record.findings[new] += record.findings.pop(name)
                self._write_record(record)

    def _write_record(self, record: Record) -> None:
        several = "" if record.first == record.last else f"-{record.last}"
        self._write(f"shards/{record.first}{several}.json", record.to_json())

    def forget(self, name: str) -> None:
        """Move a fixed finding to the folder ``fixed``."""
        self._write(f"fixed/{name}.json", {**self.findings[name], "script": ""})
        self.drop(name)

    def drop(self, name: str) -> None:
        """Remove a finding."""
        self.store.remove(f"findings/{name}.json")
        self.store.remove(f"scripts/{name}.py")
        del self.findings[name]

    def _write(self, name: str, data: Any, quick: bool = False) -> None:
        if name in self.unreadable:  # kept, since it may be repaired by hand
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
