"""What a library does to be measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from parity.bench.workloads import Array, Shape, Workload

#: What every library with arrays has.
ALL_OPS = frozenset({"add", "mul", "sub", "matmul", "sum", "tanh"})


class Backend:
    """A library under measurement; subclass it and add a row to ``parity/bench/backends/load.py``.

    Tensors must have the operators ``+ - * @``. A library that records derives from ``Tape``,
    one that differentiates functions overrides ``gradients``.
    """

    name: str = ""
    version: str = ""
    #: By hand, without an engine.
    control: ClassVar[bool] = False
    dtypes: tuple[str, ...] = ("float32", "float64")
    #: The largest number of dimensions, 0 for scalars, None for any.
    max_ndim: int | None = None
    second_order: bool = True
    ops: frozenset[str] = ALL_OPS

    def __init__(self, threads: int = 1) -> None:
        """``threads``: what the library's own setting gets, if it has one."""

    def gradients(
        self, function: Callable[..., Any], arrays: Sequence[Array], order: int
    ) -> Sequence[Any]:
        """The gradients of ``function`` of the arrays, from ones, as the library's own.

        ``order`` 2, of one array: the gradient, from ones, of that gradient.
        """
        raise NotImplementedError

    def run(self, workload: Workload, leaves: Sequence[Array], steps: int) -> Sequence[Any]:
        """What is timed: the gradients of a workload, forward and backward."""
        return self.gradients(lambda *xs: workload.value(self, steps, *xs), leaves, workload.order)

    def array(self, t: Any) -> Array:
        """The values of what ``gradients`` returned."""
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

    def cannot(self, workload: Workload, shape: Shape, dtype: str) -> str | None:
        """Why this library is not measured there; None if it is."""
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
    """A library that records what it computes."""

    def leaf(self, array: Array) -> Any:
        """A variable on a copy of an array."""
        raise NotImplementedError

    def backward(self, y: Any, create_graph: bool) -> None:
        """Propagate from ``y`` with a gradient of ones."""
        raise NotImplementedError

    def grad(self, x: Any) -> Any:
        """The gradient of a leaf."""
        return x.grad

    def clear(self, x: Any) -> None:
        """Forget the gradient of a leaf."""
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
