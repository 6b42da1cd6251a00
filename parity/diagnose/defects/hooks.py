"""Defects of hooks, and of gradients of computed values that are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.events import Handle
from parity.diagnose.defects.tensor import Node, Tensor, raw


class HookOnceAUse(Defect):
    description = "a hook is called once for each use of its value, not once with the sum"
    smallest = program(
        "x0 = leaf(3.0)", "h0 = hook(x0, kind='record')", "x1 = add(x0, x0)", "backward(x1)"
    )
    code = "for x, gx in zip(f.inputs, gxs): gx = x.hook(gx); x.grad = x.grad + gx"
    mend = "call the hook when the sum is complete, before the function of x runs"

    def start(self, grads: Any, t: Tensor, g: Any) -> None:
        super().start(grads, t, self.hooked(t, g))

    def pairs(self, ts: Sequence[Tensor], gs: Sequence[Any]) -> list[tuple[Tensor, Any]]:
        return [(t, self.hooked(t, g)) for t, g in super().pairs(ts, gs)]

    def add(self, grads: Any, t: Tensor, g: Any) -> None:
        super().add(grads, t, self.hooked(t, g))

    def hooked_sum(self, t: Tensor, g: Any) -> Any:
        return g


class HookResultIgnored(Defect):
    description = "what a hook returns does not take the place of the gradient"
    smallest = program("x0 = leaf(3.0)", "h0 = hook(x0, kind='double')", "backward(x0)")
    code = "for hook in x.hooks: hook(gx)"
    mend = "for hook in x.hooks: result = hook(gx); gx = gx if result is None else result"

    def replaced(self, g: Any, result: Tensor | None) -> Any:
        return g


class RemovedHookCalled(Defect):
    description = "a hook that was removed is called all the same"
    smallest = program(
        "x0 = leaf(3.0)", "h0 = hook(x0, kind='record')", "remove(h0)", "backward(x0)"
    )
    code = "def remove(self): self.hooks = [h for h in self.hooks if h is not self.hook]"
    mend = "take the hook out of the list that the tensor has"

    def hook(self, t: Tensor, function: Any) -> Handle:
        super().hook(t, function)
        return Handle({}, 0)


class HooksReversed(Defect):
    description = "the hooks of a value run in the reverse order, the last one first"
    smallest = program(
        "x0 = leaf(3.0)",
        "h0 = hook(x0, kind='record')",
        "h1 = hook(x0, kind='double')",
        "backward(x0)",
    )
    code = "while hooks: gx = hooks.pop()(gx)"
    mend = "for hook in hooks: gx = hook(gx)"

    def hooks_of(self, t: Tensor) -> list[Any]:
        return super().hooks_of(t)[::-1]


class HooksNotChained(Defect):
    description = "each hook of a value gets the gradient as it was before all hooks"
    smallest = program(
        "x0 = leaf(3.0)",
        "h0 = hook(x0, kind='double')",
        "h1 = hook(x0, kind='record')",
        "backward(x0)",
    )
    code = "results = [hook(gx) for hook in hooks]"
    mend = "for hook in hooks: result = hook(gx); gx = gx if result is None else result"

    def hooked(self, t: Tensor, g: Any) -> Any:
        last = g
        for function in self.hooks_of(t):
            given = g if isinstance(g, Tensor) else Tensor(self, np.array(g), False)
            last = self.replaced(last, function(given))
        return last


class HookAfterAccumulation(Defect):
    description = "a hook on a leaf gets the gradient with what earlier backwards added to it"
    smallest = program(
        "x0 = leaf(3.0)", "h0 = hook(x0, kind='record')", "backward(x0)", "backward(x0)"
    )
    code = "x.grad += gx; x.grad = hook(x.grad)"
    mend = "x.grad += hook(gx)"

    def hooked_sum(self, t: Tensor, g: Any) -> Any:
        return super().hooked_sum(t, g) if t.node is not None else g

    def result(self, x: Tensor, g: Any) -> Tensor:
        return super().result(x, self.hooked(x, g) if x.node is None else g)

    def store(self, leaf: Tensor, g: Any) -> None:
        super().store(leaf, g)
        if leaf.hooks:
            leaf.grad = self.hooked(leaf, leaf.grad)


class HooksOnLeavesOnly(Defect):
    description = "a hook on a computed value is never called"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = neg(x0)", "h0 = hook(x1, kind='record')", "backward(x1)"
    )
    code = "if x.is_leaf: gx = x.hook(gx)"
    mend = "call the hooks of each value whose gradient is complete"

    def settle(self, node: Node, grads: Any) -> None:
        hooks = [t.hooks for t in node.outputs]
        for t in node.outputs:
            t.hooks = {}
        super().settle(node, grads)
        for t, own in zip(node.outputs, hooks, strict=True):
            t.hooks = own


_KEPT = ("x0 = leaf(3.0)", "x1 = neg(x0)", "retain_grad(x1)")


class RetainedOfLastUse(Defect):
    description = "the gradient that is kept of a value is that of the use that came last"
    smallest = program(*_KEPT, "x2 = add(x1, x1)", "backward(x2)")
    code = "x.grad = gx at each use"
    mend = "keep the gradient of a value when its sum is complete"

    def add(self, grads: Any, t: Tensor, g: Any) -> None:
        super().add(grads, t, g)
        if t.retains:
            t.last = g

    def keep(self, t: Tensor, g: Any) -> None:
        super().keep(t, g if t.last is None else raw(t.last))
        t.last = None


class RetainedOverwritten(Defect):
    description = "a second backward replaces the gradient that is kept of a value"
    smallest = program(*_KEPT, "backward(x1, retain_graph=True)", "backward(x1)")
    code = "x.grad = gx"
    mend = "x.grad = gx if x.grad is None else x.grad + gx"

    def keep(self, t: Tensor, g: Any) -> None:
        t.grad = np.array(g)


class RetainedDoubled(Defect):
    description = "a second backward counts the gradient that is kept of a value twice"
    smallest = program(*_KEPT, "backward(x1, retain_graph=True)", "backward(x1)")
    code = "gx += x.grad; x.grad += gx"
    mend = "keep what arrived in this pass apart from what is kept"

    def keep(self, t: Tensor, g: Any) -> None:
        super().keep(t, g if t.grad is None else t.grad + g)


class RetainedBeforeHooks(Defect):
    description = "the gradient that is kept of a value is the one before its hooks"
    smallest = program(*_KEPT, "h0 = hook(x1, kind='double')", "backward(x1)")
    code = "x.grad = gx; gx = x.hook(gx)"
    mend = "gx = x.hook(gx); x.grad = gx"

    def settled(self, t: Tensor, g: Any) -> Any:
        if t.retains:
            self.keep(t, raw(g))
        return self.hooked_sum(t, g)
