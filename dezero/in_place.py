"""Operations that change a Variable: ``x.add_(y)``, ``x[0] = y``.

The new value is computed as anywhere else, from a copy of the old one, and is then written into the
array of the Variable, which takes the node of the new value. So nodes that are older keep their
places in the graph; where they saved the array that was changed, a backward raises
(``dezero/modified.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dezero import functions as F
from dezero.functions.elementwise import Where
from dezero.functions.shape import PutItem, is_basic
from dezero.graph import Extra, Leaf, Node
from dezero.modes import Config
from dezero.modified import modified
from dezero.primitive import BroadcastTo, Cast
from dezero.variable import Operand, Variable, as_variable, variable_on

_LEAF = "a leaf Variable that requires grad is being used in an in-place operation."


def changed(x: Variable, compute: Callable[[Variable], Variable]) -> Variable:
    """Give ``x`` the value that ``compute`` returns for a copy of it; return ``x``.

    Raises RuntimeError for a leaf that requires a gradient, unless under ``no_grad``, and for a
    result of another shape (semantics.md 10.3).
    """
    recording = Config.enable_backprop
    if recording and isinstance(x._node, Leaf):
        raise RuntimeError(_LEAF)
    new = compute(variable_on(x.data.copy(), x._node))
    if new.shape != x.shape:
        raise RuntimeError(f"a result of shape {new.shape} does not fit into shape {x.shape}")
    if new.dtype != x.dtype:
        new = Cast(x.dtype)(new)
    x.data[...] = new._data
    modified.note(x.data)
    if recording:
        _keep(x._node, new._node)
        x._node = new._node
    return x


def _keep(old: Any, new: Any) -> None:
    """A gradient that is to be kept is that of the new value (semantics.md 5.2)."""
    if isinstance(old, Node) and old.kept is not None and isinstance(new, Node):
        new.keep(old.kept)
        old.extra = Extra(() if old.extra is None else old.extra.fix)


def _given(value: Operand, x: Variable) -> Variable:
    """A value that ``x`` takes, as a Variable; what is none has the dtype of ``x``."""
    return value if isinstance(value, Variable) else as_variable(np.asarray(value, x.dtype))


def add_(self: Variable, other: Operand) -> Variable:
    """Add ``other`` in place."""
    return changed(self, lambda x: F.add(x, other))


def sub_(self: Variable, other: Operand) -> Variable:
    """Subtract ``other`` in place."""
    return changed(self, lambda x: F.sub(x, other))


def mul_(self: Variable, other: Operand) -> Variable:
    """Multiply by ``other`` in place."""
    return changed(self, lambda x: F.mul(x, other))


def relu_(self: Variable) -> Variable:
    """Make negative numbers zero in place."""
    return changed(self, F.relu)


def copy_(self: Variable, other: Operand) -> Variable:
    """Take the value of ``other``, broadcast to this shape; what there was gets a gradient of 0."""
    every = np.ones(self.shape, bool)
    return changed(self, lambda x: Where(every)(_given(other, x), x))


def set_item(self: Variable, index: Any, value: Operand) -> None:
    """``x[index] = value``, for integers, slices and masks."""
    if not is_basic(index) and np.asarray(index).dtype != bool:
        raise TypeError("elements are set by integers, slices and masks")
    mask = np.zeros(self.shape, bool)
    mask[index] = True
    part = self.data[index].shape

    def placed(x: Variable) -> Variable:
        filled = BroadcastTo(part)(_given(value, x))
        return Where(mask)(PutItem(index, x.shape)(filled), x)

    changed(self, placed)
