"""JAX as an engine under test, on the CPU; importing this switches float64 on in the process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from parity.engines.functional import Functional

# Before the first array: later it has no effect on the platform.
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)


def _item(a: Any, *, index: Any) -> Any:
    # JAX refuses lists as indices.
    parts = index if isinstance(index, tuple) else (index,)
    return a[tuple(np.array(i, np.int64) if isinstance(i, list) else i for i in parts)]


def _split(a: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
    return jnp.split(a, np.cumsum(sizes[:-1]).tolist(), axis=axis)


class Jax(Functional):
    """``jax.numpy`` and ``jax.nn`` with ``jax.vjp``, without compiling whole programs."""

    name = "jax"
    version = jax.__version__
    functions: ClassVar[dict[str, Callable[..., Any]]] = {
        "add": jnp.add,
        "mul": jnp.multiply,
        "sub": jnp.subtract,
        "neg": jnp.negative,
        "square": jnp.square,
        "div": jnp.divide,
        "pow": lambda a, *, exponent: a**exponent,
        "exp": jnp.exp,
        "log": jnp.log,
        "sin": jnp.sin,
        "cos": jnp.cos,
        "tanh": jnp.tanh,
        "sigmoid": jax.nn.sigmoid,
        "relu": jax.nn.relu,
        "absolute": jnp.absolute,
        "maximum": jnp.maximum,
        "minimum": jnp.minimum,
        "matmul": jnp.matmul,
        "sum": jnp.sum,
        "mean": jnp.mean,
        "reshape": lambda a, *, shape: jnp.reshape(a, shape),
        "transpose": lambda a, *, axes: jnp.transpose(a, axes),
        "broadcast_to": lambda a, *, shape: jnp.broadcast_to(a, shape),
        "get_item": _item,
        "concat": lambda *xs, axis: jnp.concatenate(xs, axis=axis),
        "split": _split,
        "add_scalar": lambda a, *, c: a + c,
        "mul_scalar": lambda a, *, c: a * c,
        "sub_scalar": lambda a, *, c: a - c,
        "rsub_scalar": lambda a, *, c: c - a,
        "div_scalar": lambda a, *, c: a / c,
        "rdiv_scalar": lambda a, *, c: c / a,
        "sqrt": jnp.sqrt,
        "power": jnp.power,
        "clip": lambda a, *, x_min, x_max: jnp.clip(a, x_min, x_max),
        "where": lambda a, b, *, condition: jnp.where(np.array(condition), a, b),
        "sign": jnp.sign,
        "floor": jnp.floor,
        "leaky_relu": lambda a, *, slope: jax.nn.leaky_relu(a, slope),
        "softplus": jax.nn.softplus,
        "gelu": lambda a: jax.nn.gelu(a, approximate=False),
        "max": jnp.max,
        "min": jnp.min,
        "prod": jnp.prod,
        "var": lambda a, *, axis, correction, keepdims: jnp.var(
            a, axis=axis, correction=correction, keepdims=keepdims
        ),
        "norm": jnp.linalg.vector_norm,
        "cumsum": jnp.cumsum,
        "logsumexp": jax.nn.logsumexp,
        "softmax": jax.nn.softmax,
        "log_softmax": jax.nn.log_softmax,
        "stack": lambda *xs, axis: jnp.stack(xs, axis=axis),
        "squeeze": jnp.squeeze,
        "expand_dims": jnp.expand_dims,
        "moveaxis": jnp.moveaxis,
        "flip": jnp.flip,
        "pad": lambda a, *, pad_width: jnp.pad(a, pad_width),
        "take_along_axis": lambda a, *, axis, indices: jnp.take_along_axis(
            a, np.array(indices, np.int64), axis
        ),
        "outer": jnp.outer,
        "dot": jnp.dot,
        "einsum": lambda a, b, *, subscripts: jnp.einsum(subscripts, a, b),
    }

    def array(self, a: Any) -> Any:
        return jnp.array(a)

    def vjp(self, function: Callable[..., Any], at: tuple[Any, ...], seed: Any) -> Sequence[Any]:
        _value, pull = jax.vjp(function, *at)
        return pull(seed)  # type: ignore[no-any-return]
