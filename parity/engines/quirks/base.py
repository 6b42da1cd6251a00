"""``Quirk``: base class of engines that wrap the reference and change one of its rules."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from parity.engines.base import Engine


@dataclass(eq=False, slots=True, weakref_slot=True)
class WrappedTensor:
    """A tensor of the reference with the data that quirks need."""

    inner: Any
    #: For a leaf that requires a gradient zeros of its shape and dtype, else None.
    leaf: Any = None
    requires_grad: bool = False
    #: A gradient that the last backward left as it was: its array, and its tensor or None.
    kept_grad: tuple[Any, Any] | None = None
    #: Where a quirk records operations: the one that computed it with the index of the output, and
    #: those that used it.
    creator: Any = None
    users: weakref.WeakSet[Any] = field(default_factory=weakref.WeakSet)


class Quirk(Engine):
    """An engine that delegates to the reference. A subclass overrides what its quirk changes."""

    #: The name, for reports and ``Engine.quirks``.
    quirk: ClassVar[str] = ""
    #: The rule of the quirk. Completes "quirk `name`: ...".
    description: ClassVar[str] = ""
    #: The rule of PyTorch that is replaced. Two quirks about the same rule exclude each other.
    about: ClassVar[str] = ""
    #: A program that shows it, as text; "" if no result of a program does.
    example: ClassVar[str] = ""
    #: Abilities that an engine with the quirk must not have.
    without: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, inner: Engine, quirks: frozenset[str]) -> None:
        self.inner = inner
        self.quirks = inner.quirks | quirks  # type: ignore[misc]
        for name in ("name", "version", "dtypes", "max_ndim", "bitwise"):
            setattr(self, name, getattr(inner, name))
        self.ops: dict[str, Any] = {  # type: ignore[misc]
            name: functools.partial(self.apply, name) for name in inner.ops
        }
        self.recording = True
        self.leaves: weakref.WeakSet[WrappedTensor] = weakref.WeakSet()

    @property
    def left_reals_count(self) -> int:  # type: ignore[override]
        return self.inner.left_reals_count

    def apply(self, name: str, *xs: WrappedTensor, **attrs: Any) -> Any:
        """Run an operation on wrapped tensors."""
        result = self.compute(name, *[x.inner for x in xs], **attrs)
        requires_grad = self.recording and any(x.requires_grad for x in xs)
        if isinstance(result, (tuple, list)):
            return tuple(WrappedTensor(t, requires_grad=requires_grad) for t in result)
        return WrappedTensor(result, requires_grad=requires_grad)

    def compute(self, name: str, *ts: Any, **attrs: Any) -> Any:
        """Run an operation on tensors of the reference."""
        return self.inner.ops[name](*ts, **attrs)

    def deciding(self, ts: tuple[Any, ...]) -> list[Any]:
        """Return the values of operands of the reference that decide at a tie or kink.

        A reference with random errors knows them without (``parity.oracle.perturbed``).
        """
        choice = getattr(self.inner, "next_choice", None)
        arrays = choice or (self.inner.value(t) for t in ts)
        return list(map(np.asarray, arrays))

    def leaf(self, array: Any, requires_grad: bool = True) -> WrappedTensor:
        if not requires_grad:
            return WrappedTensor(self.inner.leaf(array, False))
        wrapped = WrappedTensor(self.inner.leaf(array), np.zeros_like(array), requires_grad=True)
        self.leaves.add(wrapped)
        return wrapped

    def value(self, t: WrappedTensor) -> Any:
        return self.inner.value(t.inner)

    def grad(self, t: WrappedTensor) -> Any:
        return self.inner.grad(t.inner)

    def backward(self, t: WrappedTensor, gradient: Any = None, **flags: bool) -> None:
        self.inner.backward(t.inner, gradient, **flags)

    def clear_grad(self, t: WrappedTensor) -> None:
        self.inner.clear_grad(t.inner)

    def zero_grad(self, t: WrappedTensor) -> None:
        self.inner.zero_grad(t.inner)

    def grad_tensor(self, t: WrappedTensor) -> Any:
        return WrappedTensor(self.inner.grad_tensor(t.inner), requires_grad=True)

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        outer, self.recording = self.recording, False
        try:
            with self.inner.no_grad():
                yield
        finally:
            self.recording = outer

    def detach(self, t: WrappedTensor) -> WrappedTensor:
        return WrappedTensor(self.inner.detach(t.inner))

    def optimizer(self, kind: str, leaves: Any, lr: float) -> Any:
        return self.inner.optimizer(kind, [t.inner for t in leaves], lr)
