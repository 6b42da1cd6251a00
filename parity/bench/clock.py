"""The clock of all measurements."""

from __future__ import annotations

import time
from collections.abc import Callable


def clock(threads: int) -> Callable[[], float]:
    """Processor time for one thread, wall-clock time for several; both in seconds.

    Processor time excludes what other processes use, but adds up the time of all threads.
    """
    return time.process_time if threads == 1 else time.perf_counter
