"""Function: what a user subclasses, as in the book."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dezero.given import InvalidGradientError, as_variables, checked_gradient
from dezero.graph import Data, Leaf, Node, Parts, record
from dezero.modes import Config, using_config
from dezero.variable import (
    Operand,
    Variable,
    as_array,
    as_variable,
    checked,
    variable_on,
)


class Function(Node):
    """A differentiable function; subclass it as in the book.

    ``forward(self, *xs)`` gets ndarrays and returns one or a tuple of them.
    ``backward(self, *gys)`` gets one gradient an output (zeros for an output
    that was not used) and returns one an input, or None where there is none.
    Gradients are ndarrays that ``backward`` may change; under
    ``create_graph=True`` they are Variables, and what ``backward`` computes on
    them is recorded. ``self.inputs`` holds the input Variables and
    ``self.outputs`` functions that return the output Variables, as in the book.

    Called with Variables, arrays and Python scalars, a function returns a
    Variable, or a tuple of several. A function that is called again records the
    second call in a copy of itself.
    """

    __slots__ = ()

    def forward(self, *xs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__}.forward is not defined")

    def __call__(self, *inputs: Operand) -> Any:
        node = copy.copy(self) if hasattr(self, "seq") else self
        variables = as_variables(inputs)
        xs = tuple(v.data for v in variables)
        with using_config("enable_backprop", False):  # semantics.md 11.4
            ys = tuple(checked(as_array(y)) for y in _as_tuple(node.forward(*xs)))
        edges = tuple(v._node for v in variables)
        if not Config.enable_backprop or all(edge is None for edge in edges):
            outputs = [variable_on(y, None) for y in ys]
        else:
            record(node, edges, (xs, ys))
            outputs = node._output_variables()
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def _output_variables(self) -> list[Variable]:
        ys: tuple[Data, ...] = self.saved[1] if self.saved else ()
        return [variable_on(ys[0], self)] if len(ys) == 1 else output_variables(self, ys)

    @property
    def inputs(self) -> tuple[Variable, ...]:
        """The Variables this function was called on, until the graph is freed."""
        xs: tuple[Data, ...] = self.saved[0] if self.saved else ()
        return tuple(map(_input_variable, xs, self.edges))

    @property
    def outputs(self) -> list[Callable[[], Variable]]:
        """One function an output that returns it as a Variable (weak references in the book)."""
        return [lambda v=v: v for v in self._output_variables()]  # type: ignore[misc]

    def gradients(self, gy: Any, create_graph: bool) -> tuple[Any, ...]:
        """Run ``backward`` of a user's function and check what it returns (semantics.md 11.3).

        ``gy``: the gradient of the only output, or a ``Parts`` of several.
        """
        assert self.saved is not None
        xs, ys = self.saved
        gys = gy.filled(ys) if isinstance(gy, Parts) else [gy]
        # An array of its own: backward may change it in place.
        own = as_variable if create_graph else np.array
        with using_config("enable_backprop", create_graph):
            gxs = _as_tuple(self.backward(*map(own, gys)))
        name = type(self).__name__
        if len(gxs) < len(xs) or any(gx is not None for gx in gxs[len(xs) :]):
            raise RuntimeError(
                f"function {name} returned an incorrect number of gradients "
                f"(expected {len(xs)}, got {len(gxs)})"
            )
        try:
            return tuple(
                None if gx is None or edge is None else checked_gradient(gx, x, i, create_graph)
                for i, (gx, x, edge) in enumerate(zip(gxs, xs, self.edges, strict=False))
            )
        except InvalidGradientError as error:
            raise RuntimeError(f"function {name} returned {error}") from None


class OutputNode(Node):
    """The node of one output of a function that has several; its edge is that function."""

    __slots__ = ("index",)
    index: int
    direct = True

    def backward(self, gy: Any, saved: Any) -> Parts:
        return Parts({self.index: gy})

    @property
    def function(self) -> Any:
        return self.edges[0]


def output_variables(function: Node, ys: Sequence[Data]) -> list[Variable]:
    """One Variable an output of a recorded function that has several."""
    outputs = []
    for index, y in enumerate(ys):
        node = OutputNode()
        record(node, (function,), ())
        node.index = index
        outputs.append(variable_on(y, node))
    return outputs


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def _input_variable(x: Data, node: Node | Leaf | None) -> Variable:
    """The leaf itself where it still holds ``x``, else a Variable in the same place of the graph.

    The graph keeps arrays, not Variables: a leaf whose gradient was recorded
    would otherwise hold itself alive through it.
    """
    leaf = node.variable() if isinstance(node, Leaf) else None
    return leaf if leaf is not None and leaf._data is x else variable_on(x, node)
