"""Campaigns whose coordinator or workers are killed: nothing is lost, nothing is counted twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.errors import CampaignError
from parity.campaign.executors import Cluster, Processes
from parity.campaign.monitor import Status
from tests.helpers.campaigns import FEW_OVERWRITE, Notes, environment, left, run

pytestmark = pytest.mark.slow

PROGRAMS = 60


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a campaign leaves that nothing disturbs."""
    folder = tmp_path_factory.mktemp("campaign") / "undisturbed"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))
        run(str(folder), PROGRAMS, FEW_OVERWRITE)
    result = left(folder)
    assert result["findings"]
    return result


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))


@pytest.mark.parametrize("seed", ["0", "1"])
def test_a_campaign_that_is_killed_again_and_again(seed: str, undisturbed: dict[str, Any]) -> None:
    script = Path(__file__).parents[1] / "helpers" / "killed_campaign.py"
    done = subprocess.run(
        [sys.executable, str(script), "killed", str(PROGRAMS), seed, FEW_OVERWRITE],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 3
    assert left(Path("killed")) == undisturbed
    stray = [file for file in Path("killed").rglob("*") if file.name == "lock.json"]
    assert stray == []


class KillsOne(Notes):
    """Kills a process when so many programs are recorded."""

    def __init__(self, programs: int) -> None:
        super().__init__()
        self.programs = programs
        self.victim: subprocess.Popen[bytes] | Processes | None = None

    def update(self, status: Status) -> None:
        if self.victim is not None and status.programs >= self.programs:
            if isinstance(self.victim, Processes):
                os.kill(self.victim.pool.pids()[0], signal.SIGKILL)
            else:
                self.victim.kill()
            self.victim = None


def test_a_worker_that_is_killed_is_replaced(undisturbed: dict[str, Any]) -> None:
    display, executor = KillsOne(20), Processes(2)
    display.victim = executor
    run("killed", PROGRAMS, FEW_OVERWRITE, executor=executor, display=display)
    assert display.victim is None
    assert left(Path("killed")) == undisturbed


def test_an_engine_that_ends_its_worker_is_a_finding() -> None:
    display = Notes()
    outcome = run(
        "c",
        60,
        "tests.helpers.isolated_engines:Segfaults",
        isolate=False,
        executor=Processes(1),
        display=display,
        size=60,
    )
    assert [f["kind"] for _, f in outcome.findings] == ["crash"]
    assert "a worker ended (the process was ended by SIGSEGV); shard 0 runs again" in display.notes
    assert outcome.total.programs == 60


@contextmanager
def _cluster(workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a Dask scheduler and its worker processes."""

    def started(module: str, *arguments: str) -> subprocess.Popen[bytes]:
        common = ("--scheduler-file", "scheduler.json", "--no-dashboard")
        return subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *common, *arguments],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    processes = [started("dask_scheduler", "--host", "127.0.0.1", "--port", "0")]
    try:
        file = Path("scheduler.json")
        while not file.exists() or not file.read_text().endswith("}"):
            assert processes[0].poll() is None
            time.sleep(0.05)
        several = ("--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
        processes += [started("dask_worker", *several) for _ in range(workers)]
        yield json.loads(file.read_text())["address"], processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_dask_worker_that_is_killed(undisturbed: dict[str, Any]) -> None:
    """Every shard is counted once: the result is that of one process, undisturbed."""
    display = KillsOne(20)
    with _cluster(2) as (address, workers):
        display.victim = workers[0]
        cluster = Cluster(address)
        outcome = run("killed", PROGRAMS, FEW_OVERWRITE, executor=cluster, display=display)
        assert display.victim is None
    assert outcome.total.programs == PROGRAMS
    assert left(Path("killed")) == undisturbed


def test_a_scheduler_that_is_not_there_is_one_line() -> None:
    with pytest.raises(CampaignError, match=r"--scheduler tcp://127.0.0.1:1 cannot be reached"):
        run("c", 10, executor=Cluster("tcp://127.0.0.1:1"))


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CampaignError, match=r"--scheduler needs distributed.*\[distributed\]"):
        Cluster("tcp://127.0.0.1:1")
