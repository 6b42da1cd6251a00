"""Defects of the shapes and dtypes of gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Node, Tensor
from parity.diagnose.defects.vjps import RULES, Rule


class ZeroDimBecomesVector(Defect):
    description = "the gradient of a 0-d leaf has shape (1,)"
    smallest = program("x0 = leaf(3.0)", "backward(x0)")
    code = "x.grad = np.atleast_1d(gx)"
    mend = "x.grad = np.asarray(gx)"

    def store(self, leaf: Tensor, g: Any) -> None:
        super().store(leaf, np.atleast_1d(g))


class ScalarGetsVector(Defect):
    description = (
        "a 0-d operand gets the gradient of each element that it was broadcast to, not the sum"
    )
    seen = "jax#6452"
    smallest = program("""
        x0 = leaf(3.0)
        x1 = leaf([3.0, 2.0])
        x2 = add(x0, x1)
        backward(x2, gradient=[1.0, 2.0])
    """)
    code = "gx = gy if x.ndim == 0 else sum_to(gy, x.shape)"
    mend = "gx = sum_to(gy, x.shape)"

    def unbroadcast(self, g: Any, shape: tuple[int, ...]) -> Any:
        return super().unbroadcast(g, shape) if shape else g


class Float32Widened(Defect):
    description = "the gradient of a float32 variable is float64"
    seen = "HIPS autograd#163"
    smallest = program("x0 = leaf(3.0, float32)", "backward(x0)")
    code = "np.ones(shape)"
    mend = "np.ones(shape, dtype=x.dtype)"

    def seed(self, t: Tensor, gradient: Any) -> Any:
        return super().seed(t, gradient).astype(np.float64)

    def cast(self, g: Any, dtype: Any) -> Any:
        return super().cast(g, np.dtype(np.float64))


class _DtypeKept(Defect):
    """Gradients keep the dtype of the results."""

    def slopes(self, node: Node, gs: tuple[Any, ...]) -> tuple[Any, ...]:
        # The dtype of the results, not the one that the formulas happen to give.
        dtype = np.result_type(*(x.dtype for x in (*gs, *node.outputs)))
        found = (g if isinstance(g, Tensor) else np.asarray(g) for g in super().slopes(node, gs))
        return tuple(super(_DtypeKept, self).cast(g, dtype) for g in found)

    def cast(self, g: Any, dtype: Any) -> Any:
        return g


class _DtypeOfIndexed(_DtypeKept):
    """The same, but the gradient of an indexed array has the dtype of the array."""

    def fit(self, node: Node, index: int, g: Any) -> Any:
        fitted = super().fit(node, index, g)
        indexed = node.vjp is RULES["get_item"].vjp
        return fitted.astype(node.parents[index].dtype, copy=False) if indexed else fitted


class _DtypeOfSum(_DtypeKept):
    """The same, and sums of several passes are new arrays, which a later pass can widen."""

    def store_again(self, leaf: Tensor, g: Any) -> None:
        if g.dtype == leaf.grad.dtype:
            super().store_again(leaf, g)
        else:
            leaf.grad = leaf.grad + g


class GradientDtypeOfResult(_DtypeOfIndexed, _DtypeOfSum):
    description = "the gradient of a float32 operand keeps the dtype of a float64 result"
    smallest = program(
        "x0 = leaf(3.0, float32)", "x1 = leaf(3.0)", "x2 = add(x0, x1)", "backward(x2)"
    )
    code = "ga = gy"
    mend = "ga = gy.astype(a.dtype)"
    forms = (_DtypeKept, _DtypeOfIndexed, _DtypeOfSum)


class PythonScalarsPromote(Defect):
    description = "a Python number makes a float32 operand float64"
    category = "value"
    smallest = program("x0 = leaf(3.0, float32)", "x1 = add_scalar(x0, c=1.0)")
    code = "x + np.array(c)"
    mend = "x + np.array(c, dtype=x.dtype)"
    rules = RULES | {
        # The scalar is a float64 array first.
        name: Rule(lambda a, c, value=rule.value: value(a, np.array(c, np.float64)), rule.vjp)
        for name, rule in RULES.items()
        if name.endswith("_scalar")
    }


class DtypeOfOtherOperand(Defect):
    description = "the gradient of an operand gets the dtype of the other one"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = leaf(3.0, float32)", "x2 = add(x0, x1)", "backward(x2)"
    )
    code = "ga = gy.astype(b.dtype)"
    mend = "ga = gy.astype(a.dtype)"

    def fit(self, node: Node, index: int, g: Any) -> Any:
        other = node.parents[index - 1]  # itself, if there is one operand
        return self.cast(super().fit(node, index, g), other.dtype)
