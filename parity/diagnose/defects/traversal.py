"""Defects of the traversal: the order in which nodes run, and how often."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Node, Tensor


def _again(node: Node, ran: set[Node]) -> Node:
    """Return ``node``, which may run again in the same pass without an error."""
    if node in ran:
        node.freed = False
    ran.add(node)
    return node


def _whenever_reached(root: Tensor, take: Callable[[deque[Tensor]], Tensor]) -> Iterator[Node]:
    """Yield nodes each time they are reached; ``take`` says which of those that wait is next."""
    waiting, ran = deque([root]), set[Node]()
    while waiting:
        node = take(waiting).node
        if node is not None:
            yield _again(node, ran)
            waiting.extend(p for p in node.parents if p.requires_grad)


class Overwrite(Defect):
    description = "a reused variable's gradient is overwritten instead of summed"
    seen = "DeZero step 13; tinygrad#119"
    smallest = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "backward(x1)")

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        grads[t] = g


class InplaceAccumulation(Defect):
    description = "contributions are added in place to an array that other gradients hold as well"
    seen = "DeZero, section 14.2 of the book; OneFlow#9497"
    smallest = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "x2 = add(x0, x1)", "backward(x2)")

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        if t in grads:
            grads[t] += g
        else:
            grads[t] = g


class CreationOrderIgnored(Defect):
    description = (
        "nodes run from a plain stack each time they are reached, with the sum so far, "
        "so that early contributions are sent on twice"
    )
    seen = "DeZero step 14"
    smallest = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "x2 = add(x1, x1)", "backward(x2)")

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        return _whenever_reached(root, deque.pop)


class SendsAgain(Defect):
    description = (
        "nodes wait in a queue, and one that is reached twice runs twice "
        "and sends all that it has gathered again"
    )
    seen = "micrograd#2; cTensor#5; DLFS_code#13"
    smallest = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "x2 = add(x1, x1)", "backward(x2)")

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        return _whenever_reached(root, deque.popleft)


class DepthFirst(Defect):
    description = (
        "nodes run depth first, each once, when it is first reached; "
        "what arrives later is not sent on"
    )
    seen = "PyNorch#90; micrograd#64"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = add(x0, x0)", "x2 = add(x0, x1)", "x3 = add(x2, x1)", "backward(x3)"
    )

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        visited: set[Node] = set()
        stack = [root]
        while stack:
            node = stack.pop().node
            if node is not None and node not in visited:
                visited.add(node)
                yield node
                stack.extend(p for p in node.parents if p.requires_grad)


class NodeCleared(Defect):
    description = (
        "a node forgets its operands once it has run: a retained graph is not there any more"
    )
    seen = "TrenTorch#182"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = neg(x0)", "backward(x1, retain_graph=True)", "backward(x1)"
    )

    def run(self, node: Node, grads: dict[Tensor, Any], retain: bool) -> None:
        if node.parents:
            super().run(node, grads, retain)
            node.parents = ()


class Recursion(Defect):
    description = (
        "the graph is sorted by a function that calls itself: a deep graph exhausts the stack"
    )
    seen = "micrograd"
    probe = "deep-chain"

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        found: set[Node] = set()

        def visit(t: Tensor) -> None:
            if t.node is not None and t.node not in found:
                found.add(t.node)
                for parent in t.node.parents:
                    visit(parent)

        visit(root)
        return iter(sorted(found, key=lambda n: -n.number))


class OnePassAPath(Defect):
    description = "a node runs once for each path that leads to it: the time is exponential"
    probe = "doublings"

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        todo, ran = [(root, grads[root])], set[Node]()
        while todo:
            t, g = todo.pop()
            if t.node is not None:
                for other in t.node.outputs:  # propagate the contribution of this path alone
                    grads.pop(other, None)
                grads[t] = g
                yield _again(t.node, ran)
                slopes = self.slopes(t.node, self.arrived(t.node, grads))
                todo += [  # each operand with its gradient from this node
                    (parent, self.fit(t.node, index, g))
                    for index, (parent, g) in enumerate(zip(t.node.parents, slopes, strict=True))
                    if parent.node is not None
                ]

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        if t.node is None:
            super().add(grads, t, g)


class GraphKept(Defect):
    description = (
        "a backward without retain_graph does not free its graph: a second one runs through it"
    )
    seen = "micrograd 0.1.0"
    smallest = program("x0 = leaf(3.0)", "x1 = mul(x0, x0)", "backward(x1)", "backward(x1)")

    def run(self, node: Node, grads: dict[Tensor, Any], retain: bool) -> None:
        super().run(node, grads, True)
