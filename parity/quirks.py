"""Documented dialects: where an engine differs from PyTorch on purpose.

An engine names its quirks in ``Engine.quirks``. Each changes what is expected of it,
exactly as far as its words go: the reference is wrapped so that it behaves in the same
dialect, and the comparison stays as strict as ever. What is static is no quirk:
``Engine.dtypes`` and ``Engine.max_ndim`` say that an engine has float64 or scalars only.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, TypeAlias

import numpy as np

from parity.engines.base import Engine, abilities


class Box:
    """A tensor of the reference; ``leaf`` is its array's shape and dtype if it is a variable."""

    __slots__ = ("__weakref__", "inner", "kept", "leaf")

    def __init__(self, inner: Any, leaf: Any = None) -> None:
        self.inner = inner
        self.leaf = leaf
        #: A gradient that the last backward left as it was: array, and tensor or None.
        self.kept: tuple[Any, Any] | None = None


class Dialect(Engine):
    """An engine that passes everything on to another one; quirks override steps of it."""

    #: What reports and ``Engine.quirks`` call the quirk.
    quirk: ClassVar[str] = ""
    #: Completes "quirk `name`: ...".
    says: ClassVar[str] = ""
    #: An engine has at most one quirk about the same thing.
    about: ClassVar[str] = ""

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

    def apply(self, name: str, *xs: Box, **attrs: Any) -> Any:
        """An operation on boxes."""
        result = self.compute(name, *[x.inner for x in xs], **attrs)
        return tuple(map(Box, result)) if isinstance(result, (tuple, list)) else Box(result)

    def compute(self, name: str, *ts: Any, **attrs: Any) -> Any:
        """An operation on tensors of the reference."""
        return self.inner.ops[name](*ts, **attrs)

    def leaf(self, array: Any, requires_grad: bool = True) -> Box:
        if not requires_grad:
            return Box(self.inner.leaf(array, False))
        box = Box(self.inner.leaf(array), np.zeros_like(array))
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
        return Box(self.inner.grad_tensor(t.inner))

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


class ClearsGradsOnUse(Dialect):
    quirk = "clears-grads-on-use"
    says = "a variable loses its gradient when a recorded operation uses it"
    about = "use"

    def apply(self, name: str, *xs: Box, **attrs: Any) -> Any:
        if self.recording:
            for x in xs:
                if x.leaf is not None and self.loses(name, x, attrs):
                    self.clear_grad(x)
        return super().apply(name, *xs, **attrs)

    def loses(self, name: str, x: Box, attrs: dict[str, Any]) -> bool:
        """Whether the operation takes the gradient of the variable ``x`` away."""
        return True


class ClearsGradsOnUseExceptViews(ClearsGradsOnUse):
    quirk = "clears-grads-on-use-except-views"
    says = (
        "a variable loses its gradient when a recorded operation uses it, unless the result "
        "is a NumPy view of it"
    )
    #: What gives a view of an array that lies in memory in the order of its axes.
    views = frozenset(
        ("reshape", "transpose", "moveaxis", "squeeze", "expand_dims", "broadcast_to", "flip")
    )

    def loses(self, name: str, x: Box, attrs: dict[str, Any]) -> bool:
        if name == "get_item":
            part = x.leaf[attrs["index"]]
            return not (isinstance(part, np.ndarray) and part.base is x.leaf)
        return name not in self.views


class ClearsGradsOnBackward(Dialect):
    quirk = "clears-grads-on-backward"
    says = "a backward replaces the gradients of the variables that it reaches"

    def backward(self, t: Box, gradient: Any = None, **flags: bool) -> None:
        # Which variables a pass reaches shows in who has a gradient afterwards.
        for leaf in self.leaves:
            array = self.inner.grad(leaf.inner)
            if array is not None:
                taken = "grad_tensor" in abilities(self.inner)
                leaf.kept = array, self.inner.grad_tensor(leaf.inner) if taken else None
                self.inner.clear_grad(leaf.inner)
        super().backward(t, gradient, **flags)
        for leaf in self.leaves:
            if self.inner.grad(leaf.inner) is not None:
                leaf.kept = None

    def grad(self, t: Box) -> Any:
        return super().grad(t) if t.kept is None else t.kept[0]

    def clear_grad(self, t: Box) -> None:
        t.kept = None
        super().clear_grad(t)

    def zero_grad(self, t: Box) -> None:
        if t.kept is None:
            super().zero_grad(t)
        else:
            t.kept[0].fill(0)
            t.kept = t.kept[0], None  # zeros depend on nothing

    def grad_tensor(self, t: Box) -> Any:
        if t.kept is None:
            return super().grad_tensor(t)
        array, tensor = t.kept
        return Box(self.inner.leaf(array, False) if tensor is None else tensor)


class KeepsGraphs(Dialect):
    quirk = "keeps-graphs"
    says = "a backward keeps its graph, so that a second one through it needs no retain_graph"

    def backward(
        self,
        t: Box,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        super().backward(t, gradient, retain_graph=True, create_graph=create_graph)


class SeedsAnyShapeWithOnes(Dialect):
    quirk = "seeds-any-shape-with-ones"
    says = "a backward without a gradient starts with ones, whatever the shape of the root"

    def backward(self, t: Box, gradient: Any = None, **flags: bool) -> None:
        if gradient is None:
            value = self.inner.value(t.inner)
            gradient = np.ones_like(value) if np.size(value) != 1 else None
        super().backward(t, gradient, **flags)


class ZerosInsteadOfNone(Dialect):
    quirk = "zeros-instead-of-none"
    says = (
        "a variable has a gradient of zeros where PyTorch has None: at first and when it is cleared"
    )

    def leaf(self, array: Any, requires_grad: bool = True) -> Box:
        box = super().leaf(array, requires_grad)
        self._fill(box)
        return box

    def clear_grad(self, t: Box) -> None:
        super().clear_grad(t)
        self._fill(t)

    def _fill(self, t: Box) -> None:
        """A gradient of zeros: what a backward from the variable itself with zeros gives."""
        if t.leaf is not None:
            self.inner.backward(t.inner, t.leaf.copy())


class KeepsIntermediateGrads(Dialect):
    """Programs look at the gradients of leaves only, so nothing that is expected changes.

    A second pass that sends what was kept once more is a fault all the same.
    """

    quirk = "keeps-intermediate-grads"
    says = "results of operations have gradients as well; those of leaves are as without"


#: How ties are settled, from a dialect, the result and the operands to a tensor that has the
#: value of the result and, at ties, the gradient of the quirk.
Settle: TypeAlias = Callable[[Dialect, Any, tuple[Any, ...]], Any]


def _both(dialect: Dialect, result: Any, ts: tuple[Any, ...]) -> Any:
    """Twice the gradient: infinity doubled is itself, and all else less its own value."""
    ops, infinite = dialect.inner.ops, np.isinf(dialect.inner.value(result))
    twice = ops["mul_scalar"](result, c=2.0)
    more = ops["sub"](twice, dialect.inner.detach(result))
    return _choose(dialect, infinite, twice, more) if infinite.any() else more


_SETTLED: dict[str, tuple[str, Settle]] = {
    "first": ("the first gets the whole gradient", lambda dialect, result, ts: ts[0]),
    "second": ("the second gets the whole gradient", lambda dialect, result, ts: ts[1]),
    "both": ("each of them gets the whole gradient", _both),
    "neither": (
        "none of them gets a gradient",
        lambda dialect, result, ts: dialect.inner.detach(result),
    ),
}


def _choose(dialect: Dialect, condition: Any, a: Any, b: Any) -> Any:
    """``a`` where the condition holds, ``b`` elsewhere; gradients go the same ways."""
    return dialect.inner.ops["where"](a, b, condition=_nested(condition.tolist()))


def _nested(values: Any) -> Any:
    """Nested lists as tuples, which can be hashed."""
    return tuple(map(_nested, values)) if isinstance(values, list) else values


def _ties(op: str, kind: str) -> type[Dialect]:
    """The quirk of ``op`` where its operands are equal.

    PyTorch gives each of them half the gradient there (semantics.md 9).
    """
    words, settle = _SETTLED[kind]

    class Ties(Dialect):
        quirk = f"{op}-ties-{kind}"
        says = f"where the operands of {op} are equal, {words}"
        about = op

        def compute(self, name: str, *ts: Any, **attrs: Any) -> Any:
            if name != op:
                return super().compute(name, *ts, **attrs)
            arrays = [np.asarray(self.inner.value(t)) for t in ts]
            ties = np.asarray(arrays[0] == arrays[1])
            if not ties.any():
                return super().compute(name, *ts, **attrs)
            # Broadcast here, so that what comes back to an operand is summed in one go.
            spread = self.inner.ops["broadcast_to"]
            ts = tuple(
                t if a.shape == ties.shape else spread(t, shape=ties.shape)
                for t, a in zip(ts, arrays, strict=True)
            )
            result = super().compute(name, *ts, **attrs)
            return _choose(self, ties, settle(self, result, ts), result)

    return Ties


def _rows(array: Any, axis: Any) -> Any:
    """A matrix whose rows are what a reduction over ``axis`` puts together."""
    axes = range(array.ndim) if axis is None else sorted(np.atleast_1d(axis) % array.ndim)
    others = [i for i in range(array.ndim) if i not in axes]
    count = int(np.prod([array.shape[i] for i in others], dtype=int))
    return array.transpose(*others, *axes).reshape(count, -1)


def _first_of(op: str, find: Callable[..., Any]) -> type[Dialect]:
    """The quirk of a reduction ``op`` that selects an element; ``find`` is NumPy's argmax or so.

    PyTorch shares the gradient evenly among equal elements (semantics.md 9).
    """

    class First(Dialect):
        quirk = f"{op}-ties-first"
        says = (
            f"where several elements are the {op}, the first, in the order of their indices, "
            "gets the whole gradient"
        )
        about = op

        def compute(self, name: str, *ts: Any, **attrs: Any) -> Any:
            result = super().compute(name, *ts, **attrs)
            if name != op:
                return result
            array, best = (np.asarray(self.inner.value(t)) for t in (ts[0], result))
            rows = _rows(array, attrs["axis"])
            ties = (rows == best.reshape(-1, 1)).sum(1) > 1
            if not ties.any():
                return result
            places = _rows(np.arange(array.size).reshape(array.shape), attrs["axis"])
            index = places[range(len(rows)), find(rows, 1)].tolist()
            ops = self.inner.ops
            first = ops["get_item"](ops["reshape"](ts[0], shape=(array.size,)), index=index)
            first = ops["reshape"](first, shape=best.shape)
            return _choose(self, ties.reshape(best.shape), first, result)

    return First


_CLASSES: tuple[type[Dialect], ...] = (
    ClearsGradsOnUse,
    ClearsGradsOnUseExceptViews,
    SeedsAnyShapeWithOnes,
    ZerosInsteadOfNone,
    ClearsGradsOnBackward,
    KeepsIntermediateGrads,
    KeepsGraphs,
    _first_of("max", np.argmax),
    _first_of("min", np.argmin),
    *(_ties(op, kind) for op in ("maximum", "minimum") for kind in _SETTLED),
)
#: All quirks by name. Where an engine has several, the first are the outermost.
QUIRKS: dict[str, type[Dialect]] = {cls.quirk: cls for cls in _CLASSES}


def says(quirks: frozenset[str]) -> dict[str, str]:
    """What each quirk means, by name in alphabetical order."""
    return {name: QUIRKS[name].says for name in sorted(quirks)}


def contradicting(quirks: frozenset[str]) -> tuple[str, ...]:
    """Quirks that an engine cannot have at once; empty if there are none."""
    for name in sorted(quirks):
        about = QUIRKS[name].about
        alike = tuple(q for q in sorted(quirks) if about and QUIRKS[q].about == about)
        if len(alike) > 1:
            return alike
    return ()


def with_quirks(reference: Engine, quirks: frozenset[str]) -> Engine:
    """An engine that does what ``reference`` does, in the dialect of ``quirks``.

    Quirks that the reference has by itself are left as they are. Without others it is
    ``reference``; with them it is the same object each time. KeyError for an unknown name.
    """
    new = frozenset(quirks) - reference.quirks - {KeepsIntermediateGrads.quirk}
    if not new:
        return reference
    dialects: dict[frozenset[str], Engine] = vars(reference).setdefault("_dialects", {})
    if new not in dialects:
        unknown = new - QUIRKS.keys()
        if unknown:
            raise KeyError(f"no quirk is called {', '.join(sorted(unknown))}")
        bases = tuple(cls for name, cls in QUIRKS.items() if name in new)
        dialects[new] = type("Dialect", bases, {})(reference, new)
    return dialects[new]


def without_quirks(reference: Engine) -> Engine:
    """The engine to which ``with_quirks`` added a dialect."""
    return reference.inner if isinstance(reference, Dialect) else reference
