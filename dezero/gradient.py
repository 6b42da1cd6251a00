"""grad: the gradients of any outputs for any inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dezero.backward import propagate, root_of
from dezero.given import seed_of
from dezero.graph import Leaf, Node
from dezero.hooks import hooked
from dezero.modes import using_config
from dezero.primitive import Copy
from dezero.variable import Variable, variable_on


class Targets:
    """The inputs of ``grad``: a pass goes only where it may reach one of them."""

    def __init__(self, roots: Sequence[Node | Leaf], inputs: Sequence[Node | Leaf]) -> None:
        self.inputs = set(inputs)
        self.found: dict[Node | Leaf, Any] = {}
        self.on_path = self._on_path(roots)

    def _on_path(self, roots: Sequence[Node | Leaf]) -> set[Node | Leaf]:
        """The nodes behind ``roots`` that lead to an input, oldest first: no recursion."""
        seen: set[Node | Leaf] = set(roots)
        todo = [node for node in seen if isinstance(node, Node)]
        nodes = list(todo)
        while todo:
            for edge in todo.pop().edges:
                if edge is not None and edge not in seen:
                    seen.add(edge)
                    if isinstance(edge, Node):
                        todo.append(edge)
                        nodes.append(edge)
        on_path = seen & self.inputs
        for node in sorted(nodes, key=lambda node: node.seq):
            if any(edge in on_path for edge in node.edges):
                on_path.add(node)
        return on_path

    def wanted(self, node: Node, gy: Any) -> tuple[Node | Leaf | None, ...]:
        """The edges of ``node`` to go along; its gradient is noted if it is an input."""
        if node in self.inputs:
            self.found[node] = gy
        edges = tuple(edge if edge in self.on_path else None for edge in node.edges)
        return edges if any(edge is not None for edge in edges) else ()


def grad(
    outputs: Variable | Sequence[Variable],
    inputs: Variable | Sequence[Variable],
    grad_outputs: Any = None,
    create_graph: bool = False,
    allow_unused: bool = False,
    retain_graph: bool | None = None,
) -> tuple[Variable | None, ...]:
    """The gradients of ``outputs`` for ``inputs``, as ``torch.autograd.grad`` (semantics.md 7.4).

    ``grad`` of no Variable changes. ``inputs`` may be intermediate Variables.
    ``grad_outputs``: one gradient an output, ones where None. Only the part of
    the graph that leads to an input runs, and is freed.

    Raises RuntimeError if an input does not require a gradient, or, unless
    ``allow_unused``, if an output does not depend on it (then its gradient is None).
    """
    ys = [outputs] if isinstance(outputs, Variable) else list(outputs)
    xs = [inputs] if isinstance(inputs, Variable) else list(inputs)
    given = [grad_outputs] * len(ys) if grad_outputs is None else grad_outputs
    given = [given] if isinstance(given, (Variable, np.ndarray)) else list(given)
    if len(given) != len(ys):
        raise RuntimeError(f"got {len(ys)} outputs and {len(given)} gradients")
    pairs = zip(ys, given, strict=True)
    roots = [(root_of(y, i), seed_of(y, g, create_graph)) for i, (y, g) in enumerate(pairs)]
    nodes = [x._node for x in xs]
    if any(node is None for node in nodes):
        raise RuntimeError("One of the differentiated Variables does not require grad")
    targets = Targets([node for node, _ in roots], [n for n in nodes if n is not None])
    free = not (create_graph if retain_graph is None else retain_graph)
    with using_config("enable_backprop", create_graph):
        for leaf, total, _ in propagate(
            [r for r in roots if r[0] in targets.on_path], create_graph, free, targets=targets
        ):
            targets.found[leaf] = hooked(leaf, total, create_graph)
        results = [_result(targets.found.get(node), create_graph) for node in nodes]  # type: ignore[arg-type]
    for index, result in enumerate(results):
        if result is None and not allow_unused:
            raise RuntimeError(
                f"The differentiated Variable at index {index} appears to not have been used in "
                "the graph. Set allow_unused=True if this is the desired behavior."
            )
    return tuple(results)


def _result(total: Any, create_graph: bool) -> Variable | None:
    """A gradient as ``grad`` returns it: an array of its own."""
    if total is None:
        return None
    return Copy()(total) if create_graph else variable_on(np.array(total), None)
