"""Choices at ties and kinks: which of them two runs agree in.

Where elements tie, or lie on a kink, a convention says what the gradient is (docs/semantics.md 9).
An engine that computes exactly or in another order may be on another side there by rounding. But
if the operands that both runs show are on the same side, both had to choose the same: rounding
then explains no other choice.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from parity.engines.trace import Trace
from parity.language import program as pr
from parity.language.table import OPS, keywords
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.kinks import SIDES, sides

#: The operands that decide a choice; None where it is open.
Choice: TypeAlias = tuple[NDArray[Any], ...] | None


def agreed_choices(program: pr.Program, traces: Sequence[Trace]) -> list[Choice]:
    """Return a choice for each operation of the program that has one (``Operation.kink``).

    It is that of the last trace, and open where the operands of the traces are on different
    sides, are not finite or were not observed.
    """
    runs = [_values(program, trace) for trace in traces]
    choices: list[Choice] = []
    for statement in program.statements:
        if isinstance(statement, pr.Apply) and OPS[statement.op].kink:
            choices.append(_agreed(program, statement, runs))
    return choices


def _values(program: pr.Program, trace: Trace) -> dict[int, Any]:
    shown = {o.which: o.array for o in reversed(trace.observations) if o.what == "value"}
    return shown | {i: leaf.array() for i, leaf in enumerate(program.leaves)}


def _agreed(program: pr.Program, statement: pr.Apply, runs: list[dict[int, Any]]) -> Choice:
    operands: list[tuple[Any, ...]] = [tuple(run.get(i) for i in statement.inputs) for run in runs]
    shapes = [program.infos[i].shape for i in statement.inputs]
    for array, shape in zip(itertools.chain(*operands), itertools.cycle(shapes), strict=False):
        if array is None or array.shape != shape or not np.isfinite(array).all():
            return None
    *others, last = operands
    for other in others:
        equal = all(np.array_equal(a, b) for a, b in zip(other, last, strict=True))
        if not equal and _sides(statement, other) != _sides(statement, last):
            return None
    return last


def _sides(statement: pr.Apply, arrays: tuple[NDArray[Any], ...]) -> list[Any]:
    if statement.op not in SIDES:  # an operation that another package has registered
        return [array.tolist() for array in arrays]
    exact = [nu.from_floats(array).reshape(array.shape) for array in arrays]
    return sides(statement.op, exact, keywords(statement.op, statement.attrs))
