"""Quirks of gradients between backward passes: cleared, replaced, or zeros instead of None."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.engines.base import abilities
from parity.engines.quirks.base import Quirk, WrappedTensor


class ClearsGradsOnUse(Quirk):
    quirk = "clears-grads-on-use"
    description = "a variable loses its gradient when a recorded operation uses it"
    about = "use"
    example = "x0 = leaf(3.0)\nbackward(x0)\nx1 = neg(x0)\nbackward(x1)\n"

    def apply(self, name: str, *xs: WrappedTensor, **attrs: Any) -> Any:
        if self.recording:
            for x in xs:
                if x.leaf is not None and self.clears(name, x, attrs):
                    self.clear_grad(x)
        return super().apply(name, *xs, **attrs)

    def clears(self, name: str, x: WrappedTensor, attrs: dict[str, Any]) -> bool:
        """Return whether the operation clears the gradient of the leaf ``x``."""
        return True


class ClearsGradsOnUseExceptViews(ClearsGradsOnUse):
    quirk = "clears-grads-on-use-except-views"
    description = (
        "a variable loses its gradient when a recorded operation uses it, unless the result "
        "is a NumPy view of it"
    )
    example = (
        "x0 = leaf([3.0])\n"
        "backward(x0)\n"
        "x1 = neg(x0)\n"
        "x2 = reshape(x0, shape=(1, 1))\n"
        "backward(x2)\n"
    )
    #: Operations whose NumPy result is a view of a C-contiguous operand.
    views = (
        *("reshape", "transpose", "moveaxis", "squeeze", "expand_dims", "broadcast_to", "flip"),
        *("transpose_all", "squeeze_all", "slice_backwards"),
    )

    def clears(self, name: str, x: WrappedTensor, attrs: dict[str, Any]) -> bool:
        if name == "get_item":
            part = x.leaf[attrs["index"]]
            return not (isinstance(part, np.ndarray) and part.base is x.leaf)
        if name == "squeeze_all" and 1 not in np.shape(x.leaf):
            return True  # NumPy returns the operand itself
        return name not in self.views


class ClearsGradsOnBackward(Quirk):
    quirk = "clears-grads-on-backward"
    description = "a backward replaces the gradients of the variables that it reaches"
    example = "x0 = leaf(3.0)\nbackward(x0)\nbackward(x0)\n"

    def backward(self, t: WrappedTensor, gradient: Any = None, **flags: bool) -> None:
        # The variables that the pass reaches are those that have a gradient afterwards.
        for leaf in self.leaves:
            array = self.inner.grad(leaf.inner)
            if array is not None:
                second_order = "grad_tensor" in abilities(self.inner)
                leaf.kept_grad = array, self.inner.grad_tensor(leaf.inner) if second_order else None
                self.inner.clear_grad(leaf.inner)
        super().backward(t, gradient, **flags)
        for leaf in self.leaves:
            if self.inner.grad(leaf.inner) is not None:
                leaf.kept_grad = None

    def grad(self, t: WrappedTensor) -> Any:
        return super().grad(t) if t.kept_grad is None else t.kept_grad[0]

    def clear_grad(self, t: WrappedTensor) -> None:
        t.kept_grad = None
        super().clear_grad(t)

    def zero_grad(self, t: WrappedTensor) -> None:
        if t.kept_grad is None:
            super().zero_grad(t)
        else:
            t.kept_grad[0].fill(0)
            t.kept_grad = t.kept_grad[0], None  # zeros are a constant

    def grad_tensor(self, t: WrappedTensor) -> Any:
        if t.kept_grad is None:
            return super().grad_tensor(t)
        array, tensor = t.kept_grad
        return WrappedTensor(self.inner.leaf(array, False) if tensor is None else tensor)


class SeedsAnyShapeWithOnes(Quirk):
    quirk = "seeds-any-shape-with-ones"
    description = "a backward without a gradient starts with ones, whatever the shape of the root"
    example = "x0 = leaf([3.0, 2.0])\nbackward(x0)\n"

    def backward(self, t: WrappedTensor, gradient: Any = None, **flags: bool) -> None:
        if gradient is None:
            value = self.inner.value(t.inner)
            gradient = np.ones_like(value) if np.size(value) != 1 else None
        super().backward(t, gradient, **flags)


class ZerosInsteadOfNone(Quirk):
    quirk = "zeros-instead-of-none"
    description = (
        "a variable has a gradient of zeros where PyTorch has None: at first and when it is cleared"
    )
    example = "x0 = leaf(3.0)\nbackward(x0)\ncleargrad(x0)\n"

    def leaf(self, array: Any, requires_grad: bool = True) -> WrappedTensor:
        wrapped = super().leaf(array, requires_grad)
        self._fill(wrapped)
        return wrapped

    def clear_grad(self, t: WrappedTensor) -> None:
        super().clear_grad(t)
        self._fill(t)

    def _fill(self, t: WrappedTensor) -> None:
        if t.leaf is not None:  # a backward from the variable itself makes its gradient zeros
            self.inner.backward(t.inner, t.leaf.copy())


class KeepsIntermediateGrads(Quirk):
    """Has no effect on the reference, since programs observe the gradients of leaves only.

    An engine that propagates a kept gradient again in a second backward has a fault all the same.
    """

    quirk = "keeps-intermediate-grads"
    description = "results of operations keep gradients too; gradients of leaves are as in PyTorch"
