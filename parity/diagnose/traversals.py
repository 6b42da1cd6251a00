"""Topological orders in which a backward pass may run the nodes of a graph.

Correct engines compute the same gradients in all of them, wrong ones may not: the order decides
which of two contributions overwrites the other. Defects are therefore also compared in the orders
that engines are known to use.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.tensor import Node, Tensor


def _inputs_of(node: Node) -> list[Node]:
    """Return the nodes that computed the operands of ``node``."""
    return [t.node for t in node.parents if t.node is not None]


def _depth_first(root: Tensor, last_operand_first: bool = False) -> list[Node]:
    """Return the reverse postorder of a depth-first search, as micrograd does."""
    postorder: list[Node] = []
    seen: set[Node] = set()
    path = [] if root.node is None else [(root.node, False)]
    while path:
        node, inputs_done = path.pop()
        if inputs_done:
            postorder.append(node)
        elif node not in seen:
            seen.add(node)
            inputs = _inputs_of(node)[:: 1 if last_operand_first else -1]  # the last one runs next
            path += [(node, True), *((n, False) for n in inputs)]
    return postorder[::-1]


def _by_generation(root: Tensor) -> list[Node]:
    """Run nodes with the longest path from a leaf first, the last reached among equals (DeZero)."""
    order: list[Node] = []
    generation: dict[Node, int] = {}
    for node in reversed(_depth_first(root)):
        generation[node] = 1 + max((generation[n] for n in _inputs_of(node)), default=0)
    waiting = [] if root.node is None else [root.node]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        order.append(node)
        for other in _inputs_of(node):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
                waiting.sort(key=generation.__getitem__)
    return order


_ORDERS = (_depth_first, functools.partial(_depth_first, last_operand_first=True), _by_generation)


@functools.cache
def other_traversals(defect: type[Defect]) -> tuple[type[Defect], ...]:
    """Return the defect with other orders than the base engine's; none if it is about the order."""
    if defect.order is not TapeEngine.order:
        return ()

    def with_order(function: Any) -> type[Defect]:
        def order(self: TapeEngine, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
            return iter(function(root))

        return type(defect.__name__, (defect,), {"order": order})

    return tuple(map(with_order, _ORDERS))
