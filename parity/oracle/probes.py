"""Probes: fixed checks of what random programs do not cover: depth, growth, memory and modes.

A probe is a function from an engine to findings. Growth is measured by counting function calls
instead of time, so that a probe gives the same result on a busy machine: the calls of a backward
must not grow faster than the graph.
"""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity._util.escape import described, one_line
from parity._util.process import collector_of_new_objects
from parity.engines.base import Engine, Unsupported, abilities
from parity.engines.execute import numbers
from parity.engines.runner import AnyEngine, EngineStopped, as_runner
from parity.engines.trace import Failure
from parity.oracle.finding import KINDS, Finding, Kind

#: Nodes of the deep chain.
DEEP = 100_000
#: Uses of one tensor.
WIDE = 10_000
#: Additions of a tensor to itself, one after another.
DOUBLINGS = 60


@dataclass(frozen=True)
class Probe:
    """A named check of an engine, which yields findings."""

    name: str
    description: str
    search: Callable[[Engine], Iterator[Finding]]
    #: Operations; the probe applies to engines that have one of them.
    needs: tuple[str, ...]
    #: What it does, as code of the engine, typical code on which it fails, and how to mend that.
    example: str = ""
    code: str = ""
    mend: str = ""

    def run(self, engine: Engine) -> Iterator[Finding]:
        """Yield findings on an engine in this process.

        Exceptions of the engine are findings; ``Unsupported`` ends the probe.
        """
        try:
            yield from self.search(engine)
        except Unsupported:
            return
        except RecursionError as error:
            yield _exception(Kind.DEPTH, described(error))
        except MemoryError:
            yield _exception(Kind.MEMORY, "MemoryError")
        except Exception as error:
            place = Failure(0, error).place()
            yield replace(_exception(Kind.EXCEPTION, described(error)), place=place)

    def first(self, engine: AnyEngine) -> Finding | None:
        """Return the first finding, or None; an engine in a worker process may end it."""
        runner = as_runner(engine)
        try:
            data = runner.call("parity.oracle.probes:first_finding", self.name)
        except EngineStopped as end:
            return _exception(KINDS[end.kind], one_line(end))
        if data is None:
            return None
        runner.restart()  # the probe may have left the engine in a bad state
        try:
            kind, step, what, which, engine_has, expected, place = data
            where = int(step), str(what), int(which)
            return Finding(KINDS[kind], *where, engine_has, expected, place=str(place))
        except (TypeError, ValueError, KeyError):
            return _exception(
                Kind.CRASH, "it wrote to the pipe of parity: an answer of another form"
            )

    def applies(self, engine: AnyEngine) -> bool:
        return any(name in engine.ops for name in self.needs)


def _exception(kind: Kind, engine: str, reference: str = "no exception", step: int = 0) -> Finding:
    return Finding(kind, step, "exception", 0, engine, reference)


def _scalar(engine: Engine) -> Any:
    """Create a leaf of one element: 0-d, or (1, 1) if the engine has only matrices."""
    try:
        return engine.leaf(np.ones((1,) * engine.min_ndim, engine.dtypes[-1]))
    except Unsupported:
        return engine.leaf(np.ones((1, 1), engine.dtypes[-1]))


def _gradient(engine: Engine, x: Any) -> Any:
    gradient = engine.grad(x)
    return None if gradient is None else np.array(numbers(gradient, "grad"))


def _expect(engine: Engine, x: Any, expected: float) -> Iterator[Finding]:
    """Yield a finding if the gradient of ``x`` is not ``expected``."""
    gradient = _gradient(engine, x)
    kind = Kind.GRADIENT
    if gradient is None:
        kind = Kind.MISSING_GRADIENT
    elif np.shape(gradient) != np.shape(engine.value(x)):
        kind = Kind.SHAPE
    elif not np.any(gradient != expected):
        return
    yield Finding(kind, 0, "grad", 0, gradient, np.array(expected))


def deep_chain(engine: Engine) -> Iterator[Finding]:
    """Run ``y = y + x`` ``DEEP`` times: no RecursionError, and the gradient is ``DEEP + 1``."""
    for depth in (1_000, DEEP):
        x = _scalar(engine)
        y = x
        try:
            for _ in range(depth):
                y = engine.ops["add"](y, x) if "add" in engine.ops else engine.ops["neg"](y)
            engine.backward(y)
        except RecursionError as error:
            text = f"RecursionError at depth {depth}: {one_line(error)}"
            yield _exception(Kind.DEPTH, text, "no error")
            return
        if "add" in engine.ops:
            yield from _expect(engine, x, depth + 1.0)


def wide_use(engine: Engine) -> Iterator[Finding]:
    """Use one tensor ``WIDE`` times: the gradient counts the uses."""
    x = _scalar(engine)
    add = engine.ops["add"]
    try:
        h = add(x, x)
        terms = [add(h, x) for _ in range(WIDE // 2)]
        engine.backward(functools.reduce(add, terms))
    except RecursionError:
        return  # the deep chain reports it
    yield from _expect(engine, x, 3.0 * (WIDE // 2))


def doublings(engine: Engine) -> Iterator[Finding]:
    """Run ``x = x + x`` ``DOUBLINGS`` times: a graph of 60 nodes with 2**60 paths.

    First the calls of backwards through 6 and 12 doublings are counted: an engine that runs a
    node once per path makes 64 times as many, one that runs it once twice as many. So are those
    through diamonds, whose paths lead through different nodes. The full graph is run only in the
    second case.
    """
    for build, name in ((_doubled, "doublings"), (_diamonds, "diamonds")):
        few, many = (_calls(engine, build(engine, n)[1]) for n in (6, 12))
        if many > 8 * (few + 8):
            text = f"{few} calls for 6 {name}, {many} for 12"
            yield Finding(Kind.TIME, 0, "calls", 0, text, "twice as many")
            return
    x, y = _doubled(engine, DOUBLINGS)
    engine.backward(y)
    yield from _expect(engine, x, 2.0**DOUBLINGS)


def _doubled(engine: Engine, n: int) -> tuple[Any, Any]:
    x = _scalar(engine)
    return x, functools.reduce(lambda y, _: engine.ops["add"](y, y), range(n), x)


def _diamonds(engine: Engine, n: int) -> tuple[Any, Any]:
    """Return a leaf and the root of ``n`` diamonds, one after the other, with 2**n paths."""
    x, add = _scalar(engine), engine.ops["add"]
    return x, functools.reduce(lambda y, _: add(add(y, x), add(y, x)), range(n), x)


def _calls(engine: Engine, y: Any) -> int:
    count = 0

    def counting(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    outer = sys.getprofile()
    sys.setprofile(counting)
    try:
        engine.backward(y)
    finally:
        sys.setprofile(outer if callable(outer) else None)  # cProfile's object cannot be set
    return count


def dropped_graph(engine: Engine) -> Iterator[Finding]:
    """Drop a graph: garbage collection frees it, with and without a backward."""
    mul = engine.ops["mul"]
    for backward in (False, True):
        x = _scalar(engine)
        intermediate = mul(x, x)
        try:
            alive = weakref.ref(intermediate)
        except TypeError:  # tensors of this engine have no weak references
            return
        root = mul(intermediate, x)
        if backward:
            engine.backward(root)
        del intermediate, root
        gc.collect()
        if alive() is not None:
            when = "after" if backward else "without"
            text = f"an intermediate value stays in memory {when} a backward"
            yield Finding(Kind.LEAK, 0, "leak", 0, text, "freed")
            return


def nested_no_grad(engine: Engine) -> Iterator[Finding]:
    """Nest ``no_grad``: the outer one ends neither early nor never (docs/semantics.md 6.1)."""
    if not _has_no_grad(engine):
        return
    x, add = _scalar(engine), engine.ops["add"]
    with engine.no_grad():
        with engine.no_grad():
            pass
        constant = add(x, x)
    yield from _recorded(engine, "after nested no_grad", x, constant, 1.0)


def no_grad_and_exception(engine: Engine) -> Iterator[Finding]:
    """Raise inside ``no_grad``: it ends, and the exception passes (docs/semantics.md 6.1)."""
    if not _has_no_grad(engine):
        return
    try:
        with engine.no_grad():
            raise _Inside
    except _Inside:
        x = _scalar(engine)
        yield from _recorded(engine, "after the exception", x, x, 2.0)
    else:
        text = "no_grad suppresses an exception"
        yield _exception(Kind.NO_EXCEPTION, text, "the exception passes")


class _Inside(Exception):  # noqa: N818 - not an error
    """Raised inside ``no_grad`` by the probe."""


def _has_no_grad(engine: Engine) -> bool:
    """Return whether the engine has ``no_grad`` and records operations outside of it.

    If it does not record them, programs or the previous probe report that.
    """
    if "no_grad" not in abilities(engine):
        return False
    x = _scalar(engine)
    return not any(_recorded(engine, "", x, x, 2.0))


def _recorded(engine: Engine, when: str, x: Any, other: Any, expected: float) -> Iterator[Finding]:
    """Check that ``other + x`` is recorded, with the gradient ``expected`` of ``x``.

    Findings that it is not recorded have statement 1, whether the backward raises or gives no
    gradient; wrong gradients and earlier exceptions have statement 0.
    """
    y = engine.ops["add"](other, x)
    try:
        engine.backward(y)
    except Exception as error:
        yield _exception(Kind.EXCEPTION, f"{when}: {described(error)}", step=1)
        return
    gradient = _gradient(engine, x)
    if gradient is None or not np.any(gradient):
        yield Finding(Kind.MISSING_GRADIENT, 1, "grad", 0, gradient, np.array(expected))
    else:
        yield from _expect(engine, x, expected)


def first_finding(engine: Engine, name: str) -> list[Any] | None:
    """Return the first finding of a probe as JSON-like data; called in the engine's process."""
    with collector_of_new_objects():
        found = next(PROBES_BY_NAME[name].run(engine), None)
    if found is None:
        return None
    shown = found.engine, found.reference, found.place
    return [found.kind, found.statement, found.what, found.which, *shown]


PROBES: tuple[Probe, ...] = (
    Probe(
        "deep-chain",
        f"a chain of {DEEP:,} nodes",
        deep_chain,
        ("add", "neg"),
        f"y = x\nfor _ in range({DEEP:_}):\n    y = y + x\ny.backward()",
        "def visit(x): for y in x.parents: visit(y)",
        "a loop over a list of what is left to visit",
    ),
    Probe(
        "wide-use",
        f"a value used {WIDE:,} times",
        wide_use,
        ("add",),
        f"h = x + x\nsum(h + x for _ in range({WIDE // 2:_})).backward()",
        "if x not in visited_list: ...",
        "a set of what was visited, and one sum of gradients for each value",
    ),
    Probe(
        "doublings",
        f"{DOUBLINGS} doublings, 2**{DOUBLINGS} paths",
        doublings,
        ("add",),
        f"y = x\nfor _ in range({DOUBLINGS}):\n    y = y + y\ny.backward()",
        "def backward(self, gy): for x, gx in ...: x.backward(gx)",
        "sum all contributions to a value, then run its function once",
    ),
    Probe(
        "dropped-graph",
        "memory of a dropped graph",
        dropped_graph,
        ("mul",),
        "y = x * x\nalive = weakref.ref(y)\nz = y * x\ndel y, z\nassert alive() is None",
        "tape.append(f), in a list of the engine that nothing empties",
        "let a result hold its function and that its operands, with weak references back",
    ),
    Probe(
        "no-grad",
        "no_grad inside no_grad",
        nested_no_grad,
        ("add",),
        "with no_grad():\n    with no_grad():\n        pass\n    y = x + x  # not recorded",
        "recording = False; yield; recording = True",
        "before, recording = recording, False; yield; recording = before",
    ),
    Probe(
        "no-grad-exception",
        "no_grad left by an exception",
        no_grad_and_exception,
        ("add",),
        "try:\n    with no_grad():\n        raise ValueError\nexcept ValueError:\n"
        "    y = x + x  # recorded",
        "recording = False; yield; recording = before",
        "recording = False; try: yield; finally: recording = before",
    ),
)
PROBES_BY_NAME = {probe.name: probe for probe in PROBES}
