"""Repeated backward adds to the gradients, from one root or several that share a part."""

from __future__ import annotations

import pytest

from parity.testing.suite import Suite


@pytest.mark.parametrize(("profile", "share"), [("accumulation", 0.06), ("twins", 0.03)])
def test_gradients_accumulate(parity: Suite, profile: str, share: float) -> None:
    """Several passes, with and without retained graphs and gradients given."""
    parity.check(profile, share=share)
