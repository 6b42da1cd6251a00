"""How the correct engine changes tensors in place, and calls functions of the user.

Each step is a method that a defect overrides. After a recorded change another tensor stands for the
value, on the same memory; the old one keeps its place in the graph, with a copy of what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from parity.diagnose.defects.tensor import Node, Tensor
from parity.diagnose.defects.vjps import RULES
from parity.engines.base import Engine


def _with_item(do: Callable[..., Any], a: Tensor, b: Tensor, index: int) -> Any:
    mask = np.zeros(a.shape, bool)
    mask[index] = True
    return do("where", b, a, condition=mask)


#: What each operation in place gives, by operations.
CHANGES: Mapping[str, Callable[..., Any]] = {
    "add_": lambda do, a, b: do("add", a, b),
    "mul_": lambda do, a, b: do("mul", a, b),
    "sub_": lambda do, a, b: do("sub", a, b),
    "mul_scalar_": lambda do, a, c: do("mul_scalar", a, c=c),
    "zero_": lambda do, a: do("mul_scalar", a, c=0.0),
    "copy_": lambda do, a, b: do("add", do("mul_scalar", a, c=0.0), b),
    "relu_": lambda do, a: do("relu", a),
    "set_item_": _with_item,
}
#: Whether an operand, by its position, is needed by every formula for the gradients of a node.
_SAVED: Mapping[Any, Callable[[Node, int], bool]] = {
    RULES["mul"].vjp: lambda node, i: node.parents[1 - i].requires_grad,
    RULES["square"].vjp: lambda node, i: True,
}


class Changing(Engine):
    """The part of the correct engine for modes, changes in place and functions of the user."""

    recording: bool
    functions: Mapping[str, Any]

    def recording_set(self, on: bool) -> AbstractContextManager[Any]:
        raise NotImplementedError

    def operation(self, value: Any, vjp: Any) -> Callable[..., Any]:
        raise NotImplementedError

    def changes(self) -> dict[str, Any]:
        """Return the operations in place, as the contract wants them."""
        return {name: partial(self.change, name) for name in CHANGES}

    def enable_grad(self) -> AbstractContextManager[Any]:
        return self.recording_set(True)

    def requires_grad(self, t: Tensor) -> bool:
        return t.requires_grad

    def detach_(self, t: Tensor) -> None:
        t.node, t.requires_grad = None, False

    def do(self, name: str, *xs: Tensor, **attrs: Any) -> Any:
        """Apply an operation."""
        return self.functions[name](*xs, **attrs)

    def change(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        """Run an operation in place; return the tensor that stands for the value then."""
        self.check_leaf(t)
        if self.recording:
            return self.change_recorded(name, t, *others, **attrs)
        return self.update(name, t, *others, **attrs)

    def check_leaf(self, t: Tensor) -> None:
        if self.recording and t.requires_grad and t.node is None:
            raise RuntimeError("a leaf that requires a gradient is changed in place")

    def update(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        """Change a tensor under ``no_grad``: its place in the graph stays."""
        t.data[...] = CHANGES[name](self.do, t, *others, **attrs).data
        t.changed += 1
        return t

    def change_recorded(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        memory = t.data
        self.keep_old(t)
        new: Tensor = self.computed(name, t, *others, **attrs)
        memory[...] = new.data
        new.data = memory
        return new

    def keep_old(self, t: Tensor) -> None:
        """Let the old value stay what it was, for those who have used it."""
        t.data = t.data.copy()
        t.changed += 1

    def computed(self, name: str, t: Tensor, *others: Tensor, **attrs: Any) -> Tensor:
        """Return what a recorded operation in place gives, as a tensor with a node."""
        new: Tensor = CHANGES[name](self.do, t, *others, **attrs)
        return new

    def check_saved(self, node: Node) -> None:
        """Refuse to run a node that needs a value from before a change."""
        saved = _SAVED.get(getattr(node.vjp, "base", node.vjp))
        if saved is None or node.seen == tuple(t.changed for t in node.parents):
            return
        for i, t in enumerate(node.parents):
            if t.changed != node.seen[i] and saved(node, i):
                raise RuntimeError("a value that is needed was modified by an inplace operation")

    # Functions of the user.

    def function(self, forward: Any, backward: Any) -> Callable[..., Any]:
        return self.operation(*self.of_user(forward, backward))

    def of_user(self, forward: Any, backward: Any) -> tuple[Any, Any]:
        """Return the value and the VJP of a function of the user."""

        def value(*arrays: Any) -> Any:
            results = forward(*arrays)
            return results if len(results) > 1 else results[0]

        def vjp(g: Any, y: Any, *xs: Any) -> Any:
            return self.user_slopes(backward, g if isinstance(g, tuple) else (g,), xs)

        return value, vjp

    def user_slopes(
        self, backward: Any, gs: tuple[Any, ...], xs: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        """Return what a backward of the user sends to the inputs."""
        slopes: tuple[Any, ...] = backward(gs, xs)
        return slopes

    def without_none(self, slopes: tuple[Any, ...]) -> Iterator[tuple[int, Any]]:
        """Yield the gradients of operands that get one, with their positions."""
        return ((i, g) for i, g in enumerate(slopes) if g is not None)
