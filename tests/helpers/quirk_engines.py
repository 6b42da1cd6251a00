"""Engines that have a quirk, built on ``TapeEngine``; some declare it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from weakref import WeakKeyDictionary, WeakSet

import numpy as np

from parity.diagnose.defects.base import rules_with
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.tensor import Node, Tensor, raw
from parity.diagnose.defects.vjps import RULES, Rule, do, kept
from parity.engines.base import Engine


class ClearsOnUse(TapeEngine):
    name = "clears-on-use"
    quirk = "clears-grads-on-use"

    def __init__(self) -> None:
        super().__init__()
        self.ops = {name: self.clearing(name, f) for name, f in self.ops.items()}  # type: ignore[misc]

    def clearing(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, which takes the gradients of its operands away."""

        def apply(*xs: Tensor, **attrs: Any) -> Any:
            result = function(*xs, **attrs)
            for x in xs if self.recording else ():
                if self.loses(x, result):
                    x.grad = x.recorded = None
            return result

        return apply

    def loses(self, x: Tensor, result: Any) -> bool:
        return True


class ClearsOnUseExceptViews(ClearsOnUse):
    name = "clears-on-use-except-views"
    quirk = "clears-grads-on-use-except-views"
    rules: ClassVar[Mapping[str, Rule]] = {
        **RULES,
        "broadcast_to": Rule(np.broadcast_to, RULES["broadcast_to"].vjp),
    }

    def loses(self, x: Tensor, result: Any) -> bool:
        return not (isinstance(result, Tensor) and result.data.base is x.data)


class ReplacesGradients(TapeEngine):
    name = "replaces-gradients"
    quirk = "clears-grads-on-backward"

    def store(self, leaf: Tensor, g: Any) -> None:
        leaf.grad = np.array(g)

    def total(self, leaf: Tensor, g: Tensor) -> Tensor:
        return g


class KeepsGraphs(TapeEngine):
    name = "keeps-graphs"
    quirk = "keeps-graphs"

    def run(self, node: Node, grads: dict[Tensor, Any], retain: bool) -> None:
        super().run(node, grads, True)


class ClearsGraphs(TapeEngine):
    """Tensors know the nodes that read them, as long as the results of these are there."""

    name = "clears-graphs"
    quirk = "clears-graphs"
    grad_tensor = Engine.grad_tensor  # there is no second order

    def __init__(self) -> None:
        super().__init__()
        self.readers: WeakKeyDictionary[Tensor, WeakSet[Node]] = WeakKeyDictionary()
        self.ops = {name: self.noting(f) for name, f in self.ops.items()}  # type: ignore[misc]

    def noting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def apply(*xs: Tensor, **attrs: Any) -> Any:
            result = function(*xs, **attrs)
            node = (result[0] if isinstance(result, tuple) else result).node
            for x in xs if node is not None else ():
                self.readers.setdefault(x, WeakSet()).add(node)
            return result

        return apply

    def backward(self, t: Tensor, gradient: Any = None, **flags: bool) -> None:
        super().backward(t, gradient, retain_graph=True)
        todo = [t]
        while todo:
            t = todo.pop()
            self.readers.pop(t, None)
            node, t.node = t.node, None
            todo += node.parents if node is not None else ()

    def run(self, node: Node, grads: dict[Tensor, Any], retain: bool) -> None:
        for parent in node.parents:
            readers = self.readers.get(parent, WeakSet())
            if node not in readers and readers:
                gc.collect()  # nodes and their results refer to each other
            if parent.requires_grad and not readers:
                raise RuntimeError("another backward has cleared this part of the graph")
        super().run(node, grads, retain)


class NoGradVariables(TapeEngine):
    name = "no-grad-variables"
    quirk = "no-grad-gives-variables"

    def __init__(self) -> None:
        super().__init__()
        self.ops = {name: self.varying(f) for name, f in self.ops.items()}  # type: ignore[misc]

    def varying(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def apply(*xs: Tensor, **attrs: Any) -> Any:
            result = function(*xs, **attrs)
            for t in result if isinstance(result, tuple) else (result,):
                t.requires_grad |= not self.recording
            return result

        return apply


class QuietConstants(TapeEngine):
    name = "quiet-constants"
    quirk = "constants-stop-quietly"

    def backward(self, t: Tensor, gradient: Any = None, **flags: bool) -> None:
        if t.requires_grad:
            super().backward(t, gradient, **flags)


class KeepsIntermediates(TapeEngine):
    name = "keeps-intermediates"
    quirk = "keeps-intermediate-grads"

    def finish(self, grads: dict[Tensor, Any]) -> None:
        for t, g in grads.items():
            if t.node is not None:
                t.grad = np.array(raw(g))
        super().finish(grads)


class SeedsAnyShape(TapeEngine):
    """As the base is: ones in the shape of the root. ``AsksForGradient`` is the other way."""

    name = "seeds-any-shape"
    quirk = "seeds-any-shape-with-ones"


class AsksForGradient(TapeEngine):
    """As PyTorch does, it implies a gradient for one element only (docs/semantics.md 4.1)."""

    name = "asks-for-gradient"

    def seed(self, t: Tensor, gradient: Any) -> Any:
        if gradient is None and t.size != 1:
            raise RuntimeError("a root of several elements needs a gradient")
        return super().seed(t, gradient)


class Zeros(TapeEngine):
    name = "zeros"
    quirk = "zeros-instead-of-none"

    def leaf(self, array: Any, requires_grad: bool = True) -> Tensor:
        t = super().leaf(array, requires_grad)
        self.clear_grad(t)
        return t

    def clear_grad(self, t: Tensor) -> None:
        t.grad = np.zeros_like(t.data) if t.requires_grad else None
        t.recorded = None


def _ties(op: str, kind: str, first: float, second: float) -> type[TapeEngine]:
    """The small engine with other shares of the gradient where operands are equal."""

    def vjp(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, ...]:
        left, right = (raw(a), raw(b)) if op == "maximum" else (raw(b), raw(a))
        tie = left == right
        weights = (np.where(tie, w, 1.0) for w in (first, second))
        keeps = (~(left < right), ~(left > right))
        return tuple(do("select", g * w, keep=k) for w, k in zip(weights, keeps, strict=True))

    quirk = f"{op}-ties-{kind}"
    body = {"name": quirk, "quirk": quirk, "rules": rules_with(**{op: vjp})}
    return type(TapeEngine)(f"{op}_{kind}", (TapeEngine,), body)


def _extreme_vjp(kind: str) -> Any:
    """All, the first or the last of those that are largest get the whole gradient."""

    def vjp(g: Any, y: Any, a: Any, axis: Any, keepdims: bool) -> tuple[Any, ...]:
        shape = kept(a.shape, axis)
        keep = np.array(np.broadcast_to(raw(y).reshape(shape), a.shape) == raw(a))
        places = list(map(tuple, np.argwhere(keep)))
        taken = set()
        for index in {"first": places, "last": places[::-1], "each": []}[kind]:
            slot = tuple(0 if n == 1 else i for i, n in zip(index, shape, strict=True))
            keep[index] = slot not in taken
            taken.add(slot)
        whole = do("broadcast_to", g.reshape(shape), shape=a.shape)
        return (do("select", whole, keep=keep),)

    return vjp


def _clip_vjp(share: float) -> Any:
    """An element on a bound gets a share of the gradient."""

    def vjp(g: Any, y: Any, a: Any, x_min: Any, x_max: Any) -> tuple[Any, ...]:
        low, high = -np.inf if x_min is None else x_min, np.inf if x_max is None else x_max
        x = raw(a)
        weights = np.where((x == low) | (x == high), share, (x > low) & (x < high))
        return (g * weights.astype(x.dtype),)

    return vjp


def _at_zero(op: str, slope: Any) -> Any:
    """Another slope where the operand is 0; None: that of leaky_relu below."""

    def vjp(g: Any, y: Any, a: Any, **attrs: float) -> tuple[Any, ...]:
        below = {"absolute": -1.0, "relu": 0.0}.get(op, attrs.get("slope"))
        x = raw(a)
        weights = np.where(x == 0, below if slope is None else slope, np.where(x < 0, below, 1.0))
        return (g * weights.astype(x.dtype),)

    return vjp


def _leaky_relu(a: Any, slope: float) -> Any:
    return np.where(a > 0, a, a * np.asarray(slope, a.dtype))


class LeakyRelu(TapeEngine):
    """As the base is, with leaky_relu."""

    rules: ClassVar[Mapping[str, Rule]] = {
        **RULES,
        "leaky_relu": Rule(_leaky_relu, _at_zero("leaky_relu", None)),
    }


#: Engines with another gradient at ties and kinks, by quirk: the operation and its gradient.
_CHOICES: dict[str, tuple[str, Any]] = {
    **{
        f"{op}-ties-{kind}": (op, _extreme_vjp(kind))
        for op in ("max", "min")
        for kind in ("first", "last", "each")
    },
    "clip-ties-neither": ("clip", _clip_vjp(0.0)),
    "clip-ties-half": ("clip", _clip_vjp(0.5)),
    "absolute-slope-1-at-0": ("absolute", _at_zero("absolute", 1.0)),
    "absolute-slope-minus-1-at-0": ("absolute", _at_zero("absolute", -1.0)),
    "relu-slope-1-at-0": ("relu", _at_zero("relu", 1.0)),
    "relu-slope-half-at-0": ("relu", _at_zero("relu", 0.5)),
    "leaky-relu-slope-1-at-0": ("leaky_relu", _at_zero("leaky_relu", 1.0)),
}


def _choosing(quirk: str) -> type[TapeEngine]:
    op, vjp = _CHOICES[quirk]
    rules = {**RULES, op: Rule(_leaky_relu, vjp)} if op == "leaky_relu" else rules_with(**{op: vjp})
    body = {"name": quirk, "quirk": quirk, "rules": rules}
    return type(TapeEngine)(quirk, (TapeEngine,), body)


QUIRK_ENGINES: dict[str, Any] = {
    cls.quirk: cls
    for cls in (
        ClearsOnUse,
        ClearsOnUseExceptViews,
        ReplacesGradients,
        KeepsIntermediates,
        SeedsAnyShape,
        Zeros,
        KeepsGraphs,
        ClearsGraphs,
        NoGradVariables,
        QuietConstants,
        *map(_choosing, _CHOICES),
        *(
            _ties(op, kind, *weights)
            for op in ("maximum", "minimum")
            for kind, weights in {
                "first": (1.0, 0.0),
                "second": (0.0, 1.0),
                "both": (1.0, 1.0),
                "neither": (0.0, 0.0),
            }.items()
        ),
    )
}


def declaring(cls: type[TapeEngine], *quirks: str) -> Any:
    """An engine of a class that declares quirks."""
    return type(cls.__name__, (cls,), {"quirks": frozenset(quirks)})()
