"""Engines that are wrong only where something is read or not, laid out otherwise, or dropped."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from parity.diagnose.defects.base import rules_with
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.tensor import Node, Tensor, raw
from parity.diagnose.defects.vjps import Rule, do, kept, matrices, spread, swapped


class _Reading(TapeEngine):
    """Knows which tensors were read."""

    def __init__(self) -> None:
        super().__init__()
        self.in_backward = False
        self.was_read: weakref.WeakSet[Tensor] = weakref.WeakSet()

    def value(self, t: Tensor) -> Any:
        self.was_read.add(t)
        return t.data

    def operation(self, value: Any, vjp: Any) -> Callable[..., Any]:
        plain = super().operation(value, vjp)

        def apply(*xs: Tensor, **attrs: Any) -> Any:
            result = plain(*xs, **attrs)
            if not self.in_backward:
                for t in result if isinstance(result, tuple) else (result,):
                    self.made(t, xs)
            return result

        return apply

    def backward(self, t: Tensor, gradient: Any = None, **flags: bool) -> None:
        self.in_backward = True
        try:
            super().backward(t, gradient, **flags)
        finally:
            self.in_backward = False

    def made(self, t: Tensor, xs: tuple[Tensor, ...]) -> None:
        """What happens after an operation."""


class BufferReused(_Reading):
    """The memory of a result that was not read is used for the next result of its shape."""

    def __init__(self) -> None:
        super().__init__()
        self.buffers: dict[Any, weakref.ref[Tensor]] = {}

    def made(self, t: Tensor, xs: tuple[Tensor, ...]) -> None:
        key = t.shape, t.dtype
        old = self.buffers[key]() if key in self.buffers else None
        if old is not None and old not in self.was_read:
            old.data = t.data.copy()
        self.buffers[key] = weakref.ref(t)


class FreedAfterUse(_Reading):
    """The value of a result that was not read is freed once an operation has used it."""

    def made(self, t: Tensor, xs: tuple[Tensor, ...]) -> None:
        for x in xs:
            if x.node is not None:
                self.used.append((x, t))

    def __init__(self) -> None:
        super().__init__()
        self.used: list[tuple[Tensor, Tensor]] = []

    def backward(self, t: Tensor, gradient: Any = None, **flags: bool) -> None:
        for x, _ in self.used:
            if x not in self.was_read:
                x.data = np.zeros_like(x.data)
        self.used.clear()
        super().backward(t, gradient, **flags)


class Donated(_Reading):
    """A backward leaves its gradient in the memory of a result that was not read."""

    def add(self, grads: Any, t: Tensor, g: Any) -> None:
        super().add(grads, t, g)
        if t.node is not None and t not in self.was_read and not self.recording:
            t.data = np.array(raw(grads[t]))


class DetachedByReading(_Reading):
    """Reading a value cuts it off from its graph."""

    def value(self, t: Tensor) -> Any:
        t.node = None if t.node is None or t.node.several else t.node
        if t.node is not None and len(t.node.parents) == 1:
            t.requires_grad, t.node = False, None
        return super().value(t)


class RoundedByReading(_Reading):
    """Reading a value leaves it rounded."""

    def value(self, t: Tensor) -> Any:
        if t.node is not None:
            t.data = t.data.astype(np.float16).astype(t.dtype)
        return super().value(t)


class KeptByReading(_Reading):
    """A value that was read keeps the gradient of the first backward for all later ones."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: weakref.WeakKeyDictionary[Tensor, Any] = weakref.WeakKeyDictionary()

    def arrived(self, node: Node, grads: dict[Tensor, Any]) -> tuple[Any, ...]:
        arrived = super().arrived(node, grads)
        if node.several or self.recording or node.outputs[0] not in self.was_read:
            return arrived
        return (self.kept.setdefault(node.outputs[0], arrived[0]),)


class PendingGradient(TapeEngine):
    """Gradients are added up when they are read, from one buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: weakref.WeakKeyDictionary[Tensor, list[Any]] = weakref.WeakKeyDictionary()

    def store(self, leaf: Tensor, g: Any) -> None:
        buffers = self.pending.setdefault(leaf, [])
        if buffers:
            buffers[0][...] = g
            buffers.append(buffers[0])
        else:
            buffers.append(np.array(g))

    def grad(self, t: Tensor) -> Any:
        for g in self.pending.pop(t, []):
            super().store(t, g)
        return t.grad

    def clear_grad(self, t: Tensor) -> None:
        self.pending.pop(t, None)
        super().clear_grad(t)

    def grad_tensor(self, t: Tensor) -> Tensor:
        self.grad(t)
        return super().grad_tensor(t)


class WeakFormulas(TapeEngine):
    """What formulas of a recorded pass use is held by weak references, else a constant."""

    in_backward = False
    recorded = False

    def backward(self, t: Tensor, gradient: Any = None, **flags: bool) -> None:
        if self.recorded:
            gc.collect()  # tensors and their nodes refer to each other
        self.recorded = bool(flags.get("create_graph"))
        self.in_backward = True
        super().backward(t, gradient, **flags)
        self.in_backward = False

    def operation(self, value: Any, vjp: Any) -> Callable[..., Any]:
        plain = super().operation(value, vjp)

        def apply(*xs: Tensor, **attrs: Any) -> Any:
            result = plain(*xs, **attrs)
            node = None if isinstance(result, tuple) else result.node
            if node is not None and self.in_backward:
                node.__class__ = _WeakNode
                node.hold(self, xs)
            return result

        return apply


class _WeakNode(Node):
    def hold(self, engine: Any, xs: tuple[Tensor, ...]) -> None:
        forward = [x.node is not None and type(x.node) is Node for x in xs]
        self.held = [
            weakref.ref(x) if weak else (lambda x=x: x)  # type: ignore[misc]
            for x, weak in zip(xs, forward, strict=True)
        ]
        self.constants = [Tensor(engine, x.data, False) for x in xs]
        del self.__dict__["parents"]

    def __getattr__(self, name: str) -> Any:
        if name != "parents":
            raise AttributeError(name)
        pairs = zip(self.held, self.constants, strict=True)
        return tuple(constant if ref() is None else ref() for ref, constant in pairs)


class DetachedOnce(TapeEngine):
    """A detached value stops the first derivative, not the second."""

    def __init__(self) -> None:
        super().__init__()
        self.origins: weakref.WeakKeyDictionary[Tensor, Tensor] = weakref.WeakKeyDictionary()

    def detach(self, t: Tensor) -> Tensor:
        detached = super().detach(t)
        self.origins[detached] = t
        return detached

    def slopes(self, node: Node, gs: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self.recording or node.several:
            return super().slopes(node, gs)
        xs = [self.origins.get(x, x) for x in node.parents]
        return node.vjp(gs[0], node.outputs[0], *xs, **node.attrs)


class NoThirdOrder(TapeEngine):
    """Formulas of a pass through recorded gradients take their operands as constants."""

    def __init__(self) -> None:
        super().__init__()
        self.passes = 0

    def backward(self, t: Tensor, gradient: Any = None, **flags: bool) -> None:
        self.passes += bool(flags.get("create_graph"))
        super().backward(t, gradient, **flags)

    def leaf(self, array: Any, requires_grad: bool = True) -> Tensor:
        self.passes = 0
        return super().leaf(array, requires_grad)

    def slopes(self, node: Node, gs: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self.recording or self.passes < 2 or node.several:
            return super().slopes(node, gs)
        xs = [Tensor(self, x.data, False) for x in node.parents]
        return node.vjp(gs[0], Tensor(self, node.outputs[0].data, False), *xs, **node.attrs)


def _in_memory(g: Any) -> Any:
    """The elements of an array as they lie in memory, as if it were in C order."""
    return g.ravel(order="K").reshape(g.shape) if isinstance(g, np.ndarray) else g


class SquareInMemory(TapeEngine):
    """The gradient of ``square`` runs over memory."""

    rules = rules_with(square=lambda g, y, a: (_in_memory(g) * (2 * a),))


class TanhFortran(TapeEngine):
    """The gradient of ``tanh`` is flattened with order "A"."""

    rules = rules_with(
        tanh=lambda g, y, a: (
            (g.ravel(order="A").reshape(g.shape) if isinstance(g, np.ndarray) else g) * (1 - y * y),
        )
    )


class MeanInMemory(TapeEngine):
    """The gradient of ``mean`` is wrong before a transpose."""

    rules = rules_with(
        mean=lambda g, y, a, axis, keepdims: (
            spread(_in_memory(g), a.shape, axis) * (y.size / max(a.size, 1)),
        )
    )


class MatmulFactors(TapeEngine):
    """The gradient of ``matmul`` takes the memory of its left operand to be in C order."""

    @staticmethod
    def vjp(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, ...]:
        g, left, right = matrices(g, a, b)
        return (
            do("sum_to", g @ swapped(right), shape=left.shape).reshape(a.shape),
            do("sum_to", swapped(_in_memory(left)) @ g, shape=right.shape).reshape(b.shape),
        )

    rules = rules_with(matmul=vjp)


class BaseOfTranspose(TapeEngine):
    """The gradient of ``transpose`` is the base of what arrives, if that has the shape."""

    @staticmethod
    def vjp(g: Any, y: Any, a: Any, axes: tuple[int, ...]) -> tuple[Any, ...]:
        places = tuple(map(int, np.argsort([axis % len(axes) for axis in axes])))
        base = g.base if isinstance(g, np.ndarray) else None
        if isinstance(base, np.ndarray) and base.shape == a.shape and len(axes) > 1:
            return (base,)
        return (g.transpose(places),)

    rules = rules_with(transpose=vjp)


class AddedToBroadcast(TapeEngine):
    """A contribution is added in place, also to an array with stride 0."""

    @staticmethod
    def vjp(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
        g = g.reshape(kept(a.shape, axis))
        if isinstance(g, np.ndarray):
            return (np.broadcast_to(g, a.shape),)
        return (do("broadcast_to", g, shape=a.shape),)

    rules = rules_with(sum=vjp)

    def accumulated(self, old: Any, g: Any) -> Any:
        if not isinstance(old, np.ndarray) or 0 not in old.strides:
            return old + g
        one = np.array(old[_firsts(old)])
        shared = np.lib.stride_tricks.as_strided(one, old.shape, old.strides)
        shared += g
        return shared


def _firsts(a: Any) -> tuple[slice, ...]:
    return tuple(slice(0, 1) if s == 0 else slice(None) for s in a.strides)


class AddedToCopy(TapeEngine):
    """A later gradient is added to a flat copy where the first is not contiguous."""

    def store_again(self, leaf: Tensor, g: Any) -> None:
        flat = leaf.grad.reshape(-1)
        flat += g.reshape(-1)


class LeavesInOrder(TapeEngine):
    """A leaf is read from memory as if its array were in C order."""

    def leaf(self, array: Any, requires_grad: bool = True) -> Tensor:
        return super().leaf(np.array(_in_memory(array)), requires_grad)


class AbsoluteStrides(TapeEngine):
    """The gradient of ``exp`` loses the sign of strides."""

    @staticmethod
    def vjp(g: Any, y: Any, a: Any) -> tuple[Any, ...]:
        if isinstance(g, np.ndarray):
            g = g[tuple(slice(None, None, -1 if s < 0 else 1) for s in g.strides)]
        return (g * y,)

    rules = rules_with(exp=vjp) | {
        "flip": Rule(
            lambda a, axis: np.flip(a, axis),
            lambda g, y, a, axis: (
                np.flip(g, axis) if isinstance(g, np.ndarray) else do("flip", g, axis=axis),
            ),
        )
    }


class SeedChanged(TapeEngine):
    """The gradient of the user is cleaned in place."""

    def user_seed(self, t: Tensor, gradient: Any) -> Any:
        gradient += 0
        return super().user_seed(t, gradient)


class LeafChanged(TapeEngine):
    """The array of a leaf is cleaned in place."""

    def leaf(self, array: Any, requires_grad: bool = True) -> Tensor:
        array += 0
        return super().leaf(array, requires_grad)


class SumInOrder(TapeEngine):
    """The gradient of ``sum`` over the last axis is repeated in memory."""

    @staticmethod
    def vjp(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
        g = g.reshape(kept(a.shape, axis))
        if isinstance(g, np.ndarray) and a.ndim and axis in (-1, a.ndim - 1):
            return (np.repeat(g.ravel(order="K"), a.shape[-1]).reshape(a.shape),)
        return (do("broadcast_to", g, shape=a.shape),)

    rules = rules_with(sum=vjp)


ENGINES: tuple[type[TapeEngine], ...] = (
    *(BufferReused, FreedAfterUse, Donated, DetachedByReading, RoundedByReading, KeptByReading),
    *(PendingGradient, WeakFormulas, DetachedOnce, NoThirdOrder, SquareInMemory, TanhFortran),
    *(MeanInMemory, MatmulFactors, BaseOfTranspose, AddedToBroadcast, AddedToCopy, LeavesInOrder),
    *(AbsoluteStrides, SeedChanged, LeafChanged, SumInOrder),
)
