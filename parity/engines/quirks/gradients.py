"""Dialects about gradients between passes: when they are kept, replaced, dropped or zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.engines.base import abilities
from parity.engines.quirks.base import Box, Quirk


class ClearsGradsOnUse(Quirk):
    quirk = "clears-grads-on-use"
    description = "a variable loses its gradient when a recorded operation uses it"
    about = "use"

    def apply(self, name: str, *xs: Box, **attrs: Any) -> Any:
        if self.recording:
            for x in xs:
                if x.leaf is not None and self.loses(name, x, attrs):
                    self.clear_grad(x)
        return super().apply(name, *xs, **attrs)

    def loses(self, name: str, x: Box, attrs: dict[str, Any]) -> bool:
        """Whether the operation takes the gradient of the variable ``x`` away."""
        return True


class ClearsGradsOnUseExceptViews(ClearsGradsOnUse):
    quirk = "clears-grads-on-use-except-views"
    description = (
        "a variable loses its gradient when a recorded operation uses it, unless the result "
        "is a NumPy view of it"
    )
    #: What gives a view of an array that lies in memory in the order of its axes.
    views = frozenset(
        ("reshape", "transpose", "moveaxis", "squeeze", "expand_dims", "broadcast_to", "flip")
    )

    def loses(self, name: str, x: Box, attrs: dict[str, Any]) -> bool:
        if name == "get_item":
            part = x.leaf[attrs["index"]]
            return not (isinstance(part, np.ndarray) and part.base is x.leaf)
        return name not in self.views


class ClearsGradsOnBackward(Quirk):
    quirk = "clears-grads-on-backward"
    description = "a backward replaces the gradients of the variables that it reaches"

    def backward(self, t: Box, gradient: Any = None, **flags: bool) -> None:
        # Which variables a pass reaches shows in who has a gradient afterwards.
        for leaf in self.leaves:
            array = self.inner.grad(leaf.inner)
            if array is not None:
                taken = "grad_tensor" in abilities(self.inner)
                leaf.kept = array, self.inner.grad_tensor(leaf.inner) if taken else None
                self.inner.clear_grad(leaf.inner)
        super().backward(t, gradient, **flags)
        for leaf in self.leaves:
            if self.inner.grad(leaf.inner) is not None:
                leaf.kept = None

    def grad(self, t: Box) -> Any:
        return super().grad(t) if t.kept is None else t.kept[0]

    def clear_grad(self, t: Box) -> None:
        t.kept = None
        super().clear_grad(t)

    def zero_grad(self, t: Box) -> None:
        if t.kept is None:
            super().zero_grad(t)
        else:
            t.kept[0].fill(0)
            t.kept = t.kept[0], None  # zeros depend on nothing

    def grad_tensor(self, t: Box) -> Any:
        if t.kept is None:
            return super().grad_tensor(t)
        array, tensor = t.kept
        return Box(self.inner.leaf(array, False) if tensor is None else tensor)


class SeedsAnyShapeWithOnes(Quirk):
    quirk = "seeds-any-shape-with-ones"
    description = "a backward without a gradient starts with ones, whatever the shape of the root"

    def backward(self, t: Box, gradient: Any = None, **flags: bool) -> None:
        if gradient is None:
            value = self.inner.value(t.inner)
            gradient = np.ones_like(value) if np.size(value) != 1 else None
        super().backward(t, gradient, **flags)


class ZerosInsteadOfNone(Quirk):
    quirk = "zeros-instead-of-none"
    description = (
        "a variable has a gradient of zeros where PyTorch has None: at first and when it is cleared"
    )

    def leaf(self, array: Any, requires_grad: bool = True) -> Box:
        box = super().leaf(array, requires_grad)
        self._fill(box)
        return box

    def clear_grad(self, t: Box) -> None:
        super().clear_grad(t)
        self._fill(t)

    def _fill(self, t: Box) -> None:
        """A gradient of zeros: what a backward from the variable itself with zeros gives."""
        if t.leaf is not None:
            self.inner.backward(t.inner, t.leaf.copy())


class KeepsIntermediateGrads(Quirk):
    """Programs look at the gradients of leaves only, so nothing that is expected changes.

    A second pass that sends what was kept once more is a fault all the same.
    """

    quirk = "keeps-intermediate-grads"
    description = "results of operations have gradients as well; those of leaves are as without"
