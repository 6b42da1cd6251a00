"""How far the numbers of a program go: whether all are finite, and of a size that squares are too.

Right engines agree in finite numbers up to rounding. At poles they agree in what is infinite and
what is nan as long as they compute by the same formulas; and of operands that are infinite, nan or
so large or small that squares leave the range of the dtype, each formula makes something else.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.language.table import OPS


class Extent(enum.IntEnum):
    """The least that is true of a program, from what PyTorch computes in it."""

    #: All values and gradients are finite numbers.
    FINITE = 0
    #: Some values or gradients are infinite or nan, and no operand of an operation is extreme.
    POLES = 1
    #: Operands are infinite, nan, or numbers whose squares leave the range of the dtype; or there
    #: are poles, and zeros that are negative.
    BEYOND = 2


def extent_of(program: pr.Program, right: Trace, quirks: frozenset[str] = frozenset()) -> Extent:
    """Return how far a program goes; ``right``: the run of the reference.

    Gradients inside a pass count as well, which PyTorch runs once more to see: a gradient of 0 may
    come from an infinite one that a later step left out.
    """
    if _is_extreme(program, right):
        return Extent.BEYOND
    if right.non_finite or _passes_leave_numbers(program, quirks):
        return Extent.BEYOND if _has_negative_zero(program, right) else Extent.POLES
    return Extent.FINITE


def _has_negative_zero(program: pr.Program, right: Trace) -> bool:
    """Return whether the sign of a zero may decide which infinity there is."""
    arrays = [leaf.array() for leaf in program.leaves]
    arrays += [o.array for o in right.observations if o.array is not None and o.what == "value"]
    return any(bool((np.signbit(array) & (array == 0)).any()) for array in arrays)


def _is_extreme(program: pr.Program, right: Trace) -> bool:
    narrow = any(leaf.dtype == "float32" for leaf in program.leaves)
    info = np.finfo(np.float32 if narrow else np.float64)
    largest, smallest = math.sqrt(float(info.max)), math.sqrt(float(info.tiny))
    leaves = {i: leaf.array() for i, leaf in enumerate(program.leaves)}
    if not all(np.isfinite(array).all() for array in leaves.values()):
        return True
    arrays = [o.array for o in right.observations if o.array is not None]
    if any(_reaches(array, largest) for array in (*leaves.values(), *arrays)):
        return True
    shown = {o.which: o.array for o in right.observations if o.what == "value"} | leaves
    operands = {i for s in program.statements if isinstance(s, pr.Apply) for i in s.inputs}
    return any(_falls_below(shown[i], smallest) for i in operands if i in shown)


def _reaches(array: Any, largest: float) -> bool:
    sizes = np.abs(array, dtype=np.float64)
    return bool((np.isfinite(sizes) & (sizes > largest)).any())


def _falls_below(array: Any, smallest: float) -> bool:
    sizes = np.abs(array, dtype=np.float64)
    return bool(((sizes > 0) & (sizes < smallest)).any())


#: Operations whose derivative may be infinite where operands and results are finite.
_STEEP = ("sqrt", "pow", "power")


def _passes_leave_numbers(program: pr.Program, quirks: frozenset[str]) -> bool:
    """Return whether a gradient of any value is infinite or nan during a backward."""
    applied = {s.op for s in program.statements if isinstance(s, pr.Apply)}
    if any(OPS[name].torch is None for name in applied):
        return False
    steep = any(name in _STEEP or not OPS[name].has_rules for name in applied)
    if not steep and not any(isinstance(s, pr.TakeGrad) for s in program.statements):
        return False
    watched = _watched()
    with np.errstate(all="ignore"):
        execute(program, with_quirks(watched, quirks))
    return bool(vars(watched)["left_numbers"])


def _watched() -> Engine:
    """Return PyTorch that notes whether a gradient of a result is infinite or nan."""
    import torch  # only where programs differ

    from parity.engines.adapters.torch import Functions, Torch

    engine = Torch()
    vars(engine)["left_numbers"] = False

    def look(g: Any) -> None:
        if not torch.isfinite(g).all():
            vars(engine)["left_numbers"] = True

    plain = engine.ops

    def noted(name: str) -> Any:
        def apply(*xs: Any, **attrs: Any) -> Any:
            result = plain[name](*xs, **attrs)
            for t in _tensors(result):
                if t.requires_grad:
                    t.register_hook(look)
            return result

        return apply

    engine.ops = Functions(noted)  # type: ignore[misc]
    return engine


def _tensors(result: Any) -> Iterator[Any]:
    yield from result if isinstance(result, (tuple, list)) else (result,)
