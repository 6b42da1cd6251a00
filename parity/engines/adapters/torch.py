"""Adapter of PyTorch: the reference."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch

from parity.engines.base import Engine, Unsupported
from parity.language.table import OPS

#: What PyTorch says where it lacks the derivative of a backward.
_NO_DERIVATIVE = re.compile("derivative for .* is not implemented")


@functools.cache
def _constant(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``function`` so that its results under ``no_grad`` are constants.

    In PyTorch a view of a leaf made there still requires a gradient (docs/semantics.md 6.3).
    """

    def apply(*xs: Any, **attrs: Any) -> Any:
        y = function(*xs, **attrs)
        if torch.is_grad_enabled():
            return y
        return tuple(t.detach() for t in y) if isinstance(y, tuple) else y.detach()

    return apply


def _copied(g: Any) -> Any:
    """Return a copy of a gradient; second derivatives may pass None for one that is zero."""
    return None if g is None else g.clone()


class Functions(Mapping[str, Callable[..., Any]]):
    """A function for each operation that PyTorch has, made when it is asked for.

    There are hundreds, and a program uses few.
    """

    def __init__(self, make: Callable[[str], Callable[..., Any]]) -> None:
        self.make = make

    def __getitem__(self, name: str) -> Callable[..., Any]:
        if OPS[name].torch is None:
            raise KeyError(name)
        return self.make(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, op in OPS.items() if op.torch is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Torch(Engine):
    """PyTorch in eager mode on the CPU, with one thread (more are slower for small arrays).

    In PyTorch two leaves, or a leaf and the caller, may share the memory of a gradient, which
    can make later gradients wrong (docs/semantics.md 3). The reference avoids that: a hook
    copies each gradient before it is accumulated, and the caller's array is copied too.
    """

    name = "torch"
    version = torch.__version__.partition("+")[0]
    bitwise = True

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.ops = Functions(lambda name: _constant(OPS[name].function))  # type: ignore[misc]

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        t = torch.tensor(array, requires_grad=requires_grad)
        if requires_grad:
            t.register_hook(_copied)  # type: ignore[no-untyped-call]
        return t

    def value(self, t: Any) -> Any:
        return t.detach().numpy()

    def grad(self, t: Any) -> Any:
        g = t.grad
        # PyTorch may keep zeros without memory, which NumPy cannot share.
        return None if g is None else g.detach().numpy(force=g._is_zerotensor())

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        g = None if gradient is None else torch.tensor(gradient)
        try:
            if not flags.get("create_graph"):
                t.backward(g, **flags)
                return
            with warnings.catch_warnings():  # of a reference cycle (docs/semantics.md 7.2)
                warnings.simplefilter("ignore")
                t.backward(g, retain_graph=True, create_graph=True)
        except RuntimeError as error:
            if _NO_DERIVATIVE.search(str(error)):
                raise Unsupported("some second derivatives") from error
            raise

    def clear_grad(self, t: Any) -> None:
        t.grad = None

    def zero_grad(self, t: Any) -> None:
        t.grad.zero_()

    def grad_tensor(self, t: Any) -> Any:
        return t.grad

    def no_grad(self) -> AbstractContextManager[Any]:
        return torch.no_grad()

    def detach(self, t: Any) -> Any:
        return t.detach()

    def optimizer(self, kind: str, leaves: Any, lr: float) -> Any:
        if kind == "adam":
            return torch.optim.Adam(leaves, lr=lr)
        return torch.optim.SGD(leaves, lr=lr, momentum=0.9 if kind == "momentum" else 0.0)


class AsIs(Torch):
    """PyTorch without hooks: gradients may share memory (docs/semantics.md 3)."""

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        return torch.tensor(array, requires_grad=requires_grad)


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, t: Any, change: Callable[[Any], Any]) -> Any:
        ctx.change = change
        return t.view_as(t)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return ctx.change(g), None


def with_gradient(t: Any, change: Callable[[Any], Any]) -> Any:
    """Return a view of ``t`` whose gradient is replaced by ``change(gradient)`` in each pass."""
    return _WithGradient.apply(t, change)  # type: ignore[no-untyped-call]
