"""Functions with several outputs: used, unused, used several times."""

from __future__ import annotations

from parity.testing.suite import Suite


def test_outputs_in_any_combination(parity: Suite) -> None:
    """An unused output contributes zeros, a sibling's gradient is not taken for its own."""
    parity.check("multi-output", share=0.05, needs=("split",))
