"""The interface of a library under measurement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from parity.bench.workload import Array, Shape, Workload

#: Operations that every library with arrays has.
ALL_OPS = frozenset({"add", "mul", "sub", "matmul", "sum", "tanh"})


class Backend:
    """A library under measurement; a subclass is added to ``BACKENDS`` of ``libraries``.

    Tensors must have the operators ``+ - * @``. Subclass ``TapeBackend`` for a library that records
    operations; a library that transforms functions overrides ``gradients`` and has no forward that
    could be timed alone.
    """

    name: str = ""
    version: str = ""
    #: Whether this is the NumPy baseline, which has no engine.
    is_baseline: ClassVar[bool] = False
    dtypes: tuple[str, ...] = ("float32", "float64")
    #: The largest supported number of dimensions: 0 for scalars only, None for any.
    max_ndim: int | None = None
    second_order: bool = True
    ops: frozenset[str] = ALL_OPS
    #: The function of a tensor.
    tanh: Callable[[Any], Any]

    def __init__(self, threads: int = 1) -> None:
        """Import the library; ``threads``: for its own setting, if it has one."""

    def gradients(
        self, function: Callable[..., Any], arrays: Sequence[Array], order: int
    ) -> Sequence[Any]:
        """Differentiate a function of a tensor per array, from output gradients of ones.

        Returns the gradients of all leaves for order 1; for order 2, with one leaf, the gradient of
        its gradient. They are the library's own tensors.
        """
        raise NotImplementedError

    def record(
        self, function: Callable[..., Any], arrays: Sequence[Array], order: int
    ) -> Callable[[], Sequence[Any]] | None:
        """Do the forward of ``gradients``; the result, called once, does the backward.

        None without doing anything where a library has no forward alone.
        """
        return None

    def run(self, workload: Workload, leaves: Sequence[Array], steps: int) -> Sequence[Any]:
        """The gradients of a workload, by forward and backward: this is timed."""
        return self.gradients(lambda *xs: workload.value(self, steps, *xs), leaves, workload.order)

    def begin(
        self, workload: Workload, leaves: Sequence[Array], steps: int
    ) -> Callable[[], Sequence[Any]] | None:
        """The forward of ``run``; the result is that of ``record``."""
        return self.record(lambda *xs: workload.value(self, steps, *xs), leaves, workload.order)

    def array(self, t: Any) -> Array:
        """The values of a tensor that ``gradients`` returned."""
        return np.asarray(t)

    def constant(self, array: Array) -> Any:
        """An operand without a gradient."""
        return array

    def dtype_of(self, t: Any) -> str:
        return str(t.dtype)

    def sum(self, x: Any) -> Any:
        """The sum of all elements."""
        return x.sum()

    def unsupported(self, workload: Workload, shape: Shape, dtype: str) -> str | None:
        """The reason why this library cannot run a workload; None if it can."""
        ndim = 2 if workload.fixed else len(shape)
        if self.max_ndim is not None and ndim > self.max_ndim:
            return "scalars only" if self.max_ndim == 0 else f"{self.max_ndim} dimensions at most"
        if dtype not in self.dtypes:
            return f"{', '.join(self.dtypes)} only"
        if workload.order > 1 and not self.second_order:
            return "no second order"
        missing = [op for op in workload.ops if op not in self.ops]
        return f"no {', '.join(missing)}" if missing else None


class TapeBackend(Backend):
    """A library that records operations on a tape."""

    def leaf(self, array: Array) -> Any:
        """A leaf tensor with a copy of an array."""
        raise NotImplementedError

    def backward(self, y: Any, create_graph: bool) -> None:
        """Backpropagate from ``y`` with an output gradient of ones."""
        y.backward()

    def grad(self, x: Any) -> Any:
        return x.grad

    def grad_tensor(self, x: Any) -> Any:
        """The gradient of a leaf as a tensor that can be differentiated."""
        return x.grad

    def clear(self, x: Any) -> None:
        x.grad = None

    def record(
        self, function: Callable[..., Any], arrays: Sequence[Array], order: int
    ) -> Callable[[], Sequence[Any]]:
        leaves = [self.leaf(array) for array in arrays]
        outputs = [function(*leaves)]

        def backward() -> Sequence[Any]:
            # No name keeps the output, so that its graph can be freed as early as possible.
            self.backward(outputs.pop(), order > 1)
            if order > 1:
                first = self.grad_tensor(leaves[0])
                self.clear(leaves[0])
                self.backward(first, False)
            return [self.grad(x) for x in leaves]

        return backward

    def gradients(
        self, function: Callable[..., Any], arrays: Sequence[Array], order: int
    ) -> Sequence[Any]:
        return self.record(function, arrays, order)()
