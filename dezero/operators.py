"""Operators and methods of Variable, set from the functions.

Here and not in ``variable``, since the functions need Variable first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dezero import functions as F
from dezero import hooks, pickling
from dezero.binary import binary
from dezero.functions.arithmetic import Add, Mul, PowVariable, Sub
from dezero.variable import Operand, Variable


def _flat(values: tuple[Any, ...]) -> Any:
    """Arguments given one by one or as one sequence."""
    return values[0] if len(values) == 1 and not isinstance(values[0], int) else values


def _rsub(self: Variable, other: Operand) -> Variable:
    return F.sub(other, self)


def _rdiv(self: Variable, other: Operand) -> Variable:
    return F.div(other, self)


def _rpow(self: Variable, other: Operand) -> Variable:
    return PowVariable()(other, self)


def _rmatmul(self: Variable, other: Operand) -> Variable:
    return F.matmul(other, self)


def _reshape(self: Variable, *shape: int | Sequence[int]) -> Variable:
    """As ``F.reshape``; lengths one by one or as one sequence."""
    return F.reshape(self, _flat(shape))


def _transpose(self: Variable, *axes: Any) -> Variable:
    """As ``F.transpose``; axes one by one, as one sequence, or none to reverse them."""
    return F.transpose(self, _flat(axes) if axes else None)


#: What an array does with a Variable on its right is what the Variable does.
_UFUNCS: dict[Any, Any] = {
    np.add: F.add,
    np.subtract: F.sub,
    np.multiply: F.mul,
    np.true_divide: F.div,
    np.power: F.pow,
    np.matmul: F.matmul,
    np.negative: F.neg,
    np.absolute: F.absolute,
}


def _array_ufunc(self: Variable, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
    """NumPy's operators with a Variable among the operands.

    ``array * variable`` records like ``variable * array``. With an array to write
    to, as in the book's ``x.data -= lr * x.grad``, values alone are computed.
    Raises TypeError for other functions of NumPy.
    """
    if method == "__call__" and "out" in options:
        data = [x.data if isinstance(x, Variable) else x for x in inputs]
        return ufunc(*data, **options)
    if method == "__call__" and not options and ufunc in _UFUNCS:
        return _UFUNCS[ufunc](*inputs)
    raise TypeError(
        f"numpy.{ufunc.__name__} does not record a Variable: use dezero.functions, or its data"
    )


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
        "__rpow__": _rpow,
        "__neg__": F.neg,
        "__abs__": F.absolute,
        "__getitem__": F.get_item,
        "reshape": _reshape,
        "transpose": _transpose,
        "T": property(F.transpose),
        "sum": F.sum,
        "mean": F.mean,
        "astype": F.cast,
        "__array_ufunc__": _array_ufunc,
        "__reduce__": pickling.reduce,
        "__copy__": pickling.shallow_copy,
        "register_hook": hooks.register_hook,
        "register_post_accumulate_grad_hook": hooks.register_post_accumulate_grad_hook,
    }
    for name, method in methods.items():
        setattr(Variable, name, method)
