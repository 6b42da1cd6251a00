"""Any engine with an adapter (``parity.engines.Engine``) under measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from parity.bench.backends.base import ALL_OPS, TapeBackend
from parity.bench.workload import Array
from parity.engines.base import Engine, abilities


def _operator(name: str) -> Callable[[Operand, Operand], Operand]:
    return lambda self, other: Operand(self.ops[name](self.t, other.t), self.ops)


class Operand:
    """A tensor of the engine with operators, which call the adapter's operations."""

    __slots__ = ("ops", "t")

    def __init__(self, t: Any, ops: Mapping[str, Any]) -> None:
        self.t = t
        self.ops = ops

    __add__, __sub__ = _operator("add"), _operator("sub")
    __mul__, __matmul__ = _operator("mul"), _operator("matmul")


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
        self.tanh = lambda x: Operand(engine.ops["tanh"](x.t), engine.ops)

    def leaf(self, array: Array) -> Operand:
        return Operand(self.engine.leaf(array), self.engine.ops)

    def backward(self, y: Operand, create_graph: bool) -> None:
        flags = {"create_graph": True} if create_graph else {}
        self.engine.backward(y.t, np.ones_like(self.engine.value(y.t)), **flags)

    def grad(self, x: Operand) -> Any:
        return self.engine.grad(x.t)

    def grad_tensor(self, x: Operand) -> Operand:
        return Operand(self.engine.grad_tensor(x.t), self.engine.ops)

    def clear(self, x: Operand) -> None:
        self.engine.clear_grad(x.t)

    def constant(self, array: Array) -> Operand:
        return self.leaf(array)

    def dtype_of(self, t: Operand) -> str:
        return str(self.engine.value(t.t).dtype)

    def sum(self, x: Operand) -> Operand:
        return Operand(self.engine.ops["sum"](x.t, axis=None, keepdims=False), self.engine.ops)
