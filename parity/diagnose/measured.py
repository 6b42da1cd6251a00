"""Operations as an engine has them: values and gradients measured by programs of one operation.

The program has distinct leaves, one operation and one backward with the given gradient, so that
the faults of a tape do not show. What it raises is raised where the measured operation is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from numpy.typing import NDArray

from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.tensor import Node, Tensor, raw
from parity.diagnose.defects.vjps import rules_of_rows
from parity.engines.base import CONSTANTS
from parity.engines.runner import Runner
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.language.shapes import Attrs

Array = NDArray[Any]


class Measured:
    """The operations of one engine; each program runs once."""

    def __init__(self, engine: Runner) -> None:
        self.engine = engine
        self.constants = CONSTANTS in engine.abilities
        self._traces: dict[tuple[Any, ...], Trace] = {}

    def values(self, op: str, attrs: Attrs, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the results of an operation; raises what the engine raises."""
        trace = self._run(op, attrs, inputs, (True,) * len(inputs))
        return self._results(trace, len(inputs))

    def slopes(
        self,
        op: str,
        attrs: Attrs,
        inputs: tuple[Array, ...],
        requires: tuple[bool, ...],
        gradients: tuple[Array, ...],
        arrived: tuple[int, ...],
    ) -> tuple[Array | None, ...]:
        """Return the gradients of the operands; None for those that get none.

        ``requires`` says which operands require a gradient, ``gradients`` has one for each result.
        Of several results one is the root at a time, of those that ``arrived`` says: an engine may
        raise for one, be its gradient zero or empty. What the operands get is summed.
        """
        total: list[Array | None] = [None] * len(inputs)
        if not self.constants:
            requires = (True,) * len(inputs)
        for output, gradient in ((i, gradients[i]) for i in arrived or (0,)):
            root = len(inputs) + output
            trace = self._run(op, attrs, inputs, requires, root, gradient)
            if trace.failure is not None:
                raise trace.failure.error
            for o in trace.observations:
                if o.what == "grad" and o.array is not None:
                    old = total[o.which]
                    # The array of a trace stays as it is, whatever a tape does with a gradient.
                    total[o.which] = o.array.copy() if old is None else old + o.array
        return tuple(total)

    @staticmethod
    def _results(trace: Trace, operands: int) -> tuple[Array, ...]:
        found = tuple(o.array for o in trace.observations if o.what == "value" and o.statement == 0)
        if trace.failure is not None and trace.failure.statement <= 0:
            raise trace.failure.error
        return tuple(array for array in found if array is not None)

    def _run(
        self,
        op: str,
        attrs: Attrs,
        inputs: tuple[Array, ...],
        requires: tuple[bool, ...],
        root: int | None = None,
        gradient: Array | None = None,
    ) -> Trace:
        arrays = (*inputs, *(() if gradient is None else (gradient,)))
        data = tuple((a.shape, str(a.dtype), a.tobytes()) for a in arrays)
        key = (op, attrs, data, requires, root)
        if key not in self._traces:
            leaves = tuple(
                pr.Leaf(a.shape, tuple(a.ravel().tolist()), str(a.dtype), on)
                for a, on in zip(inputs, requires, strict=True)
            )
            statements: tuple[pr.Statement, ...] = (pr.Apply(op, tuple(range(len(inputs))), attrs),)
            if root is not None and gradient is not None:
                values = tuple(gradient.ravel().tolist())
                seed = pr.Constant(gradient.shape, values, str(gradient.dtype))
                statements += (pr.Backward(root, seed),)
            self._traces[key] = self.engine.run(pr.Program(leaves, statements))
        return self._traces[key]


class CannotTell(Exception):  # noqa: N818 - no error: the fit says nothing of such a program
    """A measured operation was differentiated twice, which its programs do not show."""


@dataclass(eq=False)
class _MeasuredVjp:
    """Stands for the VJP of a measured operation; ``base`` is the right one, if there is one."""

    op: str
    attrs: Attrs
    base: Callable[..., tuple[Any, ...]] | None

    def __call__(self, *args: Any, **attrs: Any) -> tuple[Any, ...]:
        raise CannotTell(self.op)


class MeasuredTape(Defect):
    """A right tape over operations that were measured; a subclass says which and on what engine.

    Where a measured gradient is what the right formula gives, the latter is used, since
    it may share memory with the gradient of the result.
    """

    name = ""
    measured: ClassVar[Measured]
    suspicious: ClassVar[frozenset[str]] = frozenset()
    #: Whether a backward raises where that of the operation alone does; else no gradient gets
    #: through, as in an engine that does not record the operation.
    raises: ClassVar[bool] = True
    #: The statement that runs, which has the attributes as programs write them.
    statement: pr.Statement | None = None

    def __init__(self) -> None:
        super().__init__()
        self.exact: dict[
            tuple[Node, int], Any
        ] = {}  # gradients that are in the form of their operands
        #: The outputs of a node to which a gradient has come in this pass.
        self.arrivals: dict[Node, tuple[int, ...]] = {}
        measured = {name: partial(self._measured, name) for name in self.suspicious}
        self.ops = {**self.ops, **measured}  # type: ignore[misc]

    def _measured(self, name: str, *xs: Tensor, **keywords: Any) -> Any:
        statement = self.statement
        if not isinstance(statement, pr.Apply) or statement.op != name:
            return self.functions[name](*xs, **keywords)  # part of another operation
        attrs, rule = statement.attrs, self.rules.get(name) or rules_of_rows().get(name)

        def value(*arrays: Any, **_: Any) -> Any:
            results = self.measured.values(name, attrs, arrays)
            return results if len(results) > 1 else results[0]

        return self.operation(value, _MeasuredVjp(name, attrs, rule and rule.vjp))(*xs, **keywords)

    def arrived(self, node: Node, grads: dict[Tensor, Any]) -> tuple[Any, ...]:
        self.arrivals[node] = tuple(i for i, t in enumerate(node.outputs) if t in grads)
        return super().arrived(node, grads)

    def slopes(self, node: Node, gs: tuple[Any, ...]) -> tuple[Any, ...]:
        vjp = node.vjp
        if not isinstance(vjp, _MeasuredVjp):
            return super().slopes(node, gs)
        requires = tuple(t.requires_grad for t in node.parents)
        inputs = tuple(t.data for t in node.parents)
        with self.recording_set(False):
            plain = tuple(map(raw, gs))
            came = self.arrivals[node]
            found = self._slopes(vjp, inputs, requires, plain, came)
            right = self._right_slopes(node, vjp, plain)
        if self.recording:
            return tuple(None if g is None else self._recorded(node, gs, g) for g in found)
        return tuple(self._chosen(node, i, g, right[i]) for i, g in enumerate(found))

    def _recorded(self, node: Node, gs: tuple[Any, ...], found: Array) -> Any:
        """Return a first derivative as a tensor; what a second one would be is not known."""
        vjp = _MeasuredVjp("a gradient of a measured operation", (), None)
        inputs = (*node.parents, *(g for g in gs if isinstance(g, Tensor)))
        return self.operation(lambda *_: found, vjp)(*inputs)

    def _slopes(self, vjp: _MeasuredVjp, *arguments: Any) -> tuple[Array | None, ...]:
        try:
            return self.measured.slopes(vjp.op, vjp.attrs, *arguments)
        except Exception:
            if self.raises:
                raise
            return (None,) * len(arguments[0])

    def _right_slopes(self, node: Node, vjp: _MeasuredVjp, gs: tuple[Any, ...]) -> tuple[Any, ...]:
        nothing = (None,) * len(node.parents)
        if vjp.base is None:
            return nothing
        node.vjp = vjp.base
        try:
            slopes = super().slopes(node, gs)
        except Exception:
            return nothing
        finally:
            node.vjp = vjp
        return slopes if len(slopes) == len(nothing) else nothing

    def _chosen(self, node: Node, index: int, found: Any, right: Any) -> Any:
        if found is None:
            return None
        if self._is_right(node, index, found, right):
            return right
        self.exact[node, index] = found
        return found

    def _is_right(self, node: Node, index: int, found: Any, right: Any) -> bool:
        try:  # of one result the formula for several may give a gradient of any shape
            return right is not None and _same(super().fit(node, index, right), found)
        except Exception:
            return False

    def by_operand(self, node: Node, slopes: tuple[Any, ...]) -> list[tuple[int, Any]]:
        return [(i, g) for i, g in super().by_operand(node, slopes) if g is not None]

    def fit(self, node: Node, index: int, g: Any) -> Any:
        return g if self.exact.get((node, index)) is g else super().fit(node, index, g)


def _same(a: Any, b: Any) -> bool:
    """Whether two arrays agree in shape, dtype and every bit."""
    return bool(a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes())
