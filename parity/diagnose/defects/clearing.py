"""Defects of clearing: setting gradients to None and filling them with zeros."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import numpy as np

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Tensor

_ZEROED = program("x0 = leaf(3.0)", "backward(x0)", "zero_grad(x0)")


class ClearDoesNothing(Defect):
    description = "clearing a gradient leaves it as it is"
    smallest = program("x0 = leaf(3.0)", "backward(x0)", "cleargrad(x0)")
    code = "grad = None"
    mend = "self.grad = None"

    def clear_grad(self, t: Tensor) -> None:
        pass


class ClearsFirstLeafOnly(Defect):
    description = "of several leaves only the first is cleared"
    smallest = program("x0 = leaf(3.0)", "x1 = leaf(3.0)", "backward(x1)", "cleargrad(x0, x1)")
    code = "for p in params: p.cleargrad(); return"
    mend = "for p in params: p.cleargrad()"

    def __init__(self) -> None:
        super().__init__()
        self.cleared = False  # whether a leaf has been cleared since the last backward

    def seed(self, t: Tensor, gradient: Any) -> Any:
        self.cleared = False
        return super().seed(t, gradient)

    def clear_grad(self, t: Tensor) -> None:
        if not self.cleared:
            super().clear_grad(t)
            self.cleared = True


class ClearLeavesZeroScalar(Defect):
    description = "clearing a gradient puts a zero of shape () in its place"
    smallest = program("x0 = leaf(3.0)", "cleargrad(x0)")
    code = "self.grad = np.array(0.0)"
    mend = "self.grad = None"

    def clear_grad(self, t: Tensor) -> None:
        t.grad = np.zeros((), t.dtype)

    def store_again(self, leaf: Tensor, g: Any) -> None:
        leaf.grad = np.asarray(leaf.grad + g)


class ZeroReplaces(Defect):
    description = "zeroing a gradient puts a new array in its place instead of filling it"
    smallest = _ZEROED
    code = "self.grad = np.zeros_like(self.data)"
    mend = "self.grad.fill(0)"

    def zero_grad(self, t: Tensor) -> None:
        t.grad = np.zeros_like(t.data)


class ZeroClears(Defect):
    description = "zeroing a gradient makes it None"
    smallest = _ZEROED
    code = "self.grad = None"
    mend = "self.grad.fill(0)"

    def zero_grad(self, t: Tensor) -> None:
        t.grad = None


class ZeroesSiblings(Defect):
    description = "zeroing a gradient zeroes those of the other leaves of the last backward as well"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = leaf(3.0)", "x2 = add(x0, x1)", "backward(x2)", "zero_grad(x0)"
    )
    code = "a.grad = gy; b.grad = gy"
    mend = "a.grad = gy.copy(); b.grad = gy.copy()"

    def __init__(self) -> None:
        super().__init__()
        self.group: list[Tensor] = []  # leaves whose gradients share one buffer

    def finish(self, grads: dict[Tensor, Any]) -> None:
        super().finish(grads)
        self.group = [t for t in grads if t.node is None and t.requires_grad]

    def zero_grad(self, t: Tensor) -> None:
        for sibling in self.group if t in self.group else [t]:
            if sibling.grad is not None:
                super().zero_grad(sibling)


class ZeroUndone(Defect):
    description = "a zeroed gradient is there again after the next backward"
    smallest = program("x0 = leaf(3.0)", "backward(x0)", "zero_grad(x0)", "backward(x0)")
    code = "self.grad.copy().fill(0)"
    mend = "self.grad.fill(0)"

    def __init__(self) -> None:
        super().__init__()
        self.totals: WeakKeyDictionary[Tensor, Any] = WeakKeyDictionary()

    def store_first(self, leaf: Tensor, g: Any) -> None:
        super().store_first(leaf, g)
        self.totals[leaf] = np.array(g)

    def store_again(self, leaf: Tensor, g: Any) -> None:
        # The user gets a copy of the total and zeroes the copy.
        self.totals[leaf] = self.totals[leaf] + g
        leaf.grad[...] = self.totals[leaf]


class ZeroStopsAccumulation(Defect):
    description = "once a gradient has been zeroed, each backward overwrites it"
    seen = "nnabla#532"
    smallest = program(
        "x0 = leaf(3.0)", "backward(x0)", "zero_grad(x0)", "backward(x0)", "backward(x0)"
    )
    code = "if not x.grad.any(): x.grad = gx, from then on"
    mend = "x.grad = x.grad + gx"

    def __init__(self) -> None:
        super().__init__()
        self.zeroed: WeakSet[Tensor] = WeakSet()

    def zero_grad(self, t: Tensor) -> None:
        super().zero_grad(t)
        self.zeroed.add(t)

    def store_again(self, leaf: Tensor, g: Any) -> None:
        if leaf in self.zeroed:
            leaf.grad.fill(0)
        super().store_again(leaf, g)


class ZeroDoesNothing(Defect):
    description = "zeroing a gradient leaves it as it is"
    smallest = _ZEROED
    code = "self.grad * 0"
    mend = "self.grad.fill(0)"

    def zero_grad(self, t: Tensor) -> None:
        pass


class ClearUndone(Defect):
    description = "a cleared gradient is counted again in the next backward"
    smallest = program("x0 = leaf(3.0)", "backward(x0)", "cleargrad(x0)", "backward(x0)")
    code = "self.grad = None, and the sum is kept elsewhere"
    mend = "clear the sum as well"

    def __init__(self) -> None:
        super().__init__()
        self.cleared: WeakKeyDictionary[Tensor, Any] = WeakKeyDictionary()

    def clear_grad(self, t: Tensor) -> None:
        if t.grad is not None:
            self.cleared[t] = t.grad
        super().clear_grad(t)

    def store_first(self, leaf: Tensor, g: Any) -> None:
        super().store_first(leaf, g + self.cleared.pop(leaf, 0))
