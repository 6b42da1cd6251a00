"""Topological orders in which a backward pass may run the nodes of a graph.

Correct engines compute the same gradients in all of them, wrong ones may not: the order decides
which of two contributions overwrites the other. Defects are therefore also compared in the orders
that engines are known to use.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.tensor import Node, Tensor


def _inputs_of(node: Node) -> list[Node]:
    """Return the nodes that computed the operands of ``node``."""
    return [t.node for t in node.parents if t.node is not None]


def _depth_first(root: Tensor, last_operand_first: bool) -> list[Node]:
    """Return the reverse postorder of a depth-first search, as micrograd does."""
    postorder: list[Node] = []
    if root.node is None:
        return postorder
    step = -1 if last_operand_first else 1
    seen = {root.node}
    path: list[tuple[Node, Iterator[Node]]] = [(root.node, iter(_inputs_of(root.node)[::step]))]
    while path:
        node, rest = path[-1]
        following = next((n for n in rest if n not in seen), None)
        if following is None:
            postorder.append(node)
            path.pop()
        else:
            seen.add(following)
            path.append((following, iter(_inputs_of(following)[::step])))
    return postorder[::-1]


def _by_generation(root: Tensor) -> list[Node]:
    """Run nodes with the longest path from a leaf first, the last reached among equals (DeZero)."""
    order: list[Node] = []
    generation: dict[Node, int] = {}
    for node in reversed(_depth_first(root, False)):
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


_ORDERS: tuple[Callable[[Tensor], list[Node]], ...] = (
    lambda root: _depth_first(root, False),
    lambda root: _depth_first(root, True),
    _by_generation,
)


@functools.cache
def other_traversals(defect: type[Defect]) -> tuple[type[Defect], ...]:
    """Return the defect with other orders than the base engine's.

    Empty if the defect itself is about the order.
    """
    if defect.order is not TapeEngine.order:
        return ()
    return tuple(_in_order(defect, order) for order in _ORDERS)


def _in_order(defect: type[Defect], order: Callable[[Tensor], list[Node]]) -> type[Defect]:
    def ordered(self: TapeEngine, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        return iter(order(root))

    return type(defect.__name__, (defect,), {"order": ordered})
