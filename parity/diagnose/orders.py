"""Orders in which correct engines run nodes.

They compute the same gradients in all of them, wrong ones may not: the order decides which of two
contributions overwrites the other. Engines are therefore compared in each of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.tensor import Node, Tensor


def _inputs_of(node: Node) -> list[Node]:
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


class _DepthFirst(Defect):
    """No fault: as micrograd does."""

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        return iter(_depth_first(root))


class _LastOperandFirst(Defect):
    """No fault: the same, with the last operand first."""

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        return iter(_depth_first(root, last_operand_first=True))


class _ByGeneration(Defect):
    """No fault: nodes with the longest path from a leaf first, the last reached among equals."""

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        generation: dict[Node, int] = {}
        for node in reversed(_depth_first(root)):
            generation[node] = 1 + max((generation[n] for n in _inputs_of(node)), default=0)
        waiting = [] if root.node is None else [root.node]
        seen = set(waiting)
        while waiting:
            node = waiting.pop()
            yield node
            for other in _inputs_of(node):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
                    waiting.sort(key=generation.__getitem__)


#: Orders other than the base engine's: newest first.
ORDERS: tuple[type[Defect], ...] = (_DepthFirst, _LastOperandFirst, _ByGeneration)
