"""Tensors of the engine that defects are built on, and the operations that made them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


class Node:
    """A node of the graph: inputs, outputs and VJP of an applied operation."""

    def __init__(
        self,
        vjp: Callable[..., tuple[Any, ...]],
        parents: tuple[Tensor, ...],
        attrs: dict[str, Any],
        outputs: tuple[Tensor, ...],
        number: int,
    ) -> None:
        self.vjp = vjp
        self.parents = parents
        self.attrs = attrs
        self.outputs = outputs
        self.number = number
        self.several = False  # whether ``vjp`` takes tuples of gradients and results
        self.freed = False


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

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        return self.data.size

    @property
    def dtype(self) -> Any:
        return self.data.dtype

    def call(self, name: str, *others: Any, **attrs: Any) -> Any:
        """An operation on this and others; arrays and numbers become constants."""
        return self.engine.functions[name](self, *map(self.lifted, others), **attrs)

    def lifted(self, x: Any) -> Tensor:
        """``x`` as a tensor; a constant of this dtype if it is none."""
        return x if isinstance(x, Tensor) else Tensor(self.engine, np.asarray(x, self.dtype), False)

    def __add__(self, other: Any) -> Any:
        return self.call("add", other)

    def __sub__(self, other: Any) -> Any:
        return self.call("sub", other)

    def __mul__(self, other: Any) -> Any:
        return self.call("mul", other)

    def __truediv__(self, other: Any) -> Any:
        return self.call("div", other)

    def __matmul__(self, other: Any) -> Any:
        return self.call("matmul", other)

    def __radd__(self, other: Any) -> Any:
        return self.lifted(other) + self

    def __rsub__(self, other: Any) -> Any:
        return self.lifted(other) - self

    def __rmul__(self, other: Any) -> Any:
        return self.lifted(other) * self

    def __rtruediv__(self, other: Any) -> Any:
        return self.lifted(other) / self

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
