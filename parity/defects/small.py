"""A small correct engine to build defects on, independent of dezero.

Every step of its backward pass is a method that a defect overrides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np

from parity.engines.base import Engine


class Tensor:
    """An array, what it was computed from, and how gradients go back."""

    def __init__(
        self,
        data: Any,
        requires_grad: bool,
        parents: tuple[Tensor, ...] = (),
        vjp: Callable[[Any], tuple[Any, ...]] | None = None,
        number: int = 0,
    ) -> None:
        self.data = np.asarray(data)
        self.requires_grad = requires_grad
        self.parents = parents
        self.vjp = vjp
        self.number = number
        self.freed = False
        self.grad: Any = None


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """``g`` summed to ``shape``, from which its operand was broadcast."""
    if g.shape == shape:
        return g
    g = g.sum(tuple(range(g.ndim - len(shape))))
    return g.sum(tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True).reshape(shape)


def _spread(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    if axis is not None and not keepdims:
        g = np.expand_dims(g, axis)
    return np.broadcast_to(g, x.shape).copy()


def _put(g: Any, x: Any, index: Any) -> Any:
    result = np.zeros_like(x)
    np.add.at(result, index, g)
    return result


#: name -> (value of arrays and attributes, gradients from g, arrays, result and attributes)
RULES: dict[str, tuple[Callable[..., Any], Callable[..., tuple[Any, ...]]]] = {
    "add": (lambda a, b: a + b, lambda g, y, a, b: (g, g)),
    "sub": (lambda a, b: a - b, lambda g, y, a, b: (g, -g)),
    "mul": (lambda a, b: a * b, lambda g, y, a, b: (g * b, g * a)),
    "div": (lambda a, b: a / b, lambda g, y, a, b: (g / b, -g * (a / b / b))),
    "neg": (lambda a: -a, lambda g, y, a: (-g,)),
    "square": (lambda a: a * a, lambda g, y, a: (g * (2 * a),)),
    "exp": (np.exp, lambda g, y, a: (g * y,)),
    "sin": (np.sin, lambda g, y, a: (g * np.cos(a),)),
    "tanh": (np.tanh, lambda g, y, a: (g * (1 - y * y),)),
    "sum": (
        lambda a, axis, keepdims: a.sum(axis, keepdims=keepdims),
        lambda g, y, a, axis, keepdims: (_spread(g, a, axis, keepdims),),
    ),
    "reshape": (lambda a, shape: a.reshape(shape), lambda g, y, a, shape: (g.reshape(a.shape),)),
    "get_item": (lambda a, index: a[index], lambda g, y, a, index: (_put(g, a, index),)),
    "mul_scalar": (lambda a, c: a * c, lambda g, y, a, c: (g * c,)),
}


class Small(Engine):
    """Correct, by the plainest means: nodes run newest first, sums are new arrays."""

    name = "small"
    version = "1"

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.recording = True
        self.ops: dict[str, Any] = {  # type: ignore[misc]
            name: self.operation(*rule) for name, rule in RULES.items()
        }

    def operation(self, value: Any, vjp: Any) -> Callable[..., Tensor]:
        """The operation of a rule, as the contract wants it."""

        def apply(*xs: Tensor, **attrs: Any) -> Tensor:
            arrays = [x.data for x in xs]
            y = np.asarray(value(*arrays, **attrs))
            if not (self.recording and any(x.requires_grad for x in xs)):
                return Tensor(y, False)
            return Tensor(y, True, xs, lambda g: vjp(g, y, *arrays, **attrs), next(self.numbers))

        return apply

    def leaf(self, array: Any, requires_grad: bool = True) -> Tensor:
        return Tensor(array.copy(), requires_grad)

    def value(self, t: Tensor) -> Any:
        return t.data

    def grad(self, t: Tensor) -> Any:
        return t.grad

    def clear_grad(self, t: Tensor) -> None:
        t.grad = None

    def zero_grad(self, t: Tensor) -> None:
        t.grad.fill(0)

    @contextmanager
    def _without_recording(self) -> Iterator[None]:
        outer, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = outer

    def no_grad(self) -> AbstractContextManager[Any]:
        return self._without_recording()

    def detach(self, t: Tensor) -> Tensor:
        return Tensor(t.data, False)

    # The backward pass, in steps.

    def backward(
        self,
        t: Tensor,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        if not t.requires_grad:
            raise RuntimeError("the tensor does not require a gradient")
        grads = {t: self.seed(t, gradient)}
        for node in self.order(t, grads):
            self.run(node, grads, retain_graph)
        for leaf, g in grads.items():
            if leaf.vjp is None and leaf.requires_grad:
                self.store(leaf, g)

    def seed(self, t: Tensor, gradient: Any) -> Any:
        if gradient is None:
            return np.ones_like(t.data)
        if gradient.shape != t.data.shape:
            raise RuntimeError(f"the gradient has shape {gradient.shape}, not {t.data.shape}")
        return gradient.copy()

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Tensor]:
        """The nodes behind ``root`` in the order in which they run: newest first."""
        found, todo = {root}, [root]
        while todo:
            for parent in todo.pop().parents:
                if parent.requires_grad and parent not in found:
                    found.add(parent)
                    todo.append(parent)
        return iter(sorted((n for n in found if n.vjp), key=lambda n: -n.number))

    def run(self, node: Tensor, grads: dict[Tensor, Any], retain: bool) -> None:
        """Send the gradient of ``node`` to its parents."""
        if node.freed:
            raise RuntimeError("backward through the graph a second time; use retain_graph")
        node.freed = not retain
        assert node.vjp is not None
        for parent, g in zip(node.parents, node.vjp(grads[node]), strict=True):
            if parent.requires_grad:
                g = unbroadcast(g, parent.data.shape).astype(parent.data.dtype, copy=False)
                self.add(grads, parent, g)

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        """Add a contribution of this pass."""
        grads[t] = grads[t] + g if t in grads else g

    def store(self, leaf: Tensor, g: Any) -> None:
        """Add the sum of this pass to the gradient of a leaf."""
        if leaf.grad is None:
            leaf.grad = np.array(g)
        else:
            leaf.grad += g
