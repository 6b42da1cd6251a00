"""``no_grad`` and ``detach``: gradients do not pass."""

from __future__ import annotations

from parity.testing.suite import Suite


def test_no_grad(parity: Suite) -> None:
    """Results of operations under ``no_grad`` are constants."""
    parity.check("no-grad", share=0.03, needs=("no_grad",))


def test_nested_no_grad(parity: Suite) -> None:
    """``no_grad`` inside ``no_grad``."""
    parity.probe("no-grad")


def test_no_grad_and_exception(parity: Suite) -> None:
    """``no_grad`` that is left by an exception."""
    parity.probe("no-grad-exception")


def test_detach(parity: Suite) -> None:
    """A detached value is a constant, its origin is not."""
    parity.check("detach", share=0.03, needs=("detach",))
