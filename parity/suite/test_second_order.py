"""Gradients of gradients: what ``create_graph`` recorded is differentiated again."""

from __future__ import annotations

import pytest

from parity.testing.suite import Suite


@pytest.mark.parametrize(("profile", "share"), [("second-order", 0.03), ("curvature", 0.02)])
def test_second_order_gradients(parity: Suite, profile: str, share: float) -> None:
    """A gradient is used in a computation, alone or with its leaf, and propagated from."""
    parity.check(profile, share=share, needs=("grad_tensor",))
