"""Values and gradients keep dtypes and shapes: float32 stays, also with Python scalars."""

from __future__ import annotations

from parity.testing.suite import Suite


def test_dtypes_and_shapes_are_kept(parity: Suite) -> None:
    """Programs in one dtype."""
    parity.check("dtypes", share=0.04, needs=("float32",))


def test_mixed_dtypes(parity: Suite) -> None:
    """A float32 leaf among float64 ones gets a float32 gradient."""
    parity.check("mixed-dtypes", share=0.03, needs=("float32", "float64"))
