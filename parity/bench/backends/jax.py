"""JAX under measurement, operation by operation like the others: nothing is compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from parity.bench.backends.base import Backend

# Before the first array, since later the platform cannot be changed.
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)


class JaxBackend(Backend):
    """``jax.vjp`` without ``jax.jit``, on the CPU; blocks until the result is computed."""

    name = "jax"
    version = jax.__version__

    def gradients(
        self, function: Callable[..., Any], arrays: Sequence[Any], order: int
    ) -> Sequence[Any]:
        found = self._pulled(function, [jnp.array(array) for array in arrays], order)
        return jax.block_until_ready(found)  # type: ignore[no-any-return]

    def _pulled(self, function: Callable[..., Any], at: Sequence[Any], order: int) -> Sequence[Any]:
        if order > 1:
            return self._pulled(lambda x: self._pulled(function, (x,), order - 1)[0], at, 1)
        y, pull = jax.vjp(function, *at)
        return pull(jnp.ones_like(y))  # type: ignore[no-any-return]

    def array(self, t: Any) -> Any:
        return np.asarray(t)

    def constant(self, array: Any) -> Any:
        return jnp.asarray(array)

    def tanh(self, x: Any) -> Any:
        return jnp.tanh(x)
