"""Dialects about graphs: how long they last, and what belongs to them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from parity.engines.quirks.base import Box, Quirk


class KeepsGraphs(Quirk):
    quirk = "keeps-graphs"
    description = (
        "a backward keeps its graph, so that a second one through it needs no retain_graph"
    )
    about = "graphs"

    def backward(
        self,
        t: Box,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        super().backward(t, gradient, retain_graph=True, create_graph=create_graph)


class Call:
    """An operation that was recorded; it lives as long as one of its results."""

    __slots__ = ("__weakref__", "attrs", "name", "number", "operands")

    def __init__(
        self, name: str, operands: tuple[Box, ...], attrs: dict[str, Any], number: int
    ) -> None:
        self.name = name
        self.operands = operands
        self.attrs = attrs
        self.number = number


class ClearsGraphs(Quirk):
    """Each pass runs through a graph made anew, of what is not cleared.

    A tensor that is cleared loses the operation that made it and those that used it. The
    first ends later passes there, as at a variable of its own. The second makes a pass that
    comes from one of those operations fail; but it is only asked whether any operation
    that used the tensor is left, so one that was recorded since makes the pass run.
    """

    quirk = "clears-graphs"
    description = (
        "a backward, also with retain_graph, takes all tensors that it reaches out of every "
        "graph: a later one ends at them, and fails at one that no operation has used since"
    )
    about = "graphs"
    without = frozenset({"grad_tensor"})

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.numbers = itertools.count()

    def apply(self, name: str, *xs: Box, **attrs: Any) -> Any:
        result = super().apply(name, *xs, **attrs)
        results = result if isinstance(result, tuple) else (result,)
        if results[0].varies:
            call = Call(name, xs, attrs, next(self.numbers))
            for place, box in enumerate(results):
                box.maker = call, place
            for x in xs:
                x.users.add(call)
        return result

    def backward(self, t: Box, gradient: Any = None, **flags: bool) -> None:
        if not t.varies:
            super().backward(t, gradient, **flags)
            return
        reached = list(_behind(t))
        calls = {box.maker[0] for box in reached if box.maker is not None}
        if any(x.varies and not x.users for call in calls for x in call.operands):
            raise RuntimeError("part of the graph was cleared by another backward")
        super().backward(Box(self.anew(t, reached, calls)), gradient, **flags)
        for box in reached:
            box.maker = None
            box.users.clear()

    def anew(self, root: Box, reached: list[Box], calls: set[Call]) -> Any:
        """The root as a tensor of the reference with a new graph that ends where it is cleared."""
        tensors = {box: self.start(box) for box in reached if box.maker is None}
        results: dict[Call, Any] = {}

        def tensor(box: Box) -> Any:
            if not box.varies:
                return box.inner
            if box in tensors:
                return tensors[box]
            call, place = box.maker
            result = results[call]
            return result[place] if isinstance(result, (tuple, list)) else result

        for call in sorted(calls, key=lambda c: c.number):
            results[call] = self.compute(call.name, *map(tensor, call.operands), **call.attrs)
        return tensor(root)

    def start(self, box: Box) -> Any:
        """The tensor of the reference for one that no operation of the graph has made."""
        return box.inner if box.leaf is not None else variable(self, box)


def _behind(root: Box) -> Iterator[Box]:
    """The root and what a gradient reaches from it."""
    seen: set[Box] = set()
    todo = [root]
    while todo:
        box = todo.pop()
        if box in seen or not box.varies:
            continue
        seen.add(box)
        yield box
        if box.maker is not None:
            todo += box.maker[0].operands


def variable(dialect: Quirk, box: Box) -> Any:
    """A new variable of the reference with the value of ``box``."""
    return dialect.inner.leaf(dialect.inner.value(box.inner))


class NoGradGivesVariables(Quirk):
    quirk = "no-grad-gives-variables"
    description = (
        "the result of an operation under no_grad is a variable of its own, not a constant"
    )

    def apply(self, name: str, *xs: Box, **attrs: Any) -> Any:
        result = super().apply(name, *xs, **attrs)
        if not self.recording:
            for box in result if isinstance(result, tuple) else (result,):
                box.inner, box.varies = variable(self, box), True
        return result


class ConstantsStopQuietly(Quirk):
    quirk = "constants-stop-quietly"
    description = "a backward from a constant does nothing; in PyTorch it raises"

    def backward(self, t: Box, gradient: Any = None, **flags: bool) -> None:
        if t.varies:
            super().backward(t, gradient, **flags)
