"""One campaign at a time on a corpus, on one machine or several.

``lock.json`` names the owner: a process with a random token and a number, the beat, which a thread
raises every ``BEAT`` seconds. Processes of one machine also exclude each other with a lock of the
operating system, which ends with its process, so a lock that a killed process left there is taken
over at once. The lock of another machine is watched: its owner is gone if neither token nor beat
changed for ``STALE`` seconds of the clock of the process that watches.

To take over the lock with the token T, a process creates the file ``lock-T.json``, which only one
process can, and then looks whether the owner is still as it was. If the process that did so ended
before it was done, the next one creates a file for the token in that file, after the same wait.

An owner that did not raise its beat for ``LEASE`` seconds writes nothing more, until it has taken
its own lock over in the same way. If another process was faster, it ends. So the corpus has two
owners at most while one of them stops for ``STALE - LEASE`` seconds within one write.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from filelock import FileLock, Timeout

from parity._util.decode import Check, Count, decode, encode
from parity._util.escape import one_line
from parity._util.files import parse_json
from parity.campaign.errors import CampaignError
from parity.campaign.storage import Store

LOCK = "lock.json"
#: Seconds: between two beats; how long an owner writes without one; how long one that does not
#: beat is taken for living.
BEAT, LEASE, STALE = 5.0, 10.0, 20.0
#: Bytes of a lock that a campaign wrote, at most.
_LARGEST = 4096
_BOOT = Path("/proc/sys/kernel/random/boot_id")

Text = Annotated[str, Check("a short name", lambda text: len(text) <= 300 and text.isprintable())]
Token = Annotated[
    str, Check("hexadecimal digits", lambda t: len(t) <= 64 and (not t or t.isalnum()))
]


@dataclass(frozen=True)
class Owner:
    """The process that works on a corpus, or that takes it over."""

    pid: Count
    host: Text
    #: The file that the process has locked: equal names mean the same file.
    file: Text = ""
    token: Token = ""
    beat: Count = 0


#: The owner that a file names which no campaign wrote.
NOBODY = Owner(0, "")


@dataclass(frozen=True)
class Clock:
    """The time; tests bring their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Lock:
    """The lock of a corpus, held while this object is used as a context manager.

    ``store`` is the store of the corpus, whose writes raise CampaignError once the lock is lost.
    A lock without a living owner is taken over, and ``note`` is told. Raises CampaignError where
    another campaign has it.
    """

    def __init__(
        self,
        store: Store,
        note: Callable[[str], None],
        clock: Clock = Clock(),
        beats: bool = True,
    ) -> None:
        self.plain = store
        self.store: Store = GuardedStore(store, self.check)
        self.note = note
        self.clock = clock
        self.lost = False
        self.mine = NOBODY
        self._beats = beats
        self._since = clock.now()  # of the last beat
        self._local = FileLock(store.lock_file)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep_beating, daemon=True)
        self._changing = threading.Lock()

    def __enter__(self) -> Lock:
        try:
            self._local.acquire(blocking=False)
        except Timeout:
            raise self._refusal(self._read(LOCK)) from None
        except OSError as error:
            raise CampaignError(
                f"corpus {self.plain.where} cannot be written: {error.strerror or one_line(error)}"
            ) from error
        try:
            self.acquire()
        except BaseException:
            self._local.release()
            raise
        if self._beats:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        try:
            self.release()
        finally:
            self._local.release()

    def acquire(self) -> None:
        """Become the owner named in ``lock.json``; wait for a sign of life of another one."""
        self.mine = Owner(os.getpid(), socket.gethostname(), self._file(), secrets.token_hex(8))
        self._since = self.clock.now()
        if not self.plain.create(LOCK, _data(self.mine)):
            self._take_over()

    def release(self) -> None:
        """Remove ``lock.json``, unless it may be that of another process."""
        if not self.lost and self._read(LOCK) == self.mine and not self._lapsed:
            self.plain.remove(LOCK)

    def check(self) -> None:
        """Raise CampaignError if this process is not the owner any more, or may not be."""
        if self._lapsed and not self.lost:
            self.beat()
        if self.lost or self._lapsed:
            why = "is not of this campaign any more" if self.lost else "cannot be written"
            raise CampaignError(
                f"{self._path} {why}: another one may use the corpus, so this one ends and writes "
                "nothing more"
            )

    def beat(self) -> None:
        """Show that this process lives; notice if the lock is not its own any more."""
        with self._changing, contextlib.suppress(CampaignError):  # a storage may be away for a time
            now = self.clock.now()
            if self.lost or self._read(LOCK) != self.mine:
                self.lost = True
            elif self._lapsed:
                self._renew()
            else:
                following = replace(self.mine, beat=self.mine.beat + 1)
                self.plain.write(LOCK, _data(following), quick=True)
                self.mine, self._since = following, now

    @property
    def _lapsed(self) -> bool:
        return self.clock.now() - self._since > LEASE

    def _keep_beating(self) -> None:
        while not self._ended.wait(BEAT) and not self.lost:
            self.beat()

    def _renew(self) -> None:
        """Take over the lock of this process itself, which others may take over as well."""
        self.lost = True  # also if the storage fails in between
        self.lost = not self._claim((self.mine,))

    # Taking over.

    def _take_over(self) -> None:
        """Wait until nothing has changed for ``STALE`` seconds, and become the owner."""
        seen: tuple[Owner, ...] = ()
        since = self.clock.now()
        while True:
            chain = self._chain()
            if not chain:  # its campaign has just ended
                if self.plain.create(LOCK, _data(self.mine)):
                    return
                continue
            if seen and chain[0].token == seen[0].token and chain[0].beat != seen[0].beat:
                raise self._refusal(chain[0])
            if chain != seen:
                seen, since = chain, self.clock.now()
                if not self._is_dead(chain[-1]):
                    self.note(
                        f"{self._path}: taken over from process {chain[-1].pid or '?'} on "
                        f"{chain[-1].host or '?'} if it gives no sign of life for {STALE:g} s"
                    )
            if self._is_dead(chain[-1]) or self.clock.now() - since >= STALE:
                if self._claim(chain):
                    self.note(f"{self._path}: its campaign was killed; the corpus is taken over")
                    return
                seen = ()
            self.clock.sleep(BEAT / 5)

    def _is_dead(self, owner: Owner) -> bool:
        """Whether an owner has certainly ended: this process has what it had locked."""
        return (owner.token == "" and owner.host == "") or owner.file == self.mine.file != ""

    def _chain(self) -> tuple[Owner, ...]:
        """The owner in ``lock.json``, the process that takes it over, the next one, ..."""
        chain: list[Owner] = []
        name = LOCK
        while (owner := self._read(name)) is not None:
            if owner in chain:
                raise CampaignError(f"{self.plain.where}/{name} is damaged: remove it")
            chain.append(owner)
            name = _claim_of(owner)
        return tuple(chain)

    def _claim(self, chain: tuple[Owner, ...]) -> bool:
        """Take over the lock if the chain is still as it was seen; return whether that is so."""
        started = self.clock.now()
        # A new token each time: files that are left over then never name each other in a circle.
        self.mine = replace(self.mine, token=secrets.token_hex(8))
        if not self.plain.create(_claim_of(chain[-1]), _data(self.mine)):
            return False
        if self._chain() != (*chain, self.mine) or self.clock.now() - started > LEASE:
            self.plain.remove(_claim_of(chain[-1]))
            return False
        self.plain.write(LOCK, _data(self.mine))
        self._since = started
        for name in self.plain.names("."):  # also those of processes that ended in between
            if name.startswith("lock-") and name != _claim_of(self.mine) and not self._lapsed:
                self.plain.remove(name)
        return True

    # What is stored.

    def _file(self) -> str:
        """A name of the file that this process has locked, different on each machine."""
        try:
            found = os.stat(self.plain.lock_file)
            boot = _BOOT.read_text().strip() if _BOOT.exists() else socket.gethostname()
        except OSError:
            return ""
        return f"{boot}:{found.st_dev}:{found.st_ino}"

    def _read(self, name: str) -> Owner | None:
        """The owner that a file names, None if there is no such file."""
        data = self.plain.read(name)
        if data is None:
            return None
        try:
            return decode(Owner, parse_json(data[:_LARGEST]))
        except ValueError:
            return NOBODY

    @property
    def _path(self) -> str:
        return f"{self.plain.where}/{LOCK}"

    def _refusal(self, owner: Owner | None) -> CampaignError:
        owner = owner or NOBODY
        return CampaignError(
            f"corpus {self.plain.where} is in use by process {owner.pid or '?'} on "
            f"{owner.host or '?'}: wait for it, or use another folder"
        )


class GuardedStore:
    """A store whose writes call ``check`` first."""

    def __init__(self, store: Store, check: Callable[[], None]) -> None:
        self.where, self.lock_file = store.where, store.lock_file
        self.names, self.read = store.names, store.read
        self._store, self._check = store, check

    def write(self, name: str, data: bytes, quick: bool = False) -> None:
        self._check()
        self._store.write(name, data, quick)

    def create(self, name: str, data: bytes) -> bool:
        self._check()
        return self._store.create(name, data)

    def remove(self, name: str) -> None:
        self._check()
        self._store.remove(name)


def _claim_of(owner: Owner) -> str:
    """The file of the process that takes over from an owner."""
    return f"lock-{owner.token or 'unnamed'}.json"


def _data(owner: Owner) -> bytes:
    return json.dumps(encode(owner)).encode()
