"""``DiagnosisProbe``: a program that ran on the engine under test, to be run on defects."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.tensor import Node, Tensor
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import AnyEngine, as_runner
from parity.engines.trace import STOPPED, Trace
from parity.language import program as pr
from parity.oracle.compare import compare
from parity.oracle.exactness import is_exact
from parity.oracle.finding import Finding
from parity.oracle.tolerance import Tolerance

# Orders in which a backward pass may run nodes. Correct engines compute the same gradients in all
# of them, wrong ones may not: the order decides which of two contributions overwrites the other.
# Defects are therefore also compared in the orders that engines are known to use.


def _inputs_of(node: Node) -> list[Node]:
    return [t.node for t in node.parents if t.node is not None]


def _depth_first(root: Tensor, last_operand_first: bool = False) -> list[Node]:
    """Return the reverse postorder of a depth-first search, as micrograd does."""
    postorder: list[Node] = []
    seen: set[Node] = set()
    path = [] if root.node is None else [(root.node, False)]
    while path:
        node, inputs_done = path.pop()
        if inputs_done:
            postorder.append(node)
        elif node not in seen:
            seen.add(node)
            inputs = _inputs_of(node)[:: 1 if last_operand_first else -1]  # the last one runs next
            path += [(node, True), *((n, False) for n in inputs)]
    return postorder[::-1]


def _by_generation(root: Tensor) -> list[Node]:
    """Run nodes with the longest path from a leaf first, the last reached among equals (DeZero)."""
    order: list[Node] = []
    generation: dict[Node, int] = {}
    for node in reversed(_depth_first(root)):
        generation[node] = 1 + max((generation[n] for n in _inputs_of(node)), default=0)
    waiting = [] if root.node is None else [root.node]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        order.append(node)
        for other in _inputs_of(node):
            if other not in seen:
                seen.add(other)
                waiting.append(other)
                waiting.sort(key=generation.__getitem__)
    return order


_ORDERS = (_depth_first, functools.partial(_depth_first, last_operand_first=True), _by_generation)


@functools.cache
def other_traversals(defect: type[Defect]) -> tuple[type[Defect], ...]:
    """Return the defect with other orders than the base engine's; none if it is about the order."""
    if defect.order is not TapeEngine.order:
        return ()

    def with_order(function: Any) -> type[Defect]:
        def order(self: TapeEngine, root: Tensor, grads: dict[Tensor, Any]) -> Iterator[Node]:
            return iter(function(root))

        return type(defect.__name__, (defect,), {"order": order})

    return tuple(map(with_order, _ORDERS))


class DefectTolerance(Tolerance):
    """Error bounds for two engines with the same defect: a few roundings in exact programs too.

    Wrong results of an exact program need not be exact.
    """

    strict = False

    @functools.cached_property
    def exact(self) -> bool:
        """Whether correct engines have no rounding errors on the program."""
        return is_exact(self.program)

    def _sampled(self, index: int, shape: tuple[int, ...]) -> NDArray[Any]:
        return np.zeros(shape) if self.exact else super()._sampled(index, shape)


@dataclass
class DiagnosisProbe:
    """A program with the traces of the engine and the reference, and the difference of these."""

    program: pr.Program
    engine: Trace
    reference: Trace
    finding: Finding | None
    #: The error bounds for the comparison with defects.
    tolerance: DefectTolerance
    #: Whether a defect gives the same results, by name, as far as it was compared.
    agreements: dict[str, bool] = field(default_factory=dict)

    @staticmethod
    def of(program: pr.Program, engine: AnyEngine, reference: Engine) -> DiagnosisProbe:
        quirks, bitwise = engine.quirks, engine.bitwise and reference.bitwise
        ours = as_runner(engine).run(program)
        theirs = execute(program, with_quirks(reference, quirks))
        finding = compare(program, ours, theirs, tolerance=Tolerance(program, bitwise, quirks))
        tolerance = DefectTolerance(program, quirks=quirks)
        return DiagnosisProbe(program, ours, theirs, finding, tolerance)

    def agrees(self, defect: type[Defect]) -> bool:
        """Return whether the defect, one of its forms or traversals gives the same results."""
        if defect.name not in self.agreements:
            orders = other_traversals(defect) if self.branches else ()  # type: ignore[arg-type]
            forms = vars(defect).get("forms", ())  # not inherited: combinations have none
            self.agreements[defect.name] = any(map(self._agrees, (defect, *orders, *forms)))
        return self.agreements[defect.name]

    @functools.cached_property
    def branches(self) -> bool:
        """Whether nodes can run in several orders: some operation has two operands or more."""
        return any(isinstance(s, pr.Apply) and len(s.inputs) > 1 for s in self.program.statements)

    def _agrees(self, defect: type[Defect]) -> bool:
        # A new engine each time, since defects may keep state.
        trace = execute(self.program, with_quirks(defect(), self.tolerance.quirks))
        alike = _abnormal_end(trace) == _abnormal_end(self.engine)
        return alike and compare(self.program, self.engine, trace, tolerance=self.tolerance) is None


Defects = Sequence[type[Defect]]
Probes = Sequence[DiagnosisProbe]


def _abnormal_end(trace: Trace) -> str:
    """Return the kind of failure if it is a crash, a limit or a RecursionError, else ""."""
    kind = trace.failure.kind if trace.failure else ""
    return kind if kind in STOPPED or kind == "depth" else ""
