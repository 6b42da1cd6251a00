"""What is timed: programs that are written once and differentiated by every engine.

A workload builds a result from leaves with the operators that all libraries share; how it is
differentiated is the side's affair (``parity/bench/sides/``), so that engines that record and
engines that take functions run the same program. Nothing here imports an engine.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity.bench import numpy_baseline

if TYPE_CHECKING:
    from parity.bench.backends.base import Backend

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int, ...]

#: Shapes of leaves, from scalars to where only the arithmetic counts.
SHAPES: tuple[Shape, ...] = ((), (4, 4), (64, 64), (512, 512))
DTYPES = ("float32", "float64")
#: Arrays with more elements than this have shorter graphs, which would fill the memory else.
SMALL = 4096


@dataclass(frozen=True)
class Workload:
    """A program and its size.

    ``value(side, steps, *leaves)`` is the result; its gradient, from a gradient of ones, by all
    leaves is what is computed, ``order`` times over. ``steps``: rounds of its loop for small
    and for large arrays; ``nodes``: nodes of the graph a step. ``leaves`` makes the leaves of
    an array; ``ops``: the operations that it needs; ``min_ndim``: dimensions that it needs;
    ``fixed``: the shape of its input, if it has one of its own. ``control``: the same with NumPy
    by hand, without a graph: ``control(steps, *leaves)`` returns the gradients.
    """

    name: str
    says: str
    value: Callable[..., Any]
    steps: tuple[int, int]
    nodes: int
    ops: tuple[str, ...] = ("add", "mul")
    leaves: Callable[[Array], Sequence[Array]] = lambda array: (array,)
    order: int = 1
    min_ndim: int = 0
    fixed: Shape | None = None
    control: Callable[..., Sequence[Any]] | None = None

    def steps_for(self, array: Array, longer: int = 1) -> int:
        """Rounds of the loop for leaves like ``array``; ``longer`` times as many."""
        return longer * self.steps[array.size > SMALL]

    def shapes(self, of: Sequence[Shape] = SHAPES) -> tuple[Shape, ...]:
        """Those of the shapes that it takes, or its own."""
        return (self.fixed,) if self.fixed else tuple(s for s in of if len(s) >= self.min_ndim)


def start(shape: Shape, dtype: str) -> Array:
    """The leaf of a workload: values a little above one half, so that nothing overflows."""
    values = np.random.default_rng(1).random(shape) * 0.01 + 0.5
    return np.asarray(values, dtype)


def _chain(side: Backend, steps: int, x: Any) -> Any:
    y = x
    for _ in range(steps):
        y = y * x
        y = y + x
    return y


def _fan_out(side: Backend, steps: int, x: Any) -> Any:
    y = x
    for _ in range(steps):
        y = y + x
    return y


def _dag_source(lines: int) -> str:
    """A random graph as straight-line code, so that the loop is not what is timed."""
    source = random.Random(0)
    text = ["def dag(x):", "    v0 = x"]
    for i in range(1, lines + 1):
        a, b = (max(0, i - 1 - source.randrange(8)) for _ in range(2))
        text.append(f"    v{i} = (v{a} {source.choice('++-')} v{b}) * x")
    return "\n".join([*text, f"    return v{lines}"])


#: Lines of the random graph: the steps are repetitions of the long or of the short one.
_LONG, _SHORT = 250, 10


@functools.cache
def _dag_of(lines: int) -> Callable[[Any], Any]:
    namespace: dict[str, Any] = {}
    exec(_dag_source(lines), namespace)  # the text above, nothing from outside
    return namespace["dag"]  # type: ignore[no-any-return]


def _random_dag(side: Backend, steps: int, x: Any) -> Any:
    lines = _LONG if steps >= _LONG else _SHORT
    dag, y = _dag_of(lines), x
    for _ in range(max(1, steps // lines)):
        y = dag(y)
    return y


def _diamond_ladder(side: Backend, steps: int, a: Any, b: Any) -> Any:
    h = a
    for _ in range(steps):
        h = h * a + h * b
    return h


def _broadcast(side: Backend, steps: int, x: Any, row: Any, column: Any) -> Any:
    y = x
    for _ in range(steps):
        y = y * row
        y = y + column
    return y


def _matmul(side: Backend, steps: int, x: Any, w: Any) -> Any:
    y = x
    for _ in range(steps):
        y = y @ w
    return y


@functools.cache
def _mlp_arrays(dtype: Any) -> tuple[Array, ...]:
    """Input and parameters; drawing them takes as long as the step, so it is done before."""
    source = np.random.default_rng(0)
    shapes = ((64, 784), (784, 256), (256,), (256, 10), (10,))
    return tuple((source.standard_normal(shape) / 16).astype(dtype) for shape in shapes)


def _mlp(side: Backend, steps: int, w1: Any, b1: Any, w2: Any, b2: Any) -> Any:
    x = side.constant(_mlp_arrays(np.dtype(side.dtype_of(w1)))[0])
    y = side.tanh(x @ w1 + b1) @ w2 + b2
    return side.sum(y * y)


def _mlp_control(steps: int, w1: Array, b1: Array, w2: Array, b2: Array) -> Sequence[Any]:
    return numpy_baseline.mlp(_mlp_arrays(w1.dtype)[0], w1, b1, w2, b2)


_ROWS = (
    Workload(
        "chain",
        "y = y * x; y = y + x, 500 times",
        _chain,
        (500, 20),
        2,
        control=numpy_baseline.chain,
    ),
    Workload(
        "fan-out",
        "y = y + x, 1,000 times: one value with a thousand uses",
        _fan_out,
        (1000, 40),
        1,
        ops=("add",),
        control=numpy_baseline.fan_out,
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
        control=numpy_baseline.diamond_ladder,
    ),
    Workload(
        "broadcast",
        "y = y * row; y = y + column, 100 times",
        _broadcast,
        (100, 8),
        2,
        leaves=lambda array: (array, array[0].copy(), array[:, :1].copy()),
        min_ndim=2,
        control=numpy_baseline.broadcast,
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
        control=numpy_baseline.matmul,
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
        control=_mlp_control,
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
#: The one whose length varies; no row of the tables of times.
DEEP_CHAIN = Workload(
    "deep-chain",
    "y = y * x; y = y + x, by the number of nodes",
    _chain,
    (500, 500),
    2,
    control=numpy_baseline.chain,
)
