"""Start worker processes (``parity/bench/worker.py``) and send tasks to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from parity._util.process import THREAD_VARIABLES

#: The folder of this package, which workers import as well.
ROOT = Path(__file__).resolve().parents[2]


class WorkerError(Exception):
    """A task failed, or its process ended; the message is one line."""


class Worker:
    """A worker process, as a context manager.

    Parameters
    ----------
    threads
        Number of threads of the libraries.
    first
        Folders that come first on ``sys.path``.
    extra
        Further environment variables.
    """

    def __init__(
        self, threads: int = 1, first: tuple[str, ...] = (), extra: Mapping[str, str] | None = None
    ) -> None:
        self._threads = threads
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "parity.bench.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**environment(threads, first), **(extra or {})},
            process_group=0,  # Ctrl-C must not reach the worker
        )

    def ask(self, task: dict[str, Any], limit: float | None = None) -> dict[str, Any]:
        """Send a task and wait for its answer.

        Raises WorkerError if the task failed or took more than ``limit`` seconds.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with _killed_after(self._process, limit) as late:
            try:
                self._process.stdin.write(json.dumps({**task, "threads": self._threads}) + "\n")
                self._process.stdin.flush()
                line = self._process.stdout.readline()
            except BrokenPipeError:
                line = ""
        if not line:
            late_by = f"longer than {limit:g} s" if late.is_set() else ""
            raise WorkerError(late_by or self._end())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def _end(self) -> str:
        """The reason why the process ended."""
        status = self._process.wait()
        if status < 0:
            return f"the process ended with {signal.Signals(-status).name}"
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return lines[-1] if lines else f"the process ended with status {status}"

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                _close_quietly(stream)

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _close_quietly(stream: Any) -> None:
    try:
        stream.close()
    except BrokenPipeError:  # the process that would read the rest has ended
        return


@contextmanager
def _killed_after(process: Any, limit: float | None) -> Iterator[threading.Event]:
    late = threading.Event()

    def kill() -> None:
        late.set()
        process.kill()

    timer = threading.Timer(limit, kill) if limit is not None else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield late
    finally:
        if timer:
            timer.cancel()


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
    """Send a task to a new process; raises WorkerError as ``Worker.ask`` does."""
    with Worker(threads) as worker:
        return worker.ask(task, limit)
