"""Self-check of an adapter before a run, so that its mistakes are not reported as findings.

It checks the signatures of the methods and the results of ``leaf``, ``value`` and ``grad``:
with a mistake there no run says anything. Where an operation computes what another name says, the
adapter or the engine may be wrong: that is a warning of the run, and the programs find it too.

No tensor is used twice, so that an engine with faults in reuse or accumulation passes: the
programs of the run find those.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from parity._util.escape import described, one_line
from parity.engines.base import CONSTANTS, OPTIONAL, REQUIRED, Engine, Unsupported, abilities
from parity.engines.execute import execute, owns_buffer
from parity.engines.load import EngineError, load_engine
from parity.engines.runner import AnyEngine, EngineStopped, as_runner
from parity.engines.trace import AdapterError, Trace
from parity.language import program as pr
from parity.language.draws import draw
from parity.language.restrictions import Restrictions
from parity.language.shapes import Shape, size
from parity.language.table import OPS, attribute_choices, output_shapes, with_rules

#: With how many arguments methods are called that do not take one.
_ARGUMENTS = {"backward": 2, "no_grad": 0, "optimizer": 3}
_SHAPES: tuple[Shape, ...] = ((2, 3), (2,), (3,), (3, 3), (), (1, 3))
#: What Python says of ``...`` where a template was not filled in.
_DOTS = "'ellipsis' object"
#: Programs on which each operation is checked.
SAMPLES = 3
#: Programs that are tried to get these, where the adapter raises ``Unsupported`` on some.
MOST = 24


class Remark(NamedTuple):
    """What is noticed of an adapter, in one line."""

    text: str
    #: Whether no run says anything of the engine, as for a method with another signature. What may
    #: be the engine's own fault as well, such as a wrong operation, is only a warning.
    fatal: bool = True


def check_adapter(engine: AnyEngine) -> tuple[str, ...]:
    """Raise EngineError if the adapter has a mistake with which no run says anything.

    Other remarks are returned, and kept as ``Runner.warnings`` for reports.
    """
    runner = as_runner(engine)
    try:
        mistake, *warnings = runner.call("parity.engines.selfcheck:mistake_and_warnings")
    except (EngineStopped, TypeError, ValueError):  # the programs will find it
        return ()
    if isinstance(mistake, str):
        raise EngineError(f"adapter of {runner.name!r}: {one_line(mistake)}")
    runner.warnings = tuple(one_line(warning) for warning in warnings)
    return runner.warnings


def mistake_and_warnings(engine: Engine) -> list[str | None]:
    """Return the first mistake of an adapter, or None, and then the warnings.

    Adapters that are part of parity are checked by its tests, not before each run.
    """
    found: list[str | None] = [None]
    if type(engine).__module__.startswith(("parity.engines.", "parity.oracle.")):
        return found
    try:
        with np.errstate(all="ignore"):
            for remark in remarks(engine):
                if remark.fatal:
                    return [remark.text]
                found.append(f"adapter: {remark.text}; check the adapter first")
    except Exception:  # the programs will find it
        pass
    return found


def remarks(engine: Engine, reference: Engine | None = None) -> Iterator[Remark]:
    """Yield what is noticed of an adapter; one may be the cause of the next."""
    yield from map(Remark, _signatures(engine))
    yield from map(Remark, _leaves(engine))
    for name in OPS:
        if name in engine.ops:
            yield from _operation(name, engine, reference or _reference_of(name))
    yield from _events(engine)


@functools.cache
def _reference_of(name: str) -> Engine:
    """Return the engine whose results are right: PyTorch takes seconds to load, if need be."""
    exact = load_engine("exact")
    return exact if name in exact.ops else load_engine("torch")


def _signatures(engine: Engine) -> Iterator[str]:
    able = abilities(engine)
    flags = ("retain_graph", "create_graph") if "grad_tensor" in able else ("retain_graph",)
    for name in (*REQUIRED, *(name for name in OPTIONAL if name in able)):
        keywords = dict.fromkeys(flags, True) if name == "backward" else {}
        wrong = _refuses(getattr(engine, name), (None,) * _ARGUMENTS.get(name, 1), keywords)
        if wrong:
            yield f"the signature of `{name}` differs from Engine.{name}: {wrong}"


def _refuses(function: Callable[..., Any], arguments: Any, keywords: Any) -> str:
    """Return why a function does not accept these arguments; "" if it does or is not Python."""
    try:
        inspect.signature(function).bind(*arguments, **keywords)
    except TypeError as error:
        return one_line(error)
    except ValueError:  # a builtin without a signature
        pass
    return ""


def _values(n: int, start: int) -> tuple[float, ...]:
    """Return ``n`` different numbers between 0.25 and 2, in the domain of every operation."""
    return tuple(0.25 + (5 * i + 3 * start) % 28 / 16 for i in range(n))


def _leaves(engine: Engine) -> Iterator[str]:
    array = _accepted_array(engine)
    before = array.copy()
    called = "leaf"
    try:
        t = engine.leaf(array)
        called = "value"
        value = engine.value(t)
        called = "grad"
        gradient = engine.grad(t)
    except Exception as error:
        unfilled = f"is not filled in: {_DOTS}" if _DOTS in described(error) else ""
        yield f"`{called}` {unfilled or f'of a new leaf raised {described(error)}'}"
        return
    for name, result in (("value", value), ("grad", gradient)):
        if result is Ellipsis:
            yield f"`{name}` is not filled in: it returned `...`"
            return
    if not _is_numeric(value):
        yield f"`value` returned {_type_name(value)}, not an ndarray"
        return
    if gradient is not None and not _is_numeric(gradient):
        yield f"`grad` returned {_type_name(gradient)}, not an ndarray or None"
    value = np.array(value)
    if not np.array_equal(value.ravel(), before.ravel()):
        got, given = (" ".join(str(a).split()) for a in (value, before))
        yield f"`value` of a leaf is {got}, but `leaf` was called with {given}"
    array += 1
    if not np.array_equal(np.asarray(engine.value(t)), value):
        yield "`leaf` does not copy the array: changing the array changes the value of the leaf"


def _accepted_array(engine: Engine) -> Any:
    """Return an array that ``leaf`` accepts: a vector, if the engine has vectors."""
    dtype = engine.dtypes[-1] if isinstance(engine.dtypes, (tuple, list)) else "float64"
    shapes: tuple[Shape, ...] = ((),) if engine.max_ndim == 0 else ((3,), (2, 3), ())
    shapes = tuple(map(Restrictions(engine.min_ndim).padded, shapes))
    for shape in shapes:
        array = np.array(_values(size(shape), 1), dtype).reshape(shape)
        try:
            engine.leaf(array.copy())
        except Unsupported:
            continue
        except Exception:  # `_leaves` reports it
            pass
        return array
    return array


def _is_numeric(a: Any) -> bool:
    try:
        return a is not None and np.array(a).dtype.kind in "fiub"
    except ValueError:  # lists of different lengths
        return False


def _type_name(a: Any) -> str:
    return "None" if a is None else f"an object of type {type(a).__name__}"


def _operation(name: str, engine: Engine, reference: Engine) -> Iterator[Remark]:
    # Programs on which the adapter does not raise Unsupported, with their traces.
    tried = ((c, execute(c, engine)) for c in itertools.islice(_cases(name, engine), MOST))
    supported = list(itertools.islice((t for t in tried if t[1].unsupported is None), SAMPLES))
    cases, runs = [case for case, _ in supported], [run for _, run in supported]
    for case in cases:
        statement: Any = case.statements[0]
        wrong = _refuses(engine.ops[name], statement.inputs, dict(statement.attrs))
        if wrong:
            yield Remark(f'ops["{name}"] has another signature than parity calls it with: {wrong}')
            return
    errors = [run.failure and run.failure.error for run in runs]
    if errors and all(error and _DOTS in described(error) for error in errors):
        yield Remark(f"operation `{name}` is not filled in: it returned `...`")
        return
    if errors and all(isinstance(error, AdapterError) for error in errors):
        yield Remark(f"`{name}`: {errors[0]}", fatal=False)
    expected = [_result(execute(case, reference)) for case in cases]
    results = [_result(run) for run in runs]
    if cases and not any(map(_same, results, expected)):
        other = _other_name(cases, results, reference)
        if other:
            yield Remark(f"`{name}` computes {other}", fatal=False)


def _cases(name: str, engine: Engine) -> Iterator[pr.Program]:
    """Yield programs of that operation alone, on leaves that are used once."""
    limits = Restrictions(engine.min_ndim, engine.attribute_limits)
    padded = dict.fromkeys(map(limits.padded, _SHAPES))
    shapes = [s for s in padded if engine.max_ndim is None or len(s) <= engine.max_ndim]
    dtype = tuple(engine.dtypes)[-1]
    if not OPS[name].has_rules:
        yield from _draws(name, engine, dtype, limits)
        return
    arity = OPS[name].arity or 2
    for chosen in sorted(itertools.product(shapes, repeat=arity), key=lambda s: len(set(s))):
        allowed = (a for a in attribute_choices(name, chosen) if limits.allow(name, a))
        for attrs in itertools.islice(allowed, 2):
            outputs = output_shapes(name, chosen, attrs)
            if outputs is not None and limits.have(*outputs):
                values = [_values(size(s), i + 1) for i, s in enumerate(chosen)]
                leaves = tuple(pr.Leaf(s, v, dtype) for s, v in zip(chosen, values, strict=True))
                yield pr.Program(leaves, (pr.Apply(name, tuple(range(arity)), attrs),))


def _draws(
    name: str, engine: Engine, dtype: str, restrictions: Restrictions
) -> Iterator[pr.Program]:
    """Yield programs of an operation without rules, on numbers of its domain."""
    limit = 8 if engine.max_ndim is None else engine.max_ndim
    for number in range(2 * SAMPLES):
        drawn = draw(OPS[name], random.Random(number), False, dtype, limit, restrictions)
        if drawn is not None:
            inputs = tuple(range(len(drawn.leaves)))
            yield pr.Program(drawn.leaves, (pr.Apply(name, inputs, drawn.attrs),))


def _result(trace: Trace) -> Any:
    """Return the first observed value, or None."""
    return next((o.array for o in trace.observations if o.what == "value"), None)


def _same(a: Any, b: Any) -> bool:
    if a is None or b is None or a.shape != b.shape:
        return a is b
    return bool(np.allclose(a, b, rtol=1e-5, atol=1e-6))


def _other_name(cases: list[pr.Program], results: list[Any], reference: Engine) -> str:
    """Return the operation, or exchange of operands, that computes these results; "" if none."""
    first: Any = cases[0].statements[0]
    op = OPS[first.op]
    for other in map(OPS.__getitem__, with_rules()):
        if other.arity == op.arity and set(other.kinds) == set(op.kinds):
            for inputs in dict.fromkeys((first.inputs, first.inputs[::-1])):
                if (other is not op or inputs != first.inputs) and all(
                    _same(result, _result_of(case, other.name, inputs, reference))
                    for case, result in zip(cases, results, strict=True)
                ):
                    swapped = " with its operands exchanged" if inputs != first.inputs else ""
                    return f"`{other.name}`{swapped}"
    return ""


def _result_of(case: pr.Program, name: str, inputs: tuple[int, ...], reference: Engine) -> Any:
    """Return the reference's result with another operation, or other inputs, in a program."""
    statement: Any = case.statements[0]
    chosen = tuple(case.leaves[i].shape for i in inputs)
    if output_shapes(name, chosen, statement.attrs) is None:
        return None
    changed = pr.Program(case.leaves, (pr.Apply(name, inputs, statement.attrs),))
    return _result(execute(changed, reference))


def _events(engine: Engine) -> Iterator[Remark]:
    able = abilities(engine)
    if "no_grad" in able:
        try:
            context = engine.no_grad()
        except Exception:  # the programs will find it
            context = contextlib.nullcontext()
        if not hasattr(context, "__enter__"):
            yield Remark(f"`no_grad` returned {_type_name(context)}, not a context manager")
    if CONSTANTS in able:
        wrong = _refuses(engine.leaf, (None, False), {})
        if wrong:
            yield Remark(f"the signature of `leaf` differs from Engine.leaf: {wrong}")
    op = next((name for name in OPS if name in engine.ops and not OPS[name].kinds), None)
    case = next(_cases(op, engine), None) if op else None
    if case is not None:
        yield from _backward(case, engine)
        if _multiplies(case, engine):
            text = "`backward` multiplies the root by a gradient of another shape, which broadcasts"
            yield Remark(f"{text}: compare the shapes, and raise where they differ", fatal=False)


def _backward(case: pr.Program, engine: Engine) -> Iterator[Remark]:
    root = len(case.leaves)
    shape = case.infos[root].shape
    gradient = pr.Constant(shape, _values(size(shape), 2), case.leaves[0].dtype)
    backward = pr.Program(case.leaves, (*case.statements, pr.Backward(root, gradient)))
    trace = execute(backward, engine)
    if trace.failure is not None:
        if isinstance(trace.failure.error, AdapterError):
            yield Remark(f"`grad` after a backward: {trace.failure.error}")
        return
    if not any(
        np.any(o.array) for o in trace.observations if o.what == "grad" and o.array is not None
    ):
        text = "no leaf has a gradient after `backward`, as if it did not call the engine's own"
        yield Remark(text, fatal=False)
    if "zero_grad" in abilities(engine) and not owns_buffer(engine):
        trace = execute(pr.Program(case.leaves, (*backward.statements, pr.Zero((0,)))), engine)
        grads = [o.array for o in trace.observations if (o.what, o.which) == ("grad", 0)]
        if len(grads) == 2 and grads[1] is not None and np.any(grads[0]) and _same(*grads):
            yield Remark("`zero_grad` has no effect: does it zero a copy of the gradient?")


def _multiplies(case: pr.Program, engine: Engine) -> bool:
    """Whether ``backward`` applies an operation to a gradient that does not fit, and succeeds."""
    statement: Any = case.statements[0]
    applied: list[str] = []

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def apply(*xs: Any, **attrs: Any) -> Any:
            applied.append(name)
            return function(*xs, **attrs)

        return apply

    own, ops = vars(engine).get("ops"), engine.ops
    shape = case.infos[len(case.leaves)].shape
    for count in (1, 2):
        applied.clear()
        try:
            leaves = [engine.leaf(leaf.array()) for leaf in case.leaves]
            root = ops[statement.op](*leaves)
            engine.ops = {n: noting(n, f) for n, f in ops.items()}  # type: ignore[misc]
            engine.backward(root, np.ones((count, *shape), case.leaves[0].dtype))
        except Exception:  # refused, as it should be
            continue
        finally:
            vars(engine).pop("ops", None)
            if own is not None:
                engine.ops = own  # type: ignore[misc]
        if applied:
            return True
    return False
