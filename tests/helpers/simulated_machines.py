"""Machines that share a storage, in threads that run one at a time in an order drawn by a seed.

Between any two operations on the storage a machine may stand still for a time or end for ever,
and time passes only here.
"""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable
from pathlib import Path

from parity.campaign.lock import Clock


class Killed(BaseException):
    """The machine has ended."""


class World:
    """The time, the files, and the machines. ``pause``: seconds that a machine stands still."""

    def __init__(self, seed: int, pause: float, kills: float) -> None:
        self.random = random.Random(seed)
        self.pause, self.kills = pause, kills
        self.often = self.random.choice([0.02, 0.1, 0.4])
        self.now = 0.0
        self.files: dict[str, bytes] = {}
        self.machines: list[Machine] = []
        self.back = threading.Semaphore(0)

    def run(self) -> None:
        """Run all machines to their ends."""
        for machine in self.machines:
            machine.thread.start()
            self.back.acquire()
        queue = [(self.random.random(), i) for i in range(len(self.machines))]
        heapq.heapify(queue)
        while queue:
            when, i = heapq.heappop(queue)
            machine = self.machines[i]
            self.now = max(self.now, when)
            machine.turn.release()
            self.back.acquire()
            if not machine.ended:
                heapq.heappush(queue, (machine.wake, i))


class Machine:
    """A store and a clock for one machine, which runs ``work`` with itself."""

    where = "c"
    lock_file = Path("there-is-none")

    def __init__(self, world: World, work: Callable[[Machine], None]) -> None:
        self.world, self.work = world, work
        self.clock = Clock(lambda: world.now, self.wait)
        self.turn = threading.Semaphore(0)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.wake = 0.0
        self.ended = self.killed = False
        self.error: BaseException | None = None
        world.machines.append(self)

    def _run(self) -> None:
        try:
            self.wait(0)
            self.work(self)
        except Killed:
            self.killed = True
        except BaseException as error:
            self.error = error
        self.ended = True
        self.world.back.release()

    def wait(self, seconds: float) -> None:
        """Let the others run for so long."""
        self.wake = self.world.now + seconds
        self.world.back.release()
        self.turn.acquire()

    def _operation(self) -> None:
        """What comes between the decision for an operation and its effect."""
        world = self.world
        if world.random.random() < world.kills:
            raise Killed
        long = world.random.random() < world.often
        self.wait(world.random.uniform(world.pause / 2, world.pause) if long else 0.01)

    def names(self, folder: str) -> list[str]:
        self._operation()
        return sorted(self.world.files)

    def read(self, name: str) -> bytes | None:
        self._operation()
        return self.world.files.get(name)

    def write(self, name: str, data: bytes, quick: bool = False) -> None:
        self._operation()
        self.world.files[name] = data

    def create(self, name: str, data: bytes) -> bool:
        self._operation()
        return self.world.files.setdefault(name, data) is data

    def remove(self, name: str) -> None:
        self._operation()
        self.world.files.pop(name, None)
