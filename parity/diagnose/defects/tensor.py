"""Tensors of the engine that defects are built on, and the operations that made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(eq=False)
class Node:
    """A node of the graph: inputs, outputs and VJP of an applied operation."""

    vjp: Callable[..., tuple[Any, ...]]
    parents: tuple[Tensor, ...]
    attrs: dict[str, Any]
    outputs: tuple[Tensor, ...]
    number: int
    several: bool  # whether ``vjp`` takes tuples of gradients and results
    freed: bool = False


def _operator(name: str, reflected: bool = False) -> Callable[[Tensor, Any], Any]:
    """Return a method for an operator, or for one with the tensor on its right-hand side."""

    def method(self: Tensor, other: Any) -> Any:
        return self.lifted(other).call(name, self) if reflected else self.call(name, other)

    return method


class Tensor:
    """An array and the node that made it.

    Formulas for gradients are written once, for arrays and for tensors; so a tensor
    has the operators and methods of arrays that they use, and these are recorded.
    """

    __array_ufunc__ = None  # arrays leave arithmetic with tensors to the tensors

    def __init__(self, engine: Any, data: Any, requires_grad: bool) -> None:
        self.engine = engine
        self.data = np.asarray(data)
        self.requires_grad = requires_grad
        self.node: Node | None = None
        #: The gradient, an array; of leaves only, unless a defect keeps others.
        self.grad: Any = None
        #: The gradient as a tensor, if the last backward recorded it.
        self.recorded: Tensor | None = None
        self.shape: tuple[int, ...] = self.data.shape
        self.ndim, self.size, self.dtype = self.data.ndim, self.data.size, self.data.dtype

    def call(self, name: str, *others: Any, **attrs: Any) -> Any:
        """An operation on this and others; arrays and numbers become constants."""
        return self.engine.functions[name](self, *map(self.lifted, others), **attrs)

    def lifted(self, x: Any) -> Tensor:
        """``x`` as a tensor; a constant of this dtype if it is none."""
        return x if isinstance(x, Tensor) else Tensor(self.engine, np.asarray(x, self.dtype), False)

    __add__, __radd__ = _operator("add"), _operator("add", reflected=True)
    __sub__, __rsub__ = _operator("sub"), _operator("sub", reflected=True)
    __mul__, __rmul__ = _operator("mul"), _operator("mul", reflected=True)
    __truediv__, __rtruediv__ = _operator("div"), _operator("div", reflected=True)
    __matmul__ = _operator("matmul")

    def __neg__(self) -> Any:
        return self.call("neg")

    def __getitem__(self, index: Any) -> Any:
        return self.call("get_item", index=index)

    def reshape(self, shape: tuple[int, ...]) -> Any:
        return self.call("reshape", shape=shape)

    def transpose(self, axes: tuple[int, ...]) -> Any:
        return self.call("transpose", axes=axes)

    def astype(self, dtype: Any, copy: bool = False) -> Any:
        return self if self.dtype == dtype else self.call("cast", dtype=dtype)


def raw(x: Any) -> Any:
    """The array of a tensor; arrays as they are."""
    return x.data if isinstance(x, Tensor) else x
