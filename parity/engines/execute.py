"""Run a program on an engine and record its observations in a ``Trace``.

The results of each operation are observed after it, the gradients of all leaves after each
event (backward, clear, zero, in-place change). At the end the values of the leaves and the arrays
that were passed to ``backward`` are observed: an engine must not have changed them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from parity.engines.base import Engine, ProgramEngine, Unsupported
from parity.engines.trace import AdapterError, Failure, Observation, Trace
from parity.language import program as pr
from parity.language.shapes import size
from parity.language.table import OPS, keywords


def execute(
    program: pr.Program,
    engine: Engine,
    on_statement: Callable[[int], None] | None = None,
    catches: type[BaseException] = Exception,
) -> Trace:
    """Run a program on an engine in this process that supports it.

    An exception of the engine that is one of ``catches`` ends the run and is kept in
    ``Trace.failure``. ``on_statement`` is called with the index of each statement before it runs.

    Examples
    --------
    >>> from parity.engines.adapters.torch import Torch
    >>> from parity.language.text_format import program_from_text
    >>> trace = execute(program_from_text("x0 = leaf(3.0)\\nx1 = mul(x0, x0)"), Torch())
    >>> trace.observations[0].array.item()
    9.0
    """
    if isinstance(engine, ProgramEngine):
        return cast("Trace", engine.run_program(program))
    run = _Run(engine, program)
    left_reals_count = engine.left_reals_count
    with np.errstate(all="ignore"):
        try:
            for leaf in program.leaves:
                constant = () if leaf.requires_grad else (False,)
                run.leaves.append(engine.leaf(leaf.array(), *constant))
            run.values = list(run.leaves)
            for number, statement in enumerate(program.statements):
                run.number = number
                if on_statement is not None:
                    on_statement(number)
                getattr(run, statement.keyword)(statement)
            run.number = len(program.statements)
            for i, t in enumerate(run.leaves):
                run.observe("value", i, engine.value(t))
            for i, array in run.gradients:
                run.observe("gradient", i, array)
        except catches as error:
            run.trace.failure = Failure(run.number, error)
    run.trace.left_reals = engine.left_reals_count != left_reals_count
    return run.trace


#: Bytes that the observed arrays of a program may take beyond what the program itself explains.
MOST_BYTES = 2**24


class _Run:
    """The state of one run, and a method for each kind of statement, named by its keyword."""

    def __init__(self, engine: Engine, program: pr.Program) -> None:
        self.engine, self.program = engine, program
        self.trace = Trace()
        self.bytes = 0
        self.number = -1
        self.values: list[Any] = []
        self.leaves: list[Any] = []
        #: Arrays that were passed to ``backward``, with the index of the statement.
        self.gradients: list[tuple[int, NDArray[Any]]] = []

    def observe(self, what: str, which: int, array: Any) -> None:
        """Add a copy of an array to the trace."""
        if array is None and what == "value":
            raise AdapterError("`value` returned None, not an ndarray")
        if array is not None:
            array = numbers(array, what)
            self.bytes += array.nbytes
            if self.bytes > MOST_BYTES and self.bytes > MOST_BYTES + self._expected():
                raise MemoryError(f"the arrays of this program take {self.bytes:,} bytes and more")
            array = np.array(array)
        self.trace.observations.append(Observation(self.number, what, which, array))

    def _expected(self) -> int:
        """Return how many bytes the arrays of the program take at most, as PyTorch has them."""
        sizes = sum(size(info.shape) for info in self.program.infos)
        return 8 * sizes * (len(self.program.statements) + 2)

    def observe_grads(self) -> None:
        for i, t in enumerate(self.leaves):
            self.observe("grad", i, self.engine.grad(t))

    def add(self, t: Any) -> None:
        """Observe a new tensor."""
        self.observe("value", len(self.values), self.engine.value(t))
        self.values.append(t)

    def apply(self, s: pr.Apply) -> None:
        function = self.engine.ops[s.op]
        inputs = [self.values[i] for i in s.inputs]
        with self.engine.no_grad() if s.no_grad else nullcontext():
            result = function(*inputs, **keywords(s.op, s.attrs))
        for t in result if isinstance(result, (tuple, list)) else (result,):
            self.add(t)

    def detach(self, s: pr.Detach) -> None:
        self.add(self.engine.detach(self.values[s.value]))

    def grad_of(self, s: pr.TakeGrad) -> None:
        self.add(self.engine.grad_tensor(self.leaves[s.leaf]))

    def backward(self, s: pr.Backward) -> None:
        array = None
        if s.gradient is not None:
            array = s.gradient.array()
            self.gradients.append((self.number, array))
        flags = {"create_graph": s.create_graph, "retain_graph": s.retain_graph or s.create_graph}
        # An engine without second derivatives may lack the flag that it never gets.
        flags = {name: True for name, on in flags.items() if on}
        self.engine.backward(self.values[s.value], array, **flags)
        self.observe_grads()

    def cleargrad(self, s: pr.Clear) -> None:
        for i in s.leaves:
            self.engine.clear_grad(self.leaves[i])
        self.observe_grads()

    def zero_grad(self, s: pr.Zero) -> None:
        held = []
        for i in s.leaves:
            buffer = self.engine.grad(self.leaves[i])
            if buffer is not None:
                held.append((i, buffer))
                self.engine.zero_grad(self.leaves[i])
        self.observe_grads()
        own = owns_buffer(self.engine)
        for i, buffer in held:
            self.observe("held", i, buffer if own and not isinstance(buffer, np.generic) else None)

    def change_grad(self, s: pr.ChangeGrad) -> None:
        buffer = self.engine.grad(self.leaves[s.leaf])
        if isinstance(buffer, np.generic):  # adding two 0-d arrays gives a NumPy scalar
            raise Unsupported("in-place changes of gradients that are NumPy scalars")
        if buffer is not None:
            _change(buffer)
        self.observe_grads()

    def change_gradient(self, s: pr.ChangeGradient) -> None:
        number, array = self.gradients.pop()
        self.observe("gradient", number, array)
        _change(array)
        self.observe_grads()

    def drop(self, s: pr.Drop) -> None:
        self.values[s.value] = None


def numbers(array: Any, what: str) -> NDArray[Any]:
    """Return an engine's array as one of NumPy. Raises AdapterError if it has no real numbers."""
    found: NDArray[Any] = np.asarray(array)
    if found.dtype.kind not in "fiub":
        raise AdapterError(f"the adapter returned an array of dtype {found.dtype} for a {what}")
    return found


def _change(array: NDArray[Any]) -> None:
    array *= 2
    array += 1


def owns_buffer(engine: Engine) -> bool:
    """Return whether ``grad`` returns the engine's own array instead of a copy.

    One backward is run to find out; the answer is kept on the engine.
    """
    if "_owns_buffer" not in vars(engine):
        vars(engine)["_owns_buffer"] = _returns_same_buffer(engine)
    return bool(vars(engine)["_owns_buffer"])


def _returns_same_buffer(engine: Engine) -> bool:
    op = next((name for name in ("mul", "add", "square", "neg") if name in engine.ops), None)
    if op is None:
        return False
    for shape in (1,) * engine.min_ndim, (1,) * max(engine.min_ndim, 2):
        try:
            x = engine.leaf(np.full(shape, 3.0, engine.dtypes[0]))
            engine.backward(engine.ops[op](*(x,) * OPS[op].arity))
            first, second = engine.grad(x), engine.grad(x)
            return bool(np.shares_memory(first, second)) and bool(first.flags.writeable)
        except Unsupported:  # the engine has no 0-d arrays
            continue
        except Exception:  # the programs of the run will show what is wrong
            break
    return False
