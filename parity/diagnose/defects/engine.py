"""A small correct engine, independent of dezero: defects are built on it.

Every step of its backward pass is a method that a defect overrides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import numpy as np

from parity.diagnose.defects.tensor import Node, Tensor, raw
from parity.diagnose.defects.vjps import INNER, RULES, Rule, do, rules_of_rows
from parity.engines.base import Engine

__all__ = ["RULES", "Node", "TapeEngine", "Tensor"]


class TapeEngine(Engine):
    """Correct, by the plainest means: nodes run newest first, sums are new arrays.

    Gradients on their way (``g``) are arrays. Under ``create_graph`` they are
    tensors, so that the same formulas record what they compute.
    """

    name = "small"
    version = "1"
    #: What the operations compute, by name.
    rules: ClassVar[Mapping[str, Rule]] = RULES

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.recording = True
        self.ops: dict[str, Any] = {  # type: ignore[misc]
            name: self.operation(*rule)
            for name, rule in {**rules_of_rows(), **self.rules}.items()
            if name not in INNER
        }
        #: Those that the formulas use as well.
        self.functions = {name: self.operation(*rule) for name, rule in INNER.items()} | self.ops

    # The forward pass.

    def operation(self, value: Any, vjp: Any) -> Callable[..., Any]:
        """The operation of a rule, as the contract wants it."""

        def apply(*xs: Tensor, **attrs: Any) -> Any:
            result = value(*[x.data for x in xs], **attrs)
            several = isinstance(result, tuple)
            recorded = self.recording and any(x.requires_grad for x in xs)
            outputs = tuple(Tensor(self, y, recorded) for y in (result if several else (result,)))
            if recorded:
                node = Node(vjp, xs, attrs, outputs, next(self.numbers), several)
                for t in outputs:
                    t.node = node
            return outputs if several else outputs[0]

        return apply

    def leaf(self, array: Any, requires_grad: bool = True) -> Tensor:
        return Tensor(self, array.copy(), requires_grad)

    def value(self, t: Tensor) -> Any:
        return t.data

    @contextmanager
    def recording_set(self, on: bool) -> Iterator[None]:
        outer, self.recording = self.recording, on
        try:
            yield
        finally:
            self.recording = outer

    def no_grad(self) -> AbstractContextManager[Any]:
        return self.recording_set(False)

    def detach(self, t: Tensor) -> Tensor:
        return Tensor(self, t.data, False)

    # Gradients between passes.

    def grad(self, t: Tensor) -> Any:
        return t.grad

    def grad_tensor(self, t: Tensor) -> Tensor:
        if t.grad is None:
            raise RuntimeError("there is no gradient")
        return Tensor(self, t.grad.copy(), False) if t.recorded is None else t.recorded

    def clear_grad(self, t: Tensor) -> None:
        t.grad = None

    def zero_grad(self, t: Tensor) -> None:
        t.grad.fill(0)
        t.recorded = None

    # The backward pass, in steps.

    def backward(
        self,
        t: Tensor,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        if not t.requires_grad:
            raise RuntimeError("the tensor does not require a gradient")
        with self.recording_set(create_graph):
            grads = {t: self.carried(self.seed(t, gradient))}
            for node in self.order(t, grads):
                self.run(node, grads, retain_graph or create_graph)
            self.finish(grads)

    def carried(self, g: Any) -> Any:
        """An array as it travels in this pass: as a tensor if the pass is recorded."""
        return Tensor(self, g, False) if self.recording else g

    def seed(self, t: Tensor, gradient: Any) -> Any:
        """The array that a pass starts with."""
        if gradient is None:
            return np.ones_like(t.data)
        if gradient.shape != t.data.shape:
            raise RuntimeError(f"the gradient has shape {gradient.shape}, not {t.data.shape}")
        return gradient.copy()

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        """The nodes behind ``root`` in the order in which they run: newest first."""
        found: set[Node] = set()
        todo = [root]
        while todo:
            node = todo.pop().node
            if node is not None and node not in found:
                found.add(node)
                todo += node.parents
        return iter(sorted(found, key=lambda n: -n.number))

    def run(self, node: Node, grads: dict[Tensor, Any], retain: bool) -> None:
        """Send the gradients of a node's outputs to its operands."""
        if node.freed:
            raise RuntimeError("backward through the graph a second time; use retain_graph")
        node.freed = not retain
        slopes = self.slopes(node, self.arrived(node, grads))
        for index, (parent, g) in enumerate(zip(node.parents, slopes, strict=True)):
            if parent.requires_grad:
                self.add(grads, parent, self.fit(node, index, g))

    def arrived(self, node: Node, grads: dict[Tensor, Any]) -> tuple[Any, ...]:
        """The gradients of a node's outputs: zeros for those that were not used."""
        return tuple(
            grads[t] if t in grads else self.carried(np.zeros_like(t.data)) for t in node.outputs
        )

    def slopes(self, node: Node, gs: tuple[Any, ...]) -> tuple[Any, ...]:
        """The gradients of a node's operands, not yet in their shape and dtype."""
        xs, ys = node.parents, node.outputs
        if not self.recording:
            xs, ys = tuple(map(raw, xs)), tuple(map(raw, ys))
        return node.vjp(*((gs, ys) if node.several else (gs[0], ys[0])), *xs, **node.attrs)

    def fit(self, node: Node, index: int, g: Any) -> Any:
        """Return a gradient in the shape and dtype of the operand ``index``."""
        parent = node.parents[index].data
        g = g if isinstance(g, Tensor) else np.asarray(g)
        return self.cast(self.unbroadcast(g, parent.shape), parent.dtype)

    def unbroadcast(self, g: Any, shape: tuple[int, ...]) -> Any:
        """``g`` summed to ``shape``, from which its operand was broadcast."""
        return g if g.shape == shape else do("sum_to", g, shape=shape)

    def cast(self, g: Any, dtype: Any) -> Any:
        return g.astype(dtype, copy=False)

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        """Add a contribution of this pass."""
        grads[t] = grads[t] + g if t in grads else g

    def finish(self, grads: dict[Tensor, Any]) -> None:
        for leaf, g in grads.items():
            if leaf.node is None and leaf.requires_grad:
                recorded = self.total(leaf, g) if isinstance(g, Tensor) else None
                self.store(leaf, raw(g))
                leaf.recorded = recorded

    def total(self, leaf: Tensor, g: Tensor) -> Tensor:
        """The gradient of a leaf after a recorded pass, as a tensor."""
        return g if leaf.grad is None else self.functions["add"](self.grad_tensor(leaf), g)

    def store(self, leaf: Tensor, g: Any) -> None:
        """Add the sum of this pass, an array, to the gradient of a leaf."""
        if leaf.grad is None:
            leaf.grad = np.array(g)
        else:
            leaf.grad += g
