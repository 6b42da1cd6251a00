"""Copies and pickles: of leaves only, since a graph may be deeper than the stack."""

from __future__ import annotations

from typing import Any

from dezero.graph import Array, Node
from dezero.variable import Variable


def reduce(x: Variable) -> tuple[Any, ...]:
    """``Variable.__reduce__``: leaves with their gradients; RuntimeError for others."""
    if isinstance(x._node, Node):
        raise RuntimeError(
            "only leaves can be copied or pickled, this Variable was computed by "
            f"{type(x._node.function).__name__}: use detach() first"
        )
    return _restored, (type(x), x.data, x.name, x.requires_grad, x._grad)


def shallow_copy(x: Variable) -> Variable:
    """``Variable.__copy__``: a leaf on the same array, with no gradient yet."""
    restore, (cls, data, name, requires_grad, _grad) = reduce(x)
    return restore(cls, data, name, requires_grad, None)  # type: ignore[no-any-return]


def _restored(
    cls: type[Variable], data: Array, name: str | None, requires_grad: bool, grad: Variable | None
) -> Variable:
    """A copied or unpickled leaf."""
    v = cls(data, name, requires_grad)
    v._grad = grad
    return v
