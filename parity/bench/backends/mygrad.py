"""MyGrad under measurement."""

from __future__ import annotations

from typing import Any

import mygrad as mg

from parity.bench.backends.base import TapeBackend


class MyGradBackend(TapeBackend):
    """``mygrad.Tensor`` with its own default settings; a gradient cannot be differentiated."""

    name = "mygrad"
    version = mg.__version__
    second_order = False

    def leaf(self, array: Any) -> Any:
        return mg.tensor(array)

    def backward(self, y: Any, create_graph: bool) -> None:
        y.backward()  # from ones, for every shape

    def array(self, t: Any) -> Any:
        return t

    def constant(self, array: Any) -> Any:
        return mg.tensor(array, constant=True, copy=False)

    def tanh(self, x: Any) -> Any:
        return mg.tanh(x)
