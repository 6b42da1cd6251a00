"""The engine at the end of step 14 of "Deep Learning from Scratch 3", with its two faults.

Gradients of a reused variable are summed (``x.grad + gx``, not in place) and ``cleargrad()``
makes a variable ready for another computation. What the book corrects only later is left as
it is here: functions come off a plain stack, in whatever order they got there (step 16), and
results of functions keep their gradients after a backward (step 18).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Variable:
    """An array, its gradient and the function that made it."""

    def __init__(self, data: Array) -> None:
        if data is not None and not isinstance(data, np.ndarray):
            raise TypeError(f"{type(data)} is not supported")
        self.data = data
        self.grad: Array | None = None
        self.creator: Function | None = None

    def set_creator(self, func: Function) -> None:
        self.creator = func

    def cleargrad(self) -> None:
        self.grad = None

    def backward(self) -> None:
        if self.grad is None:
            self.grad = np.ones_like(self.data)

        funcs: list[Any] = [self.creator]
        while funcs:
            f = funcs.pop()
            gys = [output.grad for output in f.outputs]
            gxs = f.backward(*gys)
            if not isinstance(gxs, tuple):
                gxs = (gxs,)

            for x, gx in zip(f.inputs, gxs, strict=True):
                if x.grad is None:
                    x.grad = gx
                else:
                    x.grad = x.grad + gx

                if x.creator is not None:
                    funcs.append(x.creator)


def as_array(x: Any) -> Any:
    """Results of NumPy on 0-d arrays are scalars, which a Variable does not take."""
    if np.isscalar(x):
        return np.array(x)
    return x


class Function:
    """A step of the computation; subclasses define ``forward`` and ``backward`` on arrays."""

    def __call__(self, *inputs: Variable) -> Any:
        xs = [x.data for x in inputs]
        ys = self.forward(*xs)
        if not isinstance(ys, tuple):
            ys = (ys,)
        outputs = [Variable(as_array(y)) for y in ys]

        for output in outputs:
            output.set_creator(self)
        self.inputs = inputs
        self.outputs = outputs
        return outputs if len(outputs) > 1 else outputs[0]

    def forward(self, *xs: Array) -> Any:
        raise NotImplementedError

    def backward(self, *gys: Array) -> Any:
        raise NotImplementedError


class Add(Function):
    def forward(self, x0: Array, x1: Array) -> Any:  # type: ignore[override]
        y = x0 + x1
        return y

    def backward(self, gy: Array) -> Any:  # type: ignore[override]
        return gy, gy


class Square(Function):
    def forward(self, x: Array) -> Any:  # type: ignore[override]
        y = x**2
        return y

    def backward(self, gy: Array) -> Any:  # type: ignore[override]
        x = self.inputs[0].data
        gx = 2 * x * gy
        return gx


def add(x0: Variable, x1: Variable) -> Any:
    return Add()(x0, x1)


def square(x: Variable) -> Any:
    return Square()(x)
