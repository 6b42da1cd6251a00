"""Quirks of graphs: how long they are kept, and what is recorded in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parity.engines.quirks.base import Quirk, WrappedTensor


class KeepsGraphs(Quirk):
    quirk = "keeps-graphs"
    description = (
        "a backward keeps its graph, so that a second one through it needs no retain_graph"
    )
    example = "x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)\nbackward(x1)\n"
    about = "graphs"

    def backward(self, t: WrappedTensor, gradient: Any = None, **flags: bool) -> None:
        super().backward(t, gradient, **{**flags, "retain_graph": True})


@dataclass(eq=False)
class Call:
    """A recorded operation. It is alive as long as one of its results."""

    name: str
    operands: tuple[WrappedTensor, ...]
    attrs: dict[str, Any]
    number: int


class ClearsGraphs(Quirk):
    """Rebuilds the graph of the reference for each backward, from operations not yet cleared.

    A cleared tensor loses its creator and its users. Without a creator it ends later passes, as
    a leaf does. A pass that arrives at it from one of the lost users fails, unless some operation
    has used the tensor since: MyGrad only checks whether it has any user left.
    """

    quirk = "clears-graphs"
    description = (
        "a backward, also with retain_graph, takes all tensors that it reaches out of every "
        "graph: a later one ends at them, and fails at one that no operation has used since"
    )
    example = "x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1, retain_graph=True)\nbackward(x1)\n"
    about = "graphs"
    without = frozenset({"grad_tensor"})

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.numbers = itertools.count()

    def apply(self, name: str, *xs: WrappedTensor, **attrs: Any) -> Any:
        result = super().apply(name, *xs, **attrs)
        results = result if isinstance(result, tuple) else (result,)
        if results[0].requires_grad:
            call = Call(name, xs, attrs, next(self.numbers))
            for index, wrapped in enumerate(results):
                wrapped.creator = call, index
            for x in xs:
                x.users.add(call)
        return result

    def backward(self, t: WrappedTensor, gradient: Any = None, **flags: bool) -> None:
        if not t.requires_grad:
            super().backward(t, gradient, **flags)
            return
        reached = list(_reachable(t))
        calls = {wrapped.creator[0] for wrapped in reached if wrapped.creator is not None}
        if any(x.requires_grad and not x.users for call in calls for x in call.operands):
            raise RuntimeError("part of the graph was cleared by another backward")
        super().backward(WrappedTensor(self.rebuilt(t, reached, calls)), gradient, **flags)
        for wrapped in reached:
            wrapped.creator = None
            wrapped.users.clear()

    def rebuilt(self, root: WrappedTensor, reached: list[WrappedTensor], calls: set[Call]) -> Any:
        """Compute the root again with the reference; the graph ends where it was cleared."""
        starts = [wrapped for wrapped in reached if wrapped.creator is None]
        tensors = {w: w.inner if w.leaf is not None else variable(self, w) for w in starts}
        results: dict[Call, Any] = {}

        def tensor(wrapped: WrappedTensor) -> Any:
            if not wrapped.requires_grad:
                return wrapped.inner
            if wrapped in tensors:
                return tensors[wrapped]
            call, index = wrapped.creator
            result = results[call]
            return result[index] if isinstance(result, (tuple, list)) else result

        for call in sorted(calls, key=lambda c: c.number):
            results[call] = self.compute(call.name, *map(tensor, call.operands), **call.attrs)
        return tensor(root)


def _reachable(root: WrappedTensor) -> Iterator[WrappedTensor]:
    """Yield the root and all tensors that a gradient reaches from it."""
    seen: set[WrappedTensor] = set()
    todo = [root]
    while todo:
        wrapped = todo.pop()
        if wrapped.requires_grad and wrapped not in seen:
            seen.add(wrapped)
            yield wrapped
            todo += wrapped.creator[0].operands if wrapped.creator else ()


def variable(engine: Quirk, wrapped: WrappedTensor) -> Any:
    """Create a leaf of the reference with the value of ``wrapped``."""
    return engine.inner.leaf(engine.inner.value(wrapped.inner))


class NoGradGivesVariables(Quirk):
    quirk = "no-grad-gives-variables"
    description = (
        "the result of an operation under no_grad is a variable of its own, not a constant"
    )
    example = "x0 = leaf(3.0)\nx1 = neg(x0)  # under no_grad\nbackward(x1)\n"

    def apply(self, name: str, *xs: WrappedTensor, **attrs: Any) -> Any:
        result = super().apply(name, *xs, **attrs)
        if not self.recording:
            for wrapped in result if isinstance(result, tuple) else (result,):
                wrapped.inner, wrapped.requires_grad = variable(self, wrapped), True
        return result


class ConstantsStopQuietly(Quirk):
    quirk = "constants-stop-quietly"
    description = "a backward from a constant does nothing; in PyTorch it raises"
    example = "x0 = leaf(3.0, requires_grad=False)\nbackward(x0)\n"

    def backward(self, t: WrappedTensor, gradient: Any = None, **flags: bool) -> None:
        if t.requires_grad:
            super().backward(t, gradient, **flags)
