"""The causes of an engine: each fault is named, and a failing program is given to its causes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from parity.diagnose.causes import UNEXPLAINED, Category
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.orders import ORDERS
from parity.diagnose.tape import DefectTolerance
from parity.diagnose.triage import Triage, only_operation
from parity.engines.base import Engine
from parity.language import program as pr
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from parity.oracle.finding import Finding
from parity.oracle.probes import PROBES, PROBES_BY_NAME
from tests.helpers.other_engine import FAULTS, Cell, Scalars, Tape, Unheard, made
from tests.helpers.programs import REUSED, TORCH, apply, check, failing, leaf, program, sample


def _finding(case: pr.Program, engine: Engine) -> Finding:
    finding = check(case, engine)
    assert finding is not None
    return finding


def _first(engine: Engine, seed: int = 0) -> tuple[pr.Program, Finding]:
    """The first program that shows something."""
    _, case, finding = next(failing(engine, seed, 2000))
    return case, finding


def _names(engine: Engine, case: pr.Program, finding: Finding | None = None) -> list[str]:
    finding = finding or _finding(case, engine)
    return [cause.name for cause in Triage(engine, TORCH).blame(case, finding)]


# A second engine.


def test_the_other_engine_is_right() -> None:
    assert list(failing(Tape(), 0, 700)) == []


#: Faults that are causes of an operation, not of the tape.
_OPERATIONS = {"matmul-swapped": "matmul", "repeated-index-overwritten": "get_item"}
_QUICK = ("matmul-swapped",)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in _QUICK else pytest.mark.slow) for n in FAULTS]
)
def test_the_fault_of_another_engine_is_blamed_alone(name: str) -> None:
    engine = FAULTS[name]()
    assert _names(engine, *_first(engine)) == [_OPERATIONS.get(name, name)]


class OverwritingLastFirst(FAULTS["overwrite"]):  # type: ignore[misc]
    """Searches from the last operand on, so that another contribution comes last."""

    def walk(self, root: Any) -> Any:
        order, seen = [], set()

        def visit(cell: Any) -> None:
            seen.add(cell)
            for source in reversed(cell.sources):
                if source.wants and source not in seen:
                    visit(source)
            order.append(cell)

        visit(root)
        return reversed(order)


class OverwritingByGeneration(FAULTS["overwrite"]):  # type: ignore[misc]
    """Runs what is farthest from the leaves first, as the book does."""

    def walk(self, root: Any) -> Any:
        far: dict[Any, int] = {}
        for cell in reversed(list(super().walk(root))):
            far[cell] = 1 + max((far[s] for s in cell.sources if s.wants), default=0)
        waiting, seen = [root], {root}
        while waiting:
            cell = waiting.pop()
            yield cell
            new = [s for s in dict.fromkeys(cell.sources) if s.wants and s not in seen]
            seen.update(new)
            waiting += new
            waiting.sort(key=far.__getitem__)


@pytest.mark.slow
@pytest.mark.parametrize(
    "engine", [FAULTS["overwrite"], OverwritingLastFirst, OverwritingByGeneration, Scalars]
)
def test_the_order_of_the_nodes_does_not_matter(engine: type[Tape]) -> None:
    """Orders of correct engines are no fault."""
    assert [cause.key for cause in Triage(engine(), TORCH).causes()] == ["overwrite"]


def test_a_fault_of_nobody_else_is_one_of_its_operation() -> None:
    engine = Unheard()
    triage = Triage(engine, TORCH)
    (cause,) = triage.causes()
    assert (cause.name, cause.category) == ("mul", Category.GRADIENT)
    assert "negative" in cause.where
    assert triage.blame(*_first(engine)) == (cause,)


def test_a_right_engine_has_no_causes() -> None:
    triage = Triage(Tape(), TORCH)
    assert triage.causes() == []
    assert triage.blame(REUSED, _finding(REUSED, FAULTS["overwrite"]())) == ()


# Every defect behind another name.

SHOWN = [name for name, cls in DEFECTS.items() if cls.smallest is not None and not cls.flaky]


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWN)
def test_each_defect_is_blamed_for_its_smallest_program(name: str) -> None:
    cls = DEFECTS[name]
    assert cls.smallest is not None
    engine = type("Hidden", (cls,), {"name": "hidden"})()
    triage = Triage(engine, TORCH)
    (cause,) = triage.blame(cls.smallest, _finding(cls.smallest, engine))
    if not cause.ops:
        assert cause.name == name
    assert cause.witness is not None
    assert check(cause.witness, engine) is not None


class Both(DEFECTS["overwrite"], DEFECTS["clear-does-nothing"]):  # type: ignore[misc]
    name = "both"


@pytest.mark.slow
def test_of_two_faults_the_one_that_shows_is_blamed() -> None:
    engine = Both()
    triage = Triage(engine, TORCH)
    assert {cause.name for cause in triage.causes()} == {"overwrite", "clear-does-nothing"}
    for name in ("overwrite", "clear-does-nothing"):
        smallest = DEFECTS[name].smallest
        assert smallest is not None
        (cause,) = triage.blame(smallest, _finding(smallest, engine))
        assert cause.name == name


# What no cause explains.


class ThirdUse(TapeEngine):
    """Wrong where an operand is used three times, by an amount of its own."""

    name = "third-use"

    def add(self, grads: dict[Any, Any], t: Any, g: Any) -> None:
        self.uses[t] = self.uses.get(t, 0) + 1
        super().add(grads, t, g if self.uses[t] != 3 else g * 1.375)

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        self.uses: dict[Any, int] = {}
        super().backward(t, gradient, **flags)


def test_what_is_not_explained_is_a_cause_of_its_own() -> None:
    engine = ThirdUse()
    case = program_from_text(
        "x0 = leaf([3.0, 2.0])\nx1 = neg(x0)\nx2 = mul(x0, x0)\nx3 = add(x2, x0)\n"
        "x4 = exp(x1)\nbackward(x3, gradient=[1.0, 2.0])"
    )
    triage = Triage(engine, TORCH, ("add", "mul", "neg"))
    finding = _finding(case, engine)
    assert triage.blame(case, finding) == ()
    small, found = triage.reduced(case, finding)
    assert [s.op for s in small.statements if isinstance(s, pr.Apply)] == ["mul", "add"]
    cause = triage.unexplained(small, found)
    assert cause.name == UNEXPLAINED
    assert (cause.category, cause.quirk, cause.witness) == (Category.GRADIENT, "", small)


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("x0 = leaf(3.0)\nx1 = neg(x0)\nbackward(x1)", "neg"),
        ("x0 = leaf(3.0)\nx1 = neg(x0)", "neg"),
        ("x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)", ""),
        ("x0 = leaf(3.0)\nx1 = neg(x0)\nx2 = neg(x1)\nbackward(x2)", ""),
        ("x0 = leaf(3.0)\nx1 = neg(x0)\nbackward(x1, retain_graph=True)\nbackward(x1)", ""),
        ("x0 = leaf(3.0)\nbackward(x0)", ""),
    ],
)
def test_the_only_operation_of_a_program(text: str, op: str) -> None:
    assert only_operation(program_from_text(text)) == op


# The tape.


def test_in_exact_programs_a_few_roundings_are_allowed_and_no_more() -> None:
    case = program([leaf([3.0, 2.0])], *(apply("add", i, i) for i in range(6)))
    tolerance = DefectTolerance(case)
    assert tolerance.exact
    ones = np.ones(2)
    np.testing.assert_allclose(tolerance.bound(3, ones), 8 * 2.0**-53, rtol=1e-12)


@pytest.mark.parametrize(
    ("order", "numbers"),
    [(TapeEngine, [4, 3, 2, 1, 0]), *zip(
        ORDERS, ([4, 3, 2, 1, 0], [4, 1, 0, 3, 2], [4, 3, 1, 0, 2]), strict=True)],
    ids=["newest first", "depth first", "depth first, last operand", "generations"],
)  # fmt: skip
def test_orders(order: type[TapeEngine], numbers: list[int]) -> None:
    engine = order()
    x = engine.leaf(np.array(2.0))
    neg, add = engine.ops["neg"], engine.ops["add"]
    root = add(neg(neg(x)), neg(neg(x)))
    assert [node.number for node in engine.order(root, {})] == numbers


# Dtypes: gradients that keep the dtype of a result.

LEFT = "x0 = leaf(3.0, float32)\nx1 = leaf(3.0)\nx2 = add(x0, x1)\nbackward(x2)"
RIGHT = "x0 = leaf(3.0)\nx1 = leaf(3.0, float32)\nx2 = add(x0, x1)\nbackward(x2)"
BOTH_SIDES = pytest.mark.parametrize("text", [LEFT, RIGHT], ids=["left", "right"])


class Mixed(Tape):
    """Two dtypes, and nothing that brings a gradient back to that of its leaf."""

    dtypes = ("float32", "float64")

    def start(self, t: Cell, gradient: Any) -> Any:
        return super().start(t, gradient).astype(t.array.dtype)


class SumsAnew(Mixed):
    """A second backward makes a new array, with the wider dtype of both."""

    def deposit(self, cell: Cell, g: Any) -> None:
        cell.slope = np.array(g) if cell.slope is None else np.asarray(cell.slope + g)


class PicksWide(Mixed):
    """An index gives a gradient of the dtype of that of the result."""

    @staticmethod
    def _picked(a: Cell, *, index: Any) -> Cell:
        def pull(g: Any) -> tuple[Any, ...]:
            slope = np.zeros(a.array.shape, g.dtype)
            np.add.at(slope, index, g)
            return (slope,)

        return made(a.array[index], pull, a)

    def __init__(self) -> None:
        self.ops = {**self.ops, "get_item": self._picked}  # type: ignore[misc]


class CastsInners(Mixed):
    """Results get gradients of their own dtype, leaves do not."""

    def gather(self, arrived: dict[Cell, Any], cell: Cell, g: Any) -> None:
        kept = g if cell.pull is None else g.astype(cell.array.dtype)
        super().gather(arrived, cell, kept)


class Casts(Mixed):
    """Right: gradients get the dtype of their cell."""

    def gather(self, arrived: dict[Cell, Any], cell: Cell, g: Any) -> None:
        super().gather(arrived, cell, g.astype(cell.array.dtype))


@pytest.mark.slow
@BOTH_SIDES
@pytest.mark.parametrize("engine", [Mixed, SumsAnew, PicksWide, CastsInners])
def test_a_gradient_of_the_wrong_dtype_has_a_cause(engine: type[Tape], text: str) -> None:
    case = program_from_text(text)
    finding = _finding(case, engine())
    assert finding.kind == "dtype"
    causes = Triage(engine(), TORCH).blame(case, finding)
    assert causes
    assert {cause.category for cause in causes} == {Category.GRADIENT}


@BOTH_SIDES
def test_an_engine_that_casts_is_right(text: str) -> None:
    assert check(program_from_text(text), Casts()) is None


class OneDtype(DEFECTS["gradient-dtype-of-result"]):  # type: ignore[misc]
    """The defect where there is nothing to keep."""

    dtypes = ("float32",)


@pytest.mark.parametrize("profile", ["general", "functions", "second-order"])
def test_among_float32_alone_the_defect_does_not_show(profile: str) -> None:
    engine = OneDtype()
    cases = sample(profile, 150, engine, seed="one dtype")
    assert [str(case) for case in cases if check_program(case, engine, TORCH)] == []


# Probes.


class Quiet(TapeEngine):
    """A backward from what was not recorded does nothing."""

    def backward(self, t: Any, gradient: Any = None, **flags: Any) -> None:
        if t.requires_grad:
            super().backward(t, gradient, **flags)


class Slot(TapeEngine):
    """Nested contexts share one place for what was before."""

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        self.before, self.recording = self.recording, False
        try:
            yield
        finally:
            self.recording = self.before


class QuietSlot(Slot, Quiet):
    """Both: nothing is recorded any more, and nothing raises."""


class Early(TapeEngine):
    """The inner context ends the outer one."""

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        self.recording = False
        try:
            yield
        finally:
            self.recording = True


class NoFinally(TapeEngine):
    """An exception leaves nothing recorded."""

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        before, self.recording = self.recording, False
        yield
        self.recording = before


class OnceOnly(TapeEngine):
    """A second context in the first raises: nothing is known of what is recorded."""

    @contextmanager
    def no_grad(self) -> Iterator[None]:
        if not self.recording:
            raise RuntimeError("entered twice")
        with super().no_grad():
            yield


@pytest.mark.parametrize(
    ("engine", "named"),
    [
        (NoFinally, {"no-grad-exception": "no-grad-not-restored"}),
        (Slot, {"no-grad": "nested-no-grad-kept"}),
        (QuietSlot, {"no-grad": "nested-no-grad-kept"}),
        (Early, {"no-grad": "nested-no-grad"}),
        (OnceOnly, {"no-grad": "no-grad"}),
        (TapeEngine, {}),
    ],
)
def test_the_defect_that_fails_a_probe_alike_is_named(
    engine: type[TapeEngine], named: dict[str, str]
) -> None:
    triage, found = Triage(engine(), TORCH, ("neg",)), {}
    for probe in PROBES:
        finding = probe.first(engine()) if probe.name.startswith("no-grad") else None
        if finding is not None:
            cause = triage.cause_of_probe(probe, finding)
            assert cause is not None
            assert cause.finding is finding
            found[probe.name] = cause.name
    assert found == named


def test_what_an_earlier_probe_switched_off_is_not_found_by_the_next() -> None:
    engine = Slot()
    assert [probe.name for probe in PROBES[-2:] if list(probe.run(engine))] == ["no-grad"]
    assert not engine.recording


class Recursive(Tape):
    def walk(self, root: Any) -> Any:
        def visit(cell: Any) -> None:
            for source in cell.sources:
                visit(source)

        visit(root)
        return super().walk(root)


class RecursesAndOverwrites(Recursive, FAULTS["overwrite"]):  # type: ignore[misc]
    pass


@pytest.mark.parametrize("engine", [Recursive, RecursesAndOverwrites])
def test_a_finding_of_a_probe_has_a_cause_of_its_own(
    engine: type[Tape], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    probe = PROBES_BY_NAME["deep-chain"]
    finding = probe.first(engine())
    assert finding is not None
    cause = Triage(engine(), TORCH, ("neg",)).cause_of_probe(probe, finding)
    assert cause is not None
    assert (cause.name, cause.category) == ("recursion", Category.RESOURCES)


class Deep(Defect):
    """Raises on long graphs: a fault of the tape that a model may have."""

    name = "deep"

    def order(self, root: Any, grads: Any) -> Any:
        nodes = list(super().order(root, grads))
        if len(nodes) > 500:
            raise RecursionError
        return iter(nodes)


def test_a_probe_that_the_tape_of_the_model_fails_alike_has_no_cause_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    probe, engine = PROBES_BY_NAME["deep-chain"], Recursive()
    finding = probe.first(engine)
    assert finding is not None
    triage = Triage(engine, TORCH, ("neg",))
    monkeypatch.setattr(triage.model, "engine_of_tape", Deep)
    assert triage.cause_of_probe(probe, finding) is None
