"""The interface of a library under measurement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from parity.bench.workload import Array, Shape, Workload

#: Operations that every library with arrays has.
ALL_OPS = frozenset({"add", "mul", "sub", "matmul", "sum", "tanh"})


class Backend:
    """A library under measurement; subclass it and add it to ``parity/bench/backends/load.py``.

    Tensors must have the operators ``+ - * @``. Subclass ``TapeBackend`` for a library that records
    operations; a library that transforms functions overrides ``gradients``.
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

    def __init__(self, threads: int = 1) -> None:
        """``threads``: for the library's own setting, if it has one."""

    def gradients(
        self, function: Callable[..., Any], arrays: Sequence[Array], order: int
    ) -> Sequence[Any]:
        """Differentiate a function, from output gradients of ones.

        Parameters
        ----------
        function
            Takes a tensor per array and returns a tensor.
        arrays
            The leaves.
        order
            1 for the gradients of all leaves; 2, with one leaf, for the gradient of its gradient.

        Returns
        -------
        Gradients as the library's own tensors.
        """
        raise NotImplementedError

    def run(self, workload: Workload, leaves: Sequence[Array], steps: int) -> Sequence[Any]:
        """The gradients of a workload, by forward and backward: this is timed."""
        return self.gradients(lambda *xs: workload.value(self, steps, *xs), leaves, workload.order)

    def array(self, t: Any) -> Array:
        """The values of a tensor that ``gradients`` returned."""
        raise NotImplementedError

    def constant(self, array: Array) -> Any:
        """An operand without a gradient."""
        raise NotImplementedError

    def dtype_of(self, t: Any) -> str:
        """The name of a tensor's dtype."""
        return str(t.dtype)

    def tanh(self, x: Any) -> Any:
        raise NotImplementedError

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
        raise NotImplementedError

    def grad(self, x: Any) -> Any:
        """The gradient of a leaf."""
        return x.grad

    def clear(self, x: Any) -> None:
        """Clear the gradient of a leaf."""
        x.grad = None

    def gradients(
        self, function: Callable[..., Any], arrays: Sequence[Array], order: int
    ) -> Sequence[Any]:
        leaves = [self.leaf(array) for array in arrays]
        self.backward(function(*leaves), order > 1)
        if order > 1:
            first = self.grad(leaves[0])
            self.clear(leaves[0])
            self.backward(first, False)
        return [self.grad(x) for x in leaves]
