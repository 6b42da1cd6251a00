"""Bit for bit: operations that IEEE 754 rounds correctly, on arbitrary floats."""

from __future__ import annotations

from parity.testing.suite import Suite


def test_every_bit_is_equal(parity: Suite) -> None:
    """Values, gradients and accumulated gradients, in PyTorch's order of summation."""
    parity.check("bits", share=0.05, needs=("bitwise",))
