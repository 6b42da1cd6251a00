"""The lock of a corpus: one campaign at a time, and what a killed one left is taken over."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parity.campaign.errors import CampaignError
from parity.campaign.lock import LOCK, Lock
from parity.campaign.storage import Folder, Store, open_store
from tests.helpers.campaigns import environment


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


def _owner(store: Store) -> object:
    return json.loads(store.read(LOCK) or b"null")


def test_a_corpus_is_used_by_one_campaign(where: str) -> None:
    store = open_store(where)
    with _held(where) as process:
        owner = {"pid": process.pid, "host": socket.gethostname()}
        with pytest.raises(
            CampaignError, match=rf"in use by process {process.pid} on {owner['host']}: wait"
        ):
            Lock(store, print).__enter__()
        assert _owner(store) == owner
        process.communicate("")
    notes: list[str] = []
    with Lock(store, notes.append):
        assert _owner(store) == {**owner, "pid": os.getpid()}
    assert store.read(LOCK) is None
    assert notes == []


def test_a_lock_of_a_killed_campaign_is_taken_over(where: str) -> None:
    with _held(where) as process:
        process.kill()
        process.wait()
        notes: list[str] = []
        store = open_store(where)
        with Lock(store, notes.append):
            assert _owner(store) == {"pid": os.getpid(), "host": socket.gethostname()}
    assert notes == [f"{store.where}/lock.json: its campaign was killed; the corpus is taken over"]
    assert store.read(LOCK) is None


def test_a_process_has_a_corpus_once(where: str) -> None:
    with Lock(open_store(where), print):
        with pytest.raises(CampaignError, match=f"in use by process {os.getpid()} on"):
            Lock(open_store(where), print).__enter__()
        assert open_store(where).read(LOCK) is not None
    with Lock(open_store(where), print):
        pass


def test_a_lock_of_another_machine_holds(where: str) -> None:
    store = open_store(where)
    store.write(LOCK, b'{"pid": 1, "host": "elsewhere"}')
    several = [
        Lock(store, print) for _ in range(2)
    ]  # kept, so that none ends by garbage collection
    for lock in several:
        with pytest.raises(
            CampaignError, match=rf"process 1 on elsewhere: .* remove {store.where}/lock\.json"
        ):
            lock.__enter__()
    store.remove(LOCK)
    with Lock(store, print):
        pass


class Late(Folder):
    """Another machine writes its name after this one has looked for one."""

    def create(self, name: str, data: bytes) -> bool:
        super().create(name, b'{"pid": 1, "host": "elsewhere"}')
        return super().create(name, data)


def test_of_two_machines_at_once_one_is_refused() -> None:
    with pytest.raises(CampaignError, match="in use by process 1 on elsewhere"):
        Lock(Late(Path("c")), print).__enter__()


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
