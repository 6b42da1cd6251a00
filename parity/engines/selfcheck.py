"""Tries an adapter before a run, so that its faults are not taken for the engine's.

Only what an adapter's author gets wrong is asked: signatures, what ``leaf``, ``value`` and
``grad`` give, and whether an operation is the one of its name. Nothing is used twice here,
so an engine that is wrong about reuse passes; what else is wrong shows in the run itself.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from parity.engines.base import CONSTANTS, Engine, Unsupported, abilities
from parity.engines.execute import execute, owns_buffer
from parity.engines.load import EngineError, load_engine
from parity.engines.runner import AnyEngine, EngineStopped, as_runner
from parity.engines.trace import AdapterError, Trace
from parity.language import program as pr
from parity.language.shapes import Attrs, Shape, size
from parity.language.table import OPS, attribute_choices, output_shapes

#: How the harness calls each method: a tensor, an array and flags stand for themselves.
_CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "leaf": ((None,), {}),
    "value": ((None,), {}),
    "grad": ((None,), {}),
    "backward": ((None, None), {"retain_graph": True}),
    "clear_grad": ((None,), {}),
    "zero_grad": ((None,), {}),
    "grad_tensor": ((None,), {}),
    "no_grad": ((), {}),
    "detach": ((None,), {}),
    "optimizer": ((None, None, None), {}),
}
_SHAPES: tuple[Shape, ...] = ((2, 3), (2,), (3,), (3, 3), (), (1, 3))
#: How many plain programs an operation is tried on.
SAMPLES = 3
#: How many are tried where the adapter says of some that the engine lacks them.
MOST = 24


def check_adapter(engine: AnyEngine) -> None:
    """Raise EngineError, in one line that names the method, if the adapter is at fault."""
    runner = as_runner(engine)
    try:
        fault = runner.call("parity.engines.selfcheck:first_fault")
    except EngineStopped:  # for the programs to find
        return
    if fault is not None:
        raise EngineError(f"adapter of {runner.name!r}: {' '.join(fault.split())}")


def first_fault(engine: Engine) -> str | None:
    """The first fault of an adapter, in words, or None.

    Adapters of parity's own are not tried before each run, but by its tests.
    """
    if type(engine).__module__.startswith(("parity.engines.", "parity.oracle.")):
        return None
    try:
        with np.errstate(all="ignore"):
            return next(faults(engine, load_engine("torch")), None)
    except Exception:  # for the programs to find
        return None


def faults(engine: Engine, reference: Engine) -> Iterator[str]:
    """What is wrong with an adapter, in words; each may be the reason for the next."""
    yield from _signatures(engine)
    yield from _leaves(engine)
    for name in OPS:
        if name in engine.ops:
            yield from _operation(name, engine, reference)
    yield from _events(engine)


def _signatures(engine: Engine) -> Iterator[str]:
    able = abilities(engine)
    for name, (arguments, flags) in _CALLS.items():
        if name in able or name in ("leaf", "value", "grad", "backward"):
            if name == "backward" and "grad_tensor" in able:
                flags = {**flags, "create_graph": True}
            wrong = _refuses(getattr(engine, name), arguments, flags)
            if wrong:
                yield f"`{name}` cannot be called as the contract says: {wrong}"


def _refuses(function: Callable[..., Any], arguments: Any, keywords: Any) -> str:
    """Why a function does not take these arguments; "" if it does, or cannot be asked."""
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except TypeError as error:
        return str(error)
    except ValueError:  # a function that is not written in Python
        pass
    return ""


def _values(n: int, start: int) -> tuple[float, ...]:
    """Numbers between 0.25 and 2, in the domain of every operation, all different."""
    return tuple(0.25 + (5 * i + 3 * start) % 28 / 16 for i in range(n))


def _leaves(engine: Engine) -> Iterator[str]:
    array = _accepted(engine)
    before = array.copy()
    try:
        t = engine.leaf(array)
        seen, shown = engine.value(t), engine.grad(t)
    except Exception as error:
        yield f"`leaf`, `value` or `grad` of a new leaf raised {type(error).__name__}: {error}"
        return
    if not _numeric(seen):
        yield f"`value` returned {_kind(seen)}, not an ndarray"
        return
    if shown is not None and not _numeric(shown):
        yield f"`grad` returned {_kind(shown)}, not an ndarray or None"
    seen = np.array(seen)
    if not np.array_equal(seen.ravel(), before.ravel()):
        yield f"`value` of a leaf is {_short(seen)}, but `leaf` was given {_short(before)}"
    array += 1
    if not np.array_equal(np.asarray(engine.value(t)), seen):
        yield "`leaf` does not copy the array: changing the array changes the value of the leaf"


def _accepted(engine: Engine) -> Any:
    """An array that the engine takes: a vector, where it has vectors."""
    dtype = engine.dtypes[-1] if isinstance(engine.dtypes, (tuple, list)) else "float64"
    shapes: tuple[Shape, ...] = ((),) if engine.max_ndim == 0 else ((3,), (2, 3), ())
    for shape in shapes:
        array = np.array(_values(size(shape), 1), dtype).reshape(shape)
        try:
            engine.leaf(array.copy())
        except Unsupported:
            continue
        except Exception:  # `_leaves` says so
            pass
        return array
    return array


def _numeric(a: Any) -> bool:
    try:
        return a is not None and np.array(a).dtype.kind in "fiub"
    except ValueError:  # lists of different lengths
        return False


def _kind(a: Any) -> str:
    return "None" if a is None else f"an object of type {type(a).__name__}"


def _short(a: Any) -> str:
    return " ".join(str(np.asarray(a)).split())


# Operations.


def _operation(name: str, engine: Engine, reference: Engine) -> Iterator[str]:
    cases, runs = _tried(name, engine)
    for case in cases:
        statement = case.statements[0]
        assert isinstance(statement, pr.Apply)
        wrong = _refuses(engine.ops[name], statement.inputs, dict(statement.attrs))
        if wrong:
            yield f"`{name}` of ops cannot be called as the contract says: {wrong}"
            return
    if runs and all(r.failure and isinstance(r.failure.error, AdapterError) for r in runs):
        assert runs[0].failure is not None
        yield f"`{name}` of ops: {runs[0].failure.error}"
    rights = [_result(execute(case, reference)) for case in cases]
    results = [_result(run) for run in runs]
    if not cases or any(map(_same, results, rights)):
        return
    other = _other_name(cases, results, reference)
    if other:
        yield f"`{name}` of ops gives what {other} gives: is it under the wrong name?"


def _tried(name: str, engine: Engine) -> tuple[list[pr.Program], list[Trace]]:
    """A few plain programs and their runs, without what the adapter says that the engine lacks."""
    tried = ((case, execute(case, engine)) for case in itertools.islice(_plain(name, engine), MOST))
    claimed = list(itertools.islice((t for t in tried if t[1].unsupported is None), SAMPLES))
    return [case for case, _ in claimed], [run for _, run in claimed]


def _plain(name: str, engine: Engine) -> Iterator[pr.Program]:
    """Programs of that operation on leaves that are used once."""
    shapes = [s for s in _SHAPES if engine.max_ndim is None or len(s) <= engine.max_ndim]
    dtype = tuple(engine.dtypes)[-1]
    arity = OPS[name].arity or 2
    for chosen in sorted(itertools.product(shapes, repeat=arity), key=lambda s: len(set(s))):
        for attrs in attribute_choices(name, chosen)[:2]:
            if output_shapes(name, chosen, attrs) is not None:
                leaves = tuple(
                    pr.Leaf(s, _values(size(s), i + 1), dtype) for i, s in enumerate(chosen)
                )
                yield pr.Program(leaves, (_apply(name, arity, attrs),))


def _apply(name: str, arity: int, attrs: Attrs) -> pr.Apply:
    return pr.Apply(name, tuple(range(arity)), attrs)


def _result(trace: Trace) -> Any:
    """The first value that an operation gave, or None."""
    return next((o.array for o in trace.observations if o.what == "value"), None)


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None or a.shape != b.shape:
        return a is b
    return bool(np.allclose(a, b, rtol=1e-5, atol=1e-6))


def _other_name(cases: list[pr.Program], results: list[Any], reference: Engine) -> str:
    """The operation that gives these results, or the same with its operands exchanged."""
    first = cases[0].statements[0]
    assert isinstance(first, pr.Apply)
    op = OPS[first.op]
    for other in OPS.values():
        if other.arity == op.arity and set(other.attrs) == set(op.attrs):
            for inputs in dict.fromkeys((first.inputs, first.inputs[::-1])):
                if (other is not op or inputs != first.inputs) and all(
                    _same(result, _given(case, other.name, inputs, reference))
                    for case, result in zip(cases, results, strict=True)
                ):
                    swapped = " with its operands exchanged" if inputs != first.inputs else ""
                    return f"`{other.name}`{swapped}"
    return ""


def _given(case: pr.Program, name: str, inputs: tuple[int, ...], reference: Engine) -> Any:
    statement = case.statements[0]
    assert isinstance(statement, pr.Apply)
    chosen = tuple(case.leaves[i].shape for i in inputs)
    if output_shapes(name, chosen, statement.attrs) is None:
        return None
    changed = pr.Program(case.leaves, (pr.Apply(name, inputs, statement.attrs),))
    return _result(execute(changed, reference))


# Events.


def _events(engine: Engine) -> Iterator[str]:
    able = abilities(engine)
    if "no_grad" in able:
        try:
            context = engine.no_grad()
        except Exception:  # it is the run that shows this
            context = contextlib.nullcontext()
        if not hasattr(context, "__enter__"):
            yield f"`no_grad` returned {_kind(context)}, not a context manager"
    if CONSTANTS in able:
        wrong = _refuses(engine.leaf, (None, False), {})
        if wrong:
            yield f"`leaf` cannot be called as the contract says: {wrong}"
    op = next((name for name in OPS if name in engine.ops and not OPS[name].attrs), None)
    case = next(_plain(op, engine), None) if op else None
    if case is None:
        return
    root = len(case.leaves)
    shape = case.infos[root].shape
    gradient = pr.Constant(shape, _values(size(shape), 2), case.leaves[0].dtype)
    backward = pr.Program(case.leaves, (*case.statements, pr.Backward(root, gradient)))
    failure = execute(backward, engine).failure
    if failure is not None:
        if isinstance(failure.error, AdapterError):
            yield f"`grad` after a backward: {failure.error}"
        return
    if "zero_grad" in able and not owns_buffer(engine):
        zeroed = pr.Program(case.leaves, (*backward.statements, pr.Zero((0,))))
        grads = [
            o.array
            for o in execute(zeroed, engine).observations
            if o.what == "grad" and o.which == 0
        ]
        if len(grads) == 2 and grads[1] is not None and np.any(grads[0]) and _same(*grads):
            yield "`zero_grad` has no effect: does it fill a copy of the gradient with zeros?"
