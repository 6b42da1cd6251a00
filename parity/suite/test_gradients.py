"""Values and gradients equal PyTorch's, for programs that reuse variables."""

from __future__ import annotations

import pytest

from parity.testing.suite import Suite


@pytest.mark.parametrize("profile", ["gradients", "general", "functions", "moving", "gathering"])
def test_gradients_equal(parity: Suite, profile: str) -> None:
    """All operations, diamonds, dead branches, values used many times."""
    parity.check(profile, share=0.06)
