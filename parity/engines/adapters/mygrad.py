"""Adapter of MyGrad.

In MyGrad a backward always clears its graph, and a tensor that enters a new graph loses its
gradient. ``clip`` is computed by a maximum and a minimum and treats ties as they do.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import mygrad as mg
import numpy as np
from mygrad import nnet

from parity.engines.adapters.numpy_like import common_numpy_like
from parity.engines.base import Engine, Unsupported


def _norm(a: Any, *, axis: Any, keepdims: bool) -> Any:
    if isinstance(axis, tuple) and len(axis) > 1:
        raise Unsupported("norms over several axes, which are matrix norms in NumPy")
    return mg.linalg.norm(a, axis=axis, keepdims=keepdims)


class MyGrad(Engine):
    """``mygrad.Tensor`` with the functions of ``mygrad``, ``mygrad.linalg`` and ``mygrad.nnet``."""

    name = "mygrad"
    version = mg.__version__
    quirks = frozenset(
        (
            *("clears-grads-on-use-except-views", "clears-grads-on-backward", "clears-graphs"),
            *("keeps-intermediate-grads", "constants-stop-quietly", "no-grad-gives-variables"),
            *("seeds-any-shape-with-ones", "maximum-ties-neither", "minimum-ties-neither"),
            *("max-ties-first", "min-ties-first", "clip-ties-neither"),
        )
    )
    ops: ClassVar[dict[str, Any]] = {
        **common_numpy_like(mg),
        **{name: getattr(nnet, name) for name in ("sigmoid", "relu", "softmax")},
        "leaky_relu": lambda a, *, slope: nnet.leaky_relu(a, slope),
        "var": lambda a, *, axis, correction, keepdims: mg.var(
            a, axis=axis, ddof=correction, keepdims=keepdims
        ),
        "norm": _norm,
        "log_softmax": nnet.logsoftmax,
        "softmax_cross_entropy": lambda a, *, t: nnet.softmax_crossentropy(a, np.array(t)),
    }

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        return mg.tensor(array, constant=not requires_grad)

    def value(self, t: Any) -> Any:
        return t.data

    def grad(self, t: Any) -> Any:
        return t.grad

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        t.backward(gradient)

    def clear_grad(self, t: Any) -> None:
        t.null_grad()

    def zero_grad(self, t: Any) -> None:
        t.grad.fill(0)

    def no_grad(self) -> AbstractContextManager[Any]:
        return mg.no_autodiff  # type: ignore[no-any-return]

    def detach(self, t: Any) -> Any:
        return mg.astensor(t, constant=True)
