"""Gradients of gradients: what ``create_graph`` recorded is differentiated again."""

from __future__ import annotations

from parity.suite_support import Suite


def test_second_order_gradients(parity: Suite) -> None:
    """A gradient is used in a computation, alone or with its leaf, and propagated from."""
    parity.check("second-order", share=0.05, needs=("grad_tensor",))
