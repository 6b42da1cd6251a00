"""Runs code of an engine in this process: it can neither end the process nor change it for good.

What it calls to end the process raises SystemExit. What it prints goes to standard error. What
it may have changed and parity needs is put back afterwards. Only a signal of the user, such as
Ctrl-C, passes as it is. Code that is not Python, and endless loops, need a process of their own.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TextIO

from parity._util.process import ENDING

#: Functions of ``os`` that end the process, put another program in its place or close its streams;
#: for each with which arguments.
_ENDS: dict[str, Callable[..., bool]] = {
    **dict.fromkeys(("_exit", "abort", "execv", "execve", "closerange"), lambda *_: True),
    "close": lambda number: number in (0, 1, 2),
    "kill": lambda process, number: process == os.getpid() and number not in (0, signal.SIGINT),
}
_MODULES = [sys.modules[name] for name in ("os", "posix", "nt") if name in sys.modules]


def _profiler() -> Any:
    """Return the function that profiles, if any; the object of ``cProfile`` cannot be set again."""
    found = sys.getprofile()
    return found if callable(found) else None


#: Settings of the process, each as a function that reads it and one that sets it.
_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (os.getcwd, os.chdir),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.gettrace, sys.settrace),
    (_profiler, sys.setprofile),
)
#: Characters that an engine may print in each use of a guard.
_PRINTED = 20_000


class Guard:
    """What happened to the process while an engine ran in it."""

    def __init__(self) -> None:
        #: The first attempt to end the process, or "".
        self.ended = ""
        #: False once the engine has come back; it may have kept what it got from ``ending``.
        self.active = True
        self._signal: BaseException | None = None
        self._process = os.getpid()
        self._builtins, self._modules = dict(vars(builtins)), dict(sys.modules)
        self._names, self._loaded = vars(builtins), sys.modules
        self._settings = [(read, write, _read(read)) for read, write in _SETTINGS]

    def restore(self) -> None:
        """Put back settings and builtins that were replaced or removed."""
        self._names.update(self._builtins)  # first: what follows needs them
        for read, write, value in self._settings:
            if _read(read) != value:
                with contextlib.suppress(OSError):
                    write(value)
        if os.getpid() != self._process:  # a child that the engine has forked and not ended
            _exit(0)

    def end(self) -> None:
        """Put back modules as well, at the end; that takes longer."""
        self.restore()
        sys.modules = self._loaded
        sys.modules.update(self._modules)
        self.active = False

    def check(self) -> None:
        """Undo what the engine did, and raise what the handler of a signal raised meanwhile."""
        self.restore()
        if self._signal is not None:
            raise self._signal

    def ending(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return what an engine gets in place of a function that ends the process."""

        def end(*arguments: Any) -> Any:
            if not self.active:
                return getattr(os, name)(*arguments)
            if os.getpid() != self._process or not _ENDS[name](*arguments):
                return original(*arguments)  # also in a child that the engine has forked
            shown = ", ".join(str(n) for n in arguments if type(n) is int)
            self.ended = self.ended or f"os.{name}({shown}) was called"
            raise SystemExit(self.ended)  # which ends a thread without a word

        return end

    def handler(self, original: Callable[[int, FrameType | None], Any]) -> Callable[..., Any]:
        """Return a handler of a signal that notes what the original one raises."""

        def handle(number: int, frame: FrameType | None) -> None:
            try:
                original(number, frame)
            except BaseException as error:
                self._signal = error
                raise

        return handle


class _Output(io.TextIOBase):
    """Passes on the first characters to another stream, and cannot close it."""

    encoding, errors = "utf-8", "replace"

    def __init__(self, stream: TextIO | None) -> None:
        self.stream, self.left = stream, _PRINTED

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.stream is not None and self.left > 0:
            with contextlib.suppress(OSError, ValueError):
                self.stream.write(text[: self.left])
        self.left -= len(text)
        return len(text)

    def flush(self) -> None:
        if self.stream is not None:
            with contextlib.suppress(OSError, ValueError):
                self.stream.flush()

    def close(self) -> None:
        pass

    def fileno(self) -> int:
        return 2


@contextlib.contextmanager
def guarded() -> Iterator[Guard]:
    """Return a context in which code of an engine runs in this process."""
    guard = Guard()
    ends = [
        (module, name, guard.ending(name, getattr(module, name)))
        for name in _ENDS
        for module in _MODULES
        if hasattr(module, name)
    ]
    with (
        _streams(),
        _handlers(guard),
        _attributes(
            *ends,
            (threading.Thread, "start", _start_daemon),
            (sys, "unraisablehook", lambda _: None),
            (atexit, "register", _register),
        ),
    ):
        try:
            yield guard
        finally:
            guard.end()


@contextlib.contextmanager
def _attributes(*values: tuple[Any, str, Any]) -> Iterator[None]:
    before = [(where, name, getattr(where, name)) for where, name, _ in values]
    try:
        for where, name, value in values:
            setattr(where, name, value)
        yield
    finally:
        for where, name, value in before:
            setattr(where, name, value)


_start, _register_atexit, _exit = threading.Thread.start, atexit.register, os._exit


def _start_daemon(thread: threading.Thread) -> None:
    """Start a thread that does not keep the process from ending."""
    thread._daemonic = True  # type: ignore[attr-defined]
    _start(thread)


def _register(function: Callable[..., Any], *arguments: Any, **named: Any) -> Callable[..., Any]:
    """Register a function for the end of the process, of which it must not change the status."""

    def call() -> None:
        with guarded(), contextlib.suppress(BaseException):
            function(*arguments, **named)

    _register_atexit(call)
    return function


def _read(setting: Callable[[], Any]) -> Any:
    try:
        return setting()
    except OSError:  # the working folder is gone
        return None


@contextlib.contextmanager
def _handlers(guard: Guard) -> Iterator[None]:
    """Note what the handlers of signals raise, and put them back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    set_handler = signal.signal
    before = [(number, signal.getsignal(number)) for number in ENDING]
    try:
        for number, handler in before:
            if callable(handler):
                set_handler(number, guard.handler(handler))
        yield
    finally:
        for number, handler in before:
            if handler is not None:  # None: it was not set by Python
                set_handler(number, handler)


@contextlib.contextmanager
def _streams() -> Iterator[None]:
    """Pass on what is printed to standard error, and open the standard streams again."""
    before = sys.stdin, sys.stdout, sys.stderr
    files = [(number, state) for number in range(3) if (state := _state(number)) is not None]
    copies = [os.dup(number) for number, _ in files]
    sys.stdout = sys.stderr = _Output(before[2])
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before
        for (number, state), copy in zip(files, copies, strict=True):
            if _state(copy) == state:
                if _state(number) != state:
                    os.dup2(copy, number)
                os.close(copy)
        for number, name in (1, "stdout"), (2, "stderr"):
            if getattr(getattr(sys, name), "closed", False) and number in dict(files):
                setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115


def _state(number: int) -> tuple[int, int] | None:
    """Return which file an open descriptor is of; None if it is closed."""
    with contextlib.suppress(OSError):
        found = os.fstat(number)
        return found.st_dev, found.st_ino
    return None
