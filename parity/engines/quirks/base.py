"""What all dialects are made of: the reference, with its tensors in boxes."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

import numpy as np

from parity.engines.base import Engine


class Box:
    """A tensor of the reference; ``leaf`` is its array's shape and dtype if it is a variable.

    ``varies``: whether a gradient can reach it; constants do not vary.
    """

    __slots__ = ("__weakref__", "inner", "kept", "leaf", "maker", "users", "varies")

    def __init__(self, inner: Any, leaf: Any = None, varies: bool = False) -> None:
        self.inner = inner
        self.leaf = leaf
        self.varies = varies
        #: A gradient that the last backward left as it was: array, and tensor or None.
        self.kept: tuple[Any, Any] | None = None
        #: The operation that gave it and those that used it, where a dialect asks for them.
        self.maker: Any = None
        self.users: weakref.WeakSet[Any] = weakref.WeakSet()


class Quirk(Engine):
    """An engine that passes everything on to another one; quirks override steps of it."""

    #: What reports and ``Engine.quirks`` call the quirk.
    quirk: ClassVar[str] = ""
    #: Completes "quirk `name`: ...".
    description: ClassVar[str] = ""
    #: An engine has at most one quirk about the same thing.
    about: ClassVar[str] = ""
    #: Abilities (``parity.engines.base.abilities``) of which it says nothing: an engine that has
    #: the quirk has none of them.
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
        self.leaves: weakref.WeakSet[Box] = weakref.WeakSet()

    @property
    def edges(self) -> int:  # type: ignore[override]
        return self.inner.edges

    def apply(self, name: str, *xs: Box, **attrs: Any) -> Any:
        """An operation on boxes."""
        result = self.compute(name, *[x.inner for x in xs], **attrs)
        varies = self.recording and any(x.varies for x in xs)
        if isinstance(result, (tuple, list)):
            return tuple(Box(t, varies=varies) for t in result)
        return Box(result, varies=varies)

    def compute(self, name: str, *ts: Any, **attrs: Any) -> Any:
        """An operation on tensors of the reference."""
        return self.inner.ops[name](*ts, **attrs)

    def leaf(self, array: Any, requires_grad: bool = True) -> Box:
        if not requires_grad:
            return Box(self.inner.leaf(array, False))
        box = Box(self.inner.leaf(array), np.zeros_like(array), varies=True)
        self.leaves.add(box)
        return box

    def value(self, t: Box) -> Any:
        return self.inner.value(t.inner)

    def grad(self, t: Box) -> Any:
        return self.inner.grad(t.inner)

    def backward(
        self,
        t: Box,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        flags = {"create_graph": True} if create_graph else {}
        self.inner.backward(t.inner, gradient, retain_graph=retain_graph, **flags)

    def clear_grad(self, t: Box) -> None:
        self.inner.clear_grad(t.inner)

    def zero_grad(self, t: Box) -> None:
        self.inner.zero_grad(t.inner)

    def grad_tensor(self, t: Box) -> Any:
        return Box(self.inner.grad_tensor(t.inner), varies=True)

    def no_grad(self) -> AbstractContextManager[Any]:
        return self._without_recording()

    @contextmanager
    def _without_recording(self) -> Iterator[None]:
        outer, self.recording = self.recording, False
        try:
            with self.inner.no_grad():
                yield
        finally:
            self.recording = outer

    def detach(self, t: Box) -> Box:
        return Box(self.inner.detach(t.inner))

    def optimizer(self, kind: str, leaves: Any, lr: float) -> Any:
        return self.inner.optimizer(kind, [t.inner for t in leaves], lr)
