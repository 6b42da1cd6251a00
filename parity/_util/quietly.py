"""How a process is set while programs run in it."""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Iterator

#: Of Python's cyclic collector, in place of 700, 10 and 10. A full collection looks at all that
#: PyTorch has loaded and takes a tenth of a second; by default one comes every two thousand
#: programs, as those of a batch live long enough to count as old.
THRESHOLDS = (5_000, 10, 100)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
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
