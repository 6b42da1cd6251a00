"""HIPS autograd under measurement: it transforms functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import make_vjp

from parity.bench.backends.base import Backend


class AutogradBackend(Backend):
    """``autograd.numpy`` with ``autograd.make_vjp``."""

    name = "autograd"
    version = metadata.version("autograd")

    def gradients(
        self, function: Callable[..., Any], arrays: Sequence[Any], order: int
    ) -> Sequence[Any]:
        if order > 1:
            return self.gradients(lambda x: self.gradients(function, (x,), order - 1)[0], arrays, 1)
        pull, y = make_vjp(function, tuple(range(len(arrays))))(*arrays)
        return pull(anp.ones_like(y))  # type: ignore[no-any-return]

    def array(self, t: Any) -> Any:
        return np.asarray(t)

    def constant(self, array: Any) -> Any:
        return array

    def tanh(self, x: Any) -> Any:
        return anp.tanh(x)

    def sum(self, x: Any) -> Any:
        return anp.sum(x)
