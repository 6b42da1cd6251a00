"""Tails: where a result is 0.0 and the right one is a very small number.

The error bounds of programs are those of a formula that cancels, so that a lost tail is no finding:
the absolute error is tiny. The relative one is 1, and a logarithm or a quotient that follows sees
it. So it is said, also where PyTorch loses the same tail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

import numpy as np

from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.runner import Runner
from parity.engines.trace import Observation, Trace
from parity.language import program as pr
from parity.language.shapes import Attrs
from parity.oracle.exact.engine import Exact

#: Operations with tails, their attributes, and numbers far from zero on both sides.
_OPERATIONS: dict[str, Attrs] = {
    "sigmoid": (),
    "tanh": (),
    "softplus": (),
    "softmax": (("axis", 0),),
    "log_softmax": (("axis", 0),),
}
_VALUES = (40.0, -40.0)


class Tail(NamedTuple):
    """A number that an engine has as 0.0."""

    op: str
    #: "value" or "gradient".
    of: str
    at: float
    right: float
    #: Whether the reference has 0.0 as well.
    everywhere: bool

    def __str__(self) -> str:
        also = ", as in the reference" if self.everywhere else ""
        where = f"the {self.of} of `{self.op}` at {self.at:g}"
        return f"{where} is 0.0, and {self.right:.3g} is right{also}"


def lost_tails(
    engine: Runner, reference: Engine, ops: Collection[str] | None = None
) -> Iterator[Tail]:
    """Yield the tails that an engine loses, of operations that it has (of ``ops``).

    Examples
    --------
    >>> from parity.engines.adapters.torch import Torch
    >>> from parity.engines.runner import as_runner
    >>> for tail in lost_tails(as_runner(Torch()), Torch(), ["sigmoid"]):
    ...     print(tail)
    the gradient of `sigmoid` at 40 is 0.0, and 4.25e-18 is right, as in the reference
    """
    dtype = "float64" if "float64" in engine.dtypes else "float32"
    leaf = pr.Leaf((len(_VALUES),), _VALUES, dtype, True)
    for op, attrs in _OPERATIONS.items():
        # The gradients of a softmax for ones cancel.
        seed = pr.Constant(leaf.shape, (1.0, 0.0) if attrs else (1.0, 1.0), dtype)
        program = pr.Program((leaf,), (pr.Apply(op, (0,), attrs), pr.Backward(1, seed)))
        if (ops is None or op in ops) and engine.supports(program):
            right, theirs = execute(program, Exact()), execute(program, reference)
            if not right.left_reals and right.failure is None:
                yield from _lost(op, engine.run(program), right, theirs)


def _lost(op: str, ours: Trace, right: Trace, theirs: Trace) -> Iterator[Tail]:
    shown = zip(ours.observations, right.observations, theirs.observations, strict=False)
    for a, b, c in shown:
        if a.statement > 1 or not _alike(a, b, c):
            continue
        assert a.array is not None
        assert b.array is not None
        assert c.array is not None
        for i, (x, y, z) in enumerate(zip(a.array, b.array, c.array, strict=True)):
            if x == 0 and abs(y) > np.finfo(a.array.dtype).tiny:
                of = "value" if a.what == "value" else "gradient"
                yield Tail(op, of, _VALUES[i], float(y), bool(z == 0))


def _alike(*observations: Observation) -> bool:
    """Return whether observations are of the same thing, with an element for each number."""
    arrays = [o.array for o in observations]
    shapes = {None if array is None else array.shape for array in arrays}
    return len({o[:3] for o in observations}) == 1 and shapes == {(len(_VALUES),)}
