"""Settings of a process while engines run in it: warnings, garbage collection, Ctrl-C, threads."""

from __future__ import annotations

import contextlib
import gc
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from types import FrameType

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


#: The exit status after Ctrl-C, as shells have it.
INTERRUPTED = 130


@contextlib.contextmanager
def first_interrupt(call: Callable[[], None]) -> Iterator[None]:
    """Call ``call`` at the first Ctrl-C instead of ending; the next one is as always.

    Outside of the main thread, which alone may handle signals, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        call()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


#: Environment variables that the libraries read when they are loaded.
THREAD_VARIABLES = (
    *("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
    "VECLIB_MAXIMUM_THREADS",
)
