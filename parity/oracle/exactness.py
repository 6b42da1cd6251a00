"""Which programs are free of rounding errors: there, engines must agree in every bit.

The analysis is an abstract interpretation. A *grid* ``(steps, places)`` describes values that are
multiples of ``2 ** -places`` with absolute values of at most ``steps`` such multiples. Binary
floating point represents them exactly if ``steps`` fits the significand, and then
every sum of them in every order is exact too. Grids are propagated forward through operations
and backward through gradients. If all of them fit, the program is exact on every correct engine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.language import dyadic
from parity.language import program as pr
from parity.language.dyadic import ONE, DyadicRule, Grid
from parity.language.shapes import elementwise, size, where
from parity.language.table import OPS

#: Bits of the significand that gradients passed to a backward must leave unused.
_ROOM = 8


def narrowest(program: pr.Program) -> np.finfo[Any]:
    """Return the properties of the narrowest dtype of a leaf."""
    narrow = any(leaf.dtype == "float32" for leaf in program.leaves)
    return np.finfo(np.float32 if narrow else np.float64)


def is_exact(program: pr.Program) -> bool:
    """Return whether every value and gradient of the program is free of rounding errors."""
    for statement in program.statements:  # most inexact programs are recognized here
        if isinstance(statement, pr.TakeGrad):
            return False
        if isinstance(statement, pr.Apply) and OPS[statement.op].dyadic is None:
            return False
    try:
        _Grids(program).run()
    except _InexactError:
        return False
    return True


def is_rounded(program: pr.Program) -> bool:
    """Return whether IEEE 754 and PyTorch's order of additions determine every bit.

    PyTorch rule: docs/semantics.md 15. Programs with sums of five or more elements are excluded,
    since NumPy and PyTorch add them in different orders (docs/semantics.md 15.8), and so are
    those with sums over several axes of an array that is not C-contiguous.
    """
    applied = [s for s in program.statements if isinstance(s, pr.Apply)]
    if any(not OPS[s.op].is_rounded(s.attrs) for s in applied):
        return False
    if any(isinstance(s, pr.TakeGrad) for s in program.statements):
        return False
    reordered = any(OPS[s.op].reorders for s in applied)
    for statement, outputs in zip(program.statements, program.defined, strict=True):
        if not isinstance(statement, pr.Apply):
            continue
        op = OPS[statement.op]
        result, *others = (program.infos[i].shape for i in (*outputs, *statement.inputs))
        # Broadcasting operations sum the gradient of a smaller operand.
        broadcasts = op.shape in (elementwise, where) and any(s != result for s in others)
        if (op.spreads or broadcasts) and max(map(size, (result, *others))) > 4:
            return False
        inputs = others[len(outputs) - 1 :]
        for operand in inputs if reordered else ():  # over how many axes its gradient is summed
            aligned = (1,) * (len(result) - len(operand)) + operand
            if sum(n > 1 and m == 1 for m, n in zip(aligned, result, strict=False)) > 1:
                return False
    return True


class _InexactError(Exception):
    """A value may be rounded."""


class _Grids:
    """The grids of the values and gradients of a program whose operations all have a rule."""

    def __init__(self, program: pr.Program) -> None:
        self.program = program
        info = narrowest(program)
        self.bits = info.nmant + 1  # of the significand
        self.exponent = -info.minexp  # beyond it numbers are subnormal or infinite
        self.values = [self.of(leaf) for leaf in program.leaves]
        self.applied: list[tuple[pr.Apply, tuple[int, ...]]] = []
        self.totals: dict[int, Grid] = {}

    def checked(self, grid: Grid | None) -> Grid:
        """Return ``grid`` if all its numbers are floating-point numbers, else raise."""
        if grid is None or grid[0] > 1 << self.bits:
            raise _InexactError
        if not -self.exponent < -grid[1] < self.exponent - grid[0].bit_length():
            raise _InexactError
        return grid

    def of(self, constant: pr.Constant) -> Grid:
        array = constant.array()
        if not np.isfinite(array).all():
            raise _InexactError
        return self.checked(dyadic.grid_of(array.ravel().tolist()))

    def seed(self, gradient: pr.Constant | None) -> Grid:
        """Return the grid of the root's gradient, whose numbers must leave some bits unused.

        Correct engines use different formulas: the gradient of ``absolute`` as ``gy * x / abs(x)``
        is rounded if ``gy`` uses all bits.
        """
        if gradient is None:
            return ONE
        for value in gradient.values:
            numerator = abs(value.as_integer_ratio()[0]) if np.isfinite(value) else 0
            if (numerator // max(numerator & -numerator, 1)).bit_length() > self.bits - _ROOM:
                raise _InexactError
        return self.of(gradient)

    def run(self) -> None:
        for statement, outputs in zip(self.program.statements, self.program.defined, strict=True):
            if isinstance(statement, pr.Apply):
                rule, arguments = self.rule_of(statement)
                self.values += [self.checked(rule.value(*arguments))] * len(outputs)
                if not statement.no_grad:
                    self.applied.append((statement, outputs))
            elif isinstance(statement, pr.Detach):
                self.values.append(self.values[statement.value])
            elif isinstance(statement, pr.Backward):
                self.backward(statement)
            elif isinstance(statement, pr.ChangeGrad):
                # Without a gradient there may be zeros (quirk ``zeros-instead-of-none``).
                total = self.totals.get(statement.leaf)
                changed = (
                    ONE if total is None else dyadic.grid_sum(dyadic.grid_times(total, 2), ONE)
                )
                self.totals[statement.leaf] = self.checked(changed)

    def rule_of(self, statement: pr.Apply) -> tuple[DyadicRule, tuple[Any, ...]]:
        """Return the rule of an operation, and the arguments of its functions."""
        rule = OPS[statement.op].dyadic
        assert rule is not None
        grids = tuple(self.values[i] for i in statement.inputs)
        sizes = tuple(size(self.program.infos[i].shape) for i in statement.inputs)
        return rule, (grids, sizes, dict(statement.attrs))

    def backward(self, root: pr.Backward) -> None:
        grads: dict[int, Grid] = {root.value: self.seed(root.gradient)}
        for statement, outputs in reversed(self.applied):
            reached = [grads[i] for i in outputs if i in grads]
            if not reached:
                continue
            rule, arguments = self.rule_of(statement)
            slopes = rule.slopes(*arguments)
            if slopes is None:
                raise _InexactError
            for i, slope in zip(statement.inputs, slopes, strict=True):
                grid = dyadic.grid_product(dyadic.grid_hull(*reached), slope)
                self.add_to(grads, i, dyadic.grid_times(grid, self.terms(statement, i, outputs)))
        for i, grid in grads.items():
            if i < len(self.program.leaves):
                self.add_to(self.totals, i, grid)

    def add_to(self, grids: dict[int, Grid], i: int, grid: Grid) -> None:
        grids[i] = self.checked(dyadic.grid_sum(grids[i], grid) if i in grids else grid)

    def terms(self, statement: pr.Apply, value: int, outputs: tuple[int, ...]) -> int:
        """Return how many terms the gradient of an operand sums at most."""
        shapes = [self.program.infos[i].shape for i in outputs]
        if OPS[statement.op].shape is elementwise and shapes == [self.program.infos[value].shape]:
            return 1
        return max(1, *map(size, shapes))
