"""What adapters of libraries with NumPy's function names share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

#: Names in ``table.OPS`` and in NumPy, of functions that take attributes by OPS's names.
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
#: Those that are called in another way.
_CALLED = {
    "concat": "concatenate",
    **{name: name for name in ("reshape", "transpose", "broadcast_to", "stack")},
    **{name: name for name in ("clip", "where", "einsum")},
}


def numpy_like(library: Any) -> dict[str, Callable[..., Any]]:
    """The operations that operators and NumPy's functions of ``library`` give, by OPS's names.

    Those whose function ``library`` has not are left out.
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
    """``split`` by sizes, from a ``library.split`` by places."""

    def split(a: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
        return library.split(a, np.cumsum(sizes[:-1]).tolist(), axis=axis)

    return split
