"""Defects of accumulation: how the gradients of several backward passes are added."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Node, Tensor, raw


class SecondBackwardOverwrites(Defect):
    description = "gradients are summed within one backward only: a second one overwrites them"
    smallest = program("x0 = leaf(3.0)", "backward(x0)", "backward(x0)")

    def store(self, leaf: Tensor, g: Any) -> None:
        leaf.grad = np.array(g)


class OldGradientDoubled(Defect):
    description = "from the second backward on the gradient so far is counted twice"
    smallest = program("x0 = leaf(3.0)", "backward(x0)", "backward(x0)")

    def store(self, leaf: Tensor, g: Any) -> None:
        # The sum of a pass starts from the old gradient and is added to it again.
        super().store(leaf, g if leaf.grad is None else leaf.grad + g)


class StaleIntermediates(Defect):
    description = (
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
    description = (
        "the root keeps its own gradient, and the next backward from it starts with the sum"
    )
    smallest = program(
        "x0 = leaf(3.0)", "x1 = neg(x0)", "backward(x1, retain_graph=True)", "backward(x1)"
    )

    def seed(self, t: Tensor, gradient: Any) -> Any:
        g = super().seed(t, gradient)
        if t.node is not None:
            t.grad = g if t.grad is None else t.grad + g
            return t.grad
        return g


class RootLeafOverwritten(Defect):
    description = "a backward from a leaf itself sets its gradient instead of adding to it"
    seen = "micrograd 0.1.0"
    smallest = program("x0 = leaf(3.0)", "backward(x0)", "backward(x0)")

    def seed(self, t: Tensor, gradient: Any) -> Any:
        g = super().seed(t, gradient)
        if t.node is None:
            t.grad = None
        return g


class MicrogradBackward(RootLeafOverwritten, StaleIntermediates):
    name = "micrograd-backward"
    description = (
        "as in micrograd, every value keeps its gradient and adds to it, the root's is set, and no "
        "graph is freed: what an earlier backward left in intermediate values is counted again"
    )
    seen = "micrograd 0.1.0 and engines after its pattern"
    smallest = program("x0 = leaf(3.0)", "backward(x0)", "backward(x0)")

    def __init__(self) -> None:
        super().__init__()
        ops = self.ops
        inverse = functools.partial(ops["pow"], exponent=-1)
        # micrograd composes these operations, so that there are hidden intermediate values.
        self.ops = {  # type: ignore[misc]
            **ops,
            "sub": lambda a, b: ops["add"](a, ops["neg"](b)),
            "rsub_scalar": lambda a, c: ops["add_scalar"](ops["neg"](a), c=c),
            "div": lambda a, b: ops["mul"](a, inverse(b)),
            "rdiv_scalar": lambda a, c: ops["mul_scalar"](inverse(a), c=c),
        }

    def backward(self, t: Tensor, gradient: Any = None, **flags: bool) -> None:
        """Multiply the root by the gradient, since micrograd's backward takes none."""
        if gradient is not None:
            if gradient.shape != t.data.shape:
                raise RuntimeError(f"the gradient has shape {gradient.shape}, not {t.data.shape}")
            t = self.ops["mul"](t, self.leaf(gradient, False))
        super().backward(t, None, **flags)

    def run(self, node: Node, grads: dict[Tensor, Any], retain: bool) -> None:
        super().run(node, grads, True)
