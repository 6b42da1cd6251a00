"""Repeated backward adds to the gradients, from one root or several that share a part."""

from __future__ import annotations

from parity.suite_support import Suite


def test_gradients_accumulate(parity: Suite) -> None:
    """Several passes, with and without retained graphs and gradients given."""
    parity.check("accumulation", share=0.09)
