"""Adapter of JAX on the CPU. Importing it enables float64 in the process.

JAX compiles each operation for each shape, about eight times per program, so that compilation
takes most of a run. XLA is set to compile without optimization, unless the environment variable
``XLA_FLAGS`` says otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from parity.engines.adapters.functional import Functional, Leaf
from parity.engines.adapters.libraries import LIBRARIES, refusals

# Must come before the first array: the platform cannot be changed later.
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_enable_x64", True)
# XLA reads the flags with the first array; of two that contradict it takes the last.
_NO_OPTIMIZATION = "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false"
os.environ["XLA_FLAGS"] = f"{_NO_OPTIMIZATION} {os.environ.get('XLA_FLAGS', '')}".rstrip()

#: Leaves after which JAX's caches are cleared: each compiled operation takes more than a megabyte,
#: and most are not used again.
_LEAVES = 200


class Jax(Functional):
    """``jax.numpy`` and ``jax.nn`` with ``jax.vjp``; programs are not jitted as a whole."""

    name = "jax"
    version = jax.__version__
    functions: ClassVar[dict[str, Callable[..., Any]]] = LIBRARIES["jax"].ops()

    _leaves = 0

    def leaf(self, array: Any, requires_grad: bool = True) -> Leaf:
        self._leaves += 1
        if self._leaves % _LEAVES == 0:
            jax.clear_caches()
        return super().leaf(array, requires_grad)

    def array(self, a: Any) -> Any:
        return jnp.array(a)

    def vjp(self, function: Callable[..., Any], arguments: Any, seed: Any) -> Sequence[Any]:
        with refusals():
            _value, backward = jax.vjp(function, *arguments)
            return backward(seed)  # type: ignore[no-any-return]
