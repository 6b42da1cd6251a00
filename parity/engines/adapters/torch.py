"""Adapter of PyTorch: the reference."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

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


@contextmanager
def _passing(flags: Mapping[str, bool]) -> Iterator[None]:
    """A context for a pass with these flags."""
    try:
        if not flags.get("create_graph"):
            yield
            return
        with warnings.catch_warnings():  # of a reference cycle (docs/semantics.md 7.2)
            warnings.simplefilter("ignore")
            yield
    except RuntimeError as error:
        if _NO_DERIVATIVE.search(str(error)):
            raise Unsupported("some second derivatives") from error
        raise


def _seeds(ts: Any, gs: Any) -> list[Any]:
    """Gradients of roots as tensors of their dtypes."""
    pairs = zip(ts, gs, strict=True)
    return [None if g is None else torch.tensor(g, dtype=t.dtype) for t, g in pairs]


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


def tensor_of(array: Any) -> Any:
    """Return a tensor with a copy of an array, and its strides where PyTorch has such.

    It has no negative ones, for which ``torch.tensor`` raises.
    """
    if array.flags.c_contiguous:
        return torch.tensor(array)
    steps = [stride // array.itemsize for stride in array.strides]
    if any(step < 0 for step in steps):
        return torch.tensor(array.copy())
    lengths = (1 if step == 0 else n for n, step in zip(array.shape, steps, strict=True))
    whole = torch.tensor(array.copy())
    one = whole[tuple(slice(0, n) for n in lengths)]
    held = torch.empty_strided(one.shape, steps, dtype=one.dtype).copy_(one)
    return held.expand(array.shape)


class Torch(Engine):
    """PyTorch in eager mode on the CPU, with one thread (more are slower for small arrays).

    In PyTorch two leaves, or a leaf and the caller, may share the memory of a gradient, which
    can make later gradients wrong (docs/semantics.md 3). The reference avoids that: a hook
    copies each gradient before it is accumulated, and the caller's array is copied too.
    """

    name = "torch"
    version = torch.__version__.partition("+")[0]
    bitwise = True

    inplace: ClassVar[dict[str, Any]] = {
        "add_": torch.Tensor.add_,
        "mul_": torch.Tensor.mul_,
        "sub_": torch.Tensor.sub_,
        "mul_scalar_": lambda a, *, c: a.mul_(c),
        "zero_": torch.Tensor.zero_,
        "copy_": torch.Tensor.copy_,
        "relu_": torch.Tensor.relu_,
        "set_item_": lambda a, b, *, index: a.__setitem__(index, b),
    }

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self.ops = Functions(lambda name: _constant(OPS[name].function))  # type: ignore[misc]

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        t = tensor_of(array).requires_grad_(requires_grad)
        if requires_grad:
            t.register_hook(_copied)
        return t

    def value(self, t: Any) -> Any:
        return t.detach().numpy()

    def grad(self, t: Any) -> Any:
        g = t.grad
        # PyTorch may keep zeros without memory, which NumPy cannot share.
        return None if g is None else g.detach().numpy(force=g._is_zerotensor())

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        g = None if gradient is None else tensor_of(gradient)
        if flags.get("create_graph"):
            flags["retain_graph"] = True
        with _passing(flags):
            t.backward(g, **flags)

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

    def enable_grad(self) -> AbstractContextManager[Any]:
        return torch.enable_grad()

    def requires_grad(self, t: Any) -> bool:
        return bool(t.requires_grad)

    def detach_(self, t: Any) -> None:
        t.detach_()

    def function(self, forward: Any, backward: Any) -> Any:
        def apply(*ts: Any) -> Any:
            return _OfUser.apply(forward, backward, *ts)  # type: ignore[no-untyped-call]

        return apply

    def hook(self, t: Any, function: Callable[[Any], Any]) -> Any:
        return t.register_hook(function)

    def retain_grad(self, t: Any) -> None:
        t.retain_grad()

    def set_grad(self, t: Any, array: Any) -> None:
        # PyTorch warns of other strides than the leaf's, also where there are no elements.
        t.grad = torch.empty_strided(t.shape, t.stride(), dtype=t.dtype)
        t.grad.copy_(torch.tensor(array))

    def backward_many(self, ts: Any, gs: Any, *, inputs: Any = None, **flags: Any) -> None:
        with _passing(flags):
            torch.autograd.backward(ts, _seeds(ts, gs), inputs=inputs, **flags)

    def grad_of_values(self, ys: Any, xs: Any, gs: Any, **flags: Any) -> Any:
        with _passing(flags):
            found = torch.autograd.grad(ys, xs, _seeds(ys, gs), **flags)
        # Of a sum PyTorch may return one tensor for both operands (docs/semantics.md 3.5).
        return tuple(None if g is None else g.clone() for g in found)

    def optimizer(self, kind: str, leaves: Any, lr: float) -> Any:
        if kind == "adam":
            return torch.optim.Adam(leaves, lr=lr)
        return torch.optim.SGD(leaves, lr=lr, momentum=0.9 if kind == "momentum" else 0.0)


class _OfUser(torch.autograd.Function):
    """A function of the user, which computes on arrays."""

    @staticmethod
    def forward(ctx: Any, forward: Any, backward: Any, *ts: Any) -> Any:
        ctx.computed = backward
        ctx.save_for_backward(*ts)
        results = tuple(map(torch.tensor, forward(*(t.numpy() for t in ts))))
        return results if len(results) > 1 else results[0]

    @staticmethod
    def backward(ctx: Any, *gs: Any) -> Any:
        arrays = ([t.numpy() for t in ts] for ts in (gs, ctx.saved_tensors))
        found = ctx.computed(*map(tuple, arrays))
        return None, None, *(g if g is None else torch.tensor(g) for g in found)


class AsIs(Torch):
    """PyTorch without hooks: gradients may share memory (docs/semantics.md 3)."""

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        return tensor_of(array).requires_grad_(requires_grad)


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
