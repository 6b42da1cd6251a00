"""Defects of operations in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Node, Tensor


class ChangeNotRecorded(Defect):
    description = "an operation in place is not recorded: the gradient is that of the old value"
    smallest = program("x0 = leaf(3.0)", "x1 = neg(x0)", "mul_scalar_(x1, c=2.0)", "backward(x1)")
    code = "def add_(self, other): self.data += other.data"
    mend = "compute the result as add does, write it into self.data, and take over its node"

    def change_recorded(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        return self.update(name, t, *others, **attrs)


class AddInPlaceDoubled(Defect):
    description = "what is added in place gets its gradient twice"
    smallest = program("x0 = leaf(3.0)", "x1 = neg(x0)", "add_(x1, x0)", "backward(x1)")
    code = "add_ records itself and calls add, which is recorded as well"
    mend = "record one of the two"

    def computed(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        new = super().computed(name, t, *others, **attrs)
        if name != "add_" or not others[0].requires_grad:
            return new
        twice: Tensor = self.do("add", new, self.do("sub", others[0], self.detach(others[0])))
        return twice


class SavedValueChanged(Defect):
    description = "a value that was saved is changed in place, and backward computes on the new one"
    seen = "PyTorch's .data (docs/semantics.md 10.2)"
    smallest = program(
        "x0 = leaf([3.0, 2.0])",
        "x1 = neg(x0)",
        "x2 = mul(x1, x1)",
        "mul_scalar_(x1, c=2.0)",
        "backward(x2, gradient=[1.0, 2.0])",
    )
    code = "saved = x.data, and add_ writes into x.data"
    mend = "count changes of each array, note the count where it is saved, and raise if it differs"

    def keep_old(self, t: Tensor) -> None:
        pass

    def check_saved(self, node: Node) -> None:
        pass


class ZeroInPlaceKeepsPath(Defect):
    description = "gradients flow through a value that was filled with zeros in place"
    smallest = program("x0 = leaf(3.0)", "x1 = neg(x0)", "zero_(x1)", "backward(x1)")
    code = "def zero_(self): self.data.fill(0)"
    mend = "the gradient of what was there is zero: record that, or forget the node"

    def computed(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        if name != "zero_":
            return super().computed(name, t, *others, **attrs)
        same: Tensor = self.do("sub", t, self.detach(t))
        return same


class CopyInPlaceShares(Defect):
    description = "copy_ shares memory: a later change of one value changes the other"
    smallest = program("x0 = leaf(3.0)", "x1 = neg(x0)", "copy_(x1, x0)", "mul_scalar_(x1, c=2.0)")
    code = "def copy_(self, other): self.data = other.data"
    mend = "self.data[...] = other.data"

    def change_recorded(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        new = super().change_recorded(name, t, *others, **attrs)
        if name == "copy_" and others[0].shape == new.shape:
            new.data = others[0].data
        return new


class CopyInPlaceDetached(Defect):
    description = "no gradient reaches what was copied into a value in place"
    smallest = program("x0 = leaf(3.0)", "x1 = neg(x0)", "copy_(x1, x0)", "backward(x1)")
    code = "def copy_(self, other): self.data[...] = other.data"
    mend = "record it: the gradient goes to other, and none to what was there"

    def computed(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        if name == "copy_":
            others = tuple(map(self.detach, others))
        return super().computed(name, t, *others, **attrs)


class ItemSetKeepsPath(Defect):
    description = "what was overwritten by x[0] = y still gets a gradient"
    smallest = program(
        "x0 = leaf([3.0, 2.0])",
        "x1 = leaf(5.0)",
        "x2 = neg(x0)",
        "set_item_(x2, x1, index=0)",
        "backward(x2, gradient=[1.0, 2.0])",
    )
    code = "gx, gy = g, g[index]"
    mend = "gx = g.copy(); gx[index] = 0"

    def computed(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        new = super().computed(name, t, *others, **attrs)
        if name != "set_item_":
            return new
        mask = np.zeros(t.shape, bool)
        mask[attrs["index"]] = True
        zero = self.do("sub", t, self.detach(t))
        chosen = self.do("where", zero, self.detach(zero), condition=mask)
        kept: Tensor = self.do("add", new, chosen)
        return kept


class LeafChanged(Defect):
    description = (
        "a leaf that requires a gradient is changed in place while operations are recorded"
    )
    smallest = program("x0 = leaf(3.0)", "mul_scalar_(x0, c=2.0)")
    code = "def mul_(self, other): ..., without a look at leaves"
    mend = "raise for a leaf that requires a gradient, unless under no_grad"

    def check_leaf(self, t: Tensor) -> None:
        pass


class UpdateLosesLeaf(Defect):
    description = "a leaf that was updated under no_grad gets no gradient any more"
    smallest = program(
        "x0 = leaf(3.0)",
        "with no_grad():",
        "mul_scalar_(x0, c=2.0)",
        "backward(x0)",
    )
    code = "with no_grad(): w = w - lr * w.grad"
    mend = "w.data -= lr * w.grad"

    def update(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        super().update(name, t, *others, **attrs)
        return self.detach(t) if t.node is None else t


class UpdateRecorded(Defect):
    description = "an operation in place under no_grad is recorded"
    smallest = program(
        "x0 = leaf(3.0)",
        "x1 = neg(x0)",
        "with no_grad():",
        "mul_scalar_(x1, c=2.0)",
        "backward(x1)",
    )
    code = "def mul_(self, other): ..., without a look at the mode"
    mend = "under no_grad write the values, and leave the node as it is"

    def update(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        if t.node is None:
            return super().update(name, t, *others, **attrs)
        with self.recording_set(True):
            return self.change_recorded(name, t, *others, **attrs)


class DetachInPlaceIgnored(Defect):
    description = "gradients flow through a value that was detached in place"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = neg(x0)", "detach_(x1)", "x2 = add(x1, x0)", "backward(x2)"
    )
    code = "def detach_(self): self.requires_grad = False, and the node stays"
    mend = "self.node = None"

    def detach_(self, t: Tensor) -> None:
        pass


class DetachInPlaceCutsInputs(Defect):
    description = "detach_ detaches what the value was computed from as well"
    smallest = program("x0 = leaf(3.0)", "x1 = neg(x0)", "detach_(x1)", "backward(x0)")
    code = "for x in self.creator.inputs: x.requires_grad = False"
    mend = "forget the node of this value only"

    def detach_(self, t: Tensor) -> None:
        parents = () if t.node is None else t.node.parents
        super().detach_(t)
        for parent in parents:
            parent.requires_grad = False
