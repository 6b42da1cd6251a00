"""Executors, which run shards: in worker processes, or on a Dask cluster."""

from __future__ import annotations

import contextlib
import os
import queue
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from parity._util.decode import decode, encode
from parity._util.escape import one_line
from parity.campaign.errors import CampaignError, optional
from parity.campaign.shard import Answer, Task, run_shard
from parity.engines.isolation.pool import WorkerPool
from parity.engines.isolation.process import End

#: How often a shard may kill its worker. The last attempt isolates the engine, so that a crash of
#: the engine is a finding, and the worker survives.
ATTEMPTS = 3
#: Seconds to wait for a connection to the cluster, for its end, and for shards after Ctrl-C.
_GRACE = 5.0


class Executor(Protocol):
    """Runs tasks, and returns exactly one answer for each, unless it is stopped.

    ``start`` gets a function that is called with a message if a worker is lost. ``answers`` waits
    for the first one at most ``seconds``. ``stop`` lets tasks end early, or drops them after some
    seconds if they cannot; ``close`` ends the workers at once.
    """

    @property
    def workers(self) -> int: ...
    @property
    def running(self) -> int: ...  # tasks without an answer
    @property
    def free(self) -> int: ...  # tasks that can be submitted now

    def start(self, note: Callable[[str], None]) -> None: ...
    def submit(self, task: Task) -> None: ...
    def answers(self, seconds: float) -> list[Answer]: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class Processes:
    """Runs tasks in local worker processes; a killed one is replaced, and its shard runs again."""

    def __init__(self, count: int) -> None:
        self.workers = count
        self.pool = WorkerPool(count)
        self._folder = tempfile.TemporaryDirectory(prefix="parity-")
        #: Workers stop early once this file exists.
        self._stop = Path(self._folder.name) / "stop"
        self._tasks: dict[int, Task] = {}
        self._attempts: Counter[int] = Counter()
        self._note: Callable[[str], None] = lambda text: None

    def start(self, note: Callable[[str], None]) -> None:
        self._note = note
        self.pool.start()

    @property
    def running(self) -> int:
        return len(self._tasks)

    @property
    def free(self) -> int:
        return self.workers - len(self._tasks)

    def submit(self, task: Task) -> None:
        self._tasks[task.number] = task
        function = "parity.campaign.shard:run_encoded"
        self.pool.submit(task.number, function, encode(task), str(self._stop), os.getpid())

    def answers(self, seconds: float) -> list[Answer]:
        result = []
        for number, data in self.pool.results(seconds):
            assert isinstance(number, int)
            task = self._tasks.pop(number)
            if isinstance(data, End):
                if not self._stop.exists():
                    self._submit_again(task, data)
            else:
                self._attempts.pop(number, None)
                result.append(decode(Answer, data))
        return result

    def _submit_again(self, task: Task, end: End) -> None:
        self._attempts[task.number] += 1
        attempts = self._attempts[task.number]
        if attempts >= ATTEMPTS:
            raise CampaignError(
                f"shard {task.number} ended its worker {attempts} times ({end.description}): "
                "the engine cannot be tested here; what was recorded is kept"
            )
        self._note(f"a worker ended ({end.description}); shard {task.number} runs again")
        self.submit(replace(task, isolate=True) if attempts == ATTEMPTS - 1 else task)

    def stop(self) -> None:
        self._stop.touch()

    def close(self) -> None:
        self.pool.close()
        self._folder.cleanup()


class Cluster:
    """Runs tasks on the Dask cluster of the scheduler at ``address``.

    Dask runs the shard of a killed worker again. The workers load the engine by its name.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._dask = optional("distributed", "distributed", "--scheduler")
        if not address.startswith("inproc://"):  # a client without an address hangs when deleted
            try:
                self._dask.comm.get_address_host_port(address)
            except ValueError as error:
                raise CampaignError(
                    f"--scheduler {address!r} is no address like tcp://host:8786: {one_line(error)}"
                ) from None
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._futures: dict[Any, Task] = {}
        self._threads = 0
        self._asked = float("-inf")
        #: When shards that are not done are dropped; they run on until then.
        self._end = float("inf")
        self.client: Any = None

    def start(self, note: Callable[[str], None]) -> None:
        try:
            self.client = self._dask.Client(self.address, timeout=_GRACE, set_as_default=False)
        except Exception as error:  # addresses, versions and connections fail in many ways
            raise CampaignError(
                f"--scheduler {self.address} cannot be reached ({one_line(error)}): start one "
                "with dask scheduler, and workers with dask worker"
            ) from None

    @property
    def workers(self) -> int:
        if time.monotonic() > self._asked + 1.0:
            self._asked = time.monotonic()
            self._threads = sum(self.client.nthreads().values())
        return self._threads

    @property
    def running(self) -> int:
        return len(self._futures)

    @property
    def free(self) -> int:
        return self.workers + 2 - len(self._futures)  # two in the queue, so that no worker waits

    def submit(self, task: Task) -> None:
        future = self.client.submit(
            run_shard, task, key=f"parity-{task.seed}-{task.number}-{time.time_ns()}", pure=False
        )
        self._futures[future] = task
        future.add_done_callback(self._done.put)

    def answers(self, seconds: float) -> list[Answer]:
        result = []
        with contextlib.suppress(queue.Empty):
            future = self._done.get(timeout=seconds)
            while True:
                result += self._answer(future)
                future = self._done.get_nowait()
        if time.monotonic() >= self._end:
            self._drop()
        return result

    def _answer(self, future: Any) -> list[Answer]:
        task = self._futures.pop(future, None)
        if task is None or future.cancelled():
            return []
        error = future.exception()
        if error is not None:
            raise CampaignError(
                f"shard {task.number} failed on the workers of {self.address}: "
                f"{type(error).__name__}: {one_line(error)}; what was recorded is kept"
            )
        return [future.result()]

    def stop(self) -> None:
        """Collect shards for some seconds more; called in a signal handler, so nothing is sent."""
        self._end = time.monotonic() + _GRACE

    def _drop(self) -> None:
        self.client.cancel(list(self._futures))
        self._futures.clear()

    def close(self) -> None:
        if self.client is not None:
            self._drop()
            self.client.close(timeout=_GRACE)
