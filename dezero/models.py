"""Models: layers that stand for a whole network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dezero.functions as F
from dezero.layers import Layer, Linear
from dezero.utils import plot_dot_graph
from dezero.variable import Operand, Variable, as_array, as_variable


class Model(Layer):
    """A layer that can draw itself."""

    def plot(self, *inputs: Operand, to_file: str = "model.png") -> Any:
        """Draw the graph of the model on these inputs."""
        return plot_dot_graph(self.forward(*inputs), verbose=True, to_file=to_file)


class MLP(Model):
    """Linear layers with an activation between them (sigmoid by default, as in the book)."""

    def __init__(
        self,
        fc_output_sizes: Sequence[int],
        activation: Callable[[Variable], Variable] = F.sigmoid,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.layers: list[Linear] = []
        for i, size in enumerate(fc_output_sizes):
            layer = Linear(size)
            setattr(self, f"l{i}", layer)
            self.layers.append(layer)

    def forward(self, *inputs: Operand) -> Variable:
        x = as_variable(as_array(inputs[0]))
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)  # type: ignore[no-any-return]
