"""Findings that random programs do not reach: depth, growth, and memory.

Each probe is one function from an engine to findings. Growth is counted, not
timed: the number of calls that backward makes must not grow faster than the
graph. So a probe gives the same answer on a busy machine.
"""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.engines.base import Engine, Unsupported, abilities
from parity.engines.runner import AnyEngine, EngineStopped, as_runner
from parity.oracle.finding import KINDS, Finding, Kind, engine_stopped

#: Nodes of the deep chain, and uses of the shared value.
DEEP = 100_000
WIDE = 10_000
DOUBLINGS = 60


@dataclass(frozen=True)
class Probe:
    """A named probe: ``search`` yields findings; ``needs``: operations, one of which it uses."""

    name: str
    description: str
    search: Callable[[Engine], Iterator[Finding]]
    needs: tuple[str, ...]

    def run(self, engine: Engine) -> Iterator[Finding]:
        """What the probe finds; exceptions of the engine are findings, but for Unsupported."""
        try:
            yield from self.search(engine)
        except Unsupported:
            return
        except RecursionError as error:
            yield Finding(Kind.DEPTH, 0, "exception", 0, f"RecursionError: {error}", "no exception")
        except MemoryError:
            yield Finding(Kind.MEMORY, 0, "exception", 0, "MemoryError", "no exception")
        except Exception as error:
            yield Finding(
                Kind.EXCEPTION,
                0,
                "exception",
                0,
                f"{type(error).__name__}: {error}",
                "no exception",
            )

    def first(self, engine: AnyEngine) -> Finding | None:
        """The first finding, wherever the engine lives; what ends its process is one."""
        runner = as_runner(engine)
        try:
            data = runner.call("parity.oracle.probes:first_finding", self.name)
        except EngineStopped as end:
            return engine_stopped(end.kind, str(end))
        if data is None:
            return None
        runner.restart()  # the probe may have left the engine in a bad state
        kind, *fields = data
        return Finding(KINDS[kind], *fields)

    def applies(self, engine: AnyEngine) -> bool:
        """Whether the engine has an operation that the probe can use."""
        return any(name in engine.ops for name in self.needs)


def _scalar(engine: Engine) -> Any:
    """A leaf of one element: a scalar, or a matrix where the engine has only those."""
    try:
        return engine.leaf(np.ones((), engine.dtypes[-1]))
    except Unsupported:
        return engine.leaf(np.ones((1, 1), engine.dtypes[-1]))


def _expect(engine: Engine, x: Any, expected: float) -> Iterator[Finding]:
    gradient = engine.grad(x)
    if gradient is None or np.shape(gradient) != np.shape(engine.value(x)):
        kind = Kind.MISSING_GRADIENT if gradient is None else Kind.SHAPE
        yield Finding(kind, 0, "grad", 0, gradient, np.array(expected))
    elif np.any(gradient != expected):
        yield Finding(Kind.GRADIENT, 0, "grad", 0, gradient, np.array(expected))


def deep_chain(engine: Engine) -> Iterator[Finding]:
    """``y = y + x``, ``DEEP`` times: no recursion, the gradient is the length plus one."""
    for depth in (1_000, DEEP):
        x = _scalar(engine)
        y = x
        try:
            for _ in range(depth):
                y = engine.ops["add"](y, x) if "add" in engine.ops else engine.ops["neg"](y)
            engine.backward(y)
        except RecursionError as error:
            yield Finding(
                Kind.DEPTH,
                0,
                "exception",
                0,
                f"RecursionError at depth {depth}: {error}",
                "no error",
            )
            return
        if "add" in engine.ops:
            yield from _expect(engine, x, depth + 1.0)


def wide_use(engine: Engine) -> Iterator[Finding]:
    """One value used ``WIDE`` times: the gradient is the number of uses."""
    x = _scalar(engine)
    add = engine.ops["add"]
    try:
        h = add(x, x)
        terms = [add(h, x) for _ in range(WIDE // 2)]
        engine.backward(functools.reduce(add, terms))
    except RecursionError:
        return  # the deep chain says so
    yield from _expect(engine, x, 3.0 * (WIDE // 2))


def doublings(engine: Engine) -> Iterator[Finding]:
    """``x = x + x``, ``DOUBLINGS`` times: 2 to the 60th paths, but 60 nodes.

    Calls are counted for 6 and for 12 doublings first: one pass a path makes 64
    times as many, one pass a node twice as many. Only then the whole is run.
    """
    few, many = _calls(engine, 6), _calls(engine, 12)
    if many > 8 * (few + 8):
        yield Finding(
            Kind.TIME, 0, "calls", 0, f"{few} calls for 6 doublings, {many} for 12", "twice as many"
        )
        return
    x = _scalar(engine)
    y = x
    for _ in range(DOUBLINGS):
        y = engine.ops["add"](y, y)
    engine.backward(y)
    yield from _expect(engine, x, 2.0**DOUBLINGS)


def _calls(engine: Engine, n: int) -> int:
    """Function calls that a backward through ``n`` doublings makes."""
    y = _scalar(engine)
    for _ in range(n):
        y = engine.ops["add"](y, y)
    count = 0

    def counting(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    outer = sys.getprofile()
    sys.setprofile(counting)
    try:
        engine.backward(y)
    finally:
        sys.setprofile(outer)
    return count


def dropped_graph(engine: Engine) -> Iterator[Finding]:
    """A graph that was dropped is gone after a garbage collection, backward or not."""
    for backward in (False, True):
        x = _scalar(engine)
        function = engine.ops["mul"]
        intermediate = function(x, x)
        try:
            alive = weakref.ref(intermediate)
        except TypeError:  # this engine's tensors cannot be watched
            return
        root = function(intermediate, x)
        if backward:
            engine.backward(root)
        del intermediate, root
        gc.collect()
        if alive() is not None:
            when = "after" if backward else "without"
            yield Finding(
                Kind.LEAK, 0, "leak", 0, f"an intermediate lives on {when} a backward", "it is gone"
            )
            return


def nested_no_grad(engine: Engine) -> Iterator[Finding]:
    """``no_grad`` inside ``no_grad`` ends neither early nor never (semantics.md 6.1)."""
    if not _has_no_grad(engine):
        return
    x, add = _scalar(engine), engine.ops["add"]
    with engine.no_grad():
        with engine.no_grad():
            pass
        constant = add(x, x)
    yield from _recorded(engine, "after both", x, constant, 1.0)


def no_grad_and_exception(engine: Engine) -> Iterator[Finding]:
    """An exception inside ``no_grad`` ends it as well, and passes (semantics.md 6.1)."""
    if not _has_no_grad(engine):
        return
    try:
        with engine.no_grad():
            raise _Inside
    except _Inside:
        x = _scalar(engine)
        yield from _recorded(engine, "after the exception", x, x, 2.0)
    else:
        yield Finding(
            Kind.NO_EXCEPTION, 0, "exception", 0, "the exception inside is lost", "it passes"
        )


class _Inside(Exception):  # noqa: N818 - no error
    """Raised under ``no_grad``; nothing else raises it."""


def _has_no_grad(engine: Engine) -> bool:
    """Whether there is a ``no_grad`` to probe: it exists, and operations are recorded outside.

    Where they are not, programs or the probe before show it, and nothing is known of this one.
    """
    if "no_grad" not in abilities(engine):
        return False
    x = _scalar(engine)
    return not any(_recorded(engine, "", x, x, 2.0))


def _recorded(engine: Engine, when: str, x: Any, other: Any, expected: float) -> Iterator[Finding]:
    """Whether ``other + x`` is recorded; ``expected``: the gradient of ``x``.

    Where nothing is, engines raise or give no gradient; both are step 1 of the probe, apart
    from what raises before and from wrong gradients.
    """
    y = engine.ops["add"](other, x)
    try:
        engine.backward(y)
    except Exception as error:
        shown = f"{when}: {type(error).__name__}: {error}"
        yield Finding(Kind.EXCEPTION, 1, "exception", 0, shown, "no exception")
        return
    gradient = engine.grad(x)
    if gradient is None or not np.any(gradient):
        yield Finding(Kind.MISSING_GRADIENT, 1, "grad", 0, gradient, np.array(expected))
    else:
        yield from _expect(engine, x, expected)


def first_finding(engine: Engine, name: str) -> list[Any] | None:
    """The first finding of a probe as plain data, for ``Probe.first``."""
    found = next(PROBES_BY_NAME[name].run(engine), None)
    if found is None:
        return None
    return [found.kind, found.statement, found.what, found.which, found.engine, found.reference]


PROBES: tuple[Probe, ...] = (
    Probe("deep-chain", f"a chain of {DEEP:,} nodes", deep_chain, ("add", "neg")),
    Probe("wide-use", f"a value used {WIDE:,} times", wide_use, ("add",)),
    Probe("doublings", f"{DOUBLINGS} doublings, 2**{DOUBLINGS} paths", doublings, ("add",)),
    Probe("dropped-graph", "memory of a dropped graph", dropped_graph, ("mul",)),
    Probe("no-grad", "no_grad inside no_grad", nested_no_grad, ("add",)),
    Probe("no-grad-exception", "no_grad left by an exception", no_grad_and_exception, ("add",)),
)
PROBES_BY_NAME = {probe.name: probe for probe in PROBES}
