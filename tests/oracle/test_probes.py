"""Depth, growth and memory: found where an engine is wrong, and only there."""

from __future__ import annotations

import inspect
import itertools
import sys
from contextlib import contextmanager, suppress

import numpy as np
import pytest

import parity.oracle.probes
from parity.campaign.search import run_probes
from parity.diagnose.defects.engine import TapeEngine
from parity.engines.base import Engine
from parity.oracle.finding import Finding
from parity.oracle.probes import PROBES, Probe
from tests.helpers.programs import DEZERO, TORCH


@pytest.fixture(autouse=True)
def _a_chain_not_much_deeper_than_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.oracle.probes.DEEP", 3 * sys.getrecursionlimit())


NAMED: dict[str, Probe] = {probe.name: probe for probe in PROBES}


def _found(engine: Engine) -> dict[str, str]:
    """The kind of what each probe finds."""
    findings = {probe.name: next(probe.run(engine), None) for probe in PROBES}
    return {name: finding.kind for name, finding in findings.items() if finding is not None}


class RecursiveOrder(TapeEngine):
    """The graph is sorted by a function that calls itself."""

    name = "recursive-order"

    def order(self, root, grads):
        found, ordered = set(), []

        def visit(t):
            if t.node is not None and t.node not in found:
                found.add(t.node)
                for parent in t.node.parents:
                    visit(parent)
                ordered.append(t.node)

        visit(root)
        return reversed(ordered)


class RecursiveForward(TapeEngine):
    """Even the forward pass walks the graph by recursion, from time to time."""

    name = "recursive-forward"

    def operation(self, value, vjp):
        inner = super().operation(value, vjp)
        count = itertools.count(1)

        def depth(t):
            return 1 + depth(t.node.parents[0]) if t.node else 0

        def apply(*xs, **attrs):
            t = inner(*xs, **attrs)
            if next(count) % 900 == 0:
                depth(t)
            return t

        return apply


class OnePassAPath(TapeEngine):
    """A node runs once for each path that leads to it."""

    name = "one-pass-a-path"

    def order(self, root, grads):
        todo = [(root, grads[root])]
        while todo:
            t, g = todo.pop()
            if t.node is None:
                continue
            grads[t] = g
            yield t.node
            t.node.freed = False
            for parent, part in zip(t.node.parents, self.slopes(t.node, (g,)), strict=True):
                if parent.node is not None:
                    todo.append((parent, part))

    def add(self, grads, t, g):
        if t.node is None:
            super().add(grads, t, g)


class Tape(TapeEngine):
    """All that was ever computed stays on a list."""

    name = "tape"

    def __init__(self):
        super().__init__()
        self.tape = []

    def operation(self, value, vjp):
        inner = super().operation(value, vjp)

        def apply(*xs, **attrs):
            self.tape.append(inner(*xs, **attrs))
            return self.tape[-1]

        return apply


class TapeUntilBackward(Tape):
    """The list is emptied by a backward."""

    name = "tape-until-backward"

    def backward(self, t, gradient=None, **flags):
        super().backward(t, gradient, **flags)
        self.tape.clear()


class HeldByBackward(TapeEngine):
    """What a backward ran is never let go."""

    name = "held-by-backward"

    def __init__(self):
        super().__init__()
        self.ran = []

    def run(self, node, grads, retain):
        self.ran.append(node)
        super().run(node, grads, retain)


class Cycles(TapeEngine):
    """Nodes in reference cycles: garbage, but no leak."""

    name = "cycles"

    def operation(self, value, vjp):
        inner = super().operation(value, vjp)

        def apply(*xs, **attrs):
            t = inner(*xs, **attrs)
            t.me = t
            return t

        return apply


class Saturates(TapeEngine):
    """Contributions beyond 2048 are lost."""

    name = "saturates"

    def add(self, grads, t, g):
        if t not in grads or np.all(grads[t] < 2048):
            super().add(grads, t, g)


class NotNested(TapeEngine):
    """The end of an inner ``no_grad`` ends the outer one."""

    name = "not-nested"

    @contextmanager
    def no_grad(self):
        self.recording = False
        yield
        self.recording = True


class NotRestored(TapeEngine):
    """An exception under ``no_grad`` leaves it on."""

    name = "not-restored"

    @contextmanager
    def no_grad(self):
        outer, self.recording = self.recording, False
        yield
        self.recording = outer


class NeverAgain(NotNested):
    """The end of an inner ``no_grad`` forgets that the outer one has an end as well."""

    name = "never-again"

    @contextmanager
    def no_grad(self):
        self.kept, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = self.kept


class Quiet(NeverAgain):
    """The same; a backward from what was not recorded does nothing."""

    name = "quiet"

    def backward(self, t, gradient=None, **flags):
        if t.requires_grad:
            super().backward(t, gradient, **flags)


class Swallows(TapeEngine):
    """Its ``no_grad`` ends exceptions."""

    name = "swallows"

    @contextmanager
    def no_grad(self):
        with super().no_grad(), suppress(Exception):
            yield


class NoReentry(TapeEngine):
    """Its ``no_grad`` cannot be entered twice."""

    name = "no-reentry"

    @contextmanager
    def no_grad(self):
        if not self.recording:
            raise ValueError("entered twice")
        with super().no_grad():
            yield


WRONG: list[tuple[type[Engine], dict[str, str]]] = [
    (RecursiveOrder, {"deep-chain": "depth"}),
    (RecursiveForward, {"deep-chain": "depth"}),
    (OnePassAPath, {"doublings": "time"}),
    (Tape, {"dropped-graph": "leak"}),
    (TapeUntilBackward, {"dropped-graph": "leak"}),
    (HeldByBackward, {"dropped-graph": "leak"}),
    (NotNested, {"no-grad": "gradient", "no-grad-exception": "exception"}),
    (NotRestored, {"no-grad-exception": "exception"}),
    (NeverAgain, {"no-grad": "exception"}),
    (Quiet, {"no-grad": "missing-gradient"}),
    (Swallows, {"no-grad-exception": "no-exception"}),
    (NoReentry, {"no-grad": "exception"}),
    (Saturates, {"deep-chain": "gradient", "wide-use": "gradient", "doublings": "gradient"}),
]


@pytest.mark.parametrize(("cls", "found"), WRONG, ids=[cls.name for cls, _ in WRONG])
def test_a_wrong_engine_is_found(cls: type[Engine], found: dict[str, str]) -> None:
    assert _found(cls()) == found


@pytest.mark.parametrize(
    "engine", [TapeEngine(), DEZERO, TORCH, Cycles()], ids=lambda engine: engine.name
)
def test_a_right_engine_is_not(engine: Engine) -> None:
    assert _found(engine) == {}


def test_no_grad_is_not_probed_where_there_is_none() -> None:
    class Without(NotNested):
        no_grad = Engine.no_grad

    assert list(NAMED["no-grad"].run(Without())) == []
    assert list(NAMED["no-grad-exception"].run(Without())) == []


def test_a_finding_says_when_nothing_was_recorded() -> None:
    findings = {cls: next(NAMED["no-grad"].run(cls())) for cls in (NeverAgain, NoReentry)}
    assert findings[NeverAgain].engine.startswith("after nested no_grad: RuntimeError: ")
    assert findings[NoReentry].engine == "ValueError: entered twice"
    finding = next(NAMED["no-grad-exception"].run(NotRestored()))
    assert finding.engine.startswith("after the exception: RuntimeError: ")


def test_the_chain_is_as_deep_as_the_specification_says() -> None:
    """A graph of 100,000 nodes, a value used 10,000 times, 2**60 paths."""
    source = inspect.getsource(parity.oracle.probes)
    for line in ("DEEP = 100_000", "WIDE = 10_000", "DOUBLINGS = 60"):
        assert line in source.splitlines()


class Raises(TapeEngine):
    name = "raises"

    def backward(self, t, gradient=None, **flags):
        raise ZeroDivisionError("of its own")


class RaisesForward(TapeEngine):
    name = "raises-forward"

    def operation(self, value, vjp):
        def raising(*xs, **attrs):
            raise ZeroDivisionError("of its own")

        return raising


class Deep(TapeEngine):
    """Raises where the graph is deep."""

    name = "deep"

    def order(self, root, grads):
        ordered = list(super().order(root, grads))
        if len(ordered) > 50:
            raise MemoryError("too deep")
        return iter(ordered)


class GradientRaises(TapeEngine):
    name = "gradient-raises"

    def grad(self, t):
        raise ZeroDivisionError("of its own")


class GradientOfAnotherShape(TapeEngine):
    name = "gradient-of-another-shape"

    def grad(self, t):
        return np.array([1.0, 2.0])


@pytest.mark.parametrize("probe", NAMED)
@pytest.mark.parametrize(
    "cls", [Raises, RaisesForward, Deep, GradientRaises, GradientOfAnotherShape]
)
def test_an_exception_of_the_engine_does_not_escape_a_probe(cls: type[Engine], probe: str) -> None:
    assert all(isinstance(finding, Finding) for finding in NAMED[probe].run(cls()))


def test_an_exception_of_the_engine_is_a_finding() -> None:
    assert {one.finding.kind for one in run_probes(Raises())} == {"exception"}


class Unwatched(TapeEngine):
    """Tensors that no weak reference can watch."""

    name = "unwatched"

    def operation(self, value, vjp):
        inner = super().operation(value, vjp)
        return lambda *xs, **attrs: [inner(*[x[0] for x in xs], **attrs)]

    def leaf(self, array, requires_grad=True):
        return [super().leaf(array, requires_grad)]

    def grad(self, t):
        return t[0].grad

    def backward(self, t, gradient=None, **flags):
        super().backward(t[0], gradient, **flags)


def test_an_engine_whose_tensors_cannot_be_watched_passes() -> None:
    assert list(NAMED["dropped-graph"].run(Unwatched())) == []


@pytest.mark.parametrize(
    ("ops", "applying"),
    [
        (("add",), {"deep-chain", "wide-use", "doublings", "no-grad", "no-grad-exception"}),
        (("neg",), {"deep-chain"}),
        (("mul",), {"dropped-graph"}),
        (("exp",), set()),
    ],
)
def test_a_probe_applies_to_an_engine_with_its_operations(
    ops: tuple[str, ...], applying: set[str]
) -> None:
    class Some(TapeEngine):
        def __init__(self) -> None:
            super().__init__()
            self.ops = {name: self.ops[name] for name in ops}

    engine = Some()
    assert {probe.name for probe in PROBES if probe.applies(engine)} == applying
    assert list(run_probes(engine)) == []


def test_a_chain_without_sums_shows_recursion_as_well() -> None:
    class Negates(RecursiveOrder):
        def __init__(self) -> None:
            super().__init__()
            self.ops = {"neg": self.ops["neg"]}

    assert [one.finding.kind for one in run_probes(Negates())] == ["depth"]


def test_the_counting_probe_leaves_the_profiler_as_it_was() -> None:
    def outer(frame: object, event: str, argument: object) -> None:
        pass

    before = sys.getprofile()
    sys.setprofile(outer)
    try:
        list(NAMED["doublings"].run(TapeEngine()))
        after = sys.getprofile()
    finally:
        sys.setprofile(before)
    assert after is outer


def test_a_finding_of_a_probe_says_what_it_is() -> None:
    (reported,) = run_probes(OnePassAPath())
    assert reported.program is None
    data = reported.to_json()
    assert (data["kind"], data["statements"], data["leaves"], data["program"]) == ("time", 0, 0, {})
    assert "60 doublings" in data["text"]
    assert "for 12" in data["engine"]
