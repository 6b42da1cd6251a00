"""Defects of the traversal: the order in which nodes run, and how often."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.engine import TapeEngine
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

    code = "x.grad = gx"
    mend = "x.grad = gx if x.grad is None else x.grad + gx"

    def accumulated(self, old: Any, g: Any) -> Any:
        return g


class _InplaceButScalars(Defect):
    """The same where arithmetic with 0-d arrays gives NumPy scalars, which do not change."""

    def accumulated(self, old: Any, g: Any) -> Any:
        old += g
        return old

    def fit(self, node: Node, index: int, g: Any) -> Any:
        parent = node.parents[index]
        if isinstance(g, np.generic) and parent.ndim == 0:
            return g.astype(parent.dtype)
        return super().fit(node, index, g)


class InplaceAccumulation(Defect):
    description = "contributions are added in place to an array that other gradients hold as well"
    seen = "DeZero, section 14.2 of the book; OneFlow#9497"
    smallest = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "x2 = add(x0, x1)", "backward(x2)")

    code = "x.grad += gx"
    mend = "x.grad = x.grad + gx"

    def accumulated(self, old: Any, g: Any) -> Any:
        old += g
        return old

    forms = (_InplaceButScalars,)


class MeanAccumulated(Defect):
    description = "the contributions to a reused variable's gradient are averaged, not summed"
    smallest = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "backward(x1)")
    code = "x.grad = (x.grad + gx) / 2"
    mend = "x.grad = x.grad + gx"

    def accumulated(self, old: Any, g: Any) -> Any:
        return (old + g) / 2


class _FirstOfSameOperand(Defect):
    """Of the gradients for a variable that is both operands only the first is sent."""

    def by_operand(self, node: Node, slopes: tuple[Any, ...]) -> list[tuple[int, Any]]:
        pairs = super().by_operand(node, slopes)
        return [(i, g) for i, g in pairs if node.parents.index(node.parents[i]) == i]


class SameOperandOnce(Defect):
    description = (
        "an operation that has the same variable as both operands sends it one gradient only"
    )
    smallest = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "backward(x1)")
    code = "for x, gx in dict(zip(f.inputs, gxs)).items():"
    mend = "for x, gx in zip(f.inputs, gxs):"

    def by_operand(self, node: Node, slopes: tuple[Any, ...]) -> list[tuple[int, Any]]:
        return list({node.parents[i]: (i, g) for i, g in super().by_operand(node, slopes)}.values())

    forms = (_FirstOfSameOperand,)


class SameOperandDoubled(Defect):
    description = (
        "an operation that has the same variable as both operands sends it twice the gradient"
    )
    smallest = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "backward(x1)")
    code = "for x in f.inputs: x.grad += sum(gx for y, gx in zip(f.inputs, gxs) if y is x)"
    mend = "for x, gx in zip(f.inputs, gxs): x.grad = x.grad + gx"

    def by_operand(self, node: Node, slopes: tuple[Any, ...]) -> list[tuple[int, Any]]:
        return [
            (index, g + g if node.parents.count(node.parents[index]) > 1 else g)
            for index, g in super().by_operand(node, slopes)
        ]


class PreviousGradientSent(Defect):
    description = (
        "an operation with one operand sends on the gradient that another one sent last, "
        "and raises if there is none"
    )
    seen = "DeZero step 14, as some copy it"
    smallest = program("x0 = leaf(3.0)", "x1 = neg(x0)", "backward(x1)")
    category = "crash"
    code = "gxs = (gx,)"
    mend = "gxs = (gxs,)"

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []

    def start(self, grads: Any, t: Tensor, g: Any) -> None:
        self.sent = []
        super().start(grads, t, g)

    def slopes(self, node: Node, gs: tuple[Any, ...]) -> tuple[Any, ...]:
        slopes = super().slopes(node, gs)
        if len(slopes) == 1:
            if not self.sent:
                raise UnboundLocalError("no gradient was sent yet")
            slopes = (self.sent[-1],)
        self.sent.append(slopes[-1])
        return slopes


class CreationOrderIgnored(Defect):
    description = (
        "nodes run from a plain stack each time they are reached, with the sum so far, "
        "so that early contributions are sent on twice"
    )
    seen = "DeZero step 14"
    smallest = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "x2 = add(x1, x1)", "backward(x2)")
    code = "funcs.append(x.creator), and funcs.pop() is next"
    mend = "run each function once, the one that was made last first"

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        return _whenever_reached(root, deque.pop)


class SendsAgain(Defect):
    description = (
        "nodes wait in a queue, and one that is reached twice runs twice "
        "and sends all that it has gathered again"
    )
    seen = "micrograd#2; cTensor#5; DLFS_code#13"
    smallest = program("x0 = leaf(3.0)", "x1 = add(x0, x0)", "x2 = add(x1, x1)", "backward(x2)")
    code = "queue.append(x.creator) each time that x is reached"
    mend = "run each function once, after all that use its result"

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
    code = "for x in f.inputs: if x not in seen: seen.add(x); visit(x)"
    mend = "sort the graph first: a function runs after all that use its result"

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        visited: set[Node] = set()
        stack = [root]
        while stack:
            node = stack.pop().node
            if node is not None and node not in visited:
                visited.add(node)
                yield node
                stack.extend(p for p in node.parents if p.requires_grad)


class _GenerationOfLastOperand(Defect):
    """The generation of a node is that of its last operand."""

    #: Of several nodes of a generation, the one that was reached last runs first.
    last_reached_first = True

    @staticmethod
    def generation(of_inputs: list[int]) -> int:
        return of_inputs[-1]

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
        nodes = sorted(TapeEngine.order(self, root, grads), key=lambda node: node.number)
        generations: dict[Node | None, int] = {None: 0}
        for node in nodes:
            inputs = [generations.get(t.node, 0) for t in node.parents]
            generations[node] = 1 + self.generation(inputs)
        waiting, reached = [root.node] if root.node else [], {root.node}
        while waiting:
            order = range(len(waiting)) if self.last_reached_first else range(0, -len(waiting), -1)
            latest = max(zip((generations[n] for n in waiting), order, strict=True))
            node = waiting.pop(abs(latest[1]))
            yield node
            inner = (t.node for t in node.parents if t.node is not None and t.requires_grad)
            for other in inner:
                if other not in reached:
                    reached.add(other)
                    waiting.append(other)


class _SmallestGeneration(_GenerationOfLastOperand):
    """The generation of a node is the smallest of its operands' ones."""

    @staticmethod
    def generation(of_inputs: list[int]) -> int:
        return min(of_inputs)


class _FirstReachedFirst(_GenerationOfLastOperand):
    """The generation of a node is that of its first operand, and nodes wait in a queue."""

    last_reached_first = False

    @staticmethod
    def generation(of_inputs: list[int]) -> int:
        return of_inputs[0]


class GenerationOfOneOperand(_GenerationOfLastOperand):
    description = (
        "the generation of a node is that of one of its operands, not the largest of all, so that "
        "nodes run before all gradients have arrived"
    )
    smallest = program(
        "x0 = leaf(3.0)", "x1 = mul(x0, x0)", "x2 = add(x0, x1)", "x3 = mul(x2, x1)", "backward(x3)"
    )
    code = "self.generation = inputs[0].generation"
    mend = "self.generation = max(x.generation for x in inputs)"
    forms = (_GenerationOfLastOperand, _SmallestGeneration, _FirstReachedFirst)

    @staticmethod
    def generation(of_inputs: list[int]) -> int:
        return of_inputs[0]


class NodeCleared(Defect):
    description = (
        "a node forgets its operands once it has run: a retained graph is not there any more"
    )
    seen = "TrenTorch#182"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = neg(x0)", "backward(x1, retain_graph=True)", "backward(x1)"
    )
    code = "f.inputs = None after f.backward"
    mend = "only without retain_graph"

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
    code = "def visit(x): for y in x.parents: visit(y)"
    mend = "a loop over a list of what is left to visit"

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
    code = "def backward(self, gy): for x, gx in ...: x.backward(gx)"
    mend = "sum all contributions to a value, then run its function once"

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

    category = "convention"
    quirk = "keeps-graphs"
    code = "f.backward() leaves f.inputs as they are"
    mend = "forget what f has saved, unless retain_graph, and raise if it is gone"

    def free(self, node: Node, retain: bool) -> None:
        pass


class FreedStopsQuietly(Defect):
    description = "a second backward through a graph that was freed does nothing; PyTorch raises"
    smallest = program("x0 = leaf(3.0)", "x1 = mul(x0, x0)", "backward(x1)", "backward(x1)")
    category = "convention"
    code = "if f.freed: return"
    mend = "if f.freed: raise RuntimeError(...)"

    def run(self, node: Node, grads: dict[Tensor, Any], retain: bool) -> None:
        if not node.freed:
            super().run(node, grads, retain)
