"""The programs that are timed: forward and backward, written once for both sides.

Both libraries have the same operators, so a workload is one function of a
``Side``. What it returns is checked against PyTorch's before anything is timed.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

import dezero
import dezero.functions as F


class Side(Protocol):
    """A library under measurement."""

    name: str
    #: How many times as long the loops are: memory shows in large graphs only.
    longer: int

    def leaf(self, array: NDArray[Any]) -> Any:
        """A variable on a copy of an array."""

    def backward(self, y: Any, create_graph: bool = False) -> None:
        """Propagate from ``y`` with a gradient of ones."""

    def grad(self, x: Any) -> Any:
        """The gradient as the library's own."""

    def array(self, t: Any) -> NDArray[Any]:
        """The values of a tensor."""

    def tanh(self, x: Any) -> Any: ...


class DezeroSide:
    name = "dezero"

    def __init__(self, longer: int = 1) -> None:
        self.longer = longer

    def leaf(self, array: NDArray[Any]) -> Any:
        return dezero.Variable(array.copy())

    def backward(self, y: Any, create_graph: bool = False) -> None:
        y.backward(create_graph=create_graph)

    def grad(self, x: Any) -> Any:
        return x.grad

    def array(self, t: Any) -> NDArray[Any]:
        return t.data  # type: ignore[no-any-return]

    def tanh(self, x: Any) -> Any:
        return F.tanh(x)


class TorchSide:
    name = "torch"

    def __init__(self, longer: int = 1) -> None:
        self.longer = longer
        torch.set_num_threads(1)  # more are slower on graphs of small arrays

    def leaf(self, array: NDArray[Any]) -> Any:
        return torch.tensor(array, requires_grad=True)

    def backward(self, y: Any, create_graph: bool = False) -> None:
        y.backward(torch.ones_like(y), create_graph=create_graph)

    def grad(self, x: Any) -> Any:
        return x.grad

    def array(self, t: Any) -> NDArray[Any]:
        return t.detach().numpy()  # type: ignore[no-any-return]

    def tanh(self, x: Any) -> Any:
        return torch.tanh(x)


@dataclass(frozen=True)
class Workload:
    """``run(side, array)`` returns a leaf whose gradient is the result; ``fixed``: of one size."""

    name: str
    says: str
    run: Callable[[Side, NDArray[Any]], Any]
    fixed: bool = False


def _length(side: Side, array: NDArray[Any], n: int) -> int:
    """Steps of a loop: fewer on large arrays, whose graphs would fill the memory."""
    return side.longer * (n if array.size <= 4096 else n // 25)


def chain(side: Side, array: NDArray[Any]) -> Any:
    x = y = side.leaf(array)
    for _ in range(_length(side, array, 500)):
        y = y * x
        y = y + x
    side.backward(y)
    return x


def fan_out(side: Side, array: NDArray[Any]) -> Any:
    x = y = side.leaf(array)
    for _ in range(_length(side, array, 1000)):
        y = y + x
    side.backward(y)
    return x


def _dag_source(n: int, seed: int) -> str:
    """A random graph as straight-line code, so that the loop is not what is timed."""
    source = random.Random(seed)
    lines = ["def dag(x):", "    v0 = x"]
    for i in range(1, n // 2 + 1):
        a, b = (max(0, i - 1 - source.randrange(8)) for _ in range(2))
        lines.append(f"    v{i} = (v{a} {source.choice('++-')} v{b}) * x")
    return "\n".join([*lines, f"    return v{n // 2}"])


def _dag_of(n: int) -> Callable[[Any], Any]:
    namespace: dict[str, Any] = {}
    exec(_dag_source(n, 0), namespace)  # the text above, nothing from outside
    return namespace["dag"]  # type: ignore[no-any-return]


_dag, _short_dag = _dag_of(500), _dag_of(20)


def random_dag(side: Side, array: NDArray[Any]) -> Any:
    x = y = side.leaf(array)
    for _ in range(side.longer):
        y = (_dag if array.size <= 4096 else _short_dag)(y)
    side.backward(y)
    return x


def second_order(side: Side, array: NDArray[Any]) -> Any:
    x = y = side.leaf(array)
    for _ in range(_length(side, array, 100)):
        y = y * x
        y = y + x
    side.backward(y, create_graph=True)
    g = side.grad(x)
    x.grad = None
    side.backward(g)
    return x


@functools.cache
def _mlp_arrays(dtype: Any) -> list[NDArray[Any]]:
    """Input and parameters; drawing them takes as long as the step, so it is done before."""
    source = np.random.default_rng(0)
    shapes = ((64, 784), (784, 256), (256,), (256, 10), (10,))
    return [(source.standard_normal(shape) / 16).astype(dtype) for shape in shapes]


def mlp_step(side: Side, array: NDArray[Any]) -> Any:
    """Batch 64, 784-256-10, squared error; ``array`` gives the dtype only."""
    x, w1, b1, w2, b2 = map(side.leaf, _mlp_arrays(array.dtype))
    y = side.tanh(x @ w1 + b1) @ w2 + b2
    side.backward((y * y).sum())
    return w1


WORKLOADS: dict[str, Workload] = {
    w.name: w
    for w in (
        Workload("chain", "y = y * x; y = y + x, 500 times", chain),
        Workload("fan-out", "y = y + x, 1,000 times", fan_out),
        Workload("random-dag", "500 random + - * on recent values", random_dag),
        Workload("second-order", "a chain of 200 differentiated twice", second_order),
        Workload("mlp-step", "batch 64, 784-256-10, forward and backward", mlp_step, fixed=True),
    )
}

SHAPES: tuple[tuple[int, ...], ...] = ((), (4, 4), (64, 64), (512, 512))
DTYPES = ("float32", "float64")


def start(shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    """The leaf of a workload: values below one, so that nothing overflows."""
    values = np.random.default_rng(1).random(shape) * 0.01 + 0.5
    return np.asarray(values, dtype)
