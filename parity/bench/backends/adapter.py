"""Any engine with an adapter (``parity.engines.Engine``) under measurement."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.bench.backends.base import ALL_OPS, TapeBackend
from parity.engines.base import Engine, abilities


class Operand:
    """A tensor of the engine with operators, which call the adapter's operations."""

    __slots__ = ("ops", "t")

    def __init__(self, t: Any, ops: dict[str, Any]) -> None:
        self.t = t
        self.ops = ops

    def __add__(self, other: Operand) -> Operand:
        return Operand(self.ops["add"](self.t, other.t), self.ops)

    def __sub__(self, other: Operand) -> Operand:
        return Operand(self.ops["sub"](self.t, other.t), self.ops)

    def __mul__(self, other: Operand) -> Operand:
        return Operand(self.ops["mul"](self.t, other.t), self.ops)

    def __matmul__(self, other: Operand) -> Operand:
        return Operand(self.ops["matmul"](self.t, other.t), self.ops)


class AdapterBackend(TapeBackend):
    """An engine by its adapter, which adds a fraction of a microsecond per operation."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name
        self.version = engine.version
        self.dtypes = tuple(engine.dtypes)
        self.max_ndim = engine.max_ndim
        self.second_order = {"grad_tensor", "clear_grad"} <= abilities(engine)
        self.ops = frozenset(engine.ops) & ALL_OPS

    def leaf(self, array: Any) -> Operand:
        return Operand(self.engine.leaf(array), self.engine.ops)

    def backward(self, y: Operand, create_graph: bool) -> None:
        flags = {"create_graph": True} if create_graph else {}
        ones = np.ones_like(self.engine.value(y.t))
        self.engine.backward(y.t, ones, **flags)

    def grad(self, x: Operand) -> Any:
        return self.engine.grad(x.t)

    def clear(self, x: Operand) -> None:
        self.engine.clear_grad(x.t)

    def gradients(self, function: Any, arrays: Any, order: int) -> Any:
        if order == 1:
            return super().gradients(function, arrays, order)
        x = self.leaf(arrays[0])
        self.backward(function(x), True)
        first = Operand(self.engine.grad_tensor(x.t), self.engine.ops)
        self.clear(x)
        self.backward(first, False)
        return [self.grad(x)]

    def array(self, t: Any) -> Any:
        return np.asarray(t)

    def constant(self, array: Any) -> Operand:
        return self.leaf(array)

    def dtype_of(self, t: Operand) -> str:
        return str(self.engine.value(t.t).dtype)

    def tanh(self, x: Operand) -> Operand:
        return Operand(self.engine.ops["tanh"](x.t), self.engine.ops)

    def sum(self, x: Operand) -> Operand:
        return Operand(self.engine.ops["sum"](x.t, axis=None, keepdims=False), self.engine.ops)
