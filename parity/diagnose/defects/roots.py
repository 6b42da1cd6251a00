"""Defects of the start of a backward: the gradient of the root, and roots that are leaves."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Node, Tensor


class DefaultGradientScalar(Defect):
    description = "a backward without a gradient starts with one number, not an array of ones"
    smallest = program("x0 = leaf([3.0])", "backward(x0)")
    code = "self.grad = np.array(1.0)"
    mend = "self.grad = np.ones_like(self.data)"

    def default_seed(self, t: Tensor) -> Any:
        return np.ones((), t.dtype)

    def fit(self, node: Node, index: int, g: Any) -> Any:
        parent = node.parents[index]
        if np.ndim(g) < parent.ndim and np.ndim(g) == 0:
            return self.cast(np.asarray(g), parent.dtype)
        return super().fit(node, index, g)


class DefaultGradientHeld(Defect):
    description = (
        "a backward without a gradient starts with the gradient that the root holds, if any"
    )
    seen = "DeZero"
    smallest = program("x0 = leaf(3.0)", "backward(x0, gradient=2.0)", "backward(x0)")
    code = "if self.grad is None: self.grad = np.ones_like(self.data)"
    mend = "start with the gradient that backward gets, with ones if there is none; a leaf adds it"

    def default_seed(self, t: Tensor) -> Any:
        return super().default_seed(t) if t.grad is None else t.grad


class UserGradientIgnored(Defect):
    description = "a backward starts with ones, whatever gradient the user passes"
    smallest = program("x0 = leaf(3.0)", "backward(x0, gradient=2.0)")
    code = "self.grad = np.ones_like(self.data)"
    mend = "self.grad = np.ones_like(self.data) if gradient is None else gradient.copy()"

    def user_seed(self, t: Tensor, gradient: Any) -> Any:
        self.check(t, gradient)
        return self.default_seed(t)


class UserGradientUnchecked(Defect):
    description = "the shape of the gradient that the user passes is not checked"
    smallest = program("x0 = leaf([3.0])", "backward(x0, gradient=1.0)")
    category = "convention"
    code = "self.grad = gradient"
    mend = "raise if gradient.shape != self.data.shape"

    def check(self, t: Tensor, gradient: Any) -> None:
        pass

    def unbroadcast(self, g: Any, shape: tuple[int, ...]) -> Any:
        # A gradient of another shape cannot always be summed to that of the operand.
        pairs = zip(g.shape[::-1], shape[::-1], strict=False)
        fits = len(g.shape) >= len(shape) and all(m in (1, n) for n, m in pairs)
        return super().unbroadcast(g, shape) if fits else g


class RootLeafRaises(Defect):
    description = "a backward from a leaf itself raises; in PyTorch the leaf gets the gradient"
    seen = "DeZero"
    smallest = program("x0 = leaf(3.0)", "backward(x0)")
    category = "convention"
    code = "funcs = [self.creator]"
    mend = "funcs = [self.creator] if self.creator is not None else []"

    def start(self, grads: Any, t: Tensor, g: Any) -> None:
        if t.node is None:
            raise AttributeError("the root has no creator")
        super().start(grads, t, g)


class RootLeafIgnored(Defect):
    description = "a backward from a leaf itself does nothing; in PyTorch the leaf gets a gradient"
    smallest = program("x0 = leaf(3.0)", "backward(x0)")
    category = "convention"
    code = "if self.creator is None: return"
    mend = "add the gradient to self.grad first"

    def start(self, grads: Any, t: Tensor, g: Any) -> None:
        if t.node is not None:
            super().start(grads, t, g)
