"""micrograd under measurement: scalars of Python floats."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import numpy as np
from micrograd.engine import Value

from parity.bench.backends.base import TapeBackend


class MicrogradBackend(TapeBackend):
    """``micrograd.engine.Value``, with Python's default recursion limit."""

    name = "micrograd"
    version = metadata.version("micrograd")
    dtypes = ("float64",)
    max_ndim = 0
    second_order = False
    ops = frozenset({"add", "mul", "sub"})

    def leaf(self, array: Any) -> Any:
        return Value(float(array))

    def backward(self, y: Any, create_graph: bool) -> None:
        y.backward()

    def array(self, t: Any) -> Any:
        return np.array(float(t))
