"""Defects of the backward pass: how gradients of a reused variable come together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.defects.base import Defect, program
from parity.defects.small import Tensor


class Overwrite(Defect):
    """A reused variable's gradient is overwritten instead of summed.

    Seen in step 13 of "Deep Learning from Scratch 3". Smallest program:
    ``y = add(x, x); backward(y)``.
    """

    name = "overwrite"
    says = "a reused variable's gradient is overwritten instead of summed"
    smallest = program(1, (0, 0))

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        grads[t] = g


class InplaceAccumulation(Defect):
    """``x.grad += gx`` on an array that others hold as well.

    Section 14.2 of the book. The gradient of ``add`` is one array for both
    operands, so adding to one in place changes the other. Smallest program:
    ``y = add(x, z); w = add(y, x); backward(w)``.
    """

    name = "inplace-accumulation"
    says = "gradients are summed in place in an array that another variable holds as well"
    smallest = program(2, (0, 1), (2, 0))

    def add(self, grads: dict[Tensor, Any], t: Tensor, g: Any) -> None:
        if t in grads:
            grads[t] += g
        else:
            grads[t] = np.asarray(g)


class CreationOrderIgnored(Defect):
    """A plain stack of functions: a diamond is propagated before it is complete.

    The code of step 14 itself. A node runs each time it is reached, with the sum
    so far, so that early contributions are sent on twice. Smallest program:
    ``h = add(x, x); y = add(h, h); z = add(y, h); backward(z)``.
    """

    name = "creation-order-ignored"
    says = "functions run from a plain stack, a diamond before its gradient is complete"
    smallest = program(1, (0, 0), (1, 1), (2, 1))

    def order(self, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Tensor]:
        stack = [root]
        while stack:
            node = stack.pop()
            if node.vjp is not None:
                node.freed = False  # the second visit is the defect, not an error
                yield node
                stack.extend(p for p in node.parents if p.requires_grad)
