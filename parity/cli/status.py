"""Exit statuses of the commands."""

from __future__ import annotations

from parity._util.process import INTERRUPTED

__all__ = ["CANNOT_RUN", "FINDINGS", "INTERRUPTED", "PARITY"]

PARITY, FINDINGS, CANNOT_RUN = 0, 1, 2
