"""The lock of a corpus: one campaign at a time, and what a killed one left is taken over."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.errors import CampaignError
from parity.campaign.lock import LEASE, LOCK, STALE, Clock, Lock
from parity.campaign.storage import Folder, Store, open_store
from tests.helpers.campaigns import environment
from tests.helpers.simulated_machines import Machine, World


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


HOLDER = """
import sys
from parity.campaign.lock import Lock
from parity.campaign.storage import open_store
with Lock(open_store(sys.argv[1]), print):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def _held(where: str) -> Iterator[subprocess.Popen[str]]:
    """A corpus that another process has locked."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, where],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(params=["folder", "url"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A corpus in a folder, and one of fsspec's that other processes can open."""
    return "c" if request.param == "folder" else f"local://{tmp_path}/c"


def _owner(store: Store) -> tuple[int, str]:
    """The process and the host that the lock names."""
    data = json.loads(store.read(LOCK) or b"")
    return data["pid"], data["host"]


def test_a_corpus_is_used_by_one_campaign(where: str) -> None:
    store = open_store(where)
    with _held(where) as process:
        owner = process.pid, socket.gethostname()
        with pytest.raises(
            CampaignError, match=rf"in use by process {owner[0]} on {owner[1]}: wait"
        ):
            Lock(store, print).__enter__()
        assert _owner(store) == owner
        process.communicate("")
    notes: list[str] = []
    with Lock(store, notes.append):
        assert _owner(store) == (os.getpid(), owner[1])
    assert store.read(LOCK) is None
    assert notes == []


def test_a_lock_of_a_killed_campaign_is_taken_over(where: str) -> None:
    with _held(where) as process:
        process.kill()
        process.wait()
        notes: list[str] = []
        store = open_store(where)
        with Lock(store, notes.append):
            assert _owner(store) == (os.getpid(), socket.gethostname())
    assert notes == [f"{store.where}/lock.json: its campaign was killed; the corpus is taken over"]
    assert store.read(LOCK) is None


def test_a_process_has_a_corpus_once(where: str) -> None:
    with Lock(open_store(where), print):
        with pytest.raises(CampaignError, match=f"in use by process {os.getpid()} on"):
            Lock(open_store(where), print).__enter__()
        assert open_store(where).read(LOCK) is not None
    with Lock(open_store(where), print):
        pass


# Several machines.


def elsewhere(**fields: Any) -> bytes:
    """The lock of another machine."""
    return json.dumps({"pid": 1, "host": "elsewhere", "token": "ab", **fields}).encode()


class Waits:
    """A clock that only waiting moves; ``then`` is called once so much time has passed."""

    def __init__(self, at: float = 1e9, then: Callable[[], object] = lambda: None) -> None:
        self.time, self.at, self.then = 0.0, at, then
        self.clock = Clock(lambda: self.time, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.time >= self.at:
            self.at = 1e9
            self.then()


@pytest.mark.parametrize("lock", [elsewhere(), b'{"pid": 1, "host": "elsewhere"}'])
def test_a_lock_without_a_beat_is_taken_over_after_a_time(where: str, lock: bytes) -> None:
    """Also one of an earlier version, which has no token and no beat."""
    store, waits = open_store(where), Waits()
    store.write(LOCK, lock)
    notes: list[str] = []
    with Lock(store, notes.append, waits.clock):
        assert waits.time == STALE
        assert _owner(store) == (os.getpid(), socket.gethostname())
    assert notes == [
        f"{store.where}/lock.json: taken over from process 1 on elsewhere if it gives no sign of "
        "life for 20 s",
        f"{store.where}/lock.json: its campaign was killed; the corpus is taken over",
    ]
    assert [name for name in store.names(".") if name.startswith("lock")] == []


def test_a_lock_with_a_beat_holds(where: str) -> None:
    store = open_store(where)
    store.write(LOCK, elsewhere())
    waits = Waits(STALE / 2, lambda: store.write(LOCK, elsewhere(beat=1)))
    several = [Lock(store, print, waits.clock) for _ in range(2)]
    with pytest.raises(CampaignError, match="in use by process 1 on elsewhere: wait"):
        several[0].__enter__()
    assert waits.time < STALE
    store.remove(LOCK)
    with several[1]:
        pass


def test_a_lock_that_is_freed_while_it_is_watched_is_taken() -> None:
    store = Folder(Path("c"))
    store.write(LOCK, elsewhere())
    waits = Waits(3, lambda: store.remove(LOCK))
    with Lock(store, print, waits.clock):
        assert waits.time < STALE


class Late(Folder):
    """Another machine writes its name after this one has looked for one, and lives."""

    def create(self, name: str, data: bytes) -> bool:
        if name == LOCK:
            super().create(name, elsewhere())
        return super().create(name, data)


def test_of_two_machines_at_once_one_is_refused() -> None:
    store = Late(Path("c"))
    waits = Waits(3, lambda: store.write(LOCK, elsewhere(beat=1)))
    with pytest.raises(CampaignError, match="in use by process 1 on elsewhere"):
        Lock(store, print, waits.clock).__enter__()


def test_a_process_that_ended_while_it_took_over_blocks_nobody() -> None:
    store, waits = Folder(Path("c")), Waits()
    store.write(LOCK, elsewhere())
    store.write("lock-ab.json", elsewhere(host="second", token="cd"))
    store.write("lock-cd.json", elsewhere(host="third", token="ef"))
    store.write("lock-old.json", elsewhere(host="before", token="01"))
    with Lock(store, print, waits.clock):
        assert waits.time == STALE
    assert [name for name in store.names(".") if name.startswith("lock")] == []


def test_claims_in_a_circle_are_one_line() -> None:
    store = Folder(Path("c"))
    store.write(LOCK, elsewhere())
    store.write("lock-ab.json", elsewhere())
    with pytest.raises(CampaignError, match=r"^c/lock-ab\.json is damaged: remove it$"):
        Lock(store, print).__enter__()


def test_an_owner_raises_its_beat() -> None:
    store = Folder(Path("c"))
    with Lock(store, print, beats=False) as lock:
        before = json.loads(store.read(LOCK) or b"")
        lock.beat()
        assert json.loads(store.read(LOCK) or b"") == {**before, "beat": 1}


def test_an_owner_that_lost_its_lock_writes_nothing() -> None:
    store = Folder(Path("c"))
    with Lock(store, print, beats=False) as lock:
        lock.store.write("file", b"before")
        store.write(LOCK, elsewhere())
        lock.beat()
        for write in (
            lambda: lock.store.write("file", b"after"),
            lambda: lock.store.create("new", b""),
            lambda: lock.store.remove("file"),
        ):
            with pytest.raises(CampaignError, match=r"^c/lock\.json is not of this campaign any "):
                write()
    assert store.read("file") == b"before"
    assert store.read("new") is None
    assert store.read(LOCK) == elsewhere()


@pytest.mark.parametrize("taken", [False, True])
def test_an_owner_that_stood_still_has_to_take_its_lock_again(taken: bool) -> None:
    store, waits = Folder(Path("c")), Waits()
    with Lock(store, print, waits.clock, beats=False) as lock:
        waits.sleep(LEASE + 1)
        if taken:  # another process is about to take it over
            token = json.loads(store.read(LOCK) or b"")["token"]
            store.write(f"lock-{token}.json", elsewhere())
            with pytest.raises(CampaignError, match="is not of this campaign any more"):
                lock.store.write("file", b"")
        else:
            lock.store.write("file", b"")


def test_an_owner_whose_storage_is_away_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    store, waits = Folder(Path("c")), Waits()

    def away(name: str) -> bytes:
        raise CampaignError("no connection")

    with Lock(store, print, waits.clock, beats=False) as lock:
        with monkeypatch.context() as patch:
            patch.setattr(store, "read", away)
            lock.beat()  # for a short time that does not matter
            lock.store.write("file", b"")
            waits.sleep(LEASE + 1)
            with pytest.raises(CampaignError, match=r"^c/lock\.json cannot be written: another"):
                lock.store.write("file", b"")
        lock.store.write("file", b"")


# A race: machines that stand still and end at any moment.


def _works(machine: Machine) -> None:
    """Take the lock, again and again, and write while holding it; stand still at times."""
    world = machine.world
    jobs = 3
    while jobs:
        lock = Lock(machine, lambda text: None, machine.clock, beats=False)
        try:
            lock.acquire()
            jobs -= 1
            for _ in range(world.random.randint(1, 6)):
                lock.check()
                machine._operation()
                assert json.loads(world.files[LOCK])["token"] == lock.mine.token, "two owners"
                machine.wait(world.random.choice([0.1, 1, 4, 4, 40]))
                if world.random.random() < 0.7:
                    lock.beat()
            lock.release()
        except CampaignError:
            machine.wait(world.random.uniform(0, 10))


def race(seed: int) -> World:
    """The end of a world with machines that work, of which some are killed."""
    world = World(seed, pause=STALE - LEASE - 0.5, kills=seed % 3 * 0.005)
    for _ in range(2 + seed % 4):
        Machine(world, _works)
    world.run()
    return world


@pytest.mark.parametrize("part", range(4))
def test_no_two_machines_own_a_corpus_at_once(part: int) -> None:
    killed = 0
    for seed in range(part * 10, part * 10 + 10):
        world = race(seed)
        assert [machine.error for machine in world.machines if machine.error] == []
        killed += sum(machine.killed for machine in world.machines)
    assert killed > 0


def test_a_lock_that_another_took_is_left() -> None:
    store = Folder(Path("c"))
    with Lock(store, print):
        store.write(LOCK, b"of another")
    assert store.read(LOCK) == b"of another"


def test_a_corpus_that_cannot_be_locked_is_one_line() -> None:
    Path("c").write_text("a file")
    with pytest.raises(CampaignError, match=r"^corpus c cannot be written: .*$"):
        Lock(Folder(Path("c")), print).__enter__()


#: Locks that no campaign writes.
DAMAGED_LOCKS = {
    "empty": b"",
    "huge": b" " * 10**7 + b"{}",
    "a large number": b'{"pid": 1%s, "host": "elsewhere"}' % (b"0" * 30),
    "a path": elsewhere(token="../../a"),
    "half a pair": b'{"pid": 1, "host": "\\ud800"}',
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "no process": b'{"pid": -1, "host": "elsewhere"}',
}


@pytest.mark.parametrize("how", DAMAGED_LOCKS)
def test_a_lock_that_is_damaged_is_taken_over(how: str) -> None:
    store = Folder(Path("c"))
    store.write(LOCK, DAMAGED_LOCKS[how])
    notes: list[str] = []
    with Lock(store, notes.append):
        pass
    assert notes == ["c/lock.json: its campaign was killed; the corpus is taken over"]
    assert store.read(LOCK) is None


@pytest.mark.parametrize(
    ("name", "what"), [(LOCK, "pipe"), (LOCK, "folder"), (LOCK, "larger"), (".lock", "folder")]
)
def test_what_is_no_lock_is_one_line(name: str, what: str) -> None:
    Path("c").mkdir()
    file = Path("c", name)
    if what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    else:
        with file.open("wb") as stream:
            stream.truncate(10**10)
    with pytest.raises(CampaignError, match=r"^corpus c cannot be .*$"):
        Lock(Folder(Path("c")), print).__enter__()
