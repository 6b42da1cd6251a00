"""A pool of local worker processes that call functions of parity."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Hashable
from typing import Any

from parity._util.process import THREAD_VARIABLES
from parity.engines.isolation.process import End, Process, Spawned

#: One thread per worker, as there is a worker for each core.
_ONE_THREAD = dict.fromkeys(THREAD_VARIABLES, "1")


class WorkerPool:
    """Calls functions of parity with plain data in ``count`` processes.

    A killed worker is replaced before its next job.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()  # key, function, data; or None
        self._results: queue.SimpleQueue[tuple[Hashable, Any]] = queue.SimpleQueue()
        self._sources = [Spawned(_ONE_THREAD) for _ in range(count)]
        self._threads: list[threading.Thread] = []
        self._closed = False

    def start(self) -> None:
        """Start the workers."""
        for source in self._sources:
            arguments = (_started(source),)
            self._threads.append(threading.Thread(target=self._serve, args=arguments, daemon=True))
            self._threads[-1].start()

    def submit(self, key: Hashable, function: str, *data: Any) -> None:
        """Queue a call of ``"module:function"``; ``key`` identifies its result."""
        self._jobs.put((key, function, data))

    def results(self, seconds: float | None = None) -> list[tuple[Hashable, Any]]:
        """Wait up to ``seconds`` for a result, and return all available results with their keys.

        The result is an ``End`` if the worker ended or the function raised.
        """
        found: list[tuple[Hashable, Any]] = []
        try:
            found.append(self._results.get(timeout=seconds))
            while True:
                found.append(self._results.get_nowait())
        except queue.Empty:
            return found

    def pids(self) -> list[int]:
        """Return the process ids of the workers."""
        return [s.running.pid for s in self._sources if s.running is not None]

    def close(self) -> None:
        """Kill the workers."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for source in self._sources:
            if source.running is not None:
                source.kill()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _serve(self, process: Process) -> None:
        """Run jobs in one process until there are no more."""
        while (job := self._jobs.get()) is not None and not self._closed:
            key, function, data = job
            try:
                result = process.call(None, function, *data)
            except RuntimeError as error:
                result = End("exception", str(error))
            if isinstance(result, End) and not self._closed:
                process.close()
                process = _started(process.source)
            self._results.put((key, result))
        process.close()


def _started(source: Any) -> Process:
    process = Process(source)
    process.start()
    process.send({"path": sys.path})
    return process
