"""Defects of accumulation: how what several passes contribute comes together."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.defects.base import Defect, program
from parity.defects.tensors import Tensor, raw


class SecondBackwardOverwrites(Defect):
    name = "second-backward-overwrites"
    says = "gradients are summed within one backward only: a second one overwrites them"
    smallest = program("""
        x0 = leaf(3.0)
        backward(x0)
        backward(x0)
    """)

    def store(self, leaf: Tensor, g: Any) -> None:
        leaf.grad = np.array(g)


class OldGradientDoubled(Defect):
    name = "old-gradient-doubled"
    says = "from the second backward on the gradient so far is counted twice"
    smallest = program("""
        x0 = leaf(3.0)
        backward(x0)
        backward(x0)
    """)

    def store(self, leaf: Tensor, g: Any) -> None:
        # The sum of a pass starts from the gradient so far, and is added to it.
        super().store(leaf, g if leaf.grad is None else leaf.grad + g)


class StaleIntermediates(Defect):
    name = "stale-intermediates"
    says = (
        "gradients of intermediate values are kept and counted again on a second backward "
        "or from a second head"
    )
    seen = "micrograd#53; warp#407"
    smallest = program("""
        x0 = leaf(3.0)
        x1 = neg(x0)
        x2 = neg(x1)
        backward(x2, retain_graph=True)
        backward(x2)
    """)

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        stale = t.node is not None and t not in grads and t.grad is not None
        super().add(grads, t, g + t.grad if stale else g)
        if t.node is not None:
            t.grad = raw(grads[t])

    def seed(self, t: Tensor, gradient: Any) -> Any:
        g = super().seed(t, gradient)
        if t.node is not None:
            t.grad = g
        return g


class StaleRoot(Defect):
    name = "stale-root"
    says = "the root keeps its own gradient, and the next backward from it starts with the sum"
    smallest = program("""
        x0 = leaf(3.0)
        x1 = neg(x0)
        backward(x1, retain_graph=True)
        backward(x1)
    """)

    def seed(self, t: Tensor, gradient: Any) -> Any:
        g = super().seed(t, gradient)
        if t.node is not None:
            t.grad = g if t.grad is None else t.grad + g
            return t.grad
        return g
