"""Every fault of an engine is reported once, whatever other faults it has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import parity
from parity.campaign.result import SearchResult
from parity.diagnose.causes import Category
from parity.diagnose.defects.base import rules_with
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.tensor import Tensor
from parity.diagnose.defects.traversal import Overwrite

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _short_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)


def _names(result: SearchResult) -> list[str]:
    return sorted(cause.key for cause in result.causes)


class SixOperations(TapeEngine):
    """Six formulas of gradients are wrong, which all are findings of one kind."""

    name = "six-operations"
    rules = rules_with(
        tanh=lambda g, y, a: (g * y,),
        sin=lambda g, y, a: (g,),
        exp=lambda g, y, a: (g,),
        neg=lambda g, y, a: (g,),
        mul=lambda g, y, a, b: (g * b, g * b),
        sub=lambda g, y, a, b: (g, g),
    )


def test_there_is_no_cap_on_the_causes_of_one_kind() -> None:
    result = parity.check(SixOperations, examples=120)
    assert _names(result) == ["exp", "mul", "neg", "sin", "sub", "tanh"]
    assert all(cause.category is Category.GRADIENT for cause in result.causes)
    assert len(result.findings) == 6
    assert result.unexplained == 0
    assert sum(cause.programs for cause in result.causes) >= result.failing > 6


class OverwritesAndForgetsSin(Overwrite):
    """A fault of the tape and one of an operation."""

    name = "overwrites-and-forgets-sin"
    rules = rules_with(sin=lambda g, y, a: (g,))


def test_faults_of_the_tape_and_of_operations_are_told_apart() -> None:
    ops = "sin", "cos", "add", "mul"
    result = parity.check(OverwritesAndForgetsSin, examples=150, ops=ops)
    assert [cause.name for cause in result.causes] == ["overwrite", "sin"]
    assert [cause.ops for cause in result.causes] == [frozenset(), frozenset({"sin"})]
    assert sum(cause.programs for cause in result.causes) >= result.failing
    data = result.to_json()
    assert [(c["class"], c["findings"]) for c in data["causes"]] == [
        ("gradient", [0]),
        ("gradient", [1]),
    ]
    assert [[one["defect"] for one in f["diagnosis"]] for f in data["findings"]] == [
        ["overwrite"],
        ["sin"],
    ]


class RaisesInTwoPlaces(TapeEngine):
    """``square`` raises in its backward, and so does a backward from a leaf."""

    name = "raises-in-two-places"
    rules = rules_with(square=lambda g, y, a: (g.no_such_attribute,))

    def backward(self, t: Tensor, gradient: Any = None, **flags: bool) -> None:
        if t.node is None:
            raise AttributeError("a leaf has no creator")
        super().backward(t, gradient, **flags)


def test_one_exception_does_not_hide_another() -> None:
    result = parity.check(RaisesInTwoPlaces, examples=150)
    assert _names(result) == ["root-leaf-raises", "square"]
    places = {r.finding.place for r in result.findings if r.finding.kind == "exception"}
    assert len(places) == 2
    assert result.unexplained == 0


class OfLargeArrays(TapeEngine):
    """``neg`` is wrong from ten elements on, where no cell of the operation alone looks."""

    name = "of-large-arrays"
    rules = rules_with(neg=lambda g, y, a: (-g * (1 + (g.size > 9)),))


def test_what_the_cells_do_not_show_is_reduced_to_a_cause_of_its_own() -> None:
    result = parity.check(OfLargeArrays, examples=300, ops=("neg", "broadcast_to"))
    (cause,) = result.causes
    assert (cause.name, cause.sentence) == ("neg", "the gradient of `neg` is wrong")
    assert cause.witness is not None
    assert max(np.prod(info.shape) for info in cause.witness.infos) > 9
    assert cause.programs + result.unexplained == result.failing


class NestedNoGrad(TapeEngine):
    """Leaving an inner ``no_grad`` records again, and ``sin`` is wrong."""

    name = "nested-no-grad"
    rules = rules_with(sin=lambda g, y, a: (g,))

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        self.recording = False
        try:
            yield
        finally:
            self.recording = True


def test_the_finding_of_a_probe_is_not_dropped() -> None:
    result = parity.check(NestedNoGrad, examples=150)
    assert _names(result) == ["nested-no-grad", "sin"]
    # Both are wrong gradients.
    assert len({r.finding.kind for r in result.findings}) == 1


class RaisesInMul(TapeEngine):
    """``mul`` of equal operands raises, which a probe needs too."""

    name = "raises-in-mul"

    def __init__(self) -> None:
        super().__init__()
        mul = self.ops["mul"]

        def raises(a: Tensor, b: Tensor) -> Tensor:
            if a is b:
                raise ValueError("no")
            result: Tensor = mul(a, b)
            return result

        self.ops = {**self.ops, "mul": raises}


def test_an_exception_of_a_program_is_none_of_a_probe_as_well() -> None:
    result = parity.check(RaisesInMul, examples=120)
    (cause,) = result.causes
    assert (cause.name, len(result.findings)) == ("mul", 1)
    assert cause.programs == result.failing > 5  # one is reduced, the others are of its place


_LEAVES: list[None] = []


class KeepsLeaves(TapeEngine):
    """Keeps its leaves in a global list, and is wrong once 1,000 are there."""

    name = "keeps-leaves"

    def leaf(self, array: Any, requires_grad: bool = True) -> Tensor:
        _LEAVES.append(None)
        return super().leaf(array + (len(_LEAVES) > 1000), requires_grad)


def test_an_engine_that_programs_spoiled_is_restarted() -> None:
    result = parity.check(f"{__name__}:KeepsLeaves", examples=600, ops=("add", "mul"))
    assert [r.finding.kind for r in result.findings] == ["leak"]
    assert result.failing == 0
    assert 0 < result.disturbed < 100
