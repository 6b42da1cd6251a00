"""A worker process, which runs programs on an engine and calls functions of parity on request.

Where ``fork`` exists, a parent process imports the slow modules and forks a child on request; the
child loads the engine. A crash then costs milliseconds. Messages use the original standard
streams or pipes; output of the engine is discarded.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import itertools
import mmap
import os
import random
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from parity._util.escape import described
from parity._util.process import ENDING, end_with_parent, fuzzing_runtime
from parity.engines.base import Engine, abilities
from parity.engines.execute import execute
from parity.engines.isolation import codec
from parity.engines.load import EngineError, load_engine
from parity.engines.runner import facts_of, function_named
from parity.engines.trace import Failure, RemoteFailure, Trace
from parity.language.plain_rows import rows_to_plain
from parity.language.program import Program

try:
    import fcntl
    import resource
except ImportError:  # Windows
    fcntl = resource = None  # type: ignore[assignment]

#: Kept, as an engine may replace it.
_exit = os._exit

#: The shared file with the index of the running statement, which the parent process reads.
POSITION = struct.Struct("<i")
#: The message with the exit status of a child, as ``subprocess`` has it.
STATUS = struct.Struct("<i")
#: Modules that every child needs and that are slow to import.
_PRELOADED = ("parity.engines.selfcheck", "parity.oracle.probes", "parity.oracle.training")
#: PyTorch takes seconds. A parent imports it only once a child has done so.
_SLOW = "torch"
START, START_SLOW, KILL = b"s", b"S", b"k"
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
        self.answers, self.process = itertools.count(), os.getpid()

    def serve(self) -> None:
        """Take the settings of the first message, then answer until the channel ends."""
        self.mark, first = codec.read_first(self.requests)
        if first is None:
            return
        start = first[0]
        if start["path"]:
            sys.path[:] = start["path"]
        isolates = "spec" in start
        try:
            if isolates:
                self.answer(*self.load(start))
        except EngineError as error:
            self.answer({"error": str(error)}, b"")
            return
        handlers: dict[str, Callable[..., codec.Message]] = {"run": self.run, "call": self.call}
        with fuzzing_runtime() if isolates else contextlib.nullcontext():
            for number in itertools.count(1):
                message = codec.read(self.requests, self.mark, number)
                if message is None:
                    return
                (kind, *arguments), _ = message
                self.answer(*handlers[kind](*arguments))

    def answer(self, head: Any, data: bytes) -> None:
        """Send an answer; the engine gets no more room than parity has for it."""
        if os.getpid() != self.process:  # a child that the engine has forked and not ended
            _exit(0)
        number = next(self.answers)
        message = codec.frame(self.mark, number, head, data)
        if self.engine is not None and not codec.fits(message):
            error = RemoteFailure("memory", f"its answer has {len(message):,} bytes")
            position = POSITION.unpack_from(self.position)[0]
            head, data = codec.trace_message(Trace([], Failure(position, error)))
            message = codec.frame(self.mark, number, (head, 0.0), data)
        self.replies.write(message)
        self.replies.flush()

    def load(self, start: dict[str, Any]) -> codec.Message:
        """Load the engine and return its attributes."""
        with open(start["position"], "r+b") as file:
            self.position = mmap.mmap(file.fileno(), POSITION.size)
        self.engine = engine = load_engine(start["spec"])
        limit_memory(start["megabytes"])
        facts = {**facts_of(engine), "abilities": abilities(engine)}
        plain = {
            name: v if isinstance(v, (str, int)) or v is None else list(v)
            for name, v in facts.items()
        }
        slow = _SLOW in sys.modules
        return {**plain, "rows": rows_to_plain(engine.extra_ops), "slow": slow}, b""

    def on_statement(self, number: int) -> None:
        """Write the index of the statement that runs next."""
        POSITION.pack_into(self.position, 0, number)

    def run(self, program: Any) -> codec.Message:
        """Run a program; ``sys.exit`` and exhausted memory are failures of the trace."""
        self.on_statement(-1)
        started = time.perf_counter()
        try:
            head, data = self.traced(codec.read_program(program))
        except MemoryError as error:  # it sufficed for the program, but not for its trace
            limit_memory(None)
            position = POSITION.unpack_from(self.position)[0]
            failure = Failure(position, RemoteFailure("memory", described(error)))
            head, data = codec.trace_message(Trace([], failure))
        return (head, time.perf_counter() - started), data

    def traced(self, program: Program) -> codec.Message:
        """Run a program and return the message of its trace."""
        assert self.engine is not None
        trace = execute(program, self.engine, self.on_statement, BaseException)
        failure = trace.failure
        if failure is not None:
            if failure.kind == "memory":
                limit_memory(None)  # to have memory to send the failure
                trace = Trace()
            trace.failure = failure.without_error()
        return codec.trace_message(trace)

    def call(self, function: str, *data: Any) -> codec.Message:
        """Call a function of parity, on the engine if there is one; return how it went."""
        engine = () if self.engine is None else (self.engine,)
        try:
            return codec.pack({"result": function_named(function)(*engine, *data)})
        except BaseException as error:
            how = "raised" if issubclass(type(error), Exception) else "stopped"
            return {how: Failure(0, error).text()}, b""


def _serve(requests: int, replies: int) -> None:
    with (
        os.fdopen(_moved(requests), "rb") as incoming,
        os.fdopen(_moved(replies), "wb") as outgoing,
    ):
        Worker(incoming, outgoing).serve()


def _moved(number: int) -> int:
    """Give a pipe a number that an engine neither expects nor passes on to other programs."""
    if fcntl is None or resource is None:
        return number
    most = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65_536)
    moved = fcntl.fcntl(
        number, fcntl.F_DUPFD_CLOEXEC, random.SystemRandom().randrange(most // 4, most // 2)
    )
    os.close(number)
    return moved


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
    """Fork a worker on each request and send its status, until the channel is closed."""
    devnull = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(devnull, stream)
    for module in _PRELOADED:
        importlib.import_module(module)
    _adopt_orphans()
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # so that the end of a child wakes up ``select``
    while True:
        message, files, _, _ = socket.recv_fds(channel, 1, 2)
        if not message:
            return
        if message == START_SLOW:
            importlib.import_module(_SLOW)
        if message in (START, START_SLOW):
            pid = os.fork()
            if pid == 0:
                with contextlib.suppress(BaseException):
                    _child((channel.detach(), woken, wake), *files)
                _exit(0)
            for file in files:
                os.close(file)
            channel.sendall(STATUS.pack(pid))
            status = _wait(pid, channel, woken)
            if status is None:
                return
            channel.sendall(STATUS.pack(status))


def _child(others: tuple[int, ...], requests: int, replies: int) -> None:
    """Be the worker, in a new process that has the files of its parent."""
    end_with_parent()
    os.setsid()  # processes that it starts are killed with it
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for file in others:
        os.close(file)
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _serve(requests, replies)


def _wait(pid: int, channel: socket.socket, woken: int) -> int | None:
    """Wait for a child, and kill it on request; return its status, None at the end."""
    more, done = True, 0
    while not done:
        ready = select.select([woken, channel.fileno()], [], [])[0]
        if channel.fileno() in ready:
            more = bool(channel.recv(1))
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            done, status = os.waitpid(pid, 0)
        else:
            os.read(woken, 4096)
            done, status = os.waitpid(pid, os.WNOHANG)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    _kill_orphans()
    return os.waitstatus_to_exitcode(status) if more else None


#: ``prctl``: processes that lost their parent become children of this one (Linux).
_SUBREAPER = 36


def _adopt_orphans() -> None:
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SUBREAPER, 1)


def _kill_orphans() -> None:
    """Kill what a worker has started and left, also in sessions of their own."""
    children = f"/proc/self/task/{os.getpid()}/children"
    for _ in range(1000):  # each may have started others
        try:
            with open(children) as file:
                left = file.read().split()
        except OSError:  # not Linux
            return
        if not left:
            return
        for pid in map(int, left):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve_children(socket.socket(fileno=int(sys.argv[1])))
    else:
        serve_here()
