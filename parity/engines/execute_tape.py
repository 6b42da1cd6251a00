"""The statements of the tape, as ``parity.engines.execute`` runs them.

After each event each hook is observed: how often it was called since the last one ("calls"), and
with what it was called last ("hook"). In which order hooks of different values are called is
left to the engine. A gradient that is a result is observed as "result", None if there is none.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.engines.base import Engine
from parity.language import program as pr


class TapeSteps:
    """The methods of a run for the statements of the tape, each named by its keyword."""

    engine: Engine
    values: list[Any]
    leaves: list[Any]
    number: int
    gradients: list[tuple[int, NDArray[Any]]]
    observe: Callable[..., None]
    copied: Callable[[Any, str], NDArray[Any]]
    observe_grads: Callable[[], None]

    def begin_tape(self) -> None:
        self.handles: dict[int, Any] = {}
        #: For each hook the gradients with which it was called since the last event.
        self.calls: dict[int, list[NDArray[Any]]] = {}
        #: The computed values whose gradients are kept.
        self.retained: list[int] = []

    def observe_tape(self) -> None:
        """Observe kept gradients and hooks."""
        for i in self.retained:
            if self.values[i] is not None:
                self.observe("grad", i, self.engine.grad(self.values[i]))
        for hook, calls in self.calls.items():
            self.observe("calls", hook, np.array(float(len(calls))))
            self.observe("hook", hook, calls[-1] if calls else None)
            calls.clear()

    def hook(self, s: pr.Hook) -> None:
        self.calls[s.hook] = []
        function = partial(self._called, s)
        self.handles[s.hook] = self.engine.hook(self.values[s.value], function)

    def _called(self, s: pr.Hook, g: Any) -> Any:
        """Be the hook that an engine calls with a gradient."""
        self.calls[s.hook].append(self.copied(self.engine.value(g), "hook"))
        op, attrs = pr.HOOKS[s.kind]
        if not op:
            return None
        operands = (g, g) if op == "add" else (g,)
        return self.engine.ops[op](*operands, **attrs)

    def remove(self, s: pr.RemoveHook) -> None:
        self.handles[s.hook].remove()

    def retain_grad(self, s: pr.RetainGrad) -> None:
        self.engine.retain_grad(self.values[s.value])
        if s.value >= len(self.leaves) and s.value not in self.retained:
            self.retained.append(s.value)

    def set_grad(self, s: pr.SetGrad) -> None:
        array = s.gradient.array()
        self.gradients.append((self.number, array))
        self.engine.set_grad(self.leaves[s.leaf], array)
        self.observe_grads()

    def _given(self, s: pr.Pass) -> tuple[list[Any], list[Any], dict[str, bool]]:
        """The roots, their gradients and the flags of a pass."""
        arrays = [None if g is None else g.array() for g in s.seeds()]
        self.gradients += [(self.number, array) for array in arrays if array is not None]
        flags = {"create_graph": s.create_graph, "retain_graph": s.retain_graph or s.create_graph}
        return [self.values[i] for i in s.roots], arrays, flags

    def backward_many(self, s: pr.BackwardMany) -> None:
        roots, arrays, flags = self._given(s)
        inputs = None if s.inputs is None else [self.leaves[i] for i in s.inputs]
        self.engine.backward_many(roots, arrays, inputs=inputs, **flags)
        self.observe_grads()

    def grad(self, s: pr.Grad) -> None:
        roots, arrays, flags = self._given(s)
        inputs = [self.values[i] for i in s.inputs]
        results = self.engine.grad_of_values(
            roots, inputs, arrays, allow_unused=s.allow_unused, **flags
        )
        for t in results:
            array = None if t is None else self.engine.value(t)
            self.observe("result", len(self.values), array)
            self.values.append(t)
        self.observe_grads()
