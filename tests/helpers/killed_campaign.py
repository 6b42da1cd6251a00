"""Runs a campaign that is killed again and again, until it ends: FOLDER PROGRAMS SEED."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import parity.campaign.shard as shards
from tests.helpers.campaigns import run


def main(folder: Path, programs: int, seed: str) -> int:
    """Kill after a random number of new files; how often that was."""
    shards.run_probes = lambda engine: iter(())
    source = random.Random(seed)
    kills = 0
    while True:
        child = os.fork()
        if not child:
            run(str(folder), programs)
            os._exit(0)
        until = _files(folder) + source.randint(1, 8)
        while True:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                assert status == 0, status
                return kills
            if _files(folder) >= until:
                time.sleep(source.uniform(0, 0.01))
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                kills += 1
                break
            time.sleep(0.0005)


def _files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
