"""PyTorch in float64 with random rounding errors, to estimate error bounds by sampling.

This is Monte Carlo arithmetic (D. S. Parker 1997); ``parity.oracle.tolerance`` uses the samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from parity.engines.adapters.torch import Functions, Torch, with_gradient
from parity.language.operation import Operation
from parity.language.shapes import elementwise
from parity.language.table import OPS
from parity.oracle.choices import Choice

#: Noise is uniform in absolute value between these, a and b. The mean square is 1:
#: (a**2 + a*b + b**2) / 3 == 1.
NOISE_RANGE = (0.5, (math.sqrt(45) - 1) / 4)
#: Random numbers that are drawn at a time.
DRAWN = 512


def _graph_nodes(t: Any) -> dict[Any, None]:
    """Return the autograd nodes that a backward from ``t`` runs, without those of leaves."""
    found: dict[Any, None] = {}
    waiting = [t.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node.next_functions and node not in found:
            found[node] = None
            waiting.extend(following for following, _ in node.next_functions)
    return found


class Perturbed(Torch):
    """PyTorch in float64 with random relative errors.

    ``unit``: the unit roundoff of the errors; 0 for none. ``accumulations``: how many roundings
    the accumulation of a gradient may add. ``choices``: in order, for each operation with a kink
    the operands that decide its derivative, errors or not (``parity.oracle.choices``).
    """

    name = "torch, perturbed"

    def __init__(
        self, unit: float, accumulations: int, seed: Any, choices: Sequence[Choice] = ()
    ) -> None:
        super().__init__()
        self.choices = choices
        self.chosen_count = 0  # of operations with a kink that ran so far
        self.recorded = False  # whether a backward with create_graph ran
        self.random = np.random.default_rng(seed)
        self.unit = unit
        self.accumulations = accumulations
        self.count = 0  # of random numbers used so far
        self._drawn = self._draw(DRAWN)
        self.plain = self.ops
        self.ops = Functions(  # type: ignore[misc]
            lambda name: partial(self.perturbed_operation, OPS[name])
        )

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        t = super().leaf(array.astype(np.float64), requires_grad)
        if requires_grad and self.unit:  # the gradient is rounded as it is accumulated, too
            t.register_hook(lambda g: self.rounded(g, 1 + self.accumulations))
        return t

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        """Run a backward; once gradients were recorded, every node rounds its results.

        In second derivatives an operand gets its gradient from several nodes. With an error
        common to all, those of ``a / b`` would cancel for equal operands.
        """
        ulps = 1 + self.accumulations

        def rounded(grads: Sequence[Any], _: Any) -> tuple[Any, ...]:
            return tuple(g if g is None else self.rounded(g, ulps) for g in grads)

        wide = None if gradient is None else gradient.astype(np.float64)
        nodes = _graph_nodes(t) if self.recorded and self.unit else ()
        hooks = [node.register_hook(rounded) for node in nodes]
        super().backward(t, wide, **flags)
        for hook in hooks:
            hook.remove()
        self.recorded |= flags.get("create_graph", False)

    @property
    def next_choice(self) -> Choice:
        """The operands that decide the next operation with a kink; None if errors may."""
        number = self.chosen_count
        return self.choices[number] if number < len(self.choices) else None

    def perturb(self, t: Any, ulps: float) -> Any:
        """Return ``t`` with random errors in its value and, independently, in its gradients.

        With the same error in both, gradients that cancel, as that of ``x`` in ``x * y / x``, would
        still cancel. The error is drawn again for each backward, since gradients of several
        passes may cancel as well.
        """
        if not self.unit:
            return t
        error = t.detach() * self.noise(t, self.unit * ulps)
        t = t + torch.where(torch.isfinite(error), error, 0.0)
        return with_gradient(t, lambda g: self.rounded(g, ulps))

    def rounded(self, g: Any, ulps: float) -> Any:
        return g * (1 + self.noise(g, self.unit * ulps))

    def noise(self, t: Any, scale: float = 1.0) -> Any:
        """Draw random numbers of either sign in the shape of ``t``, with mean square 1.

        Plain signs would not do: the errors of two equally weighted elements would cancel in all
        ``SAMPLES`` samples once in 2**8 programs, and the bound would be zero.
        """
        n = t.numel()
        self.count += n
        if n > len(self._drawn):  # many at a time: most programs have few elements
            self._drawn = self._draw(max(n, DRAWN))
        noise, self._drawn = self._drawn[:n], self._drawn[n:]
        return torch.from_numpy(noise * scale).reshape(t.shape)

    def _draw(self, count: int) -> NDArray[Any]:
        drawn = self.random.uniform(-1.0, 1.0, count)
        low, high = NOISE_RANGE
        noise: NDArray[Any] = np.copysign(low + (high - low) * np.abs(drawn), drawn)
        return noise

    def perturbed_operation(self, op: Operation, *xs: Any, **attrs: Any) -> Any:
        """Run an operation with errors in its operands and results."""
        operands = [self.perturb(x, 1 + self.accumulations) for x in xs]
        choice = None
        if op.kink:
            choice = self.next_choice
            self.chosen_count += 1
        if choice is None:
            result = self.plain[op.name](*operands, **attrs)
        else:
            result = self.chosen(op, operands, choice, attrs)
        return self.with_errors(op, result, xs) if self.unit else result

    def chosen(
        self, op: Operation, operands: list[Any], choice: Sequence[Any], attrs: dict[str, Any]
    ) -> Any:
        """Run an operation with the derivative that it has for the operands ``choice``."""
        wide = [
            torch.tensor(a.astype(np.float64)).broadcast_to(t.shape)
            for a, t in zip(choice, operands, strict=True)
        ]
        moved = [a + (t - t.detach()) for a, t in zip(wide, operands, strict=True)]
        result = self.plain[op.name](*moved, **attrs)
        if op.kink == "step":
            return result
        value = op.function(*operands, **attrs)
        return result + (value - result).detach()

    def with_errors(self, op: Operation, result: Any, xs: Sequence[Any]) -> Any:
        """Add the errors of an operation to its result."""
        # Where elements are summed, forward or backward, each addition may round each term.
        terms = max(t.numel() for t in xs) if op.sums else 1
        if isinstance(result, tuple):
            return tuple(self.perturb(y, op.ulps) for y in result)
        if any(x.shape != result.shape for x in xs):
            terms = max(terms, result.numel(), *(x.numel() for x in xs))
        result = self.perturb(result, op.ulps + terms)
        return self.with_slope_error(result, xs[0], op) if op.slope_ulps else result

    def with_slope_error(self, y: Any, x: Any, op: Operation) -> Any:
        """Add errors relative to the operand to the value and first two derivatives of ``y``.

        They stand for cancellation inside the operation.
        """
        fixed = x.detach()
        step = x - fixed  # zero, with derivative 1
        value, first, second = (self.noise(x, self.unit * op.slope_ulps) for _ in range(3))
        if op.divides and y.numel():
            smallest = fixed[fixed != 0].abs().min() if fixed.any() else 1.0
            second = second * (1 + y.detach().abs().max() / smallest**2)
        change = value * fixed + first * step + second * step * step / 2
        return y + (change if op.shape is elementwise else self.noise(y) * change.sum())
