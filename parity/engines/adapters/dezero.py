"""Adapter of dezero."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import dezero
import dezero.functions as F
from parity.engines.adapters.numpy_like import INDICES, SCALARS, split_like
from parity.engines.base import Engine


class Dezero(Engine):
    """``dezero.Variable`` with the functions of ``dezero.functions``."""

    name = "dezero"
    version = dezero.__version__
    bitwise = True
    quirks = frozenset({"seeds-any-shape-with-ones"})
    ops: ClassVar[dict[str, Any]] = {
        **{name: getattr(F, name) for name in F.__all__ if name != "cast"},  # not an operation
        # Those that it has under another name or signature.
        "concat": lambda *xs, axis: F.concat(xs, axis),
        "stack": lambda *xs, axis: F.stack(xs, axis),
        "where": lambda a, b, *, condition: F.where(condition, a, b),
        "power": F.pow,
        "transpose_all": F.transpose,
        "squeeze_all": F.squeeze,
        "einsum": lambda a, b, *, subscripts: F.einsum(subscripts, a, b),
        "split": split_like(F),
        **SCALARS,
        "slice_backwards": INDICES["slice_backwards"],
    }

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        return dezero.Variable(array.copy(), requires_grad=requires_grad)

    def value(self, t: Any) -> Any:
        return t.data

    def grad(self, t: Any) -> Any:
        return None if t.grad is None else t.grad.data

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        t.backward(gradient, **flags)

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
        names = {"sgd": "SGD", "momentum": "MomentumSGD", "adam": "Adam"}
        return getattr(dezero.optimizers, names[kind])(lr).setup(leaves)
