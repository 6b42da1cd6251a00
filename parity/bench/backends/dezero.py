"""dezero under measurement."""

from __future__ import annotations

from typing import Any

import dezero
import dezero.functions as F
from parity.bench.backends.base import TapeBackend


class DezeroBackend(TapeBackend):
    """The engine of this project, in the revision that comes first on ``sys.path``."""

    name = "dezero"
    version = getattr(dezero, "__version__", "")

    def leaf(self, array: Any) -> Any:
        return dezero.Variable(array.copy())

    def backward(self, y: Any, create_graph: bool) -> None:
        y.backward(create_graph=create_graph)

    def array(self, t: Any) -> Any:
        return t.data

    def constant(self, array: Any) -> Any:
        return dezero.Variable(array, requires_grad=False)

    def tanh(self, x: Any) -> Any:
        return F.tanh(x)
