"""Opt-in: keep freed memory for the next array, for speed on large arrays."""

from __future__ import annotations

import ctypes

#: Parameters of glibc's ``mallopt``.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_ONE_GIB = 1 << 30


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory instead of returning it to the system.

    Arrays of a megabyte are otherwise mapped anew each time, and every page is
    cleared on first use. Concerns the whole process and cannot be undone, so
    dezero never calls it by itself. Returns whether the C library has the setting
    (glibc does).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(mallopt(_M_TRIM_THRESHOLD, _ONE_GIB) and mallopt(_M_MMAP_THRESHOLD, _ONE_GIB))
