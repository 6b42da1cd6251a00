"""The status file of a campaign, which monitoring reads: JSON, replaced as a whole."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.errors import CampaignError
from parity.campaign.records import Record
from parity.campaign.storage import Folder, Store
from parity.generate.coverage import reached

STATUS = "status.json"
RUNNING, FINISHED, INTERRUPTED = "running", "finished", "interrupted"
#: Seconds between two writes, to a folder and to other storage.
EVERY, EVERY_REMOTE = 2.0, 60.0


@dataclass
class Status:
    """The progress of a campaign.

    ``rate``: programs per second of this run; ``seconds`` of this run; ``left``: seconds.
    """

    programs: int
    rate: float
    findings: Counter[str]
    reached: int
    reachable: int
    workers: int
    shards: int
    seconds: float
    left: float | None
    stopping: bool


class Growth:
    """When a kept input last had a feature that none before had: of programs, not of lines."""

    def __init__(self, reader: Reader, kept: Iterable[FuzzInput]) -> None:
        self.reader = reader
        self.seen: set[Any] = set()
        self.programs: int | None = None
        self._time: float | None = None
        self._add(kept)

    def _add(self, kept: Iterable[FuzzInput]) -> bool:
        before = len(self.seen)
        for one in kept:
            if one.profile in self.reader.decoders:
                self.seen.update(reached(self.reader.program(one)))
        return len(self.seen) > before

    def add(self, kept: Iterable[FuzzInput], programs: int) -> None:
        """Take note of inputs that were kept when ``programs`` were recorded."""
        if self._add(kept):
            self.programs, self._time = programs, time.monotonic()

    def to_json(self) -> dict[str, Any]:
        """Both are null until this run has reached a new feature."""
        since = None if self._time is None else round(time.monotonic() - self._time, 1)
        return {"seconds": since, "program": self.programs}


class StatusFile:
    """Writes the status of a campaign every few seconds; a failure is told once and ends nothing.

    ``file``: where it is written instead of ``status.json`` in the corpus.
    """

    def __init__(self, store: Store, note: Callable[[str], None], file: Path | None = None) -> None:
        self.store = Folder(file.parent, "folder") if file else store
        self.name = file.name if file else STATUS
        self.every = EVERY if isinstance(self.store, Folder) else EVERY_REMOTE
        self._note = note
        self._written = float("-inf")
        self._failed = False

    def write(
        self, status: Status, total: Record, growth: Growth, names: dict[str, str], state: str
    ) -> None:
        """Write it if it is time, or if the campaign does not run any more."""
        now = time.monotonic()
        if state == RUNNING and now - self._written < self.every:
            return
        self._written = now
        data = {"state": state, **names, **_facts(status, total, growth)}
        try:
            self.store.write(self.name, (json.dumps(data, indent=1) + "\n").encode(), quick=True)
        except CampaignError as error:
            if not self._failed:
                self._note(f"no status is written: {error}")
            self._failed = True


def _facts(status: Status, total: Record, growth: Growth) -> dict[str, Any]:
    return {
        "updated_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "programs": status.programs,
        "rate": round(status.rate, 1),
        "findings": sum(status.findings.values()),
        "findings_by_kind": dict(sorted(status.findings.items())),
        "stability": total.stability.to_json()["share"],
        "coverage": {"reached": status.reached, "reachable": status.reachable},
        "last_new_coverage": growth.to_json(),
        "elapsed": round(status.seconds, 1),
        "left": None if status.left is None else round(status.left, 1),
        "workers": status.workers,
    }
