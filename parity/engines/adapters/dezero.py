"""Adapter of dezero."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import dezero
import dezero.functions as F
from dezero import in_place
from parity.engines.adapters.numpy_like import INDICES, SCALARS, split_like
from parity.engines.arrays import copied
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

    inplace: ClassVar[dict[str, Any]] = {
        **{name: getattr(in_place, name) for name in ("add_", "mul_", "sub_", "copy_", "relu_")},
        "mul_scalar_": lambda a, *, c: in_place.mul_(a, c),
        "zero_": dezero.Variable.zero_,
        "set_item_": lambda a, b, *, index: in_place.set_item(a, index, b),
    }

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        return dezero.Variable(copied(array), requires_grad=requires_grad)

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

    def enable_grad(self) -> AbstractContextManager[Any]:
        return dezero.enable_grad()  # type: ignore[no-any-return]

    def requires_grad(self, t: Any) -> bool:
        return bool(t.requires_grad)

    def detach_(self, t: Any) -> None:
        t.detach_()

    def function(self, forward: Any, backward: Any) -> Any:
        class OfUser(dezero.Function):
            def forward(self, *xs: Any) -> Any:
                return forward(*xs)

            def backward(self, *gys: Any) -> Any:
                return backward(gys, tuple(x.data for x in self.inputs))

        return OfUser()

    def hook(self, t: Any, function: Any) -> Any:
        return t.register_hook(function)

    def retain_grad(self, t: Any) -> None:
        t.retain_grad()

    def set_grad(self, t: Any, array: Any) -> None:
        t.grad = array

    def backward_many(self, ts: Any, gs: Any, *, inputs: Any = None, **flags: bool) -> None:
        dezero.backward_many(ts, gs, inputs=inputs, **flags)

    def grad_of_values(self, ys: Any, xs: Any, gs: Any, **flags: bool) -> Any:
        return dezero.grad(ys, xs, gs, **flags)

    def optimizer(self, kind: str, leaves: Any, lr: float) -> Any:
        names = {"sgd": "SGD", "momentum": "MomentumSGD", "adam": "Adam"}
        return getattr(dezero.optimizers, names[kind])(lr).setup(leaves)
