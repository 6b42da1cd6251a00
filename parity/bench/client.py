"""Start worker processes for measurements and send tasks to them."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parity._util.escape import one_line
from parity._util.process import THREAD_VARIABLES
from parity.engines.isolation.process import End, Process, Spawned

#: The folder of this package, which workers import as well.
ROOT = Path(__file__).resolve().parents[2]


class WorkerError(Exception):
    """A task failed, or its process ended; the message is one line."""

    def __init__(self, message: object) -> None:
        super().__init__(one_line(message))


class Worker:
    """A worker process, as a context manager.

    ``threads`` are those of the libraries, the folders ``first`` come first on ``sys.path``, and
    ``extra`` are further environment variables.
    """

    def __init__(
        self, threads: int = 1, first: tuple[str, ...] = (), extra: Mapping[str, str] | None = None
    ) -> None:
        self._threads = threads
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        variables = {**environment(threads, first), **(extra or {})}
        self._process = Process(Spawned(variables, self._errors))
        self._process.start()
        self._process.send({"path": None})

    def ask(self, task: dict[str, Any], limit: float | None = None) -> dict[str, Any]:
        """Run the function of ``parity/bench/tasks.py`` that ``task["do"]`` names.

        Raises WorkerError if the task failed or took more than ``limit`` seconds.
        """
        function = f"parity.bench.tasks:{task['do']}"
        try:
            answer = self._process.call(limit, function, {**task, "threads": self._threads})
        except RuntimeError as error:
            raise WorkerError(error) from None
        if isinstance(answer, End):
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines()
            # What the process printed last, if that says more than its status.
            says_more = lines and "exited" in answer.description
            raise WorkerError(lines[-1] if says_more else answer.description)
        return answer  # type: ignore[no-any-return]

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.close()
        self._errors.close()


def environment(threads: int, first: tuple[str, ...] = ()) -> dict[str, str]:
    """Environment variables of a worker: threads of the libraries, hash seed and ``sys.path``."""
    found = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads)), "PYTHONHASHSEED": "0"}
    if threads == 1:
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        found["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    # In the order of this process, so that packages of the user are found as well.
    paths = [*first, str(ROOT), *(p for p in sys.path if p)]
    found["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    return found


def once(task: dict[str, Any], threads: int, limit: float | None) -> dict[str, Any]:
    """Run a task in a new process; raises WorkerError as ``Worker.ask`` does."""
    with Worker(threads) as worker:
        return worker.ask(task, limit)
