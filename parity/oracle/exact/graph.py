"""The graph of a program and its derivatives, evaluated from the leaves on.

A node holds its value and the call that gave it. Nothing is ever sent back: the
derivative of a root for each element of a leaf is found by evaluating the graph
once more on dual numbers, all directions at once. A gradient that is used as a value is
a node as well; its derivatives of order k are those of its root of order k + 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.language.shapes import Shape
from parity.oracle.exact import dual
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.building import ExactRule, Results
from parity.oracle.exact.dual import Dual, Value
from parity.oracle.exact.numbers import Array


@dataclass(eq=False)
class Node:
    """A value, as flat exact numbers; a constant if it is of no subclass."""

    number: int
    exact: Array
    shape: Shape
    dtype: str
    #: Whether all that it was computed from are real numbers.
    real: bool
    requires_grad: bool

    def sources(self) -> Sequence[tuple[Node, bool]]:
        """The nodes that it depends on, with a derivative, and whether this is nonlinear."""
        return ()


@dataclass(eq=False)
class Leaf(Node):
    """A variable with its gradient: a buffer of floats and the numbers that they round."""

    buffer: NDArray[Any] | None = None
    #: Where the gradient comes from, if that was recorded.
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
        if self.buffer is None or self.buffer.tobytes() == self._rounded:
            return self._total
        return nu.from_floats(self.buffer)

    def clear(self) -> None:
        self.buffer, self._total, self.terms = None, None, ()


@dataclass(eq=False, slots=True)
class Call:
    """An operation that was applied, whose results share it."""

    rule: ExactRule
    attrs: dict[str, Any]
    inputs: tuple[Node, ...]
    nonlinear: tuple[bool, ...]
    saves: bool
    freed: bool = False


@dataclass(eq=False)
class Result(Node):
    """One result of a call that derivatives pass through."""

    call: Call
    index: int

    def sources(self) -> Sequence[tuple[Node, bool]]:
        pairs = zip(self.call.inputs, self.call.nonlinear, strict=True)
        return [(x, nonlinear) for x, nonlinear in pairs if x.requires_grad]


@dataclass(eq=False, slots=True)
class Term:
    """The gradient for one leaf of one recorded backward."""

    root: Node
    seed: Array
    leaf: Leaf
    #: Whether it depends on variables.
    nonlinear: bool
    freed: bool = False


@dataclass(eq=False)
class Taken(Node):
    """The gradient of a leaf as a value."""

    terms: tuple[Term, ...]

    def sources(self) -> Sequence[tuple[Node, bool]]:
        return [(term.root, True) for term in self.terms]


def behind(root: Node) -> list[Node]:
    """The nodes that a root depends on with a derivative, itself included, oldest first."""
    found, todo = {root}, [root]
    while todo:
        for source, _ in todo.pop().sources():
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
        for source, nonlinear in node.sources():
            reached[source] = reached.get(source, False) or reached[node] or nonlinear
    return {node for node, nonlinear in reached.items() if nonlinear}


def evaluate(root: Node, levels: tuple[tuple[Leaf, ...], ...]) -> Value:
    """The root as a dual number.

    ``levels``: for each level the leaves whose elements are its directions, in order.
    """
    known: dict[Node, Value] = {}
    results: dict[Call, Results] = {}
    for node in behind(root):
        if isinstance(node, Leaf):
            known[node] = _seeded(node, levels)
        elif isinstance(node, Taken):
            known[node] = _taken(node, levels)
        elif isinstance(node, Result):
            call = node.call
            if call not in results:
                shapes = tuple(x.shape for x in call.inputs)
                operands = [known.get(x, x.exact) for x in call.inputs]
                results[call] = call.rule.run(shapes, call.attrs, *operands)
            known[node] = results[call][node.index][0]
    return known[root]


def _seeded(leaf: Leaf, levels: tuple[tuple[Leaf, ...], ...]) -> Value:
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


def _taken(node: Taken, levels: tuple[tuple[Leaf, ...], ...]) -> Value:
    """A gradient: derivatives of its terms, and the value that it had when it was taken."""
    result: Value = nu.array_of([0])
    for term in node.terms:
        result = dual.add(result, _derivative(term.root, term.seed, (term.leaf,), levels))
    return dual.add(result, nu.sub(node.exact, dual.base(result)))


def _derivative(
    root: Node, seed: Array, leaves: tuple[Leaf, ...], levels: tuple[tuple[Leaf, ...], ...] = ()
) -> Value:
    """``seed`` times the derivative of a root for each element of leaves, one after the other."""
    change = dual.parts(evaluate(root, (*levels, leaves)), len(levels) + 1)[1]
    if change is None:
        return np.zeros(sum(len(x.exact) for x in leaves), object)
    summed = dual.linear(lambda x: nu.total(nu.mul(x, seed)), change)
    return dual.linear(lambda x: np.moveaxis(x, 0, -1), summed)


def gradients(root: Node, seed: Array, leaves: tuple[Leaf, ...]) -> Iterator[tuple[Leaf, Array]]:
    """The gradient of each leaf: ``seed`` times the derivative of the root."""
    every = dual.base(_derivative(root, seed, leaves))
    ends = np.cumsum([len(x.exact) for x in leaves])
    return zip(leaves, np.split(every, ends[:-1]), strict=True)
