"""Keys of the counts that tests leave for the summary of a pytest run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


#: Where a test leaves its counts for the summary; reports carry it across processes.
COUNTS = "parity-counts"


KNOWN = "parity-known"
