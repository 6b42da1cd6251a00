"""HIPS autograd as an engine under test: NumPy's functions, traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, ClassVar

import autograd.numpy as anp
import autograd.scipy.special as special
import numpy as np
from autograd import make_vjp

from parity.engines.functional import Functional


def _split(a: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
    return anp.split(a, np.cumsum(sizes[:-1]).tolist(), axis=axis)


class Autograd(Functional):
    """``autograd.numpy`` and ``autograd.scipy.special`` with ``autograd.make_vjp``."""

    name = "autograd"
    version = metadata.version("autograd")
    functions: ClassVar[dict[str, Callable[..., Any]]] = {
        "add": anp.add,
        "mul": anp.multiply,
        "sub": anp.subtract,
        "neg": anp.negative,
        "square": anp.square,
        "div": anp.divide,
        "pow": lambda a, *, exponent: a**exponent,
        "exp": anp.exp,
        "log": anp.log,
        "sin": anp.sin,
        "cos": anp.cos,
        "tanh": anp.tanh,
        "sigmoid": special.expit,
        "absolute": anp.absolute,
        "maximum": anp.maximum,
        "minimum": anp.minimum,
        "matmul": anp.matmul,
        "sum": anp.sum,
        "mean": anp.mean,
        "reshape": lambda a, *, shape: anp.reshape(a, shape),
        "transpose": lambda a, *, axes: anp.transpose(a, axes),
        "broadcast_to": lambda a, *, shape: anp.broadcast_to(a, shape),
        "get_item": lambda a, *, index: a[index],
        "concat": lambda *xs, axis: anp.concatenate(xs, axis=axis),
        "split": _split,
        "add_scalar": lambda a, *, c: a + c,
        "mul_scalar": lambda a, *, c: a * c,
        "sub_scalar": lambda a, *, c: a - c,
        "rsub_scalar": lambda a, *, c: c - a,
        "div_scalar": lambda a, *, c: a / c,
        "rdiv_scalar": lambda a, *, c: c / a,
        "sqrt": anp.sqrt,
        "power": anp.power,
        "clip": lambda a, *, x_min, x_max: anp.clip(a, x_min, x_max),
        "where": lambda a, b, *, condition: anp.where(np.array(condition), a, b),
        "sign": anp.sign,
        "floor": anp.floor,
        "max": anp.max,
        "min": anp.min,
        "prod": anp.prod,
        "var": lambda a, *, axis, correction, keepdims: anp.var(
            a, axis=axis, ddof=correction, keepdims=keepdims
        ),
        "norm": anp.linalg.norm,
        "cumsum": anp.cumsum,
        "logsumexp": special.logsumexp,
        "stack": lambda *xs, axis: anp.stack(xs, axis=axis),
        "squeeze": anp.squeeze,
        "expand_dims": anp.expand_dims,
        "moveaxis": anp.moveaxis,
        "pad": lambda a, *, pad_width: anp.pad(a, pad_width, "constant"),
        "outer": anp.outer,
        "dot": anp.dot,
        "einsum": lambda a, b, *, subscripts: anp.einsum(subscripts, a, b),
    }

    def array(self, a: Any) -> Any:
        return np.array(a)

    def vjp(self, function: Callable[..., Any], at: tuple[Any, ...], seed: Any) -> Sequence[Any]:
        pull, _value = make_vjp(function, tuple(range(len(at))))(*at)
        return pull(seed)  # type: ignore[no-any-return]
