"""Functions of two operands that broadcast against each other.

Shapes are compared, never sizes: an operand of shape (0, 1) and a result of
shape (0, 3) have the same size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar

import numpy as np

from dezero import graph
from dezero.graph import Data
from dezero.modes import Config, restricted
from dezero.primitive import OUTPUT, Primitive, constant, undoing
from dezero.variable import Variable


class Binary(Primitive):
    """Two inputs that are broadcast against each other; backward undoes the broadcast."""

    __slots__ = ()
    broadcasts = True
    #: Whether each input is saved only for the gradient of the other one.
    crossed: ClassVar[bool] = False

    def __call__(self, a: Any, b: Any) -> Variable:  # type: ignore[override]
        return binary(type(self))(a, b)  # type: ignore[arg-type]


@functools.cache
def binary(cls: Any) -> Callable[[Any, Any], Variable]:
    """The function of two operands whose node is a ``cls``.

    This is where most of the time of a forward pass goes, so all happens in one
    frame: no call but ``forward``, no lookup of what the class knows.
    """
    forward, saves, crossed = cls.forward, cls.saves, cls.crossed
    new = object.__new__
    off, next_seq, ndarray = restricted, graph.next_seq, np.ndarray

    def apply(x0: Any, x1: Any) -> Variable:
        try:
            a, edge0 = x0._data, x0._node
            b, edge1 = x1._data, x1._node
        except AttributeError:
            a, edge0, b, edge1 = _operands(x0, x1)
        # Arithmetic on NumPy scalars is several times faster than on 0-d arrays.
        rank0 = rank1 = 0
        if a.__class__ is ndarray:
            rank0 = a.ndim
            if not rank0:
                a = a[()]
        if b.__class__ is ndarray:
            rank1 = b.ndim
            if not rank1:
                b = b[()]
        y = forward(a, b)
        out = new(Variable)
        out._data = y
        out._grad = out.name = None
        if (edge0 is None and edge1 is None) or (off.threads and not Config.enable_backprop):
            out._node = None
            return out
        out._node = node = cls()
        node.seq = next_seq()
        node.edges = (edge0, edge1)
        if crossed:
            node.saved = (None if edge1 is None else a, None if edge0 is None else b)
        elif saves:
            node.saved = tuple([y if i == OUTPUT else b if i else a for i in saves])
        else:
            node.saved = saves
        node.extra = None
        # Does a gradient need to be summed or cast? A result is at least as wide and as large as
        # its operands: as many bytes in as many dimensions are the same shape (unless there are
        # none), and asking for them costs half of comparing shapes and dtypes.
        if rank0 or rank1:
            size = y.nbytes
            if edge1 is None:
                same = size and a.nbytes == size and rank0 == y.ndim
            elif edge0 is None:
                same = size and b.nbytes == size and rank1 == y.ndim
            else:
                same = size and rank0 == rank1 and a.nbytes == size == b.nbytes
        else:
            kind = y.__class__
            same = (edge0 is None or a.__class__ is kind) and (edge1 is None or b.__class__ is kind)
        if not same:
            node.extra = undoing(
                y.shape,
                y.dtype,
                None if edge0 is None else (a.shape, a.dtype),
                None if edge1 is None else (b.shape, b.dtype),
            )
        return out

    # The interpreter adapts each code object to the classes that it sees there. In a copy of
    # its own per operation it sees one class of node: 7 ns less for each of its attributes.
    return FunctionType(
        apply.__code__.replace(), globals(), cls.__name__, apply.__defaults__, apply.__closure__
    )


def _operands(x0: Any, x1: Any) -> tuple[Data, Any, Data, Any]:
    """The arrays and nodes of two operands of which at least one is no Variable."""
    a, edge0 = (x0._data, x0._node) if isinstance(x0, Variable) else (constant(x0), None)
    b, edge1 = (x1._data, x1._node) if isinstance(x1, Variable) else (constant(x1), None)
    if not isinstance(x0, Variable) and not isinstance(x1, Variable):
        a = np.asarray(a)  # two Python scalars would give no NumPy number
    return a, edge0, b, edge1
