"""Orders in which a backward pass may run the nodes of a graph, each node after its users.

Right engines give the same gradients in all of them. Wrong ones do not: which of two
contributions overwrites the other is a question of order. So a defect is tried in the
orders that engines are known to use.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.tensor import Node, Tensor


def _behind(node: Node) -> list[Node]:
    """The nodes that made the operands of ``node``."""
    return [t.node for t in node.parents if t.node is not None]


def _depth_first(root: Tensor, last_operand_first: bool) -> list[Node]:
    """The reverse of the order in which a depth-first search leaves nodes (micrograd)."""
    left: list[Node] = []
    if root.node is None:
        return left
    step = -1 if last_operand_first else 1
    seen = {root.node}
    path: list[tuple[Node, Iterator[Node]]] = [(root.node, iter(_behind(root.node)[::step]))]
    while path:
        node, rest = path[-1]
        following = next((n for n in rest if n not in seen), None)
        if following is None:
            left.append(node)
            path.pop()
        else:
            seen.add(following)
            path.append((following, iter(_behind(following)[::step])))
    return left[::-1]


def _by_generation(root: Tensor) -> list[Node]:
    """The longest way from the leaves first; among equals what was reached last (DeZero)."""
    order: list[Node] = []
    generation: dict[Node, int] = {}
    for node in reversed(_depth_first(root, False)):
        generation[node] = 1 + max((generation[n] for n in _behind(node)), default=0)
    waiting = [] if root.node is None else [root.node]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        order.append(node)
        for other in _behind(node):
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
    """The defect in other orders than that of its base; none if the order is its fault."""
    if defect.order is not TapeEngine.order:
        return ()
    return tuple(_in_order(defect, order) for order in _ORDERS)


def _in_order(defect: type[Defect], order: Callable[[Tensor], list[Node]]) -> type[Defect]:
    def ordered(self: TapeEngine, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        return iter(order(root))

    return type(defect.__name__, (defect,), {"order": ordered})
