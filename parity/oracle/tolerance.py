"""How far two correct engines may differ on a program, and no further.

1. Exact programs (``parity.oracle.exactness``): not at all.
2. Programs whose every bit IEEE 754 fixes: not at all, if the engine declares that
   it sums in PyTorch's order (``Engine.bitwise``).
3. Others: a bound for this very program and its data, from random rounding
   (Monte Carlo arithmetic, D. S. Parker 1997). The program is run again in
   float64 with each operand of each use and each result disturbed by the
   rounding that is allowed there. To first order the disturbance of an observed
   number is a sum of c_i * s_i with one random number s_i a disturbed element, of
   either sign and of mean square 1. Its root mean square is the 2-norm of c, and
   by Cauchy-Schwarz the worst case, the 1-norm, is at most sqrt(N) times that for
   N elements. Two engines differ by at most twice the worst case; another factor 2
   covers the estimate of the norm from a few samples. Where a kink or a pole lies
   within rounding, the samples scatter and so the bound grows: such a program
   decides nothing. A few further samples disturb gradients alone: where values tie,
   most elements lose their gradient in a sample that breaks the tie, and an element
   that loses it in all of them would have no bound for what it really gets.
   The bound is a sum over the samples, so each of them can only raise it: what the
   first ones allow needs no further ones, and what all of them forbid is a finding.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from parity.engines.adapters.torch import Torch, with_gradient
from parity.engines.execute import Trace, execute
from parity.engines.quirks.table import with_quirks
from parity.language import program as pr
from parity.language.operation import Op
from parity.language.shapes import elementwise
from parity.language.table import OPS
from parity.oracle.exactness import is_exact, is_rounded

SAMPLES = 8
#: How many samples disturb gradients alone, after the others.
STILL = 4
#: After how many of them it is looked whether they allow a difference.
STEPS = (1, 2, SAMPLES, SAMPLES + STILL)
#: The sizes of random disturbances, equally likely: (a**2 + a*b + b**2) / 3 is 1.
_SIZES = (0.5, (math.sqrt(45) - 1) / 4)
UNIT_ROUNDOFF = {"float32": 2.0**-24, "float64": 2.0**-53}


class Tolerance:
    """The bounds of one program; samples are drawn when they are first needed.

    ``quirks``: the dialect in which it runs (``parity.engines.quirks.table``).
    """

    def __init__(
        self, program: pr.Program, bitwise: bool = False, quirks: frozenset[str] = frozenset()
    ) -> None:
        self.program = program
        self.bitwise = bitwise
        self.quirks = quirks
        self._samples: list[Trace] = []
        self._wanted = STEPS[-1]  # how many of them bounds are made of
        self._count = 1

    @cached_property
    def unit(self) -> float:
        """The roundoff of the narrowest dtype in the program."""
        narrow = any(leaf.dtype == "float32" for leaf in self.program.leaves)
        return UNIT_ROUNDOFF["float32" if narrow else "float64"]

    @cached_property
    def strict(self) -> bool:
        """Whether engines must agree in every bit."""
        return is_exact(self.program) or (self.bitwise and is_rounded(self.program))

    def excess(
        self, place: int, error: NDArray[Any], reference: NDArray[Any]
    ) -> NDArray[Any] | None:
        """``error`` over its bound in observation number ``place``, by element.

        None if no error exceeds its bound. For programs that must agree in every
        bit the unit is the roundoff of the value.
        """
        floor = self._floor(reference)
        if self.strict:
            return np.where(error > 0, error / floor, 0.0)
        least = bound = 8 * floor
        for wanted in STEPS:
            if np.all(error <= bound):
                return None
            self._wanted = wanted
            bound = least + self._sampled(place, reference.shape)
        return None if np.all(error <= bound) else np.where(error > 0, error / bound, 0.0)

    def bound(self, place: int, reference: NDArray[Any]) -> NDArray[Any]:
        """The largest difference allowed in observation number ``place``, by element."""
        if self.strict:
            return np.zeros(reference.shape)
        self._wanted = STEPS[-1]
        bound: NDArray[Any] = 8 * self._floor(reference) + self._sampled(place, reference.shape)
        return bound

    def _floor(self, reference: NDArray[Any]) -> NDArray[Any]:
        """The roundoff of each element."""
        floor = self.unit * np.abs(reference.astype(np.float64))
        finite: NDArray[Any] = np.where(np.isfinite(floor), floor, 0.0)
        return finite + np.finfo(np.float64).tiny

    def _sampled(self, place: int, shape: tuple[int, ...]) -> NDArray[Any]:
        """The part of the bound that comes from samples, as many as are wanted."""
        self._draw()
        traces = [self._base, *self._samples[: self._wanted]]
        if place >= min(len(t.observations) for t in traces):
            return np.zeros(shape)
        exact, *samples = [t.observations[place].array for t in traces]
        if exact is None or exact.shape != shape:
            return np.zeros(shape)
        return sampled_bound(exact, samples, self._count)

    @cached_property
    def _seed(self) -> int:
        return zlib.crc32(repr(self.program).encode())

    @cached_property
    def _base(self) -> Trace:
        """The run that nothing disturbs."""
        return self._run(Disturbed(0.0, _folds(self.program), self._seed))

    def _draw(self) -> None:
        """Run the samples that are wanted and not there yet."""
        for k in range(len(self._samples), self._wanted):
            engine = Disturbed(
                self.unit, _folds(self.program), (self._seed, k + 1), still=k >= SAMPLES
            )
            self._samples.append(self._run(engine))
            if k == 0:
                self._count = max(1, engine.count)

    def _run(self, engine: Disturbed) -> Trace:
        return execute(self.program, with_quirks(engine, self.quirks))


def sampled_bound(exact: NDArray[Any], samples: Sequence[Any], count: int) -> NDArray[Any]:
    """The bound from disturbed values of what is ``exact``: ``count`` elements were disturbed.

    Of fewer than ``SAMPLES`` samples it is a part of the bound, never more. Each further
    one, as those of gradients alone, can only raise it.
    """
    squares = np.zeros(exact.shape)
    for array in samples:
        with np.errstate(all="ignore"):
            deviation = np.where(_same(array, exact), 0.0, array - exact)
            squares = squares + deviation * deviation
    bound = 4 * np.sqrt(count * squares / SAMPLES)
    return np.where(np.isnan(bound), np.inf, bound)


def _folds(program: pr.Program) -> int:
    """How often a sum of contributions may be rounded, in all backwards together."""
    uses = Counter(v for statement in program.statements for v in pr.operands(statement))
    passes = sum(isinstance(s, pr.Backward) for s in program.statements)
    return max(uses.values(), default=0) + passes


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


def _same(a: Any, b: Any) -> Any:
    return (a == b) | (np.isnan(a) & np.isnan(b))


class Disturbed(Torch):
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

    def disturbed(self, op: Op, *xs: Any, **attrs: Any) -> Any:
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

    def tilted(self, y: Any, x: Any, op: Op) -> Any:
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
