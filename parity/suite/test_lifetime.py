"""Graphs live as long as they are needed, and no longer."""

from __future__ import annotations

from parity.testing.suite import Suite


def test_dropped_references_do_not_matter(parity: Suite) -> None:
    """What the graph needs survives although the program dropped it."""
    parity.check("lifetime", share=0.02)


def test_a_dropped_graph_is_gone(parity: Suite) -> None:
    """No intermediate survives the last reference to its graph."""
    parity.probe("dropped-graph")


def test_a_freed_graph_is_noticed(parity: Suite) -> None:
    """A second backward without ``retain_graph`` raises, where PyTorch does."""
    parity.check("freed-graph", share=0.01)
