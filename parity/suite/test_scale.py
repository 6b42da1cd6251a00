"""Depth, width and paths: the work grows as the graph does, and the stack does not."""

from __future__ import annotations

import pytest

from parity.testing.suite import Suite


@pytest.mark.parametrize("name", ["deep-chain", "wide-use", "doublings"])
def test_scale(parity: Suite, name: str) -> None:
    """A chain of 100,000 nodes, a value used 10,000 times, 2**60 paths in 60 nodes."""
    parity.probe(name)
