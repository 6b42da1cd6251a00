"""Defects of broadcasting: how a gradient is summed to the shape of a broadcast operand."""

from __future__ import annotations

from typing import Any

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Node
from parity.diagnose.defects.vjps import RULES, do

_ROWS = program("""
    x0 = leaf(3.0)
    x1 = leaf([3.0, 2.0])
    x2 = add(x0, x1)
    backward(x2, gradient=[1.0, 2.0])
""")


class NotUndone(Defect):
    name = "broadcasting-not-undone"
    description = "the gradient of a broadcast operand keeps the larger shape"
    smallest = _ROWS
    code = "ga, gb = gy, gy"
    mend = "ga, gb = sum_to(gy, a.shape), sum_to(gy, b.shape)"

    def unbroadcast(self, g: Any, shape: tuple[int, ...]) -> Any:
        return g


class UndoneByMean(Defect):
    name = "broadcasting-undone-by-mean"
    description = "the gradient of a broadcast operand is averaged instead of summed"
    smallest = _ROWS
    code = "gx = gy.mean(axes)"
    mend = "gx = gy.sum(axes)"

    def unbroadcast(self, g: Any, shape: tuple[int, ...]) -> Any:
        summed = super().unbroadcast(g, shape)
        return summed * (summed.size / g.size) if g.size else summed


class FirstElement(Defect):
    name = "broadcasting-undone-by-first-element"
    description = "a broadcast operand gets the gradient of the first of its copies, not the sum"
    smallest = _ROWS
    code = "gx = gy[0]"
    mend = "gx = gy.sum(0)"

    def unbroadcast(self, g: Any, shape: tuple[int, ...]) -> Any:
        if g.shape == shape or not g.size:
            return super().unbroadcast(g, shape)
        first: list[Any] = [0] * (g.ndim - len(shape))
        first += [slice(0, n) for n in shape]
        return g[tuple(first)]


class WrongAxis(Defect):
    name = "broadcasting-wrong-axis"
    description = "the gradient of a broadcast operand is summed over the last axes, not the first"
    smallest = program("""
        x0 = leaf([3.0, 2.0])
        x1 = leaf([[3.0, 2.0], [4.0, 5.0]])
        x2 = add(x0, x1)
        backward(x2, gradient=[[1.0, 2.0], [3.0, 4.0]])
    """)
    code = "while gx.ndim > x.ndim: gx = gx.sum(-1)"
    mend = "while gx.ndim > x.ndim: gx = gx.sum(0)"

    def unbroadcast(self, g: Any, shape: tuple[int, ...]) -> Any:
        while g.ndim > len(shape):
            g = do("sum", g, axis=-1, keepdims=False)
        kept = tuple(1 if m == 1 else n for n, m in zip(g.shape, shape, strict=False))
        return g if g.shape == kept else do("sum_to", g, shape=kept)


class LengthOneKept(Defect):
    name = "broadcasting-length-one-kept"
    description = "missing axes are summed, but axes of length 1 keep the length that they got"
    smallest = program("""
        x0 = leaf([3.0])
        x1 = leaf([3.0, 2.0])
        x2 = add(x0, x1)
        backward(x2, gradient=[1.0, 2.0])
    """)
    code = "while gx.ndim > x.ndim: gx = gx.sum(0)"
    mend = "then gx.sum(i, keepdims=True) for each axis i of length 1 in x"

    def unbroadcast(self, g: Any, shape: tuple[int, ...]) -> Any:
        return super().unbroadcast(g, g.shape[g.ndim - len(shape) :])


class RightOnly(Defect):
    name = "broadcasting-undone-right-only"
    description = "broadcasting is undone for right-hand operands only"
    smallest = _ROWS
    code = "ga, gb = gy, sum_to(gy, b.shape)"
    mend = "ga, gb = sum_to(gy, a.shape), sum_to(gy, b.shape)"

    def fit(self, node: Node, index: int, g: Any) -> Any:
        parent = node.parents[index]
        return super().fit(node, index, g) if index else self.cast(g, parent.dtype)


class OneOperationOnly(Defect):
    name = "broadcasting-undone-in-add-only"
    description = "broadcasting is undone in additions only"
    smallest = program("""
        x0 = leaf(3.0)
        x1 = leaf([3.0, 2.0])
        x2 = mul(x0, x1)
        backward(x2, gradient=[1.0, 2.0])
    """)
    code = "ga, gb = gy * b, gy * a"
    mend = "ga, gb = sum_to(gy * b, a.shape), sum_to(gy * a, b.shape)"

    def fit(self, node: Node, index: int, g: Any) -> Any:
        if node.vjp is RULES["add"].vjp:
            return super().fit(node, index, g)
        return self.cast(g, node.parents[index].dtype)
