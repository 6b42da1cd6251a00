"""Settings of a process while engines run in it: warnings, garbage collection, signals, threads."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

#: Of Python's cyclic collector, in place of 700, 10 and 10. A full collection looks at all that
#: PyTorch has loaded and takes a tenth of a second; by default one comes every two thousand
#: programs, as those of a batch live long enough to count as old.
THRESHOLDS = (5_000, 10, 100)


@contextlib.contextmanager
def fuzzing_runtime() -> Iterator[None]:
    """Warnings of engines are not shown, and the cyclic collector runs rarely.

    What counts is what an engine computes. A collector that is switched off, or that runs more
    rarely still, is left so.
    """
    before = gc.get_threshold()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if before[0]:
            gc.set_threshold(*map(max, before, THRESHOLDS))
        try:
            yield
        finally:
            gc.set_threshold(*before)


@contextlib.contextmanager
def collector_of_new_objects() -> Iterator[None]:
    """The cyclic collector looks only at objects that are created within.

    Objects that are frozen already stay so.
    """
    frozen = gc.get_freeze_count() > 0
    if not frozen:
        gc.freeze()
    try:
        yield
    finally:
        if not frozen:
            gc.unfreeze()


#: What asks a process to end; a system has some of them.
_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
ENDING = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
#: The exit status after Ctrl-C, as shells have it: 128 and the number of the signal.
INTERRUPTED = 130


class Interrupts:
    """Within it, signals that ask the process to end raise KeyboardInterrupt, as Ctrl-C does.

    One that is ignored from the start stays ignored (``nohup``). The third signal has its default
    action, in case that an engine does not let the exception pass. Outside of the main thread,
    which alone may handle signals, nothing is changed.
    """

    def __init__(self) -> None:
        self.number = 0  # the first signal that came
        self._count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in ENDING:
                if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self.handle)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal: raise KeyboardInterrupt."""
        self.number = self.number or number
        self._count += 1
        if self._count > 1:
            for each in self._before:
                signal.signal(each, signal.SIG_DFL)
        raise KeyboardInterrupt

    @property
    def status(self) -> int:
        """The exit status of a process that ends for the signal."""
        return 128 + (self.number or signal.SIGINT)

    def __str__(self) -> str:
        by = "" if self.number in (0, signal.SIGINT) else f" by {signal.Signals(self.number).name}"
        return f"interrupted{by}"


@contextlib.contextmanager
def first_interrupt(call: Callable[[], None]) -> Iterator[None]:
    """Call ``call`` at the first signal that would raise KeyboardInterrupt; the next one does so.

    Outside of the main thread, which alone may handle signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}
    raising = {number: handler for number, handler in before.items() if _raises(number, handler)}

    def restore() -> None:
        for number, handler in raising.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        restore()
        with contextlib.suppress(KeyboardInterrupt):
            if callable(handler := raising[number]):
                handler(number, frame)  # ``Interrupts`` notes the number
        call()

    for number in raising:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


def _raises(number: int, handler: Any) -> bool:
    """Whether a handler is of ``Interrupts`` or Python's own, or a signal is Ctrl-C."""
    return number == signal.SIGINT or isinstance(getattr(handler, "__self__", None), Interrupts)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay the first signal that would raise KeyboardInterrupt to the end of this block."""
    came: list[None] = []
    with first_interrupt(lambda: came.append(None)):
        yield
    if came:
        raise KeyboardInterrupt


def end_with_parent() -> None:
    """Have the system kill this process when its parent ends, also while an engine hangs.

    Only Linux can do so. Elsewhere a worker ends with the program that it runs.
    """
    if sys.platform == "linux":
        set_death_signal = 1
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


#: Environment variables that the libraries read when they are loaded.
THREAD_VARIABLES = (
    *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    "VECLIB_MAXIMUM_THREADS",
)
