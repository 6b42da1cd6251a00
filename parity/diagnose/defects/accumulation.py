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

    code = "x.grad = gx"
    mend = "x.grad = gx if x.grad is None else x.grad + gx"

    def store_again(self, leaf: Tensor, g: Any) -> None:
        leaf.grad = np.array(g)


class OldGradientDoubled(Defect):
    description = "from the second backward on the gradient so far is counted twice"
    smallest = program("x0 = leaf(3.0)", "backward(x0)", "backward(x0)")
    code = "total = x.grad; total += gx; x.grad += total"
    mend = "start the sum of each backward at zero, and add it once"

    def store_again(self, leaf: Tensor, g: Any) -> None:
        # The sum of a pass starts from the old gradient and is added to it again.
        super().store_again(leaf, leaf.grad + g)


class _Kept:
    """The gradients that tensors hold, as the mapping of a pass: they outlive it."""

    def __init__(self, engine: Defect) -> None:
        self.engine = engine

    def __contains__(self, t: Tensor) -> bool:
        return t.grad is not None

    def __getitem__(self, t: Tensor) -> Any:
        if self.engine.recording:
            return t.recorded or self.engine.carried(t.grad)
        return t.grad

    def __setitem__(self, t: Tensor, g: Any) -> None:
        if t.grad is None and t.node is None:
            self.engine.store_first(t, raw(g))
        else:
            t.grad = raw(g)
        t.recorded = g if isinstance(g, Tensor) else None

    def get(self, t: Tensor, default: Any = None) -> Any:
        return default if t.grad is None else self[t]


class _GradientsOnTensors(Defect):
    """Each value has one gradient, to which all passes add: no sum of a pass is apart."""

    def gradients(self) -> Any:
        return _Kept(self)

    def start(self, grads: Any, t: Tensor, g: Any) -> None:
        if t.node is None and t.grad is not None:
            g = self.accumulated(grads[t], g)
        super().start(grads, t, g)

    def finish(self, grads: Any) -> None:
        pass


class _GradientsOnTensorsRootToo(_GradientsOnTensors):
    """The same, and a leaf that is the root has its gradient set."""

    def start(self, grads: Any, t: Tensor, g: Any) -> None:
        if t.node is None:
            t.grad = None
        super().start(grads, t, g)


class _GradientsOnTensorsHeld(_GradientsOnTensorsRootToo):
    """The same, and a backward without a gradient starts with what the root holds, as in DeZero."""

    def default_seed(self, t: Tensor) -> Any:
        return super().default_seed(t) if t.grad is None else t.grad


class _StaleRootToo(Defect):
    """Intermediate values keep their gradients, and so does the root, which adds to its own."""

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        _add_to_kept(super().add, grads, t, g)

    def seed(self, t: Tensor, gradient: Any) -> Any:
        g = super().seed(t, gradient)
        if t.node is not None:
            t.grad = g if t.grad is None else t.grad + g
            return t.grad
        return g


def _add_to_kept(add: Any, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
    """Add a contribution to what an intermediate value has kept."""
    stale = t.node is not None and t not in grads and t.grad is not None
    add(grads, t, g + t.grad if stale else g)
    if t.node is not None:
        t.grad = raw(grads[t])


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

    code = "x.grad = gx if x.grad is None else x.grad + gx  # of every value, and never cleared"
    mend = "clear the gradients of intermediate values when the backward ends"
    forms = (
        _GradientsOnTensors,
        _GradientsOnTensorsRootToo,
        _GradientsOnTensorsHeld,
        _StaleRootToo,
    )

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        _add_to_kept(super().add, grads, t, g)

    def seed(self, t: Tensor, gradient: Any) -> Any:
        g = super().seed(t, gradient)
        if t.node is not None:
            t.grad = g
        return g


class IntermediatesSentAgain(Defect):
    description = (
        "an intermediate value keeps its gradient from the first backward that reaches it, "
        "and later ones send that again"
    )
    smallest = program("""
        x0 = leaf(3.0)
        x1 = neg(x0)
        x2 = neg(x1)
        backward(x2, retain_graph=True)
        backward(x2, gradient=2.0)
    """)
    code = "if y.grad is None: y.grad = gy"
    mend = "start each backward without the gradients of intermediate values"

    def __init__(self) -> None:
        super().__init__()
        self.reached: set[Tensor] = set()

    def start(self, grads: Any, t: Tensor, g: Any) -> None:
        self.reached = set()
        super().start(grads, t, g)

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        if t.node is None:
            super().add(grads, t, g)
        elif t.grad is None or t in self.reached:
            self.reached.add(t)
            super().add(grads, t, g)
            t.grad = raw(grads[t])
        else:
            grads[t] = self.carried(t.grad)


class StaleRoot(Defect):
    description = (
        "the root keeps its own gradient, and the next backward from it starts with the sum"
    )
    smallest = program(
        "x0 = leaf(3.0)", "x1 = neg(x0)", "backward(x1, retain_graph=True)", "backward(x1)"
    )
    code = "self.grad += np.ones_like(self.data)"
    mend = "a leaf adds g, the first gradient, to its own; any other root starts with g"

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
    code = "self.grad = 1.0"
    mend = "self.grad += 1.0, if self is a leaf"

    def start(self, grads: Any, t: Tensor, g: Any) -> None:
        if t.node is None:
            t.grad = None
        super().start(grads, t, g)


class MicrogradBackward(RootLeafOverwritten, StaleIntermediates):
    name = "micrograd-backward"
    description = (
        "as in micrograd, every value keeps its gradient and adds to it, the root's is set, and no "
        "graph is freed: what an earlier backward left in intermediate values is counted again"
    )
    seen = "micrograd 0.1.0 and engines after its pattern"
    smallest = program("x0 = leaf(3.0)", "backward(x0)", "backward(x0)")
    code = StaleIntermediates.code
    mend = StaleIntermediates.mend

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

    def free(self, node: Node, retain: bool) -> None:
        pass
