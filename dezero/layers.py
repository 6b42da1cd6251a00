"""Layers: functions with parameters. ``import dezero.layers as L``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import dezero.functions as F
from dezero.parameter import Parameter
from dezero.variable import Operand, Variable, as_array, as_variable


class Layer:
    """A function with parameters; assigning a Parameter or a Layer as an attribute registers it."""

    def __init__(self) -> None:
        self._params: set[str] = set()

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, (Parameter, Layer)):
            self._params.add(name)
        elif name != "_params":
            self._params.discard(name)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self._params.discard(name)
        super().__delattr__(name)

    def __call__(self, *inputs: Operand) -> Any:
        return self.forward(*inputs)

    def forward(self, *inputs: Any) -> Any:
        """What the layer computes; defined by subclasses."""
        raise NotImplementedError(f"{type(self).__name__}.forward is not defined")

    def params(self) -> Iterator[Parameter]:
        """All parameters, also those of the layers inside, each once, in a fixed order."""
        seen: set[Parameter] = set()
        for name in sorted(self._params):
            value = self.__dict__[name]
            for param in value.params() if isinstance(value, Layer) else (value,):
                if param not in seen:
                    seen.add(param)
                    yield param

    def cleargrads(self) -> None:
        """Clear the gradients of all parameters."""
        for param in self.params():
            param.cleargrad()


class Linear(Layer):
    """``x @ W + b``. ``in_size`` is taken from the first input if it is None, as in the book."""

    def __init__(
        self,
        out_size: int,
        nobias: bool = False,
        dtype: Any = np.float32,
        in_size: int | None = None,
    ) -> None:
        super().__init__()
        self.in_size = in_size
        self.out_size = out_size
        self.dtype = dtype
        self.W = Parameter(None, name="W")
        self.b = None if nobias else Parameter(np.zeros(out_size, dtype), name="b")
        if in_size is not None:
            self._init_W(in_size)

    def _init_W(self, in_size: int) -> None:  # noqa: N802 - the book's name
        scale = np.sqrt(1 / in_size)
        self.W.data = (np.random.randn(in_size, self.out_size) * scale).astype(self.dtype)

    def forward(self, *inputs: Operand) -> Variable:
        (x,) = inputs
        x = as_variable(as_array(x))
        if self.W.data is None:
            self.in_size = x.shape[1]
            self._init_W(self.in_size)
        return F.linear(x, self.W, self.b)
