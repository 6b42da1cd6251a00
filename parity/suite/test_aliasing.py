"""Gradients share memory with nothing: not with each other, a value, or the user's array."""

from __future__ import annotations

from parity.testing.suite import Suite


def test_changing_a_gradient_changes_no_other(parity: Suite) -> None:
    """A leaf's gradient is changed in place; all gradients and values are looked at."""
    parity.check("aliasing", share=0.06, needs=("buffer",))


def test_the_array_given_to_backward_stays_the_users(parity: Suite) -> None:
    """It is changed after backward, and backward must not change it."""
    parity.check("user-gradient", share=0.03)
