"""Six faults for every operation of the table: ``parity score --rows``.

A fault changes the gradient that PyTorch has for one operation. It is found with PyTorch as the
reference if a cell of the operation differs, and without one if the engine's own forward or the
gradients around say so.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

import torch

from parity._util.markdown import table
from parity._util.process import fuzzing_runtime
from parity.campaign.score import share
from parity.diagnose.cells import Cell, Scope, cells_of
from parity.diagnose.operations import results_of
from parity.engines.adapters.torch import Torch
from parity.engines.runner import LocalRunner
from parity.language.operation import Operation
from parity.language.table import OPS
from parity.oracle.own_reference import OwnReference

#: Changes the gradients of the operands; gets these and the operands.
Change: TypeAlias = Callable[[list[Any], Sequence[Any]], list[Any]]
#: Cells of an operation on which a fault is looked for.
CELLS = 16


def _zero(gs: list[Any], xs: Sequence[Any]) -> list[Any]:
    return [*gs[:-1], torch.zeros_like(gs[-1])]


def _dropped(gs: list[Any], xs: Sequence[Any]) -> list[Any]:
    return [*gs[:-1], None]


def _doubled_at_ties(gs: list[Any], xs: Sequence[Any]) -> list[Any]:
    same = [(x.reshape(-1, 1) == x.reshape(1, -1)).sum(1).reshape(x.shape) > 1 for x in xs]
    return [torch.where(s, 2 * g, g) for g, s in zip(gs, same, strict=True)]


def _wrong_at_zero(gs: list[Any], xs: Sequence[Any]) -> list[Any]:
    return [torch.where(x == 0, g + 1, g) for g, x in zip(gs, xs, strict=True)]


def _last_length(gs: list[Any], xs: Sequence[Any]) -> list[Any]:
    last = gs[0].clone()
    last.reshape(-1)[-1:] = 0
    return [last, *gs[1:]]


def _narrow_constant(gs: list[Any], xs: Sequence[Any]) -> list[Any]:
    return [g * (1 + 3e-8) for g in gs]


#: The faults by their words.
FAULTS: dict[str, Change] = {
    "the gradient of one operand is zero": _zero,
    "one operand has no gradient": _dropped,
    "the gradient counts twice at ties": _doubled_at_ties,
    "the gradient is wrong at 0": _wrong_at_zero,
    "the last element has no gradient": _last_length,
    "a constant has the precision of float32": _narrow_constant,
}


class _Changed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, function: Any, change: Change, *xs: Any) -> Any:
        ctx.function, ctx.change = function, change
        ctx.save_for_backward(*xs)
        return function(*xs)

    @staticmethod
    def backward(ctx: Any, *seeds: Any) -> Any:
        with torch.enable_grad():
            xs = [x.detach().requires_grad_() for x in ctx.saved_tensors]
            ys = ctx.function(*xs)
        several = ys if isinstance(ys, tuple) else (ys,)
        gs = torch.autograd.grad(several, xs, seeds, allow_unused=True, materialize_grads=True)
        return None, None, *ctx.change(list(gs), xs)


class Faulty(Torch):
    """PyTorch with a fault in the gradient of one operation."""

    bitwise: ClassVar[bool] = False

    def __init__(self, op: Operation, change: Change) -> None:
        super().__init__()
        self.ops = {op.name: lambda *xs, **attrs: _applied(op, change, xs, attrs)}  # type: ignore[misc]


def _applied(op: Operation, change: Change, xs: Any, attrs: dict[str, Any]) -> Any:
    def function(*xs: Any) -> Any:
        ys = op.function(*xs, **attrs)
        return tuple(ys) if isinstance(ys, list) else ys

    return _Changed.apply(function, change, *xs)  # type: ignore[no-untyped-call]


@dataclass
class RowScore:
    """How many faults were found, with PyTorch as the reference and without one."""

    operations: int = 0
    #: By fault: operations on which a cell shows it at all.
    possible: Counter[str] = field(default_factory=Counter)
    with_reference: Counter[str] = field(default_factory=Counter)
    without: Counter[str] = field(default_factory=Counter)
    missed: dict[str, list[str]] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, op: str, fault: str, found: tuple[bool, bool]) -> None:
        self.possible[fault] += 1
        self.with_reference[fault] += found[0]
        self.without[fault] += found[1]
        if not all(found):
            self.missed.setdefault(fault, []).append(op)

    def markdown(self) -> str:
        """Return the counts as a table."""
        rows = [
            (
                fault,
                str(self.possible[fault]),
                _share(self.with_reference[fault], self.possible[fault]),
                _share(self.without[fault], self.possible[fault]),
            )
            for fault in FAULTS
        ]
        head = ("fault", "operations", "found with PyTorch", "found without a reference")
        return "\n".join(table(head, rows))


def row_score(names: Sequence[str], step: Callable[[str], object] = lambda name: None) -> RowScore:
    """Put six faults into each of these operations, one at a time, and look for them.

    A fault counts where it changes a gradient of a cell in which PyTorch is finite.
    """
    result, started = RowScore(), time.process_time()
    scope = Scope(("float64",), None, constants=False, second_order=False)
    with fuzzing_runtime():
        for name in names:
            step(name)
            result.operations += 1
            for fault, change in FAULTS.items():
                runner = LocalRunner(Faulty(OPS[name], change))
                changed = _changed_cells(cells_of(name, scope, CELLS), runner)
                if changed:
                    result.add(name, fault, _found(changed, runner))
    result.seconds = time.process_time() - started
    return result


def _found(cells: Sequence[Cell], runner: LocalRunner) -> tuple[bool, bool]:
    """Return whether the fault is found with PyTorch, and without a reference."""
    judges = Torch(), OwnReference(runner)
    with_reference, without = (any(r.fails for r in results_of(cells, runner, j)) for j in judges)
    return with_reference, without


def _changed_cells(cells: Sequence[Cell], runner: LocalRunner) -> list[Cell]:
    """Return the cells in which the engine differs from PyTorch in any bit and both are finite."""
    right = LocalRunner(Torch())
    changed = []
    for cell in cells:
        ours, theirs = runner.run(cell.program), right.run(cell.program)
        if theirs.failure is None and not theirs.non_finite:
            pairs = zip(ours.observations, theirs.observations, strict=False)
            equal = all(_equal(a.array, b.array) for a, b in pairs)
            changed += [] if equal else [cell]
    return changed


def _equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b or not (b if a is None else a).any()
    return bool((a == b).all())


def _share(found: int, of: int) -> str:
    return share([True] * found + [False] * (of - found))


def drawn_rows(count: int, seed: int) -> list[str]:
    """Return so many differentiable operations that PyTorch has, drawn by a seed."""
    names = [n for n, op in OPS.items() if op.torch is not None and op.smooth and op.arity]
    return random.Random(seed).sample(names, min(count, len(names)))
