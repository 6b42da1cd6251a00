"""A scalar engine in the style of micrograd, without its faults."""

from __future__ import annotations

import math
from collections.abc import Callable

#: From the gradient of a result to those of its operands.
Step = Callable[[float], tuple[float, ...]]


class Value:
    """A float that remembers how it was computed.

    Only values that no operation made have a gradient: ``grad`` is 0.0 at first, and each
    ``backward`` adds to it. What a pass sends through the results of operations belongs to
    that pass alone, so a second one cannot send it again.
    """

    def __init__(
        self, data: float, operands: tuple[Value, ...] = (), step: Step | None = None
    ) -> None:
        self.data = data
        self.grad = 0.0
        self._operands = operands
        self._step = step

    def __add__(self, other: Value) -> Value:
        return Value(self.data + other.data, (self, other), lambda g: (g, g))

    def __mul__(self, other: Value) -> Value:
        a, b = self.data, other.data
        return Value(a * b, (self, other), lambda g: (g * b, g * a))

    def __neg__(self) -> Value:
        return Value(-self.data, (self,), lambda g: (-g,))

    def __sub__(self, other: Value) -> Value:
        return Value(self.data - other.data, (self, other), lambda g: (g, -g))

    def tanh(self) -> Value:
        """The hyperbolic tangent."""
        y = math.tanh(self.data)
        return Value(y, (self,), lambda g: (g * (1 - y * y),))

    def backward(self) -> None:
        """Add the gradient of this value to ``grad`` of every leaf behind it."""
        grads = {self: 1.0}
        for value in reversed(self._operands_first()):
            grad = grads.pop(value)
            if value._step is None:
                value.grad += grad
                continue
            # An operand may stand in two places, so each place adds to what is there.
            for operand, part in zip(value._operands, value._step(grad), strict=True):
                grads[operand] = grads.get(operand, 0.0) + part

    def _operands_first(self) -> list[Value]:
        """This value and all behind it, each once and after its operands; no recursion."""
        order: list[Value] = []
        seen: set[Value] = set()
        todo = [(self, False)]
        while todo:
            value, complete = todo.pop()
            if complete:
                order.append(value)
            elif value not in seen:
                seen.add(value)
                todo.append((value, True))
                todo.extend((operand, False) for operand in value._operands)
        return order
