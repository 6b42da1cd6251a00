"""PyTorch in float64 with random rounding, from which error bounds are estimated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from parity.engines.adapters.torch import Torch, with_gradient
from parity.language.operation import Operation
from parity.language.shapes import elementwise
from parity.language.table import OPS

#: The sizes of random disturbances, equally likely: (a**2 + a*b + b**2) / 3 is 1.
_SIZES = (0.5, (math.sqrt(45) - 1) / 4)


UNIT_ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53}


def _nodes(t: Any) -> list[Any]:
    """The formulas through which a pass from ``t`` goes; those of leaves give nothing on."""
    found: dict[Any, None] = {}
    waiting = [t.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node.next_functions and node not in found:
            found[node] = None
            waiting.extend(following for following, _ in node.next_functions)
    return list(found)


class Perturbed(Torch):
    """PyTorch in float64 with random roundings of ``unit``; ``still``: of gradients alone."""

    name = "torch, disturbed"

    def __init__(self, unit: float, folds: int, seed: Any, still: bool = False) -> None:
        super().__init__()
        self.still = still
        self.recorded = False  # whether there is a graph of gradients
        self.random = np.random.default_rng(seed)
        self.unit = unit
        self.folds = folds
        self.count = 0
        self.ops = {  # type: ignore[misc]
            name: partial(self.disturbed, op) for name, op in OPS.items()
        }

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        t = super().leaf(array.astype(np.float64), requires_grad)
        if requires_grad and self.unit:
            t.register_hook(self.arriving)
        return t

    def arriving(self, g: Any) -> Any:
        """What a pass gives a leaf, rounded when it is formed and when it is added."""
        return self.rounded(g, 1 + self.folds)

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        """A pass; once it may meet a graph of gradients, each formula in it rounds.

        The operand of a second derivative gets its gradient from several formulas. Those of
        ``a / b`` cancel for equal operands, as long as one factor is common to all.
        """
        wide = None if gradient is None else gradient.astype(np.float64)
        nodes = _nodes(t) if self.recorded and self.unit else []
        hooks = [node.register_hook(self.leaving) for node in nodes]
        super().backward(t, wide, **flags)
        for hook in hooks:
            hook.remove()
        self.recorded |= flags.get("create_graph", False)

    def leaving(self, grads: Sequence[Any], _: Any) -> tuple[Any, ...]:
        """What a formula gives its operands, rounded as terms of sums."""
        return tuple(g if g is None else self.rounded(g, 1 + self.folds) for g in grads)

    def disturb(self, t: Any, ulps: float) -> Any:
        """``t`` with other roundings of its value and, independently, of its gradients.

        A common factor for both would not do: it leaves gradients that cancel, as
        those of ``x`` in ``x * y / x``, cancelled. Nor would one factor for all
        passes, since the gradients of several may cancel.
        """
        if not self.unit:
            return t
        if not self.still:
            t = t + t.detach() * (self.unit * ulps * self.signs(t))
        return with_gradient(t, lambda g: self.rounded(g, ulps))

    def rounded(self, g: Any, ulps: float) -> Any:
        """``g`` with another rounding of up to ``ulps``."""
        return g * (1 + self.unit * ulps * self.signs(g))

    def signs(self, t: Any) -> Any:
        """Random numbers of either sign in the shape of ``t``; their mean square is 1.

        They differ in size as well: of two elements that count alike, ones of plus and minus
        cancel in all of ``SAMPLES`` samples once in 2**8 times, and the bound is lost.
        """
        self.count += t.numel()
        drawn = self.random.uniform(-1.0, 1.0, tuple(t.shape))
        low, high = _SIZES
        signs = np.copysign(low + (high - low) * np.abs(drawn), drawn)
        return super().leaf(np.asarray(signs), requires_grad=False)

    def disturbed(self, op: Operation, *xs: Any, **attrs: Any) -> Any:
        """An operation whose operands and results are disturbed."""
        result = op.function(*[self.disturb(x, 1 + self.folds) for x in xs], **attrs)
        # Where elements are summed, forward or back, each term is rounded once an addition.
        terms = max(t.numel() for t in xs) if op.sums else 1
        if isinstance(result, tuple):
            return tuple(self.disturb(y, op.ulps) for y in result)
        if any(x.shape != result.shape for x in xs):
            terms = max(terms, result.numel(), *(x.numel() for x in xs))
        result = self.disturb(result, op.ulps + terms)
        return self.tilted(result, xs[0], op) if op.slope_ulps else result

    def tilted(self, y: Any, x: Any, op: Operation) -> Any:
        """``y`` disturbed by what cancels inside: relative to the operand, in value and slopes."""
        if not self.unit:
            return y
        fixed = x.detach()
        step = x - fixed  # zero, with derivative one
        value, first, second = (self.unit * op.slope_ulps * self.signs(x) for _ in range(3))
        if self.still:
            value = torch.zeros_like(value)
        if op.divides and y.numel():
            smallest = fixed[fixed != 0].abs().min() if fixed.any() else 1.0
            second = second * (1 + y.detach().abs().max() / smallest**2)
        change = value * fixed + first * step + second * step * step / 2
        return y + (change if op.shape is elementwise else self.signs(y) * change.sum())
