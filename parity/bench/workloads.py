"""The workloads: what is timed.

Each builds an output from leaves with the operators that all libraries share; the backend
differentiates it, so that engines that record and engines that transform functions run the same
program. Nothing here imports an engine.

The functions ``_in_numpy`` are the baseline: the same with hand-written gradients, without a graph
and an engine, so that the difference between an engine's time and theirs is the cost of the graph.
``[()]`` turns a 0-d array into a NumPy scalar, which is faster, and returns a view of any other.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from parity.bench.backends.base import Backend
from parity.bench.workload import Array, Workload


def _chain(backend: Backend, steps: int, x: Any) -> Any:
    y = x
    for _ in range(steps):
        y = y * x
        y = y + x
    return y


def _chain_in_numpy(steps: int, x: Any) -> Sequence[Any]:
    x = y = x[()]
    ys = []
    for _ in range(steps):
        ys.append(y)
        y = y * x
        y = y + x
    g, gx = np.ones_like(y)[()], np.zeros_like(x)[()]
    while ys:
        gx += g
        gx += g * ys.pop()
        g = g * x
    return (gx + g,)


def _fan_out(backend: Backend, steps: int, x: Any) -> Any:
    y = x
    for _ in range(steps):
        y = y + x
    return y


def _fan_out_in_numpy(steps: int, x: Any) -> Sequence[Any]:
    x = y = x[()]
    for _ in range(steps):
        y = y + x
    g = np.ones_like(y)[()]
    gx = g.copy()
    for _ in range(steps):
        gx += g
    return (gx,)


#: Lines of the random graph: steps are repetitions of the long or of the short one.
_LONG, _SHORT = 250, 10


@functools.cache
def _dag_of(lines: int) -> Callable[[Any], Any]:
    """A random graph as straight-line code, so that no loop is timed."""
    source = random.Random(0)
    text = ["def dag(x):", "    v0 = x"]
    for i in range(1, lines + 1):
        a, b = (max(0, i - 1 - source.randrange(8)) for _ in range(2))
        text.append(f"    v{i} = (v{a} {source.choice('++-')} v{b}) * x")
    namespace: dict[str, Any] = {}
    exec("\n".join([*text, f"    return v{lines}"]), namespace)  # nothing from outside
    return namespace["dag"]  # type: ignore[no-any-return]


def _random_dag(backend: Backend, steps: int, x: Any) -> Any:
    lines = _LONG if steps >= _LONG else _SHORT
    dag, y = _dag_of(lines), x
    for _ in range(max(1, steps // lines)):
        y = dag(y)
    return y


def _diamond_ladder(backend: Backend, steps: int, a: Any, b: Any) -> Any:
    h = a
    for _ in range(steps):
        h = h * a + h * b
    return h


def _diamond_ladder_in_numpy(steps: int, a: Any, b: Any) -> Sequence[Any]:
    a, b = a[()], b[()]
    h, hs = a, []
    for _ in range(steps):
        hs.append(h)
        h = h * a + h * b
    g, ga, gb = np.ones_like(h)[()], np.zeros_like(a)[()], np.zeros_like(b)[()]
    while hs:
        p = g * hs.pop()
        ga += p
        gb += p
        g = g * a + g * b
    return ga + g, gb


def _broadcast(backend: Backend, steps: int, x: Any, row: Any, column: Any) -> Any:
    y = x
    for _ in range(steps):
        y = y * row
        y = y + column
    return y


def _broadcast_in_numpy(steps: int, x: Any, row: Any, column: Any) -> Sequence[Any]:
    y, ys = x, []
    for _ in range(steps):
        ys.append(y)
        y = y * row
        y = y + column
    g, grow, gcolumn = np.ones_like(y), np.zeros_like(row), np.zeros_like(column)
    while ys:
        gcolumn += g.sum(1, keepdims=True)
        grow += (g * ys.pop()).sum(0)
        g = g * row
    return g, grow, gcolumn


def _matmul(backend: Backend, steps: int, x: Any, w: Any) -> Any:
    y = x
    for _ in range(steps):
        y = y @ w
    return y


def _matmul_in_numpy(steps: int, x: Any, w: Any) -> Sequence[Any]:
    y, ys = x, []
    for _ in range(steps):
        ys.append(y)
        y = y @ w
    g, gw = np.ones_like(y), np.zeros_like(w)
    while ys:
        gw += ys.pop().T @ g
        g = g @ w.T
    return g, gw


@functools.cache
def _mlp_arrays(dtype: Any) -> tuple[Array, ...]:
    """Input and parameters, cached: drawing them takes as long as the step."""
    source = np.random.default_rng(0)
    shapes = ((64, 784), (784, 256), (256,), (256, 10), (10,))
    return tuple((source.standard_normal(shape) / 16).astype(dtype) for shape in shapes)


def _mlp(backend: Backend, steps: int, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    x = backend.constant(_mlp_arrays(np.dtype(backend.dtype_of(w1)))[0])
    y = backend.tanh(x @ w1 + b1) @ w2 + b2
    return backend.sum(y * y)


def _mlp_in_numpy(steps: int, w1: Array, b1: Array, w2: Array, b2: Array) -> Sequence[Any]:
    x = _mlp_arrays(w1.dtype)[0]
    h = np.tanh(x @ w1 + b1)
    y = h @ w2 + b2
    gy = y + y
    gh = gy @ w2.T
    gh *= 1 - h * h
    return x.T @ gh, gh.sum(0), h.T @ gy, gy.sum(0)


_ROWS = (
    Workload(
        "chain", "y = y * x; y = y + x, 500 times", _chain, (500, 20), 2, baseline=_chain_in_numpy
    ),
    Workload(
        "fan-out",
        "y = y + x, 1,000 times: one value with a thousand uses",
        _fan_out,
        (1000, 40),
        1,
        ops=("add",),
        baseline=_fan_out_in_numpy,
    ),
    Workload(
        "random-dag",
        "v = (v1 + v2) * x or (v1 - v2) * x of two of the last eight values, 250 times",
        _random_dag,
        (_LONG, _SHORT),
        2,
        ops=("add", "sub", "mul"),
    ),
    Workload(
        "diamond-ladder",
        "h = h * a + h * b, 150 times",
        _diamond_ladder,
        (150, 8),
        3,
        leaves=lambda array: (array, np.asarray(1 - array)),
        baseline=_diamond_ladder_in_numpy,
    ),
    Workload(
        "broadcast",
        "y = y * row; y = y + column, 100 times",
        _broadcast,
        (100, 8),
        2,
        leaves=lambda array: (array, array[0].copy(), array[:, :1].copy()),
        min_ndim=2,
        baseline=_broadcast_in_numpy,
    ),
    Workload(
        "matmul",
        "y = y @ w, 20 times (twice for (512, 512))",
        _matmul,
        (20, 2),
        1,
        ops=("matmul",),
        leaves=lambda array: (array, array * array.dtype.type(2 / len(array))),
        min_ndim=2,
        baseline=_matmul_in_numpy,
    ),
    Workload(
        "mlp-step",
        "tanh(x @ w1 + b1) @ w2 + b2, squares summed: batch 64, 784-256-10, four gradients",
        _mlp,
        (1, 1),
        7,
        ops=("add", "mul", "matmul", "sum", "tanh"),
        leaves=lambda array: _mlp_arrays(array.dtype)[1:],
        fixed=(64, 784),
        baseline=_mlp_in_numpy,
    ),
    Workload(
        "second-order",
        "y = y * x; y = y + x, 100 times, and the gradient of the gradient",
        _chain,
        (100, 4),
        2,
        order=2,
    ),
)
#: Every workload by name.
WORKLOADS: dict[str, Workload] = {w.name: w for w in _ROWS}
#: The workload whose length varies; it is not timed in the table of times.
DEEP_CHAIN = Workload(
    "deep-chain",
    "y = y * x; y = y + x, by the number of nodes",
    _chain,
    (1, 1),
    2,
    baseline=_chain_in_numpy,
)
