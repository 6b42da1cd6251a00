"""Operations of libraries with NumPy's function names, for adapters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from parity.engines.adapters.libraries import named_functions
from parity.engines.adapters.names import numpy, numpy_layers

#: Operations of a tensor and a number, by Python's operators.
SCALARS: dict[str, Callable[..., Any]] = {
    "add_scalar": lambda a, *, c: a + c,
    "mul_scalar": lambda a, *, c: a * c,
    "sub_scalar": lambda a, *, c: a - c,
    "rsub_scalar": lambda a, *, c: c - a,
    "div_scalar": lambda a, *, c: a / c,
    "rdiv_scalar": lambda a, *, c: c / a,
}
#: Indices in brackets.
INDICES: dict[str, Callable[..., Any]] = {
    "get_item": lambda a, *, index: a[index],
    "slice_backwards": lambda a, *, axis, start, stop, step: a[
        (slice(None),) * axis + (slice(start, stop, step),)
    ],
}
#: Operations whose function has another name in NumPy.
_NAMES = {
    "mul": "multiply",
    "sub": "subtract",
    "neg": "negative",
    "div": "divide",
    "transpose_all": "transpose",
    "squeeze_all": "squeeze",
    "concat": "concatenate",
}
#: Operations whose NumPy function takes the attributes by the same names.
_SAME = (
    *("add", "mul", "sub", "neg", "div", "square", "exp", "log", "sin", "cos", "tanh", "sqrt"),
    *("power", "absolute", "maximum", "minimum", "matmul", "sum", "mean", "max", "min", "prod"),
    *("cumsum", "squeeze", "expand_dims", "moveaxis"),
)


def numpy_like(library: Any) -> dict[str, Callable[..., Any]]:
    """Return operations for ``Engine.ops`` from a library with NumPy's function names.

    ``library`` is a module such as ``jax.numpy`` whose arrays have Python's operators. Operations
    whose function it does not have are left out.

    Examples
    --------
    >>> numpy_like(np)["sum"](np.ones((2, 3)), axis=0, keepdims=False)
    array([2., 2., 2.])
    """
    names = {**numpy.NAMES, **numpy_layers.NAMES}
    return {**named_functions(names, {"np": library}), **common_numpy_like(library)}


def common_numpy_like(library: Any) -> dict[str, Callable[..., Any]]:
    """Return the operations of ``numpy_like`` that most libraries for arrays have, all with rules.

    Examples
    --------
    >>> "cumsum" in common_numpy_like(np), "cumprod" in common_numpy_like(np)
    (True, False)
    """
    called: dict[str, Callable[..., Any]] = {
        "reshape": lambda a, *, shape: library.reshape(a, shape),
        "transpose": lambda a, *, axes: library.transpose(a, axes),
        "broadcast_to": lambda a, *, shape: library.broadcast_to(a, shape),
        "concat": lambda *xs, axis: library.concatenate(xs, axis=axis),
        "stack": lambda *xs, axis: library.stack(xs, axis=axis),
        "clip": lambda a, *, x_min, x_max: library.clip(a, x_min, x_max),
        "transpose_all": lambda a: library.transpose(a),
        "squeeze_all": lambda a: library.squeeze(a),
        "where": lambda a, b, *, condition: library.where(np.array(condition), a, b),
        "einsum": lambda a, b, *, subscripts: library.einsum(subscripts, a, b),
    }
    own = {name: getattr(library, _NAMES.get(name, name), None) for name in (*_SAME, *called)}
    return {
        **{name: called.get(name, function) for name, function in own.items() if function},
        **SCALARS,
        "pow": lambda a, *, exponent: a**exponent,
        **INDICES,
    }


def split_like(library: Any) -> Callable[..., Any]:
    """Return ``split`` by sizes from a ``library.split`` by indices."""

    def split(a: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
        return library.split(a, np.cumsum(sizes[:-1]).tolist(), axis=axis)

    return split
