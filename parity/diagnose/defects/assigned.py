"""Defects of gradients that the user assigns, and of those that are results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

import numpy as np

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Tensor, raw


class SetGradOverwritten(Defect):
    description = "a backward replaces a gradient that the user assigned, where it should add"
    smallest = program("x0 = leaf(3.0)", "set_grad(x0, gradient=1.0)", "backward(x0)")
    code = "if x.first_backward: x.grad = gx"
    mend = "x.grad = gx if x.grad is None else x.grad + gx"

    def __init__(self) -> None:
        super().__init__()
        self.given: WeakSet[Tensor] = WeakSet()

    def set_grad(self, t: Tensor, array: Any) -> None:
        super().set_grad(t, array)
        self.given.add(t)

    def store(self, leaf: Tensor, g: Any) -> None:
        if leaf in self.given:
            self.given.remove(leaf)
            leaf.grad = None
        super().store(leaf, g)


class SetGradKept(Defect):
    description = "a gradient that the user assigned shares memory with the user's array"
    smallest = program("x0 = leaf(3.0)", "set_grad(x0, gradient=1.0)", "backward(x0)")
    code = "self.grad = array"
    mend = "self.grad = array.copy()"

    def assigned(self, t: Tensor, array: Any) -> Any:
        return array


class SetGradAdds(Defect):
    description = "a gradient that the user assigns is added to the one that is there"
    smallest = program("x0 = leaf(3.0)", "backward(x0)", "set_grad(x0, gradient=1.0)")
    code = "def set_grad(self, array): self.grad += array"
    mend = "self.grad = array.copy()"

    def assigned(self, t: Tensor, array: Any) -> Any:
        return array.copy() if t.grad is None else t.grad + array


class GradAccumulates(Defect):
    description = "asking for gradients as results adds them to the gradients of the leaves too"
    smallest = program("x0 = leaf(3.0)", "x1 = grad([x0], [x0])")
    code = "def grad(y, xs): y.backward(); return [x.grad for x in xs]"
    mend = "keep the gradients of such a pass apart from x.grad"

    def result(self, x: Tensor, g: Any) -> Tensor:
        found = super().result(x, g)
        if x.node is None:
            self.store(x, found.data)
        return found


class UnusedGivesZeros(Defect):
    description = "the gradient for a value on which no root depends is zeros, not None"
    category = "convention"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = leaf(3.0)", "x2 = grad([x1], [x0], allow_unused=True)"
    )
    code = "return [grads.get(x, np.zeros_like(x.data)) for x in xs]"
    mend = "return [grads.get(x) for x in xs]"

    def unused(self, x: Tensor) -> Tensor | None:
        return Tensor(self, np.zeros_like(x.data), False)


class GradNeverRecorded(Defect):
    description = "gradients that are results are constants, although create_graph was set"
    smallest = program(
        "x0 = leaf(3.0)",
        "x1 = mul(x0, x0)",
        "x2 = grad([x1], [x0], create_graph=True)",
        "backward(x2)",
    )
    code = "return [Tensor(g.data) for g in grads]"
    mend = "return the tensors that the recorded pass computed"

    def result(self, x: Tensor, g: Any) -> Tensor:
        return Tensor(self, np.array(raw(super().result(x, g))), False)


class GradEndsAtInputs(Defect):
    description = "a pass for gradients as results goes no further than the values asked for"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = neg(x0)", "x2, x3 = grad([x1], [x0, x1], allow_unused=True)"
    )
    code = "if node in inputs: continue"
    mend = "stop only where nothing that is asked for lies behind a node"

    def leading(self, nodes: Any, inputs: Sequence[Tensor]) -> Any:
        ends = {t.node for t in inputs}
        found = super().leading(nodes, inputs)
        return {node for node in found if node not in ends}


class LastRootOnly(Defect):
    description = "of several roots only the last one counts"
    smallest = program("x0 = leaf(3.0)", "backward_many([x0, x0])")
    code = "for y, g in zip(ys, gs): seed = (y, g)"
    mend = "start with the gradients of all roots"

    def pairs(self, ts: Sequence[Tensor], gs: Sequence[Any]) -> list[tuple[Tensor, Any]]:
        return super().pairs(ts, gs)[-1:]


class RootGradientsSwapped(Defect):
    description = "the gradients of several roots are given to them in the reverse order"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = leaf(3.0)", "backward_many([x0, x1], gradients=[2.0, None])"
    )
    code = "for y in ys: start(y, gs.pop())"
    mend = "for y, g in zip(ys, gs): start(y, g)"

    def pairs(self, ts: Sequence[Tensor], gs: Sequence[Any]) -> list[tuple[Tensor, Any]]:
        return super().pairs(ts, gs[::-1])


class RootTwiceOnce(Defect):
    description = "a root that is there twice counts once, with the gradient given last"
    smallest = program("x0 = leaf(3.0)", "backward_many([x0, x0])")
    code = "grads = dict(zip(ys, gs))"
    mend = "add up what is given for the same root"

    def pairs(self, ts: Sequence[Tensor], gs: Sequence[Any]) -> list[tuple[Tensor, Any]]:
        return list(dict(super().pairs(ts, gs)).items())


class RootBehindAnotherLost(Defect):
    description = "a root that lies behind another one loses the gradient that it starts with"
    smallest = program("x0 = leaf(3.0)", "x1 = neg(x0)", "backward_many([x0, x1])")
    code = "x.grad = gx, although x is a root with a gradient of its own"
    mend = "x.grad = x.grad + gx, where x is a root"

    def pairs(self, ts: Sequence[Tensor], gs: Sequence[Any]) -> list[tuple[Tensor, Any]]:
        found = super().pairs(ts, gs)
        nodes = self.order_of(ts)
        behind = {t for node in nodes for t in node.parents}
        return [pair for pair in found if pair[0] not in behind]


class InputsIgnored(Defect):
    description = "a backward for chosen leaves adds to the gradients of all"
    smallest = program("x0 = leaf(3.0)", "x1 = leaf(3.0)", "backward_many([x0], inputs=[x1])")
    code = "def backward(ys, gs, inputs=None): run(ys, gs)"
    mend = "add to the gradients of `inputs` alone, if they are given"

    def chosen(self, inputs: Sequence[Tensor] | None) -> Sequence[Tensor] | None:
        return None
