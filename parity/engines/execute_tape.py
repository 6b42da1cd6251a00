"""The statements of the tape, as ``parity.engines.execute`` runs them.

After each event each hook is observed: how often it was called since the last one ("calls"), and
with what it was called last ("hook"). In which order hooks of different values are called is
left to the engine. A gradient that is a result is observed as "result", None if there is none.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parity.engines.base import Engine
from parity.language import program as pr


class _State(Protocol):
    """What a run has that these statements need."""

    engine: Engine
    values: list[Any]
    leaves: list[Any]
    number: int
    gradients: list[tuple[int, NDArray[Any]]]

    def copied(self, array: Any, what: str) -> NDArray[Any]: ...
    def observe(self, what: str, which: int, array: Any) -> None: ...
    def observe_grads(self) -> None: ...


class TapeRun:
    """The statements of the tape in one run, a method for each, named by its keyword."""

    def __init__(self, run: _State) -> None:
        self.run = run
        self.handles: dict[int, Any] = {}
        #: For each hook the gradients with which it was called since the last event.
        self.calls: dict[int, list[NDArray[Any]]] = {}
        #: The computed values whose gradients are kept.
        self.retained: list[int] = []

    def observe(self) -> None:
        """Observe kept gradients and hooks."""
        for i in self.retained:
            if self.run.values[i] is not None:
                self.run.observe("grad", i, self.run.engine.grad(self.run.values[i]))
        for hook, calls in self.calls.items():
            self.run.observe("calls", hook, np.array(float(len(calls))))
            self.run.observe("hook", hook, calls[-1] if calls else None)
            calls.clear()

    def hook(self, s: pr.Hook) -> None:
        self.calls[s.hook] = []
        function = partial(self._called, s)
        self.handles[s.hook] = self.run.engine.hook(self.run.values[s.value], function)

    def _called(self, s: pr.Hook, g: Any) -> Any:
        """Be the hook that an engine calls with a gradient."""
        self.calls[s.hook].append(self.run.copied(self.run.engine.value(g), "hook"))
        op, attrs = pr.HOOKS[s.kind]
        if not op:
            return None
        operands = (g, g) if op == "add" else (g,)
        return self.run.engine.ops[op](*operands, **attrs)

    def remove(self, s: pr.RemoveHook) -> None:
        self.handles[s.hook].remove()

    def retain_grad(self, s: pr.RetainGrad) -> None:
        self.run.engine.retain_grad(self.run.values[s.value])
        if s.value >= len(self.run.leaves) and s.value not in self.retained:
            self.retained.append(s.value)

    def set_grad(self, s: pr.SetGrad) -> None:
        array = s.gradient.array()
        self.run.gradients.append((self.run.number, array))
        self.run.engine.set_grad(self.run.leaves[s.leaf], array)
        self.run.observe_grads()

    def _given(self, s: pr.Pass) -> tuple[list[Any], list[Any], dict[str, bool]]:
        """The roots, their gradients and the flags of a pass."""
        arrays = [None if g is None else g.array() for g in s.seeds()]
        self.run.gradients += [(self.run.number, array) for array in arrays if array is not None]
        flags = {"create_graph": s.create_graph, "retain_graph": s.retain_graph or s.create_graph}
        return [self.run.values[i] for i in s.roots], arrays, flags

    def backward_many(self, s: pr.BackwardMany) -> None:
        roots, arrays, flags = self._given(s)
        inputs = None if s.inputs is None else [self.run.leaves[i] for i in s.inputs]
        self.run.engine.backward_many(roots, arrays, inputs=inputs, **flags)
        self.run.observe_grads()

    def grad(self, s: pr.Grad) -> None:
        roots, arrays, flags = self._given(s)
        inputs = [self.run.values[i] for i in s.inputs]
        results = self.run.engine.grad_of_values(
            roots, inputs, arrays, allow_unused=s.allow_unused, **flags
        )
        for t in results:
            array = None if t is None else self.run.engine.value(t)
            self.run.observe("result", len(self.run.values), array)
            self.run.values.append(t)
        self.run.observe_grads()
