"""How ``tiny.py`` does things, for parity: the adapter of README.md with a few lines more."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from tiny import Value

from parity.engines import Engine


class Mine(Engine):
    name, dtypes, max_ndim = "mine", ("float64",), 0
    # Its own way, and no faults: gradients start at 0.0, and no backward frees a graph.
    quirks = frozenset({"zeros-instead-of-none", "keeps-graphs"})
    ops: ClassVar[dict[str, Any]] = {
        "add": lambda a, b: a + b,
        "mul": lambda a, b: a * b,
        "neg": lambda a: -a,
        "sub": lambda a, b: a - b,
        "tanh": lambda a: a.tanh(),
    }

    def leaf(self, array: Any) -> Value:  # type: ignore[override]  # there are no constants
        return Value(float(array))

    def value(self, t: Value) -> Any:
        return np.array(t.data)

    def grad(self, t: Value) -> Any:
        return np.array(float(t.grad))

    def backward(self, t: Value, gradient: Any = None, **flags: bool) -> None:
        (t if gradient is None else t * Value(float(gradient))).backward()

    def zero_grad(self, t: Value) -> None:
        t.grad = 0.0
