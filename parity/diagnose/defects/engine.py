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


class Operations(dict[str, Any]):
    """The operations of an engine by name, each made from its rule when it is first used."""

    def __init__(self, engine: TapeEngine, rules: Mapping[str, Rule]) -> None:
        super().__init__(rules)
        self.engine = engine

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if isinstance(found, Rule):
            found = self[name] = self.engine.operation(*found)
        return found

    def __iter__(self) -> Iterator[str]:  # with an own one, ``{**ops}`` asks for each operation
        return super().__iter__()

    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    def values(self) -> Any:
        return [self[name] for name in self]


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
        rules = {**rules_of_rows(), **self.rules}
        self.ops: dict[str, Any] = Operations(  # type: ignore[misc]
            self, {name: rule for name, rule in rules.items() if name not in INNER}
        )
        #: Those that the formulas use as well.
        self.functions: dict[str, Any] = Operations(self, rules | INNER)

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
            grads = self.gradients()
            self.start(grads, t, self.carried(self.seed(t, gradient)))
            for node in self.order(t, grads):
                self.run(node, grads, retain_graph or create_graph)
            self.finish(grads)

    def carried(self, g: Any) -> Any:
        """An array as it travels in this pass: as a tensor if the pass is recorded."""
        return Tensor(self, g, False) if self.recording else g

    def gradients(self) -> Any:
        """Where the gradients of a pass are kept, by tensor."""
        return {}

    def seed(self, t: Tensor, gradient: Any) -> Any:
        """The array that a pass starts with."""
        return self.default_seed(t) if gradient is None else self.user_seed(t, gradient)

    def default_seed(self, t: Tensor) -> Any:
        return np.ones_like(t.data)

    def user_seed(self, t: Tensor, gradient: Any) -> Any:
        self.check(t, gradient)
        return gradient.copy()

    def check(self, t: Tensor, gradient: Any) -> None:
        """Refuse a gradient of another shape than the root's."""
        if gradient.shape != t.data.shape:
            raise RuntimeError(f"the gradient has shape {gradient.shape}, not {t.data.shape}")

    def start(self, grads: Any, t: Tensor, g: Any) -> None:
        """Give the root its gradient."""
        grads[t] = g

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
        self.free(node, retain)
        slopes = self.slopes(node, self.arrived(node, grads))
        for index, g in self.by_operand(node, slopes):
            parent = node.parents[index]
            if parent.requires_grad:
                self.add(grads, parent, self.fit(node, index, g))

    def free(self, node: Node, retain: bool) -> None:
        """Forget what a node needs, so that it runs once, unless the graph is retained."""
        if node.freed:
            raise RuntimeError("backward through the graph a second time; use retain_graph")
        node.freed = not retain

    def by_operand(self, node: Node, slopes: tuple[Any, ...]) -> list[tuple[int, Any]]:
        """The gradients of a node's operands, each with the index of its operand."""
        if len(slopes) != len(node.parents):
            raise ValueError(f"{len(slopes)} gradients for {len(node.parents)} operands")
        return list(enumerate(slopes))

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
        grads[t] = self.accumulated(grads[t], g) if t in grads else g

    def accumulated(self, old: Any, g: Any) -> Any:
        """The gradient of a value after a further contribution of this pass."""
        return old + g

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
            self.store_first(leaf, g)
        else:
            self.store_again(leaf, g)

    def store_first(self, leaf: Tensor, g: Any) -> None:
        leaf.grad = np.array(g)

    def store_again(self, leaf: Tensor, g: Any) -> None:
        leaf.grad += g
