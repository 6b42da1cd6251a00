"""``cleargrad`` equals ``grad = None``, ``zero_`` equals ``zero_``, then the next pass counts."""

from __future__ import annotations

from parity.testing.suite import Suite


def test_cleared_variable_in_a_new_computation(parity: Suite) -> None:
    """The gradient is None after ``cleargrad`` and holds only the later passes then."""
    parity.check("cleargrad", share=0.05, needs=("clear_grad",))


def test_zero_in_place(parity: Suite) -> None:
    """``zero_`` keeps object and buffer: who holds the gradient sees the zeros."""
    parity.check("zero", share=0.04, needs=("zero_grad",))


def test_cleared_and_zeroed_in_turn(parity: Suite) -> None:
    """Both, on all leaves or some, between passes."""
    parity.check("clearing", share=0.03, needs=("clear_grad", "zero_grad"))
