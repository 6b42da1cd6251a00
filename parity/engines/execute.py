"""Runs a program on an engine and records what it shows.

After each operation its results are observed, after each event the gradients of
all leaves. At the end come the values of the leaves and the gradient arrays
that were passed in: no engine may change them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.engines.base import Engine, Unsupported
from parity.engines.trace import AdapterError, Failure, Observation, Trace
from parity.language import program as pr
from parity.language.table import OPS, keywords


def execute(program: pr.Program, engine: Engine, at: Callable[[int], None] | None = None) -> Trace:
    """Run ``program`` on ``engine``. Exceptions of the engine end the trace, none escapes.

    ``at`` is told the number of each statement before it runs.
    """
    run = _Run(program, engine)
    number, edges = -1, engine.edges
    with np.errstate(all="ignore"):
        try:
            run.start()
            for number, statement in enumerate(program.statements):
                run.number = number
                if at is not None:
                    at(number)
                _STEPS[type(statement)](run, statement)
            run.number = number = len(program.statements)
            run.finish()
        except Exception as error:
            run.trace.failure = Failure(number, error)
    run.trace.left_reals = engine.edges != edges
    return run.trace


class _Run:
    """The state of one run."""

    def __init__(self, program: pr.Program, engine: Engine) -> None:
        self.program = program
        self.engine = engine
        self.trace = Trace()
        self.number = -1
        self.values: list[Any] = []
        self.leaves: list[Any] = []
        self.gradients: list[tuple[int, NDArray[Any]]] = []

    def start(self) -> None:
        for leaf in self.program.leaves:
            constant = () if leaf.requires_grad else (False,)
            self.values.append(self.engine.leaf(leaf.array(), *constant))
        self.leaves = list(self.values)

    def finish(self) -> None:
        for i, t in enumerate(self.leaves):
            self.see("value", i, self.engine.value(t))
        for statement, array in self.gradients:
            self.see("gradient", statement, array)

    def see(self, what: str, which: int, array: Any) -> None:
        if array is None and what == "value":
            raise AdapterError("the adapter returned None for a value")
        if array is not None:
            array = np.array(array)
            if array.dtype.kind not in "fiub":
                raise AdapterError(f"the adapter returned {array.dtype} for a {what}")
        self.trace.observations.append(Observation(self.number, what, which, array))

    def see_grads(self) -> None:
        grad = self.engine.grad
        for i, t in enumerate(self.leaves):
            self.see("grad", i, grad(t))

    def apply(self, s: pr.Apply) -> None:
        function = self.engine.ops[s.op]
        inputs = [self.values[i] for i in s.inputs]
        if s.no_grad:
            with self.engine.no_grad():
                result = function(*inputs, **keywords(s.op, s.attrs))
        else:
            result = function(*inputs, **keywords(s.op, s.attrs))
        results = result if isinstance(result, (tuple, list)) else (result,)
        for t in results:
            self.see("value", len(self.values), self.engine.value(t))
            self.values.append(t)

    def detach(self, s: pr.Detach) -> None:
        t = self.engine.detach(self.values[s.value])
        self.see("value", len(self.values), self.engine.value(t))
        self.values.append(t)

    def take_grad(self, s: pr.TakeGrad) -> None:
        t = self.engine.grad_tensor(self.leaves[s.leaf])
        self.see("value", len(self.values), self.engine.value(t))
        self.values.append(t)

    def backward(self, s: pr.Backward) -> None:
        array = None
        if s.gradient is not None:
            array = s.gradient.array()
            self.gradients.append((self.number, array))
        flags: dict[str, bool] = {}
        if s.create_graph:
            flags["create_graph"] = True
        if s.retain_graph or s.create_graph:
            flags["retain_graph"] = True
        self.engine.backward(self.values[s.value], array, **flags)
        self.see_grads()

    def clear(self, s: pr.Clear) -> None:
        for i in s.leaves:
            self.engine.clear_grad(self.leaves[i])
        self.see_grads()

    def zero(self, s: pr.Zero) -> None:
        held = []
        for i in s.leaves:
            buffer = self.engine.grad(self.leaves[i])
            if buffer is not None:
                held.append((i, buffer))
                self.engine.zero_grad(self.leaves[i])
        self.see_grads()
        own = owns_buffer(self.engine)
        for i, buffer in held:
            self.see("held", i, buffer if own and not isinstance(buffer, np.generic) else None)

    def change_grad(self, s: pr.ChangeGrad) -> None:
        buffer = self.engine.grad(self.leaves[s.leaf])
        if isinstance(buffer, np.generic):  # the sum of two 0-d arrays is no array
            raise Unsupported("changes in place of gradients that are NumPy scalars")
        if buffer is not None:
            _change(buffer)
        self.see_grads()

    def change_gradient(self, s: pr.ChangeGradient) -> None:
        number, array = self.gradients.pop()
        self.see("gradient", number, array)
        _change(array)
        self.see_grads()

    def drop(self, s: pr.Drop) -> None:
        self.values[s.value] = None


_STEPS: dict[type[Any], Callable[[_Run, Any], None]] = {
    pr.Apply: _Run.apply,
    pr.Detach: _Run.detach,
    pr.TakeGrad: _Run.take_grad,
    pr.Backward: _Run.backward,
    pr.Clear: _Run.clear,
    pr.Zero: _Run.zero,
    pr.ChangeGrad: _Run.change_grad,
    pr.ChangeGradient: _Run.change_gradient,
    pr.Drop: _Run.drop,
}


def _change(array: NDArray[Any]) -> None:
    array *= 2
    array += 1


def owns_buffer(engine: Engine) -> bool:
    """Whether ``grad`` returns the engine's own array, not a copy: tried once on ``x * x``."""
    known = vars(engine).get("_owns_buffer")
    if known is None:
        known = vars(engine)["_owns_buffer"] = _tries_buffer(engine)
    return bool(known)


def _tries_buffer(engine: Engine) -> bool:
    op = next((name for name in ("mul", "add", "square", "neg") if name in engine.ops), None)
    if op is None:
        return False
    for shape in (), (1, 1):
        try:
            x = engine.leaf(np.full(shape, 3.0, engine.dtypes[0]))
            engine.backward(engine.ops[op](*(x,) * OPS[op].arity))
            first, second = engine.grad(x), engine.grad(x)
            return bool(np.shares_memory(first, second)) and bool(first.flags.writeable)
        except Unsupported:  # there are no scalars
            continue
        except Exception:  # then the first program of a run shows what is wrong
            break
    return False
