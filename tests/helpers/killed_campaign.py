"""Campaigns that are killed at random moments: FOLDER PROGRAMS SEED ENGINE."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from unittest import mock

from parity.campaign.lock import Lock
from parity.campaign.storage import open_store
from tests.helpers.campaigns import OVERWRITE, left, run


def killed(
    folder: Path, programs: int, seed: str, kills: int | None = None, engine: str = OVERWRITE
) -> int:
    """Run a campaign on a folder, kill it after a random number of new files, and go on.

    After so many ``kills``, if it has not ended before, it is left alone; return how often it was
    killed.
    """
    source = random.Random(seed)
    done = 0
    while True:
        child = os.fork()
        if not child:
            _campaign(folder, programs, engine)
        until = _files(folder) + source.randint(1, 8)
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                assert status == 0, status
                return done
            if done != kills and _files(folder) >= until:
                time.sleep(source.uniform(0, 0.01))
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                done += 1
                break
            time.sleep(0.005)


def compare(programs: int, seed: str, kills: int, engine: str = OVERWRITE) -> tuple[int, bool]:
    """How often a campaign was killed, and whether its corpus is that of an undisturbed one."""
    with tempfile.TemporaryDirectory(prefix="parity-") as name:
        folder = Path(name)
        count = killed(folder / "killed", programs, seed, kills, engine)
        assert killed(folder / "undisturbed", programs, seed, 0, engine) == 0
        assert list((folder / "killed").glob("lock*.json")) == []
        return count, left(folder / "killed") == left(folder / "undisturbed")


def _campaign(folder: Path, programs: int, engine: str) -> None:
    """Run the campaign in this process, and end it."""
    try:
        with (
            mock.patch("parity.campaign.shard.run_probes", return_value=()),
            Lock(open_store(str(folder)), lambda text: None) as lock,
        ):
            run(lock.store, programs, engine)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def _files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


if __name__ == "__main__":
    print(killed(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], engine=sys.argv[4]))
