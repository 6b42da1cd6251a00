"""What PyTorch refuses, the engine refuses; what it accepts, the engine accepts."""

from __future__ import annotations

from parity.testing.suite import Suite


def test_mistakes_raise(parity: Suite) -> None:
    """A gradient of another shape, a backward from a constant, a freed graph."""
    parity.check("errors", share=0.02)
