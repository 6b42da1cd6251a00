"""One campaign at a time on a corpus.

Processes of this machine exclude each other with a lock of the operating system, which ends with
the process that holds it. ``lock.json`` in the corpus says who that is; on a storage that several
machines share it also excludes campaigns of other machines.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from filelock import FileLock, Timeout

from parity._util.decode import Count, decode, encode
from parity._util.escape import one_line
from parity.campaign.errors import CampaignError
from parity.campaign.storage import Store

LOCK = "lock.json"


@dataclass(frozen=True)
class Owner:
    """The process that works on a corpus."""

    pid: Count
    host: str


class Lock:
    """The lock of a corpus, held while this object is used as a context manager.

    A lock that a killed process left on this machine is taken over, and ``note`` is told.
    Raises CampaignError where another campaign has it.
    """

    def __init__(self, store: Store, note: Callable[[str], None]) -> None:
        self.store = store
        self.note = note
        self.mine = Owner(os.getpid(), socket.gethostname())
        self._local = FileLock(store.lock_file)

    def __enter__(self) -> Lock:
        try:
            self._local.acquire(blocking=False)
        except Timeout:
            raise self._refusal() from None
        except OSError as error:
            raise CampaignError(
                f"corpus {self.store.where} cannot be written: {error.strerror or one_line(error)}"
            ) from error
        try:
            self._write()
        except BaseException:
            self._local.release()
            raise
        return self

    def _write(self) -> None:
        """Name this process as the owner; nothing else on this machine does so at the same time."""
        data = self.store.read(LOCK)
        if data is not None and _owner(data).host in (self.mine.host, ""):
            self.note(f"{self._path}: its campaign was killed; the corpus is taken over")
            self.store.remove(LOCK)
        if not self.store.create(LOCK, json.dumps(encode(self.mine)).encode()):
            raise self._refusal()

    def __exit__(self, *exception: object) -> None:
        try:
            if _owner(self.store.read(LOCK) or b"") == self.mine:
                self.store.remove(LOCK)
        finally:
            self._local.release()

    @property
    def _path(self) -> str:
        return f"{self.store.where}/{LOCK}"

    def _refusal(self) -> CampaignError:
        owner = _owner(self.store.read(LOCK) or b"")
        return CampaignError(
            f"corpus {self.store.where} is in use by process {owner.pid or '?'} on "
            f"{owner.host or '?'}: wait for it, use another folder, or remove {self._path} if "
            "that process is gone"
        )


def _owner(data: bytes) -> Owner:
    """The owner that a file names; nobody if its writer was killed before it was written."""
    try:
        return decode(Owner, json.loads(data))
    except (ValueError, RecursionError):
        return Owner(0, "")
