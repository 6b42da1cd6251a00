"""How the engine of step 14 does things, for parity."""

from __future__ import annotations

from typing import Any, ClassVar

from step14 import Variable, add, square

from parity.engines import Engine


class Step14(Engine):
    name, dtypes = "step14", ("float64",)
    max_ndim = 0  # `Add` does not undo broadcasting; the book comes to that in step 40
    # The book's way, no fault: no backward frees a graph.
    quirks = frozenset({"keeps-graphs"})
    ops: ClassVar[dict[str, Any]] = {"add": add, "square": square}

    def leaf(self, array: Any) -> Variable:  # type: ignore[override]  # there are no constants
        return Variable(array.copy())

    def value(self, t: Variable) -> Any:
        return t.data

    def grad(self, t: Variable) -> Any:
        return t.grad

    def backward(self, t: Variable, gradient: Any = None, **flags: bool) -> None:
        # `Variable.backward` starts with the gradient that is there, with 1 if there is none.
        if gradient is not None:
            if gradient.shape != t.data.shape:
                raise ValueError(f"a gradient of shape {gradient.shape} for {t.data.shape}")
            t.grad = gradient.copy()
        t.backward()

    def clear_grad(self, t: Variable) -> None:
        t.cleargrad()
