"""Defects of functions with a backward of the user's own."""

from __future__ import annotations

from typing import Any

from parity.diagnose.defects.base import Defect, program
from parity.diagnose.defects.tensor import Node, Tensor


class UserSecondGradientDropped(Defect):
    description = "only the first input of a function of the user gets a gradient"
    smallest = program(
        "x0 = leaf(3.0)", "x1 = leaf(2.0)", "x2, x3 = user(product_and_sum, x0, x1)", "backward(x2)"
    )
    code = "self.inputs[0].grad = self.backward(g)"
    mend = "for x, gx in zip(self.inputs, gxs): ..."

    def user_slopes(
        self, backward: Any, gs: tuple[Any, ...], xs: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        first, *others = super().user_slopes(backward, gs, xs)
        return first, *(None for _ in others)


class UserBackwardOncePerOutput(Defect):
    description = "the backward of a function of the user runs once for each of its outputs"
    smallest = program("x0 = leaf(3.0)", "x1, x2 = user(product_and_sum, x0, x0)", "backward(x1)")
    code = "each output has the function as its creator, and backward runs for each output"
    mend = "run it once, when the gradients of all outputs are complete"

    def user_slopes(
        self, backward: Any, gs: tuple[Any, ...], xs: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        slopes = super().user_slopes(backward, gs, xs)
        return tuple(None if g is None else g * len(gs) for g in slopes)


class UserNoneRaises(Defect):
    description = "a gradient of None for an input of a function of the user raises"
    smallest = program("x0 = leaf(3.0)", "x1 = user(second_constant, x0, x0)", "backward(x1)")
    category = "crash"
    code = "x.grad = x.grad + gx"
    mend = "if gx is not None: x.grad = x.grad + gx"

    def user_slopes(
        self, backward: Any, gs: tuple[Any, ...], xs: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        slopes = super().user_slopes(backward, gs, xs)
        if None in [g if g is None else 0 for g in slopes]:
            raise TypeError("unsupported operand type(s) for +: 'float' and 'NoneType'")
        return slopes


class UserNoneTakenAsGradient(Defect):
    description = "an input of a function of the user that gets None gets the gradient of another"
    smallest = program(
        "x0 = leaf(3.0)",
        "x1 = leaf(2.0)",
        "x2 = user(second_constant, x0, x1)",
        "backward(x2)",
    )
    code = "gxs = [gx for gx in gxs if gx is not None], filled up with the last one"
    mend = "keep None in its place, and skip that input"

    def user_slopes(
        self, backward: Any, gs: tuple[Any, ...], xs: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        slopes = super().user_slopes(backward, gs, xs)
        return tuple(slopes[0] if g is None else g for g in slopes)


class UserUnusedOutputRaises(Defect):
    description = "an output of a function of the user that is not used has None as its gradient"
    smallest = program("x0 = leaf(3.0)", "x1, x2 = user(product_and_sum, x0, x0)", "backward(x2)")
    category = "crash"
    code = "gys = [y.grad for y in self.outputs]"
    mend = "zeros for an output without a gradient"

    def arrived(self, node: Node, grads: dict[Tensor, Any]) -> tuple[Any, ...]:
        unused = node.several and not all(t in grads for t in node.outputs)
        if unused and node.vjp in self.vjps_of_user:
            raise TypeError("unsupported operand type(s) for *: 'NoneType' and 'float'")
        return super().arrived(node, grads)

    def __init__(self) -> None:
        super().__init__()
        self.vjps_of_user: set[Any] = set()

    def of_user(self, forward: Any, backward: Any) -> tuple[Any, Any]:
        value, vjp = super().of_user(forward, backward)
        self.vjps_of_user.add(vjp)
        return value, vjp


class UserInputsShared(Defect):
    description = (
        "calls of a function of the user share what they save: the last call overwrites it"
    )
    smallest = program(
        "x0 = leaf(3.0)",
        "x1 = user(square, x0)",
        "x2 = user(square, x1)",
        "backward(x2)",
    )
    code = "def forward(self, x): self.x = x, on one object for all calls"
    mend = "one object, or one context, for each call"

    def of_user(self, forward: Any, backward: Any) -> tuple[Any, Any]:
        value, vjp = super().of_user(forward, backward)
        saved: list[tuple[Any, ...]] = []

        def saving(*arrays: Any) -> Any:
            saved[:] = [arrays]
            return value(*arrays)

        def shared(g: Any, y: Any, *xs: Any) -> Any:
            return vjp(g, y, *saved[0])

        return saving, shared
