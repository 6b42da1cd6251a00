"""Defects of second order: gradients of gradients."""

from __future__ import annotations

from typing import Any

from parity.diagnose.defects.base import Defect, program, rules_with
from parity.diagnose.defects.tensor import Node, Tensor, raw


class FirstOrderAgain(Defect):
    description = "the gradient of a gradient is the first-order gradient again"
    seen = "tinygrad#2584"
    smallest = program("""
        x0 = leaf(3.0)
        x1 = mul(x0, x0)
        backward(x1, create_graph=True)
        x2 = grad_of(x0)
        backward(x2)
    """)
    code = "x.grad = Tensor(gx.data), connected with the first pass"
    mend = "compute gradients with operations that are recorded"

    def total(self, leaf: Tensor, g: Tensor) -> Tensor:
        # As if the gradient were its own derivative.
        total = super().total(leaf, g)
        result: Tensor = self.operation(lambda a: total.data, lambda g, y, a: (g * y,))(leaf)
        return result


class CrossTermLost(Defect):
    description = "the gradients of a product treat the other factor as a constant"
    # Without the sum the gradient is a constant, and a backward from it raises.
    smallest = program("""
        x0 = leaf(3.0)
        x1 = mul(x0, x0)
        backward(x1, create_graph=True)
        x2 = grad_of(x0)
        x3 = add(x0, x2)
        backward(x3)
    """)
    code = "ga, gb = gy * b.data, gy * a.data"
    mend = "ga, gb = gy * b, gy * a"
    rules = rules_with(mul=lambda g, y, a, b: (g * raw(b), g * raw(a)))


class SavedResultDetached(Defect):
    description = "a result that is kept for the backward pass is a constant in it"
    seen = "PyTorch#58509"
    smallest = program("""
        x0 = leaf(3.0)
        x1 = exp(x0)
        x2 = mul(x0, x1)
        backward(x2, create_graph=True)
        x3 = grad_of(x0)
        backward(x3)
    """)
    code = "gx = gy * y.data"
    mend = "gx = gy * y, with y as a tensor of the graph"

    def slopes(self, node: Node, gs: tuple[Any, ...]) -> tuple[Any, ...]:
        outputs = node.outputs
        node.outputs = tuple(self.detach(t) for t in outputs)
        try:
            return super().slopes(node, gs)
        finally:
            node.outputs = outputs
