"""Which clock measures."""

from __future__ import annotations

import time
from collections.abc import Callable


def clock(threads: int) -> Callable[[], float]:
    """Seconds of processor time on one thread, else seconds on the wall.

    On one thread both are the same on an idle machine, and on a busy one only the first leaves
    out the time that other processes had. With more threads it would count each of them.
    """
    return time.process_time if threads == 1 else time.perf_counter
