"""When values are read, and how arrays lie in memory, makes no difference."""

from __future__ import annotations

import pytest

from parity.testing.suite import Suite


@pytest.mark.parametrize(("profile", "share"), [("unread", 0.03), ("twisted", 0.03)])
def test_values_that_are_not_read_and_gradients_that_are_views(
    parity: Suite, profile: str, share: float
) -> None:
    """Values are read at the end or never; leaves and gradients have any strides."""
    parity.check(profile, share=share)


def test_second_order_beside_dropped_and_detached_values(parity: Suite) -> None:
    """Second and third order where values were dropped, detached or made under no_grad."""
    parity.check("recorded", share=0.02, needs=("grad_tensor",))
