"""One campaign at a time on a corpus: a file that says which process has it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parity.campaign.errors import CampaignError
from parity.campaign.storage import Store

LOCK = "lock.json"


class Lock:
    """The lock of a corpus, taken while this object is used as a context.

    A lock that a killed process left on this machine is taken over, and ``note`` is told.
    Raises CampaignError where another campaign has it.
    """

    def __init__(self, store: Store, note: Callable[[str], None]) -> None:
        self.store = store
        self.note = note
        self.mine = json.dumps(
            {"pid": os.getpid(), "host": socket.gethostname(), "started": _started(os.getpid())}
        ).encode()

    def __enter__(self) -> Lock:
        for _ in range(3):
            if self.store.create(LOCK, self.mine):
                return self
            found = self.store.read(LOCK)
            if found is None:
                continue
            if _lives(_owner(found)):
                break
            self.note(f"{self._place}: its campaign was killed; the corpus is taken over")
            self.store.remove(LOCK)
        raise CampaignError(
            f"corpus {self.store.where} is in use by {self._who()}: wait for it, use another "
            f"folder, or remove {self._place} if that process is gone"
        )

    def __exit__(self, *exception: object) -> None:
        if self.store.read(LOCK) == self.mine:
            self.store.remove(LOCK)

    @property
    def _place(self) -> str:
        return f"{self.store.where}/{LOCK}"

    def _who(self) -> str:
        owner = _owner(self.store.read(LOCK) or b"")
        return f"process {owner.get('pid', '?')} on {owner.get('host', '?')}"


def _owner(data: bytes) -> dict[str, Any]:
    """What a lock says; nothing if its writer was killed before it was written."""
    try:
        owner = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _lives(owner: dict[str, Any]) -> bool:
    """Whether the process of a lock may still run; on other machines that is not known."""
    pid = owner.get("pid")
    if not isinstance(pid, int) or pid <= 0:
        return False
    if owner.get("host") != socket.gethostname():
        return True
    # A number is given out again: the time of the start tells two processes apart.
    if owner.get("started") != _started(pid):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to somebody else
        return True
    return True


def _started(pid: int) -> str:
    """When a process started, in ticks since the boot; "" where the system does not say."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[19]
