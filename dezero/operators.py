"""Operators and methods of Variable, set from the functions.

Here and not in ``variable``, since the functions need Variable first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dezero import functions as F
from dezero.binary import binary
from dezero.functions.arithmetic import Add, Mul, Sub
from dezero.variable import Operand, Variable


def _flat(values: tuple[Any, ...]) -> Any:
    """Arguments given one by one or as one sequence."""
    return values[0] if len(values) == 1 and not isinstance(values[0], int) else values


def _rsub(self: Variable, other: Operand) -> Variable:
    return F.sub(other, self)


def _rdiv(self: Variable, other: Operand) -> Variable:
    return F.div(other, self)


def _rmatmul(self: Variable, other: Operand) -> Variable:
    return F.matmul(other, self)


def _reshape(self: Variable, *shape: int | Sequence[int]) -> Variable:
    """As ``F.reshape``; lengths one by one or as one sequence."""
    return F.reshape(self, _flat(shape))


def _transpose(self: Variable, *axes: Any) -> Variable:
    """As ``F.transpose``; axes one by one, as one sequence, or none to reverse them."""
    return F.transpose(self, _flat(axes) if axes else None)


def install() -> None:
    """Give Variable its operators and methods."""
    methods: dict[str, Any] = {
        "__add__": binary(Add),
        "__radd__": binary(Add),  # sums and products of two commute in every bit
        "__sub__": binary(Sub),
        "__rsub__": _rsub,
        "__mul__": binary(Mul),
        "__rmul__": binary(Mul),
        "__truediv__": F.div,
        "__rtruediv__": _rdiv,
        "__matmul__": F.matmul,
        "__rmatmul__": _rmatmul,
        "__pow__": F.pow,
        "__neg__": F.neg,
        "__abs__": F.absolute,
        "__getitem__": F.get_item,
        "reshape": _reshape,
        "transpose": _transpose,
        "T": property(F.transpose),
        "sum": F.sum,
        "mean": F.mean,
        "astype": F.cast,
    }
    for name, method in methods.items():
        setattr(Variable, name, method)
