"""A worker process, which runs programs on an engine and calls functions of parity on request.

Where ``fork`` exists, a parent process imports the slow modules and forks a child on request; the
child loads the engine. A crash then costs milliseconds. Messages use the original standard
streams or pipes; output of the engine is discarded.
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

from parity._util.process import ENDING, end_with_parent, fuzzing_runtime
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

#: The shared file with the index of the running statement, which the parent process reads.
POSITION = struct.Struct("<i")
#: The message with the exit status of a child, as ``subprocess`` has it.
STATUS = struct.Struct("<i")
#: Modules that every child needs and that are slow to import.
_PRELOADED = ("torch", "parity.oracle.probes", "parity.oracle.training")
START, KILL = b"s", b"k"
_STATM = "/proc/self/statm"


def limits_memory() -> bool:
    """Return whether memory can be limited: the size of a process must be readable."""
    return resource is not None and os.path.exists(_STATM)


def limit_memory(megabytes: int | None) -> None:
    """Limit the memory that the process may allocate from now on; None lifts the limit."""
    if not limits_memory():
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    size = most
    if megabytes is not None:
        with open(_STATM) as file:
            pages = int(file.read().split()[0])
        size = pages * resource.getpagesize() + megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (size, most))


class Worker:
    """Loads one engine and answers requests until the stream ends."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO) -> None:
        self.requests, self.replies = requests, replies
        self.engine: Engine | None = None

    def serve(self) -> None:
        """Take the settings of the first message, then answer until the channel ends."""
        first = codec.read(self.requests)
        if first is None:
            return
        start = first[0]
        if start["path"]:
            sys.path[:] = start["path"]
        isolates = "spec" in start
        try:
            if isolates:
                self.load(start)
        except EngineError as error:
            codec.write(self.replies, {"error": str(error)})
            return
        handlers: dict[str, Callable[..., codec.Message]] = {"run": self.run, "call": self.call}
        with fuzzing_runtime() if isolates else contextlib.nullcontext():
            while (message := codec.read(self.requests)) is not None:
                (kind, *arguments), _ = message
                codec.write(self.replies, *handlers[kind](*arguments))

    def load(self, start: dict[str, Any]) -> None:
        """Load the engine and send its attributes."""
        with open(start["position"], "r+b") as file:
            self.position = mmap.mmap(file.fileno(), POSITION.size)
        self.engine = engine = load_engine(start["spec"])
        limit_memory(start["megabytes"])
        facts = {
            **{name: getattr(engine, name) for name in ("name", "version", "max_ndim", "bitwise")},
            **{name: list(getattr(engine, name)) for name in ("ops", "dtypes", "quirks")},
            "abilities": list(abilities(engine)),
        }
        codec.write(self.replies, facts)

    def on_statement(self, number: int) -> None:
        """Write the index of the statement that runs next."""
        POSITION.pack_into(self.position, 0, number)

    def run(self, program: Any) -> codec.Message:
        """Run a program; ``sys.exit`` and exhausted memory are failures of the trace."""
        self.on_statement(-1)
        assert self.engine is not None
        trace, started = Trace(), time.perf_counter()
        try:
            trace = execute(codec.read_program(program), self.engine, self.on_statement)
        except BaseException as error:  # SystemExit and the like
            cause = error if isinstance(error, MemoryError) else _ended(error)
            trace.failure = Failure(POSITION.unpack_from(self.position)[0], cause)
        failure = trace.failure
        if failure is not None and isinstance(failure.error, MemoryError):
            limit_memory(None)  # to have memory to send the failure
            text = f"MemoryError: {failure.error}".removesuffix(": ")
            trace = Trace([], Failure(failure.statement, RemoteFailure("memory", text)))
        head, data = codec.trace_message(trace)
        return (head, time.perf_counter() - started), data

    def call(self, function: str, *data: Any) -> codec.Message:
        """Call a function of parity, on the engine if there is one; return how it went."""
        engine = () if self.engine is None else (self.engine,)
        try:
            return codec.pack({"result": function_named(function)(*engine, *data)})
        except Exception as error:
            return {"raised": f"{type(error).__name__}: {error}"}, b""
        except BaseException as error:  # SystemExit and the like
            return {"stopped": str(_ended(error))}, b""


def _ended(error: BaseException) -> RemoteFailure:
    """Return the failure for an exception that would have ended the process."""
    name = "SystemExit" if isinstance(error, SystemExit) else type(error).__name__
    return RemoteFailure("crash", f"{name}: {error}".removesuffix(": "))


def _serve(requests: int, replies: int) -> None:
    with os.fdopen(requests, "rb") as incoming, os.fdopen(replies, "wb") as outgoing:
        Worker(incoming, outgoing).serve()


def serve_here() -> None:
    """Run the worker on standard input and output; prints go to standard error."""
    end_with_parent()
    for number in ENDING:  # where the parent got them too, it collects what this process has done
        signal.signal(number, lambda *signal: None)
    requests, replies = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    _serve(requests, replies)


def serve_children(channel: socket.socket) -> None:
    """Fork a worker on each request and send its exit status, until the channel is closed."""
    devnull = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(devnull, stream)
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
    """Wait for one child, and kill it on request; return its status, None at the end."""
    alive, held = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            end_with_parent()
            os.setsid()  # processes that it starts are killed with it
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
