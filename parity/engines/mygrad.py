"""MyGrad as an engine under test.

A backward always clears its graph, and a tensor that enters a new graph loses its gradient.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, ClassVar

import mygrad as mg
import numpy as np
from mygrad import nnet

from parity.engines.base import Engine


class MyGrad(Engine):
    """``mygrad.Tensor`` with the functions of ``mygrad``, ``mygrad.linalg`` and ``mygrad.nnet``."""

    name = "mygrad"
    version = mg.__version__
    quirks = frozenset(
        {"clears-grads-on-use", "keeps-intermediate-grads", "seeds-any-shape-with-ones"}
    )
    ops: ClassVar[dict[str, Any]] = {
        "add": mg.add,
        "mul": mg.multiply,
        "sub": mg.subtract,
        "neg": mg.negative,
        "square": mg.square,
        "div": mg.divide,
        "pow": lambda a, *, exponent: a**exponent,
        "exp": mg.exp,
        "log": mg.log,
        "sin": mg.sin,
        "cos": mg.cos,
        "tanh": mg.tanh,
        "sigmoid": nnet.sigmoid,
        "relu": nnet.relu,
        "absolute": mg.absolute,
        "maximum": mg.maximum,
        "minimum": mg.minimum,
        "matmul": mg.matmul,
        "sum": mg.sum,
        "mean": mg.mean,
        "reshape": lambda a, *, shape: mg.reshape(a, shape),
        "transpose": lambda a, *, axes: mg.transpose(a, axes),
        "broadcast_to": lambda a, *, shape: mg.broadcast_to(a, shape),
        "get_item": lambda a, *, index: a[index],
        "concat": lambda *xs, axis: mg.concatenate(xs, axis=axis),
        "add_scalar": lambda a, *, c: a + c,
        "mul_scalar": lambda a, *, c: a * c,
        "sub_scalar": lambda a, *, c: a - c,
        "rsub_scalar": lambda a, *, c: c - a,
        "div_scalar": lambda a, *, c: a / c,
        "rdiv_scalar": lambda a, *, c: c / a,
        "sqrt": mg.sqrt,
        "power": mg.power,
        "clip": lambda a, *, x_min, x_max: mg.clip(a, x_min, x_max),
        "where": lambda a, b, *, condition: mg.where(np.array(condition), a, b),
        "leaky_relu": lambda a, *, slope: nnet.leaky_relu(a, slope),
        "max": mg.max,
        "min": mg.min,
        "prod": mg.prod,
        "var": lambda a, *, axis, correction, keepdims: mg.var(
            a, axis=axis, ddof=correction, keepdims=keepdims
        ),
        "norm": mg.linalg.norm,
        "cumsum": mg.cumsum,
        "softmax": nnet.softmax,
        "log_softmax": nnet.logsoftmax,
        "stack": lambda *xs, axis: mg.stack(xs, axis=axis),
        "squeeze": mg.squeeze,
        "expand_dims": mg.expand_dims,
        "moveaxis": mg.moveaxis,
        "einsum": lambda a, b, *, subscripts: mg.einsum(subscripts, a, b),
        "softmax_cross_entropy": lambda a, *, t: nnet.softmax_crossentropy(a, np.array(t)),
    }

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        return mg.tensor(array, constant=not requires_grad)

    def value(self, t: Any) -> Any:
        return t.data

    def grad(self, t: Any) -> Any:
        return t.grad

    def backward(
        self,
        t: Any,
        gradient: Any = None,
        *,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        t.backward(gradient)

    def clear_grad(self, t: Any) -> None:
        t.null_grad()

    def zero_grad(self, t: Any) -> None:
        t.grad.fill(0)

    def no_grad(self) -> AbstractContextManager[Any]:
        return mg.no_autodiff  # type: ignore[no-any-return]

    def detach(self, t: Any) -> Any:
        return mg.astensor(t, constant=True)
