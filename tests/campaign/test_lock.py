"""The lock of a corpus: one campaign at a time, and what a killed one left is taken over."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from parity.campaign.errors import CampaignError
from parity.campaign.lock import LOCK, Lock, _started
from parity.campaign.storage import Folder


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_corpus_is_used_by_one_campaign() -> None:
    store = Folder(Path("c"))
    other = {"pid": os.getppid(), "host": socket.gethostname(), "started": ""}
    stat = Path(f"/proc/{os.getppid()}/stat")
    if stat.exists():
        other["started"] = stat.read_text().rpartition(")")[2].split()[19]
    store.write(LOCK, json.dumps(other).encode())
    with pytest.raises(CampaignError, match=rf"in use by process {os.getppid()} on"):
        Lock(store, print).__enter__()
    assert json.loads(store.read(LOCK) or b"") == other


def test_a_lock_of_another_machine_holds() -> None:
    store = Folder(Path("c"))
    store.write(LOCK, b'{"pid": 1, "host": "elsewhere", "started": "1"}')
    with pytest.raises(CampaignError, match=r"process 1 on elsewhere: .* remove c/lock\.json"):
        Lock(store, print).__enter__()


def _gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


class Vanishing(Folder):
    """Another process has the lock at first, and gives it back before it is read."""

    tries = 0

    def create(self, name: str, data: bytes) -> bool:
        self.tries += 1
        return self.tries > 1 and super().create(name, data)


def test_a_lock_that_is_given_back_meanwhile_is_taken() -> None:
    store = Vanishing(Path("c"))
    notes: list[str] = []
    with Lock(store, notes.append):
        assert json.loads(store.read(LOCK) or b"")["pid"] == os.getpid()
    assert notes == []


def test_a_lock_that_another_took_is_left() -> None:
    store = Folder(Path("c"))
    with Lock(store, print):
        store.write(LOCK, b"of another")
    assert store.read(LOCK) == b"of another"


@pytest.mark.parametrize(
    ("error", "lives"), [(ProcessLookupError, False), (PermissionError, True), (None, True)]
)
def test_where_starts_are_not_told_a_lock_goes_by_the_process(
    error: type[OSError] | None, lives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(pid: int, number: int) -> None:
        assert number == 0
        if error:
            raise error

    monkeypatch.setattr("parity.campaign.lock._started", lambda pid: "")
    monkeypatch.setattr(os, "kill", kill)
    store = Folder(Path("c"))
    owner = {"pid": 12, "host": socket.gethostname(), "started": ""}
    store.write(LOCK, json.dumps(owner).encode())
    if lives:
        with pytest.raises(CampaignError, match="in use by process 12 on"):
            Lock(store, print).__enter__()
    else:
        with Lock(store, print):
            pass


def test_the_start_of_a_process_is_read_whatever_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    stat = "12 (a b) 7) S " + " ".join(map(str, range(4, 53)))  # each field its number
    monkeypatch.setattr(Path, "read_text", lambda self: stat)
    assert _started(12) == "22"


#: Locks that no campaign writes.
DAMAGED_LOCKS = {
    "a list": b"[]",
    "deep": b"[" * 100_000,
    "zero": json.dumps({"pid": 0, "host": socket.gethostname(), "started": ""}).encode(),
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


@pytest.mark.parametrize("how", ["gone", "another start", "empty", "self"])
def test_a_lock_that_was_left_is_taken_over(how: str) -> None:
    store = Folder(Path("c"))
    pid = {"gone": _gone, "another start": os.getppid, "self": os.getpid, "empty": int}[how]()
    owner = {"pid": pid, "host": socket.gethostname(), "started": "before"}
    store.write(LOCK, b"" if how == "empty" else json.dumps(owner).encode())
    notes: list[str] = []
    with Lock(store, notes.append), pytest.raises(CampaignError, match="in use by process"):
        Lock(store, print).__enter__()
    assert len(notes) == 1
    assert store.read(LOCK) is None
