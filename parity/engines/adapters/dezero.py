"""Adapter of dezero."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import dezero
import dezero.functions as F
from parity.engines.base import Engine


def _concat(*xs: Any, axis: int) -> Any:
    return F.concat(xs, axis)


def _split(a: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
    ends = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    return F.split(a, ends, axis)


#: Operations that ``dezero.functions`` has under another name or signature.
_OTHERS: dict[str, Any] = {
    "concat": _concat,
    "stack": lambda *xs, axis: F.stack(xs, axis),
    "where": lambda a, b, *, condition: F.where(condition, a, b),
    "power": F.pow,
    "einsum": lambda a, b, *, subscripts: F.einsum(subscripts, a, b),
    "split": _split,
    "add_scalar": lambda a, *, c: a + c,
    "mul_scalar": lambda a, *, c: a * c,
    "sub_scalar": lambda a, *, c: a - c,
    "rsub_scalar": lambda a, *, c: c - a,
    "div_scalar": lambda a, *, c: a / c,
    "rdiv_scalar": lambda a, *, c: c / a,
}
#: Functions of dezero that are not operations of programs.
_NOT_COMPARED = ("cast",)


class Dezero(Engine):
    """``dezero.Variable`` with the functions of ``dezero.functions``."""

    name = "dezero"
    version = dezero.__version__
    bitwise = True
    quirks = frozenset({"seeds-any-shape-with-ones"})
    ops: ClassVar[dict[str, Any]] = {
        **{name: getattr(F, name) for name in F.__all__ if name not in _NOT_COMPARED},
        **_OTHERS,
    }

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        return dezero.Variable(array.copy(), requires_grad=requires_grad)

    def value(self, t: Any) -> Any:
        return t.data

    def grad(self, t: Any) -> Any:
        return None if t.grad is None else t.grad.data

    def backward(
        self,
        t: Any,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        t.backward(gradient, create_graph=create_graph, retain_graph=retain_graph or create_graph)

    def clear_grad(self, t: Any) -> None:
        t.cleargrad()

    def zero_grad(self, t: Any) -> None:
        t.grad.zero_()

    def grad_tensor(self, t: Any) -> Any:
        return t.grad

    def no_grad(self) -> AbstractContextManager[Any]:
        return dezero.no_grad()  # type: ignore[no-any-return]

    def detach(self, t: Any) -> Any:
        return t.detach()

    def optimizer(self, kind: str, leaves: Any, lr: float) -> Any:
        kinds = {
            "sgd": dezero.optimizers.SGD,
            "momentum": dezero.optimizers.MomentumSGD,
            "adam": dezero.optimizers.Adam,
        }
        return kinds[kind](lr).setup(leaves)
