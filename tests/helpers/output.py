"""Reports that are compared whatever the version of PyTorch is."""

from __future__ import annotations

import re


def without_version(text: str) -> str:
    """Return a report without PyTorch's version, and without what aligns columns to it."""
    text = re.sub(r"torch \d[^\s:)]*", "torch", text)
    return re.sub(r"(?<=\S) {2,}", "  ", text)
