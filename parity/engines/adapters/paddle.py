"""Adapter of Paddle on the CPU: a tape, as PyTorch has. Importing it silences Paddle's log."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar

os.environ.setdefault("GLOG_minloglevel", "4")  # else a line for each exception, and read once

import paddle

from parity.engines.adapters.libraries import LIBRARIES
from parity.engines.base import Engine

paddle.set_device("cpu")


class Paddle(Engine):
    """``paddle`` in dynamic mode. ``backward`` of Paddle does not record, so no second order."""

    name = "paddle"
    version = paddle.__version__
    ops: ClassVar[dict[str, Callable[..., Any]]] = LIBRARIES["paddle"].ops()
    quirks = frozenset({"seeds-any-shape-with-ones"})

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        return paddle.to_tensor(array, stop_gradient=not requires_grad)

    def value(self, t: Any) -> Any:
        return t.numpy()

    def grad(self, t: Any) -> Any:
        return None if t.grad is None else t.grad.numpy()

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        if t.stop_gradient:
            raise RuntimeError("the root does not require a gradient")  # Paddle does nothing
        seed = None if gradient is None else paddle.to_tensor(gradient)
        t.backward(seed, **flags)

    def clear_grad(self, t: Any) -> None:
        t.grad = None

    def zero_grad(self, t: Any) -> None:
        t.clear_gradient(set_to_zero=True)

    def no_grad(self) -> AbstractContextManager[Any]:
        return paddle.no_grad()  # type: ignore[no-any-return]

    def detach(self, t: Any) -> Any:
        return t.detach()
