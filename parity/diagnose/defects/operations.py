"""Defects of single operations: a wrong formula of a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.diagnose.defects.base import Defect, program, rules_with
from parity.diagnose.defects.tensor import Node, Tensor, raw
from parity.diagnose.defects.vjps import do, matrices, spread, swapped


class SumAxisForgotten(Defect):
    description = (
        "the gradient of a sum over an axis without keepdims is broadcast as it is, "
        "so that it spreads along the wrong axis"
    )
    smallest = program("""
        x0 = leaf([[3.0, 2.0], [4.0, 5.0]])
        x1 = sum(x0, axis=1, keepdims=False)
        backward(x1, gradient=[1.0, 2.0])
    """)
    code = "gx = np.broadcast_to(gy, x.shape)"
    mend = "gx = np.broadcast_to(np.expand_dims(gy, axis), x.shape)"
    rules = rules_with(sum=lambda g, y, a, axis, keepdims: (do("broadcast_to", g, shape=a.shape),))


class MeanDivisor(Defect):
    description = "the gradient of a mean over an axis is divided by the number of all elements"
    smallest = program("""
        x0 = leaf([[3.0, 2.0], [4.0, 5.0]])
        x1 = mean(x0, axis=0, keepdims=False)
        backward(x1, gradient=[1.0, 2.0])
    """)
    code = "gx = gy / x.size"
    mend = "gx = gy * (y.size / x.size)"
    rules = rules_with(mean=lambda g, y, a, axis, keepdims: (spread(g, a.shape, axis) / a.size,))


def _overwriting_vjp(g: Any, y: Any, a: Any, index: Any) -> tuple[Any, ...]:
    positions = np.arange(g.size).reshape(g.shape)
    last = np.zeros(a.shape, int)
    last[index] = positions
    return (do("put", do("select", g, keep=last[index] == positions), shape=a.shape, index=index),)


class RepeatedIndexOverwritten(Defect):
    description = (
        "where an index names an element twice its gradient is overwritten instead of summed"
    )
    seen = "HIPS autograd#39"
    smallest = program("""
        x0 = leaf([3.0])
        x1 = get_item(x0, index=(('list', (0, 0)),))
        backward(x1, gradient=[1.0, 2.0])
    """)
    code = "gx[index] = gy"
    mend = "np.add.at(gx, index, gy)"
    rules = rules_with(get_item=_overwriting_vjp)


def _shifted(item: Any, length: int) -> Any:
    """Shift a slice one element to the front, unless it starts at the first."""
    if not isinstance(item, slice):
        return item
    start, stop, step = item.indices(length)
    return slice(start - 1, stop - 1, step) if start else item


def _get_item_vjp(g: Any, y: Any, a: Any, index: Any) -> tuple[Any, ...]:
    index = index if isinstance(index, tuple) else (index,)
    if all(isinstance(item, (int, slice)) for item in index):
        index = tuple(map(_shifted, index, a.shape))
    return (do("put", g, shape=a.shape, index=index),)


class SliceShifted(Defect):
    description = "the gradient of a slice goes one element too far to the front"
    smallest = program("""
        x0 = leaf([3.0, 2.0])
        x1 = get_item(x0, index=(('slice', 1, None, None),))
        backward(x1)
    """)
    code = "gx[start - 1 : stop - 1] = gy"
    mend = "gx[start:stop] = gy"
    rules = rules_with(get_item=_get_item_vjp)


class TransposeNotInverted(Defect):
    description = "the gradient of a transpose gets the same permutation, not the inverse"
    smallest = program("""
        x0 = leaf([[[3.0, 2.0]]])
        x1 = transpose(x0, axes=(2, 0, 1))
        backward(x1, gradient=[[[1.0]], [[2.0]]])
    """)
    code = "gx = gy.transpose(axes)"
    mend = "gx = gy.transpose(np.argsort(axes))"
    rules = rules_with(transpose=lambda g, y, a, axes: (g.transpose(axes),))


def _matmul_vjp(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, ...]:
    g, left, right = matrices(g, a, b)
    return (swapped(right) @ g).reshape(a.shape), (g @ swapped(left)).reshape(b.shape)


class MatmulSwapped(Defect):
    description = "the gradients of a matrix product have their factors swapped"
    smallest = program("x0 = leaf([3.0, 2.0])", "x1 = matmul(x0, x0)", "backward(x1)")
    code = "ga, gb = b.T @ gy, gy @ a.T"
    mend = "ga, gb = gy @ b.T, a.T @ gy"
    rules = rules_with(matmul=_matmul_vjp)


def _maximum_vjp(g: Any, y: Any, a: Any, b: Any) -> tuple[Any, ...]:
    left, right = raw(a), raw(b)
    return do("select", g, keep=~(left < right)), do("select", g, keep=~(left > right))


class MaximumTies(Defect):
    description = "both operands of a maximum get the whole gradient where they are equal"
    smallest = program("x0 = leaf(3.0)", "x1 = maximum(x0, x0)", "backward(x1)")
    code = "ga, gb = gy * (a >= b), gy * (b >= a)"
    mend = "give half of the gradient to each where a == b"
    rules = rules_with(maximum=_maximum_vjp)


class PowExponentKept(Defect):
    description = "the exponent of a power is not reduced in its gradient"
    smallest = program("x0 = leaf(3.0)", "x1 = pow(x0, exponent=2)", "backward(x1)")
    code = "gx = gy * c * x**c"
    mend = "gx = gy * c * x ** (c - 1)"
    rules = rules_with(pow=lambda g, y, a, exponent: (g * (exponent * y),))


class UnusedOutputCrashes(Defect):
    description = (
        "a function with several outputs of which one is not used gets None for its gradient"
    )
    category = "crash"
    smallest = program(
        "x0 = leaf([3.0, 2.0])", "x1, x2 = split(x0, axis=0, sizes=(1, 1))", "backward(x1)"
    )
    code = "gys = [y.grad for y in f.outputs]"
    mend = "zeros in place of None, for outputs that are not used"

    def arrived(self, node: Node, grads: dict[Tensor, Any]) -> tuple[Any, ...]:
        return tuple(grads.get(t) for t in node.outputs)


class SiblingsGradientUsed(Defect):
    description = "an output that is not used gets the gradient of another output of its function"
    seen = "dfdx#303"
    smallest = program(
        "x0 = leaf([3.0, 2.0])", "x1, x2 = split(x0, axis=0, sizes=(1, 1))", "backward(x1)"
    )
    code = "gy = next(y.grad for y in f.outputs if y.grad is not None)"
    mend = "each output's own gradient, or zeros"

    def arrived(self, node: Node, grads: dict[Tensor, Any]) -> tuple[Any, ...]:
        used = next(t for t in node.outputs if t in grads)
        return tuple(grads.get(t, grads[used]) for t in node.outputs)


class OffByABillionth(Defect):
    description = "the gradients of a product are off by a relative 1e-9"
    smallest = program("x0 = leaf(3.0)", "x1 = mul(x0, x0)", "backward(x1)")
    code = "a constant or a difference quotient in the formula"
    mend = "ga, gb = gy * b, gy * a"
    rules = rules_with(mul=lambda g, y, a, b: (g * b * (1 + 1e-9), g * a * (1 + 1e-9)))
