"""Broadcasting is undone: an operand smaller on either side gets a gradient of its shape."""

from __future__ import annotations

from parity.testing.suite import Suite


def test_gradients_have_the_shapes_of_operands(parity: Suite) -> None:
    """Missing and size-1 axes, scalars, empty arrays, sums and matrix products."""
    parity.check("broadcasting", share=0.07)
