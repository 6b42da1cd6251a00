"""Where shards run: processes of this machine, workers of a Dask cluster, or here."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from parity._util.process import THREAD_VARIABLES
from parity.campaign.errors import CampaignError, one_line, optional
from parity.campaign.shard import Answer, Task, run_shard

#: How often a shard may end its worker. Before the last time its engine is isolated:
#: what ends that process is a finding then, and the worker goes on.
ATTEMPTS = 3
#: Seconds that workers have to end by themselves.
_GRACE = 5.0


class Executor(Protocol):
    """Runs tasks. Of each task that it took it gives exactly one answer, unless it is stopped."""

    def start(self, note: Callable[[str], None]) -> None:
        """Get workers; ``note`` is told when one is lost."""

    @property
    def workers(self) -> int:
        """How many workers there are now."""

    @property
    def running(self) -> int:
        """How many tasks have no answer yet."""

    @property
    def free(self) -> int:
        """How many more tasks it takes now."""

    def submit(self, task: Task) -> None:
        """Take a task."""

    def answers(self, seconds: float) -> list[Answer]:
        """What came; waits for the first at most so long."""

    def stop(self) -> None:
        """Have tasks end early; those that cannot are given up."""

    def close(self) -> None:
        """End the workers at once."""


class Inline:
    """In this process, one task at a time."""

    def __init__(self) -> None:
        self._waiting: list[Task] = []
        self._stopped = False
        self.workers = 1

    def start(self, note: Callable[[str], None]) -> None:
        pass

    @property
    def running(self) -> int:
        return len(self._waiting)

    @property
    def free(self) -> int:
        return 1 - len(self._waiting)

    def submit(self, task: Task) -> None:
        self._waiting.append(task)

    def answers(self, seconds: float) -> list[Answer]:
        return [run_shard(self._waiting.pop(), lambda: self._stopped)] if self._waiting else []

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        pass


@dataclass
class _Worker:
    process: Any
    channel: Connection
    task: Task | None = None


class Processes:
    """Processes of this machine. One that is killed is replaced, and its shard runs again."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._context = multiprocessing.get_context("spawn")
        self._stopping = self._context.Event()
        self._workers: list[_Worker] = []
        self._attempts: dict[int, int] = {}
        self._note: Callable[[str], None] = lambda text: None

    def start(self, note: Callable[[str], None]) -> None:
        self._note = note
        with _one_thread():
            self._workers = [self._started() for _ in range(self.count)]

    @property
    def workers(self) -> int:
        return len(self._workers)

    @property
    def running(self) -> int:
        return sum(w.task is not None for w in self._workers)

    @property
    def free(self) -> int:
        return len(self._workers) - self.running

    def submit(self, task: Task) -> None:
        worker = next(w for w in self._workers if w.task is None)
        worker.task = task
        with contextlib.suppress(OSError):  # that it is gone shows in ``answers``
            worker.channel.send(task)

    def answers(self, seconds: float) -> list[Answer]:
        busy = {w.channel: w for w in self._workers if w.task is not None}
        result = []
        for channel in wait(list(busy), seconds):
            worker = busy[channel]  # type: ignore[index]
            try:
                answer: Answer = worker.channel.recv()
            except (EOFError, OSError):
                self._lost(worker)
                continue
            assert worker.task is not None
            self._attempts.pop(worker.task.number, None)
            worker.task = None
            result.append(answer)
        return result

    def pids(self) -> list[int]:
        """The numbers of the processes."""
        return [w.process.pid for w in self._workers]

    def _lost(self, worker: _Worker) -> None:
        """Put a new worker in place of one that was killed, with the same task."""
        task = worker.task
        assert task is not None
        worker.channel.close()
        worker.process.join()
        status = worker.process.exitcode
        attempts = self._attempts[task.number] = self._attempts.get(task.number, 0) + 1
        if attempts >= ATTEMPTS:
            raise CampaignError(
                f"shard {task.number} ended its worker {attempts} times (status {status}): "
                "the engine cannot be tested here; what was recorded is kept"
            )
        self._note(f"a worker ended (status {status}); shard {task.number} runs again")
        with _one_thread():
            self._workers[self._workers.index(worker)] = self._started()
        self.submit(replace(task, isolate=True) if attempts == ATTEMPTS - 1 else task)

    def _started(self) -> _Worker:
        mine, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._stopping), daemon=False)
        process.start()
        theirs.close()
        return _Worker(process, mine)

    def stop(self) -> None:
        self._stopping.set()

    def close(self) -> None:
        for worker in self._workers:
            worker.channel.close()
            if worker.task is not None:
                worker.process.kill()
        until = time.monotonic() + _GRACE
        for worker in self._workers:
            worker.process.join(max(0.0, until - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Workers that are started here use one thread each: there are as many as cores."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _serve(channel: Connection, stopping: Any) -> None:
    """A worker: answers tasks until its coordinator is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what an engine prints would tear the display
        os.dup2(nowhere, stream)
    parent = multiprocessing.parent_process()

    def stopped() -> bool:
        return bool(stopping.is_set()) or (parent is not None and not parent.is_alive())

    with contextlib.suppress(EOFError, OSError):
        while True:
            channel.send(run_shard(channel.recv(), stopped))


class Cluster:
    """The workers of a Dask scheduler at ``address``; a shard whose worker is killed runs again.

    The engine must be importable on the workers, under the same name.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._dask = optional("distributed", "distributed", "--scheduler")
        if not address.startswith("inproc://"):  # a client of no address hangs when it is deleted
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
        return self.workers + 2 - len(self._futures)  # one waits where another ends

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
        self.client.cancel(list(self._futures))
        self._futures.clear()

    def close(self) -> None:
        if self.client is not None:
            self.client.cancel(list(self._futures))
            self.client.close(timeout=_GRACE)
