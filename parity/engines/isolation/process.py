"""Worker processes as seen from the parent: messages, time limits and how a process ended."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import queue
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any, BinaryIO, TypeAlias

from parity.engines.isolation import codec
from parity.engines.isolation.worker import KILL, POSITION, START, START_SLOW, STATUS

#: Seconds that a process has to exit by itself after it closed its channel, and to be started and
#: to be gone once it was killed.
_GRACE, _STARTING, _DYING = 1.0, 60.0, 3.0
#: Seconds after which a process that says nothing is looked at, and between looks at a full queue.
_POLL, _PAUSE = 0.5, 0.01
#: Bytes of a message that a pipe holds beside those that were sent before.
_PIPE = 32_000
#: Whether workers can be forked from a process that has imported slow modules already.
FORKS = hasattr(os, "fork") and hasattr(socket, "send_fds")


@dataclasses.dataclass(frozen=True)
class End:
    """How a process ended: the kind of finding and a description."""

    kind: str
    description: str


class Process:
    """One worker process at a time, and a thread that reads its replies.

    Nothing waits for a process without end: it may be stopped, or leave its pipe to others.
    """

    def __init__(
        self, source: Source | None = None, most: tuple[int, int] = codec.OF_PARITY
    ) -> None:
        """``source``: starts the processes; one that is passed in is shared and not closed.

        ``most``: the sizes of an answer (``codec.read``).
        """
        self._folder = tempfile.TemporaryDirectory(prefix="parity-")
        self.position = Path(self._folder.name) / "position"
        self._own, self._most = source is None, most
        self.source: Source = source or (Forked() if FORKS else Spawned())
        self._requests: BinaryIO | None = None
        self._replies = _Replies()
        self._ended: int | None = None

    def start(self) -> None:
        """Start a process that waits for its first message."""
        self.position.write_bytes(POSITION.pack(-1))
        self._mark, self._number, self._ended = os.urandom(16), itertools.count(), None
        self._requests, replies = self.source.start()
        self._replies = _Replies()
        arguments = (replies, self._mark, self._most)
        threading.Thread(target=self._replies.read, args=arguments, daemon=True).start()

    def send(self, head: Any) -> int:
        """Send a message and return its size; ``receive`` reports a process that has ended."""
        assert self._requests is not None
        message = codec.frame(self._mark, next(self._number), head)
        self._replies.asked += 1
        if len(message) < _PIPE:
            _write(self._requests, message)
        else:  # a process that does not read it must not keep parity waiting
            arguments = (self._requests, message)
            threading.Thread(target=_write, args=arguments, daemon=True).start()
        return len(message)

    def call(self, seconds: float | None, function: str, *data: Any) -> Any:
        """Call ``"module:function"`` of parity in the process.

        Returns its result, or an ``End`` if the process ended or took longer than ``seconds``.
        Raises RuntimeError with the text of an exception of the function.
        """
        self.send(("call", function, *data))
        came = self.receive(seconds)
        if isinstance(came, End):
            return came
        try:
            answer = codec.unpack(came)
            (how, what) = next(iter(answer.items()))
        except (codec.MalformedError, AttributeError, StopIteration):
            return self.foreign()
        if how == "stopped":
            return End("crash", str(what))
        if how == "raised":
            raise RuntimeError(str(what))
        return what

    def receive(self, seconds: float | None) -> codec.Message | End:
        """Return the next message; kill the process if none arrives within ``seconds``."""
        until = float("inf") if seconds is None else time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            try:
                reply = self._replies.get(min(_POLL, max(left, 0.0)))
                break
            except queue.Empty:
                if left <= 0:
                    self.stop()
                    return End("time", f"no end after {seconds:g} s")
            if self._has_ended():  # another process may hold its end of the pipe
                with contextlib.suppress(queue.Empty):
                    return self._replies.get(_GRACE) or _end_of(self.stop())
                return _end_of(self.stop())
        if reply is None:
            return _end_of(self.stop(_GRACE))
        if isinstance(reply, End):
            self.stop()
        return reply

    def foreign(self, what: str = "an answer of another form") -> End:
        """Stop the process, whose answer is none, and return how it ended."""
        self.stop()
        return _foreign(what)

    def _has_ended(self, seconds: float = 0.0) -> bool:
        if self._ended is None:
            self._ended = self.source.wait(seconds)
        return self._ended is not None

    def last_statement(self) -> int:
        """Return the index of the statement that the process began last, -1 if it is not known."""
        with contextlib.suppress(OSError, struct.error):  # the engine may have changed the file
            return int(POSITION.unpack(self.position.read_bytes()[: POSITION.size])[0])
        return -1

    def stop(self, grace: float = 0.0) -> int | None:
        """End the process; return its status, None if it did not exit within ``grace``."""
        if self._requests is None:
            return None
        if not self._has_ended(grace):
            self.source.kill()
        status, self._replies.closed = self._ended, True
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


def _write(stream: BinaryIO, message: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):  # the process has ended, or was stopped
        stream.write(message)
        stream.flush()


class _Replies:
    """Moves messages from the pipe to a queue, so that the worker never blocks on a full pipe."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[tuple[int, codec.Message | End | None]] = queue.SimpleQueue()
        #: Requests so far: there is one answer to each.
        self.asked = 0
        self.closed = False
        self._arrived = self._taken = 0

    def get(self, seconds: float) -> codec.Message | End | None:
        size, reply = self._queue.get(timeout=seconds)
        self._taken += size
        return reply

    def read(self, stream: BinaryIO, mark: bytes, most: tuple[int, int]) -> None:
        """Read until the end of the stream, never much further than what is taken."""
        with stream:
            try:
                for number in itertools.count():
                    message = codec.read(stream, mark, number, most)
                    if message is None:
                        break
                    if number >= self.asked:
                        raise codec.MalformedError("an answer to nothing")
                    self._put(len(message[1]), message)
                    while self._arrived - self._taken > most[1] and not self.closed:
                        time.sleep(_PAUSE)
            except codec.TooLargeError as error:
                self._put(0, End("memory", f"the process sent {error}"))
            except (ValueError, OSError, MemoryError) as error:
                self._put(0, _foreign(str(error)))
            self._put(0, None)

    def _put(self, size: int, reply: codec.Message | End | None) -> None:
        self._arrived += size
        self._queue.put((size, reply))


def _foreign(what: str) -> End:
    return End("crash", f"it wrote to the pipe of parity: {what}")


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

    #: As of ``Forked``; each interpreter imports what it needs.
    slow = False

    def __init__(self, environment: Mapping[str, str] | None = None, errors: Any = None) -> None:
        self.running: subprocess.Popen[bytes] | None = None
        self.environment = dict(environment or {})
        self.errors = DEVNULL if errors is None else errors

    def start(self) -> tuple[BinaryIO, BinaryIO]:
        running = self.running = _interpreter(
            environment=self.environment, stdin=PIPE, stdout=PIPE, stderr=self.errors
        )
        return running.stdin, running.stdout  # type: ignore[return-value]

    def wait(self, seconds: float) -> int | None:
        assert self.running is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.running.wait(seconds)
        return None

    def kill(self) -> None:
        assert self.running is not None
        _kill(self.running)

    def close(self) -> None:
        pass


class Forked:
    """Forks each process from ``isolation.worker``, which does not load the engine."""

    def __init__(self) -> None:
        self.parent: subprocess.Popen[bytes] | None = None
        self.channel: socket.socket
        #: Whether the engine imports PyTorch, which the parent then does once for all children.
        self.slow = False
        self._child = 0

    def start(self) -> tuple[BinaryIO, BinaryIO]:
        if self.parent is None:
            self.channel, other = socket.socketpair()
            with other:
                self.parent = _interpreter(str(other.fileno()), pass_fds=(other.fileno(),))
        (theirs, requests), (replies, mine) = os.pipe(), os.pipe()
        with contextlib.suppress(OSError):  # it has ended: the pipe says so
            socket.send_fds(self.channel, [START_SLOW if self.slow else START], [theirs, mine])
        os.close(theirs)
        os.close(mine)
        self._child = self.wait(_STARTING) or 0
        return os.fdopen(requests, "wb"), os.fdopen(replies, "rb")

    def wait(self, seconds: float) -> int | None:
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
                if self.wait(_DYING) is not None:
                    return
            self.close()

    def close(self) -> None:
        if self.parent is None:
            return
        parent, self.parent = self.parent, None
        self.channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            parent.wait(_GRACE)
        _kill(parent)
        if self._child:  # it leads a session of its own
            with contextlib.suppress(OSError):
                os.killpg(self._child, signal.SIGKILL)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill an interpreter with all processes of its session, and wait for it."""
    if process.returncode is None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_DYING)


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
