"""User properties of tests for the summary; pytest-xdist passes them on to the main process."""

from __future__ import annotations

#: Counts of programs (``Tally``).
COUNTS = "parity-counts"
#: An entry of the baseline, and how often it was found.
KNOWN = "parity-known"
