"""Which programs leave no room for rounding: there, engines must agree in every bit.

A *grid* says that a value is at most ``2 ** magnitude`` and a multiple of
``2 ** -places``. A number on a grid is exact in binary floating point if
``magnitude + places`` fits the significand, and then so is every sum in every
order. Grids go forward through the operations and back through the gradients;
if all fit, the program is exact on every correct engine.
"""

from __future__ import annotations

import math

import numpy as np

from parity import program as pr
from parity.ops import OPS
from parity.rules import Grid
from parity.shapes import elementwise, size

SIGNIFICAND = {"float32": 24, "float64": 53}


def is_exact(program: pr.Program) -> bool:
    """Whether every value and gradient of the program is free of rounding."""
    try:
        _Grids(program).run()
    except _InexactError:
        return False
    return True


def is_rounded(program: pr.Program) -> bool:
    """Whether IEEE 754 and PyTorch's order of accumulation fix every bit (semantics.md 15).

    Sums of five elements and more are left out: NumPy and PyTorch add them in
    different orders (15.8).
    """
    infos = program.infer()
    count = len(program.leaves)
    for statement in program.statements:
        if isinstance(statement, pr.TakeGrad):
            return False
        if isinstance(statement, pr.Apply):
            op = OPS[statement.op]
            outputs = pr.apply_infos(statement, [infos[i] for i in statement.inputs])
            shapes = {info.shape for info in outputs} | {infos[i].shape for i in statement.inputs}
            if not op.is_rounded(statement.attrs):
                return False
            if op.shape is elementwise and len(shapes) > 1 and max(map(size, shapes)) > 4:
                return False
            if op.spreads and max(map(size, shapes)) > 4:
                return False
            count += len(outputs)
    return True


class _InexactError(Exception):
    pass


class _Grids:
    """The grids of one program's values and gradients."""

    def __init__(self, program: pr.Program) -> None:
        self.program = program
        self.infos = program.infer()
        narrow = any(info.dtype == "float32" for info in self.infos)
        self.limit = SIGNIFICAND["float32" if narrow else "float64"]
        self.values = [self.of(leaf) for leaf in program.leaves]
        self.applied: list[tuple[pr.Apply, list[int]]] = []
        self.totals: dict[int, Grid] = {}

    def fits(self, grid: Grid) -> Grid:
        if not grid[0] + grid[1] <= self.limit:
            raise _InexactError
        return grid

    def of(self, constant: pr.Constant) -> Grid:
        """The grid of given numbers."""
        array = constant.array()
        if not np.isfinite(array).all():
            raise _InexactError
        numbers = [float(v) for v in array.ravel()]
        high = max(map(abs, numbers), default=0.0)
        places = max((v.as_integer_ratio()[1].bit_length() - 1 for v in numbers), default=0)
        return self.fits((math.log2(high) if high else 0.0, places))

    def run(self) -> None:
        for statement in self.program.statements:
            if isinstance(statement, pr.Apply):
                self.apply(statement)
            elif isinstance(statement, pr.Detach):
                self.values.append(self.values[statement.value])
            elif isinstance(statement, pr.Backward):
                self.backward(statement)
            elif isinstance(statement, pr.TakeGrad):
                raise _InexactError
            elif isinstance(statement, pr.ChangeGrad):
                total = self.totals.get(statement.leaf, (0.0, 0))
                self.totals[statement.leaf] = self.fits((total[0] + 2, total[1]))

    def apply(self, statement: pr.Apply) -> None:
        exact = OPS[statement.op].exact
        if exact is None:
            raise _InexactError
        grid = self.fits(exact.value(*self.arguments(statement)))
        outputs = pr.apply_infos(statement, [self.infos[i] for i in statement.inputs])
        numbers = list(range(len(self.values), len(self.values) + len(outputs)))
        self.values += [grid] * len(outputs)
        if not statement.no_grad:
            self.applied.append((statement, numbers))

    def arguments(
        self, statement: pr.Apply
    ) -> tuple[tuple[Grid, ...], tuple[int, ...], dict[str, object]]:
        grids = tuple(self.values[i] for i in statement.inputs)
        sizes = tuple(size(self.infos[i].shape) for i in statement.inputs)
        return grids, sizes, dict(statement.attrs)

    def backward(self, root: pr.Backward) -> None:
        seed = (0.0, 0) if root.gradient is None else self.of(root.gradient)
        grads: dict[int, Grid] = {root.value: seed}
        for statement, outputs in reversed(self.applied):
            reached = [grads[i] for i in outputs if i in grads]
            exact = OPS[statement.op].exact
            if not reached or exact is None:
                continue
            magnitude, places = max(g[0] for g in reached), max(g[1] for g in reached)
            slopes = exact.slopes(*self.arguments(statement))
            for i, slope in zip(statement.inputs, slopes, strict=True):
                terms = self.terms(statement, i, outputs)
                grid = (magnitude + slope[0] + math.log2(terms), places + slope[1])
                grads[i] = self.fits(_sum(grads[i], grid) if i in grads else grid)
        for i in range(len(self.program.leaves)):
            if i in grads:
                old = self.totals.get(i)
                self.totals[i] = self.fits(grads[i] if old is None else _sum(old, grads[i]))

    def terms(self, statement: pr.Apply, value: int, outputs: list[int]) -> int:
        """How many terms a gradient of an operand may sum."""
        same = all(self.infos[i].shape == self.infos[value].shape for i in outputs)
        if OPS[statement.op].shape is elementwise and same:
            return 1
        return max(1, *(size(self.infos[i].shape) for i in outputs))


def _sum(a: Grid, b: Grid) -> Grid:
    high, low = max(a[0], b[0]), min(a[0], b[0])
    if math.isinf(low) or math.isinf(high):
        return high, max(a[1], b[1])
    return high + math.log2(1 + 2.0 ** (low - high)), max(a[1], b[1])
