"""A worker process: ``python -m parity.engines.isolation.worker``.

It answers requests one by one: programs to run on the engine that the first message names, and
functions of parity to call. Isolation, campaigns, the score and the benchmarks all use it.

Where there is ``fork``, one process imports what is slow to import and makes a new child
whenever one is asked for; the child loads the engine. So a crash costs milliseconds.
Standard input and output are the channels; what an engine prints goes nowhere.
"""

from __future__ import annotations

import contextlib
import importlib
import mmap
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from parity._util.process import fuzzing_runtime
from parity.engines.base import Engine, abilities
from parity.engines.execute import execute
from parity.engines.isolation import codec
from parity.engines.load import EngineError, load_engine
from parity.engines.runner import function_named
from parity.engines.trace import Failure, RemoteFailure, Trace

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

#: Of what runs in the child: the number of the statement, for the parent to read.
POSITION = struct.Struct("<i")
#: Of the child that ended: its status as ``subprocess`` gives it.
STATUS = struct.Struct("<i")
#: What children need and is slow to import.
_PRELOADED = ("torch", "parity.oracle.probes", "parity.oracle.training")
START, KILL = b"s", b"k"
_STATM = "/proc/self/statm"


def limits_memory() -> bool:
    """Whether memory can be limited here: where the size of a process can be read."""
    return resource is not None and os.path.exists(_STATM)


class Worker:
    """Answers requests about one engine until there are no more."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self.requests = requests
        self.replies = replies
        self.engine: Engine | None = None

    def serve(self) -> None:
        """Take the settings of the first message, then answer until the channel ends."""
        first = codec.read(self.requests)
        if first is None:
            return
        start = first[0]
        if start["path"]:
            sys.path[:] = start["path"]
        if "spec" not in start:
            self.answer()
        elif self.load(start):
            with fuzzing_runtime():
                self.answer()

    def answer(self) -> None:
        while (message := codec.read(self.requests)) is not None:
            head, _ = message
            self.send(*_ANSWERS[head[0]](self, *head[1:]))

    def send(self, head: Any, data: bytes = b"") -> None:
        codec.write(self.replies, head, data)

    def load(self, start: dict[str, Any]) -> bool:
        """Load the engine and say what it is, or why it cannot be used."""
        with open(start["position"], "r+b") as file:
            self.position = mmap.mmap(file.fileno(), POSITION.size)
        try:
            self.engine = engine = load_engine(start["spec"])
        except EngineError as error:
            self.send({"error": str(error)})
            return False
        self.limit_memory(start["megabytes"])
        self.send(
            {
                "name": engine.name,
                "version": engine.version,
                "ops": list(engine.ops),
                "dtypes": list(engine.dtypes),
                "max_ndim": engine.max_ndim,
                "bitwise": engine.bitwise,
                "quirks": sorted(engine.quirks),
                "abilities": sorted(abilities(engine)),
            }
        )
        return True

    def limit_memory(self, megabytes: int) -> None:
        """Let the process grow by so much from here on."""
        if not limits_memory():
            return
        with open(_STATM) as file:
            pages = int(file.read().split()[0])
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        size = pages * resource.getpagesize() + megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (size, most))

    def at(self, number: int) -> None:
        POSITION.pack_into(self.position, 0, number)

    def run(self, program: Any) -> tuple[Any, bytes]:
        """Run a program; an exit or a lack of memory ends its trace."""
        self.at(-1)
        assert self.engine is not None
        trace, started = Trace(), time.perf_counter()
        try:
            trace = execute(codec.read_program(program), self.engine, self.at)
        except BaseException as error:  # sys.exit, and what derives from it
            cause = error if isinstance(error, MemoryError) else _ended(error)
            trace.failure = Failure(POSITION.unpack_from(self.position)[0], cause)
        failure = trace.failure
        if failure is not None and isinstance(failure.error, MemoryError):
            trace = Trace([], Failure(failure.statement, self.exhausted(failure.error)))
        head, data = codec.trace_message(trace)
        return (head, time.perf_counter() - started), data

    def exhausted(self, error: MemoryError) -> Exception:
        """The finding that a lack of memory is. There must be some again to say so."""
        if limits_memory():
            _, most = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        return RemoteFailure("memory", f"MemoryError: {error}".removesuffix(": "))

    def call(self, function: str, *data: Any) -> tuple[Any, bytes]:
        """Call a function of parity, on the engine if there is one; its result, or how it ended."""
        engine = () if self.engine is None else (self.engine,)
        try:
            return codec.pack({"result": function_named(function)(*engine, *data)})
        except Exception as error:
            return {"raised": f"{type(error).__name__}: {error}"}, b""
        except BaseException as error:  # sys.exit, and what derives from it
            return {"stopped": str(_ended(error))}, b""


_ANSWERS: dict[str, Callable[..., tuple[Any, bytes]]] = {"run": Worker.run, "call": Worker.call}


def _ended(error: BaseException) -> RemoteFailure:
    what = "SystemExit" if isinstance(error, SystemExit) else type(error).__name__
    return RemoteFailure("crash", f"{what}: {error}".removesuffix(": "))


def _serve(requests: int, replies: int) -> None:
    with os.fdopen(requests, "rb") as incoming, os.fdopen(replies, "wb") as outgoing:
        Worker(incoming, outgoing).serve()


def _silence() -> None:
    """Standard streams that lead nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)


def serve_here() -> None:
    """Be the worker, on standard input and output; what is printed goes to standard error."""
    requests, replies = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    _serve(requests, replies)


def serve_children(channel: socket.socket) -> None:
    """Fork a worker whenever one is asked for, and say how it ended, until the channel ends."""
    _silence()
    for module in _PRELOADED:
        importlib.import_module(module)
    while True:
        message, files, _, _ = socket.recv_fds(channel, 1, 2)
        if not message:
            return
        if message == START:
            status = _child(channel, *files)
            if status is None:
                return
            channel.sendall(STATUS.pack(status))


def _child(channel: socket.socket, requests: int, replies: int) -> int | None:
    """Run one child to its end, and kill it if asked; None if the channel ended."""
    alive, held = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.setsid()  # what it starts is killed with it
            channel.close()
            os.close(alive)
            if resource is not None:
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            _serve(requests, replies)
        os._exit(0)
    for file in (requests, replies, held):
        os.close(file)
    more = True
    if alive not in select.select([alive, channel.fileno()], [], [])[0]:
        more = bool(channel.recv(1))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    os.close(alive)
    return os.waitstatus_to_exitcode(status) if more else None


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve_children(socket.socket(fileno=int(sys.argv[1])))
    else:
        serve_here()
