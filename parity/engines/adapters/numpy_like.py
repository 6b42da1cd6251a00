"""Operations of libraries with NumPy's function names, for adapters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: Operations whose NumPy function takes the attributes by the same names: name to function.
_SAME = {
    "add": "add",
    "mul": "multiply",
    "sub": "subtract",
    "neg": "negative",
    "div": "divide",
    **{name: name for name in ("square", "exp", "log", "sin", "cos", "tanh", "sqrt", "power")},
    **{name: name for name in ("absolute", "maximum", "minimum", "matmul", "sum", "mean")},
    **{name: name for name in ("max", "min", "prod", "cumsum")},
    **{name: name for name in ("squeeze", "expand_dims", "moveaxis")},
}
#: Operations that are called in another way: name to the function that they need.
_CALLED = {
    "concat": "concatenate",
    **{name: name for name in ("reshape", "transpose", "broadcast_to", "stack")},
    **{name: name for name in ("clip", "where", "einsum")},
}


def numpy_like(library: Any) -> dict[str, Callable[..., Any]]:
    """Return operations for ``Engine.ops`` from a library with NumPy's function names.

    Parameters
    ----------
    library
        A module such as ``jax.numpy`` whose arrays have Python's operators. Operations whose
        function it does not have are left out.

    Returns
    -------
    dict
        Callables by the names of ``parity.language.table.OPS``.

    Examples
    --------
    >>> numpy_like(np)["sum"](np.ones((2, 3)), axis=0, keepdims=False)
    array([2., 2., 2.])
    """
    own = {name: getattr(library, other, None) for name, other in _SAME.items()}
    ops: dict[str, Callable[..., Any]] = {
        **{name: f for name, f in own.items() if f is not None},
        "pow": lambda a, *, exponent: a**exponent,
        "add_scalar": lambda a, *, c: a + c,
        "mul_scalar": lambda a, *, c: a * c,
        "sub_scalar": lambda a, *, c: a - c,
        "rsub_scalar": lambda a, *, c: c - a,
        "div_scalar": lambda a, *, c: a / c,
        "rdiv_scalar": lambda a, *, c: c / a,
        "get_item": lambda a, *, index: a[index],
        "reshape": lambda a, *, shape: library.reshape(a, shape),
        "transpose": lambda a, *, axes: library.transpose(a, axes),
        "broadcast_to": lambda a, *, shape: library.broadcast_to(a, shape),
        "concat": lambda *xs, axis: library.concatenate(xs, axis=axis),
        "stack": lambda *xs, axis: library.stack(xs, axis=axis),
        "clip": lambda a, *, x_min, x_max: library.clip(a, x_min, x_max),
        "where": lambda a, b, *, condition: library.where(np.array(condition), a, b),
        "einsum": lambda a, b, *, subscripts: library.einsum(subscripts, a, b),
    }
    missing = {name for name, f in _CALLED.items() if not hasattr(library, f)}
    return {name: op for name, op in ops.items() if name not in missing}


def split_like(library: Any) -> Callable[..., Any]:
    """Return ``split`` by sizes from a ``library.split`` by indices."""

    def split(a: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
        return library.split(a, np.cumsum(sizes[:-1]).tolist(), axis=axis)

    return split
