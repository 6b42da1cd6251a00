"""Adapter of micrograd, an engine of scalars.

micrograd has no constants and no ``no_grad``, keeps every graph and has zeros as first gradients.
"""

from __future__ import annotations

from importlib import metadata
from typing import Any, ClassVar

import numpy as np
from micrograd.engine import Value

from parity.engines.adapters.numpy_like import SCALARS
from parity.engines.base import Engine


class Micrograd(Engine):
    """``micrograd.engine.Value``, with the operators that it defines."""

    name = "micrograd"
    version = metadata.version("micrograd")
    dtypes = ("float64",)
    max_ndim = 0
    quirks = frozenset({"zeros-instead-of-none", "keeps-graphs"})
    ops: ClassVar[dict[str, Any]] = {
        "add": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
        "sub": lambda a, b: a - b,
        "neg": lambda a: -a,
        "div": lambda a, b: a / b,
        "pow": lambda a, *, exponent: a**exponent,
        "relu": lambda a: a.relu(),
        **SCALARS,
    }

    def leaf(self, array: Any) -> Any:  # type: ignore[override]  # no constants
        return Value(float(array))

    def value(self, t: Any) -> Any:
        return np.array(float(t.data))

    def grad(self, t: Any) -> Any:
        return np.array(float(t.grad))

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        # `Value.backward` takes no gradient; the product with it has the same gradients.
        (t if gradient is None else t * float(gradient)).backward()

    def zero_grad(self, t: Any) -> None:
        t.grad = 0  # as micrograd's Module.zero_grad does
