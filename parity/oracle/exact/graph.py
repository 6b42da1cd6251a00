"""The graph of a program and its derivatives, evaluated from the leaves on.

A node holds its value and the call that gave it. Nothing is ever sent back: the
derivative of a root for each element of a leaf is found by evaluating the graph
once more on dual numbers, all directions at once. A gradient that is used as a value is
a node as well; its derivatives of order k are those of its root of order k + 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity.language.shapes import Shape
from parity.oracle.exact import dual
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.dual import Dual, Value
from parity.oracle.exact.lowering import Lowering
from parity.oracle.exact.numbers import Array


class Node:
    """A value: flat ``exact`` numbers, shape, dtype, and whether derivatives pass through.

    ``real``: whether all that it was computed from are real numbers.
    """

    real = True

    def __init__(
        self, number: int, exact: Array, shape: Shape, dtype: str, requires_grad: bool
    ) -> None:
        self.number = number
        self.exact = exact
        self.shape = shape
        self.dtype = dtype
        self.requires_grad = requires_grad

    def sources(self) -> Iterable[Node]:
        """The nodes that it depends on, with a derivative."""
        return ()


class Leaf(Node):
    """A variable with its gradient: a buffer of floats and the numbers that they round.

    ``terms``: where the gradient comes from, if that was recorded.
    """

    buffer: NDArray[Any] | None = None
    terms: tuple[Term, ...] = ()
    _total: Array | None = None
    _rounded: bytes = b""

    def accumulate(self, more: Array, anew: bool) -> None:
        """Add to the gradient, in place or in a new buffer."""
        old = self.gradient()
        total = more if old is None else nu.add(old, more)
        rounded = nu.to_floats(total, self.dtype).reshape(self.shape)
        if self.buffer is None or anew:
            self.buffer = rounded
        else:
            self.buffer[...] = rounded
        self._total, self._rounded = total, rounded.tobytes()

    def gradient(self) -> Array | None:
        """Return the exact gradient, or that of the buffer if it was changed in place."""
        if self.buffer is None:
            return None
        if self._total is None or self.buffer.tobytes() != self._rounded:
            return nu.from_floats(self.buffer)
        return self._total

    def clear(self) -> None:
        """Remove the gradient."""
        self.buffer, self._total, self.terms = None, None, ()


@dataclass(eq=False, slots=True)
class Call:
    """An operation that was applied, whose results share it."""

    lowering: Lowering
    inputs: tuple[Node, ...]
    nonlinear: tuple[bool, ...]
    saves: bool
    freed: bool = False


class Result(Node):
    """One result of a call that derivatives pass through."""

    def __init__(self, number: int, exact: Array, shape: Shape, dtype: str, call: Call, index: int):
        super().__init__(number, exact, shape, dtype, True)
        self.call = call
        self.index = index

    def sources(self) -> Iterable[Node]:
        return [x for x in self.call.inputs if x.requires_grad]


@dataclass(eq=False, slots=True)
class Term:
    """The gradient for one leaf of one recorded backward.

    ``nonlinear``: it depends on variables.
    """

    root: Node
    seed: Array
    leaf: Leaf
    nonlinear: bool
    freed: bool = False


class Taken(Node):
    """The gradient of a leaf as a value."""

    def __init__(self, number: int, leaf: Leaf, exact: Array):
        self.terms = tuple(t for t in leaf.terms if t.nonlinear)
        super().__init__(number, exact, leaf.shape, leaf.dtype, bool(self.terms))

    def sources(self) -> Iterable[Node]:
        return [t.root for t in self.terms]


def behind(root: Node) -> list[Node]:
    """The nodes that a root depends on with a derivative, itself included, oldest first."""
    found, todo = {root}, [root]
    while todo:
        for source in todo.pop().sources():
            if source not in found:
                found.add(source)
                todo.append(source)
    return sorted(found, key=lambda node: node.number)


def nonlinear_leaves(nodes: list[Node]) -> set[Node]:
    """The leaves for which the derivative of the last of ``nodes`` depends on variables.

    It does where something on the way is not linear (docs/semantics.md 7.1).
    """
    reached: dict[Node, bool] = {nodes[-1]: False}
    for node in reversed(nodes):
        if isinstance(node, Result):
            below = zip(node.call.inputs, node.call.nonlinear, strict=True)
        else:
            below = zip(node.sources(), (True,) * len(nodes), strict=False)
        for source, nonlinear in below:
            reached[source] = reached.get(source, False) or reached[node] or nonlinear
    return {node for node, nonlinear in reached.items() if nonlinear}


#: The leaves whose elements are the directions of a level, in order.
Directions: TypeAlias = tuple[Leaf, ...]


def evaluate(root: Node, nodes: list[Node], levels: tuple[Directions, ...]) -> Value:
    """The root as a dual number with the directions of each level.

    ``nodes``: those behind the root.
    """
    known: dict[Any, Any] = {}
    rules: dict[type[Node], Callable[[Any], Value]] = {
        Leaf: lambda node: _seeded(node, levels),
        Taken: lambda node: _taken(node, levels),
        Result: lambda node: _applied(node, known),
    }
    for node in nodes:
        known[node] = rules[type(node)](node)
    result: Value = known[root]
    return result


def _applied(node: Result, known: dict[Any, Any]) -> Value:
    call = node.call
    if call not in known:
        known[call] = call.lowering.run(*[known.get(x, x.exact) for x in call.inputs])
    result: Value = known[call][node.index]
    return result


def _seeded(leaf: Leaf, levels: tuple[Directions, ...]) -> Value:
    """A leaf: each element changes in its own direction of each level."""
    value: Value = leaf.exact
    for level, leaves in enumerate(levels, 1):
        if leaf in leaves:
            sizes = [len(x.exact) for x in leaves]
            first = sum(sizes[: leaves.index(leaf)])
            unit = np.eye(sum(sizes), len(leaf.exact), -first, int).astype(object)
            shape = (len(unit), *(1,) * (level - 1), len(leaf.exact))
            value = Dual(level, value, unit.reshape(shape))
    return value


def _taken(node: Taken, levels: tuple[Directions, ...]) -> Value:
    """A gradient: derivatives of its terms, and the value that it had when it was taken."""
    result: Value = nu.array_of([0])
    for term in node.terms:
        result = dual.add(result, _derivative(term.root, term.seed, (term.leaf,), levels))
    return dual.add(result, nu.sub(node.exact, dual.base(result)))


def _derivative(
    root: Node, seed: Array, leaves: Directions, levels: tuple[Directions, ...] = ()
) -> Value:
    """``seed`` times the derivative of a root for each element of leaves, one after the other."""
    inner = len(levels) + 1
    value = evaluate(root, behind(root), (*levels, leaves))
    change = dual.parts(value, inner)[1] if dual.level_of(value) == inner else None
    if change is None:
        return np.zeros(sum(len(x.exact) for x in leaves), object)
    summed = dual.linear(lambda x: nu.total(nu.mul(x, seed)), change)
    return dual.linear(lambda x: np.moveaxis(x, 0, -1), summed)


def gradients(root: Node, seed: Array, leaves: Directions) -> Iterator[tuple[Leaf, Array]]:
    """The gradient of each leaf: ``seed`` times the derivative of the root."""
    every = dual.base(_derivative(root, seed, leaves))
    first = 0
    for leaf in leaves:
        yield leaf, every[first : first + len(leaf.exact)]
        first += len(leaf.exact)


def size_of(node: Node) -> int:
    return math.prod(node.shape)
