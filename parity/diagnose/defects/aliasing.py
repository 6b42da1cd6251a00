"""Defects of aliasing: a gradient shares memory with another array."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Tensor


class SiblingsShare(Defect):
    description = "leaves that get the same array, as from an addition, share it as their gradient"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = leaf(3.0)", "x2 = add(x0, x1)", "backward(x2)", "change_grad(x0)"
    )

    code = "x.grad = gx"
    mend = "x.grad = gx.copy()"

    def store_first(self, leaf: Tensor, g: Any) -> None:
        leaf.grad = np.asarray(g)


class _KeepsUserArray(Defect):
    """Stores the array passed to backward, or a view of it, as a gradient without a copy."""

    def __init__(self) -> None:
        super().__init__()
        self.user_array: Any = None

    def seed(self, t: Tensor, gradient: Any) -> Any:
        self.user_array = gradient
        return super().seed(t, gradient)

    def user_seed(self, t: Tensor, gradient: Any) -> Any:
        super().user_seed(t, gradient)  # to raise its errors
        return gradient

    def store_first(self, leaf: Tensor, g: Any) -> None:
        if self.user_array is not None and self.keeps(g):
            leaf.grad = g
        else:
            super().store_first(leaf, g)

    def keeps(self, g: Any) -> bool:
        return g is self.user_array


class _UserGradientOrViewKept(_KeepsUserArray):
    """Neither the array of the user nor a view of it is copied."""

    def keeps(self, g: Any) -> bool:
        return np.shares_memory(g, self.user_array)


class UserGradientKept(_KeepsUserArray):
    description = "the array that the user passes to backward becomes the gradient as it is"
    seen = "candle#363"
    smallest = program("x0 = leaf(3.0)", "backward(x0, gradient=1.0)", "change_gradient()")
    code = "x.grad = gradient"
    mend = "x.grad = gradient.copy()"
    forms = (_UserGradientOrViewKept,)


class UserGradientViewKept(_KeepsUserArray):
    description = (
        "a view of the array that the user passes to backward, as reshape hands it on, "
        "becomes the gradient"
    )
    seen = "PyTorch#34082"
    smallest = program("""
        x0 = leaf(3.0)
        x1 = reshape(x0, shape=(1,))
        backward(x1, gradient=[1.0])
        change_gradient()
    """)
    code = "gx = gy.reshape(x.shape); x.grad = gx"
    mend = "x.grad = gx.copy()"

    def keeps(self, g: Any) -> bool:
        return g is not self.user_array and np.shares_memory(g, self.user_array)


class RootGradientShared(Defect):
    description = (
        "the root's own gradient, set anew by each backward, is the array of a leaf's gradient"
    )
    smallest = program("""
        x0 = leaf(3.0)
        x1 = add_scalar(x0, c=2)
        backward(x1, retain_graph=True)
        backward(x1, gradient=2.0)
    """)
    code = "y.grad[...] = gradient; x.grad = y.grad"
    mend = "x.grad = y.grad.copy()"

    def __init__(self) -> None:
        super().__init__()
        self.root: Any = None  # the root's gradient

    def seed(self, t: Tensor, gradient: Any) -> Any:
        g = super().seed(t, gradient)
        if t.node is not None:
            if t.grad is None:
                t.grad = g
            t.grad[...] = g
            g = t.grad
        self.root = g
        return g

    def store_first(self, leaf: Tensor, g: Any) -> None:
        if g is self.root:
            leaf.grad, self.root = g, None  # shared with one leaf only
        else:
            super().store_first(leaf, g)
