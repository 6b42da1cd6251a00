"""The cells of step 14 of "Deep Learning from Scratch 3" as engines, with the faults of each.

They share a plain stack of creators, results that keep their gradients, ``gy, gy`` for both
operands of an addition, and, but for the last, a slip: ``gxs = (gx,)`` where ``(gxs,)`` is meant,
which raises UnboundLocalError or sends the gradient of another node. They differ in how a
contribution is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from parity.diagnose.causes import Category
from parity.engines.base import Engine

Array = NDArray[Any]

# The cells.


class Variable:
    slip = True

    def __init__(self, data: Array) -> None:
        self.data = data
        self.grad: Any = None
        self.creator: Function | None = None

    def set_creator(self, func: Function) -> None:
        self.creator = func

    def backward(self) -> None:
        if self.grad is None:
            self.grad = np.ones_like(self.data)

        funcs: list[Any] = [self.creator]
        while funcs:
            f = funcs.pop()
            gys = [output.grad for output in f.outputs]
            gxs = f.backward(*gys)
            if not isinstance(gxs, tuple):
                gxs = (gx,) if self.slip else (gxs,)  # type: ignore[has-type]  # noqa: F821

            for x, gx in zip(f.inputs, gxs, strict=True):
                x.accumulate(gx)

                if x.creator is not None:
                    funcs.append(x.creator)

    def accumulate(self, gx: Any) -> None:
        """What the cells write in the loop."""
        raise NotImplementedError


class Overwriting(Variable):
    def accumulate(self, gx: Any) -> None:
        self.grad = gx


class Summing(Variable):
    def accumulate(self, gx: Any) -> None:
        if self.grad is None:
            self.grad = gx
        else:
            self.grad = self.grad + gx


class SummingInPlace(Variable):
    def accumulate(self, gx: Any) -> None:
        if self.grad is None:
            self.grad = gx
        else:
            self.grad += gx


class Clearing(SummingInPlace):
    def cleargrad(self) -> None:
        self.grad = None


class Mended(Summing):
    slip = False


def as_array(x: Any) -> Any:
    """Results of NumPy on 0-d arrays are scalars."""
    return np.array(x) if np.isscalar(x) else x


class Function:
    def __call__(self, *inputs: Variable) -> Any:
        xs = [x.data for x in inputs]
        ys = self.forward(*xs)
        if not isinstance(ys, tuple):
            ys = (ys,)
        outputs = [type(inputs[0])(as_array(y)) for y in ys]

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
        return x0 + x1

    def backward(self, gy: Array) -> Any:  # type: ignore[override]
        return gy, gy


class Square(Function):
    def forward(self, x: Array) -> Any:  # type: ignore[override]
        return x**2

    def backward(self, gy: Array) -> Any:  # type: ignore[override]
        x = self.inputs[0].data
        return 2 * x * gy


# Their adapters.


class Step14(Engine):
    """An adapter; subclasses name the variable."""

    dtypes, max_ndim = ("float64",), 0
    ops: ClassVar[dict[str, Any]] = {
        "add": lambda a, b: Add()(a, b),
        "square": lambda a: Square()(a),
    }
    variable: ClassVar[type[Variable]]

    def leaf(self, array: Any) -> Any:  # type: ignore[override]  # there are no constants
        return self.variable(array.copy())

    def value(self, t: Any) -> Any:
        return t.data

    def grad(self, t: Any) -> Any:
        return t.grad

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        if gradient is not None:
            if gradient.shape != t.data.shape:
                raise ValueError(f"a gradient of shape {gradient.shape} for {t.data.shape}")
            t.grad = gradient.copy()
        t.backward()


class CellA(Step14):
    name = "cell-a"
    variable = Overwriting


class CellB(Step14):
    name = "cell-b"
    variable = Summing


class CellC(Step14):
    name = "cell-c"
    variable = SummingInPlace


class CellD(Step14):
    name = "cell-d"
    variable = Clearing

    def clear_grad(self, t: Any) -> None:
        t.cleargrad()


class CellE(Step14):
    name = "cell-e"
    variable = Mended


# Their faults, one for each line that is wrong. That no graph is freed and that a root must have a
# creator are conventions.


@dataclass(frozen=True)
class TrueFault:
    """A fault, the names of causes that mean it, and their category."""

    names: frozenset[str]
    category: Category


def _fault(category: Category, *names: str) -> TrueFault:
    return TrueFault(frozenset(names), category)


#: ``gxs = (gx,)``: alone it raises, after an addition it sends the wrong gradient.
SLIP = _fault(Category.CRASH, "previous-gradient-sent", "square")
OVERWRITE = _fault(Category.GRADIENT, "overwrite", "second-backward-overwrites")
IN_PLACE = _fault(Category.GRADIENT, "inplace-accumulation")
#: A result that has a gradient counts it again, also as the root of another backward.
STALE = _fault(Category.GRADIENT, "stale-intermediates", "stale-root", "default-gradient-held")
PLAIN_STACK = _fault(Category.GRADIENT, "creation-order-ignored", "sends-again")
#: Where contributions overwrite, visiting a node again costs time alone: the order of the last
#: visits is a topological one.
SLOW_STACK = _fault(Category.RESOURCES, "creation-order-ignored", "sends-again", "one-pass-a-path")
#: ``gy, gy``: a change of one leaf's gradient changes the other's.
SHARED = _fault(Category.GRADIENT, "siblings-share", "root-gradient-shared")
FAULTS: dict[type[Step14], tuple[TrueFault, ...]] = {
    CellA: (OVERWRITE, SLOW_STACK, STALE, SHARED, SLIP),
    CellB: (PLAIN_STACK, STALE, SLIP),
    CellC: (IN_PLACE, PLAIN_STACK, STALE, SHARED, SLIP),
    CellD: (IN_PLACE, PLAIN_STACK, STALE, SHARED, SLIP),
    CellE: (PLAIN_STACK, STALE),
}
