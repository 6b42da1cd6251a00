"""Hooks: functions of a leaf that a backward pass calls (semantics.md 13)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from dezero.graph import Leaf, Node
from dezero.primitive import Copy
from dezero.variable import Variable, variable_on

_next_number = itertools.count().__next__


class RemovableHandle:
    """What registering a hook returns: ``remove()`` takes the hook away again."""

    def __init__(self, hooks: dict[int, Any], hook: Callable[..., Any]) -> None:
        self._hooks = hooks
        self._number = _next_number()
        hooks[self._number] = hook

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        self._hooks.pop(self._number, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def register_hook(x: Variable, hook: Callable[[Variable], Any]) -> RemovableHandle:
    """Call ``hook`` with the gradient of each pass before it is accumulated (13.1).

    Once a pass, on a leaf, with the sum of that pass; what it returns takes
    the gradient's place, unless it is None. Raises RuntimeError on a Variable
    that does not require a gradient or that a function made.
    """
    leaf = _leaf_of(x)
    leaf.hooks = leaf.hooks or {}
    return RemovableHandle(leaf.hooks, hook)


def register_post_accumulate_grad_hook(
    x: Variable, hook: Callable[[Variable], Any]
) -> RemovableHandle:
    """Call ``hook`` with this leaf each time a backward has added to its gradient (13.1)."""
    leaf = _leaf_of(x)
    leaf.after_hooks = leaf.after_hooks or {}
    return RemovableHandle(leaf.after_hooks, hook)


def _leaf_of(x: Variable) -> Leaf:
    if x._node is None:
        raise RuntimeError("cannot register a hook on a Variable that doesn't require gradient")
    if isinstance(x._node, Node):
        raise RuntimeError("hooks are for leaves: this Variable was computed")
    return x._node


def hooked(leaf: Leaf, grad: Any, create_graph: bool) -> Any:
    """The sum of a pass after the hooks of the leaf, chained in order of registration.

    A hook gets a Variable of its own and returns another one, an ndarray, or
    None to leave it as it is. Raises RuntimeError for another shape or dtype,
    TypeError for anything else.
    """
    for hook in list((leaf.hooks or {}).values()):
        given = Copy()(grad) if create_graph else variable_on(np.array(grad), None)
        result = hook(given)
        if result is None:
            continue
        name = getattr(hook, "__name__", repr(hook))
        if type(result) is np.ndarray:
            result = Variable(result, requires_grad=False)
        if not isinstance(result, Variable):
            raise TypeError(f"expected Variable, but hook returned {type(result).__name__!r}")
        if result.shape != given.shape:
            raise RuntimeError(f"hook {name!r} has changed the size of value")
        if result.dtype != given.dtype:
            raise RuntimeError(
                f"hook {name!r} has changed the type of value "
                f"(was {given.dtype} got {result.dtype})"
            )
        grad = result if create_graph else result._data
    return grad
