"""A first look at an engine: a few programs that show a plain fault before PyTorch is loaded.

They use the main operations, each alone, and a variable that is used twice. The exact evaluation
says what is right. Only an error that no rounding and no convention explains is told, and only the
first one: the search that follows finds the causes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.campaign.watch import Watch
from parity.diagnose.causes import WRONG_OPERATION
from parity.diagnose.cells import Scope, cells_of
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import Runner
from parity.engines.trace import STOPPED
from parity.language.program import Program
from parity.language.text_format import program_from_text
from parity.oracle.compare import compare
from parity.oracle.exact.engine import Exact
from parity.oracle.finding import Finding, Kind
from parity.oracle.tolerance import Tolerance

#: Operations that most engines have; each runs on the first of its cells.
MAIN = (
    *("add", "mul", "sub", "div", "neg", "square", "pow", "exp", "log", "sin", "tanh", "relu"),
    *("matmul", "sum", "mean", "max", "reshape", "transpose", "sigmoid", "sqrt"),
)
#: What is said of programs in which a tape may be wrong.
_TAPE = {
    "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)": "a reused variable's gradient is wrong",
    "x0 = leaf(3.0)\nx1 = leaf(2.0)\nx2 = mul(x0, x1)\nx3 = add(x2, x0)\nx4 = mul(x3, x2)\n"
    "backward(x4)": "a gradient is wrong where several paths meet",
}
_MISSING = "the gradient of `{}` is missing"
#: An error, relative to the largest number of an array, that no rounding comes to.
LARGE = 2.0**-10
#: Differences that no convention explains.
_PLAIN = frozenset({Kind.GRADIENT, Kind.VALUE, Kind.MISSING_GRADIENT})


class Coarse(Tolerance):
    """Bounds that no rounding comes to in a program of a few operations; they cost nothing."""

    strict = False

    def _least(self, reference: NDArray[Any]) -> NDArray[Any]:
        size = LARGE * np.max(np.abs(reference), initial=0.0) + np.finfo(np.float64).tiny
        return np.full(reference.shape, size)

    def _sampled(self, index: int, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.zeros(shape)


def look(engine: Runner, watch: Watch, ops: Collection[str] | None = None) -> Finding | None:
    """Tell of the first plain fault of an engine, and return what differs; None if there is none.

    Examples
    --------
    >>> from parity.diagnose.defects.traversal import Overwrite
    >>> from parity.engines.runner import as_runner
    >>> finding = look(as_runner(Overwrite()), Watch())
    >>> finding.engine.item(), finding.reference.item()
    (1.0, 2.0)
    """
    right = with_quirks(Exact(), engine.quirks)
    sentences = dict(_programs(engine, engine.ops if ops is None else ops))
    for runs in engine.run_many(sentences, batch=1):
        for program, ours in runs:
            if ours is not None and ours.failure is not None and ours.failure.kind in STOPPED:
                return None  # each program like it may take seconds
            if ours is None or ours.failure is not None:
                continue
            finding = compare(program, ours, execute(program, right), Coarse(program))
            if finding is not None and finding.kind in _PLAIN:
                says = sentences[program] or WRONG_OPERATION.get(finding.kind, _MISSING)
                watch.fault(says.format(_operation(program)), program, certain=False)
                return finding
    return None


def _programs(engine: Runner, ops: Collection[str]) -> Iterator[tuple[Program, str]]:
    """Yield the programs, and what is said if they differ; "" for an operation alone."""
    scope = Scope.of(engine)
    for name in MAIN:
        if name in ops:
            yield from ((cell.program, "") for cell in cells_of(name, scope, 1))
    if {"add", "mul"} <= set(ops):
        yield from ((program_from_text(text), says) for text, says in _TAPE.items())


def _operation(program: Program) -> str:
    return str(getattr(program.statements[0], "op", ""))
