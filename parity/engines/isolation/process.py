"""Worker processes as seen from the parent: messages, time limits and how a process ended."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, BinaryIO, TypeAlias

from parity.engines.isolation import codec
from parity.engines.isolation.worker import KILL, POSITION, START, STATUS

#: Seconds that a process has to exit by itself after it closed its channel.
_GRACE = 1.0
#: Whether workers can be forked from a process that has imported slow modules already.
FORKS = hasattr(os, "fork") and hasattr(socket, "send_fds")


@dataclasses.dataclass(frozen=True)
class End:
    """How a process ended: the kind of finding and a description."""

    kind: str
    description: str


class Process:
    """One worker process at a time, and a thread that reads its replies."""

    def __init__(self, source: Source | None = None) -> None:
        """``source``: starts the processes; one that is passed in is shared and not closed."""
        self._folder = tempfile.TemporaryDirectory(prefix="parity-")
        self.position = Path(self._folder.name) / "position"
        self.position.write_bytes(POSITION.pack(-1))
        self._own = source is None
        self.source: Source = source or (Forked() if FORKS else Spawned())
        self._requests: BinaryIO | None = None
        self._replies: queue.SimpleQueue[codec.Message | End | None] = queue.SimpleQueue()

    def start(self) -> None:
        """Start a process that waits for its first message."""
        self._requests, replies = self.source.start()
        self._replies = queue.SimpleQueue()
        threading.Thread(target=_forward, args=(replies, self._replies), daemon=True).start()

    def send(self, head: Any) -> int:
        """Send a message and return its size; ``receive`` reports a process that has ended."""
        assert self._requests is not None
        with contextlib.suppress(OSError):
            return codec.write(self._requests, head)
        return 0

    def call(self, seconds: float | None, function: str, *data: Any) -> Any:
        """Call ``"module:function"`` of parity in the process.

        Returns its result, or an ``End`` if the process ended or took longer than ``seconds``.
        Raises RuntimeError with the text of an exception of the function.
        """
        self.send(("call", function, *data))
        came = self.receive(seconds)
        if isinstance(came, End):
            return came
        answer = codec.unpack(came)
        if "stopped" in answer:
            return End("crash", answer["stopped"])
        if "raised" in answer:
            raise RuntimeError(answer["raised"])
        return answer["result"]

    def receive(self, seconds: float | None) -> codec.Message | End:
        """Return the next message; kill the process if none arrives within ``seconds``."""
        try:
            reply = self._replies.get(timeout=seconds)
        except queue.Empty:
            self.stop()
            return End("time", f"no end after {seconds:g} s")
        if reply is None:
            return _end_of(self.stop(_GRACE))
        if isinstance(reply, End):
            self.stop()
        return reply

    def last_statement(self) -> int:
        """Return the index of the statement that the process began last."""
        return int(POSITION.unpack(self.position.read_bytes()[: POSITION.size])[0])

    def stop(self, grace: float = 0.0) -> int | None:
        """End the process; return its status, None if it did not exit within ``grace``."""
        if self._requests is None:
            return None
        status = self.source.wait(grace) if grace else None
        if status is None:
            self.source.kill()
            self.source.wait(None)
        with contextlib.suppress(OSError):
            self._requests.close()
        self._requests = None
        return status

    def close(self) -> None:
        """End the process and, unless it is shared, the source of processes."""
        self.stop()
        if self._own:
            self.source.close()
        self._folder.cleanup()


def _forward(replies: BinaryIO, messages: queue.SimpleQueue[codec.Message | End | None]) -> None:
    """Move messages from the pipe to a queue, so that the worker never blocks on a full pipe."""
    with replies:
        try:
            while (message := codec.read(replies)) is not None:
                messages.put(message)
        except (ValueError, OSError, MemoryError) as error:
            messages.put(End("crash", f"it wrote to the pipe of parity: {error}"))
        messages.put(None)


def _end_of(status: int | None) -> End:
    """Describe the end of a process that was not asked to exit, by its status."""
    if status is None:
        return End("crash", "it closed the pipe of parity")
    if status >= 0:
        return End("crash", f"the process exited with status {status}")
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    if name == "SIGKILL":  # the kernel does that when memory runs out
        return End("memory", "the process was killed (SIGKILL)")
    return End("crash", f"the process was ended by {name}")


class Spawned:
    """Starts a new interpreter for each process.

    ``environment``: variables in addition to those of this process; ``errors``: an open file for
    its standard error, which is discarded otherwise.
    """

    def __init__(self, environment: Mapping[str, str] | None = None, errors: Any = None) -> None:
        self.running: subprocess.Popen[bytes] | None = None
        self.environment = dict(environment or {})
        self.errors = DEVNULL if errors is None else errors

    def start(self) -> tuple[BinaryIO, BinaryIO]:
        running = self.running = _interpreter(
            environment=self.environment, stdin=PIPE, stdout=PIPE, stderr=self.errors
        )
        return running.stdin, running.stdout  # type: ignore[return-value]

    def wait(self, seconds: float | None) -> int | None:
        assert self.running is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.running.wait(seconds)
        return None

    def kill(self) -> None:
        assert self.running is not None
        self.running.kill()

    def close(self) -> None:
        pass


class Forked:
    """Forks each process from ``isolation.worker``, which does not load the engine."""

    def __init__(self) -> None:
        self.parent: subprocess.Popen[bytes] | None = None
        self.channel: socket.socket

    def start(self) -> tuple[BinaryIO, BinaryIO]:
        if self.parent is None:
            self.channel, other = socket.socketpair()
            with other:
                self.parent = _interpreter(str(other.fileno()), pass_fds=(other.fileno(),))
        (theirs, requests), (replies, mine) = os.pipe(), os.pipe()
        socket.send_fds(self.channel, [START], [theirs, mine])
        os.close(theirs)
        os.close(mine)
        return os.fdopen(requests, "wb"), os.fdopen(replies, "rb")

    def wait(self, seconds: float | None) -> int | None:
        if self.parent is None or not select.select([self.channel], [], [], seconds)[0]:
            return None
        status = b""
        with contextlib.suppress(OSError):
            status = self.channel.recv(STATUS.size)
        if len(status) < STATUS.size:  # the engine ended its parent as well
            self.close()
            return None
        return int(STATUS.unpack(status)[0])

    def kill(self) -> None:
        if self.parent is not None:
            with contextlib.suppress(OSError):
                self.channel.sendall(KILL)

    def close(self) -> None:
        if self.parent is not None:
            self.channel.close()
            self.parent.wait()
            self.parent = None


#: What starts worker processes, one at a time. ``start`` returns the streams to write to and read
#: from; ``wait`` the status as ``subprocess`` does, None if it still runs after ``seconds``.
Source: TypeAlias = Spawned | Forked


def _interpreter(
    *arguments: str, environment: Mapping[str, str] | None = None, **files: Any
) -> subprocess.Popen[bytes]:
    """Start ``parity.engines.isolation.worker`` in a session that Ctrl-C does not reach."""
    devnull = dict.fromkeys(("stdin", "stdout", "stderr"), DEVNULL)
    folders = str(Path(__file__).resolve().parents[3]), os.environ.get("PYTHONPATH")
    path = os.pathsep.join(filter(None, folders))
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "parity.engines.isolation.worker", *arguments],
        env={**os.environ, "PYTHONPATH": path, **(environment or {})},
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # that of Windows
        **{**devnull, **files},
    )
