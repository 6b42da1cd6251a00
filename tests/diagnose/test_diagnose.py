"""The diagnosis: the right defect first, nothing for a fault that nobody knows."""

from __future__ import annotations

import itertools
from typing import Any, ClassVar

import numpy as np
import pytest

from parity.campaign.finish import add_diagnosis
from parity.campaign.result import Report
from parity.campaign.search import run_probes
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.base import Defect
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.diagnose import PROBES, diagnose, diagnose_probe
from parity.diagnose.diagnosis import Agreement, Diagnosis
from parity.diagnose.neighbours import NeighbourLimits, neighbours
from parity.diagnose.probe import DefectTolerance, other_traversals
from parity.diagnose.shrink import reduced
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.runner import as_runner
from parity.engines.trace import Trace
from parity.language import program as pr
from parity.oracle.probes import PROBES as ENGINE_PROBES
from tests.helpers.other_engine import FAULTS, Scalars, Tape, Unheard, made
from tests.helpers.programs import TORCH, apply, check, constant, failing, leaf, program, sample

SQUARE = program([leaf(3.0)], apply("add", 0, 0), pr.Backward(1))


def _first(engine: Engine, limit: int = 2000, seed: int = 0) -> tuple[pr.Program, Any]:
    """The first program that shows something, reduced."""
    _, case, finding = next(failing(engine, seed, limit))
    return reduced(case, finding, engine, TORCH)


def _diagnosis(engine: Engine, limit: int = 2000, seed: int = 0) -> Diagnosis:
    case, finding = _first(engine, limit, seed)
    return diagnose(case, finding, engine, TORCH)


def _names(diagnosis: Diagnosis) -> list[str]:
    return [match.defect for match in diagnosis.matches]


# The other engine.


def test_the_other_engine_is_right() -> None:
    assert list(failing(Tape(), 0, 700)) == []


@pytest.mark.parametrize("name", FAULTS)
def test_the_defect_of_another_engine_is_named_first(name: str) -> None:
    diagnosis = _diagnosis(FAULTS[name]())
    assert _names(diagnosis)[:1] == [name]
    assert diagnosis.matches[0].agrees == diagnosis.matches[0].of >= PROBES // 2


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


@pytest.mark.parametrize("engine", [OverwritingLastFirst, OverwritingByGeneration])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_the_nodes_does_not_matter(engine: type[Tape], seed: int) -> None:
    assert _names(_diagnosis(engine(), seed=seed)) == ["overwrite"]


def test_an_unknown_fault_is_no_known_defect() -> None:
    diagnosis = _diagnosis(Unheard())
    assert diagnosis.matches == ()
    assert diagnosis.to_json() == []
    assert diagnosis.text().startswith("no known defect")


def test_scalars_without_any_ability_are_diagnosed() -> None:
    engine = Scalars()
    case, finding = _first(engine)
    diagnosis = diagnose(case, finding, engine, TORCH)
    assert _names(diagnosis)[:1] == ["overwrite"]


# Every defect behind another name.

SHOWN = [name for name, cls in DEFECTS.items() if cls.smallest is not None and not cls.flaky]


@pytest.mark.parametrize("name", SHOWN)
def test_each_defect_is_named_from_its_smallest_program(name: str) -> None:
    cls = DEFECTS[name]
    assert cls.smallest is not None
    engine = type("Hidden", (cls,), {"name": "hidden"})()
    finding = check(cls.smallest, engine)
    assert finding is not None
    diagnosis = diagnose(cls.smallest, finding, engine, TORCH)
    assert name in _names(diagnosis)
    assert diagnosis.matches[0].agrees == diagnosis.matches[0].of


class Everything(Defect):
    """No defect of the list: shows nothing where the engine is right, and never what is wrong."""

    name = "everything-right"
    description = "nothing is wrong"


class Half(Defect):
    """Wrong where ``overwrite`` is, in other numbers."""

    name = "half"
    description = "half of the gradient"

    def add(self, grads: dict[Any, Any], t: Any, g: Any) -> None:
        grads[t] = g / 2


class Twin(DEFECTS["overwrite"]):  # type: ignore[misc]
    name = "twin"
    description = "the same in other words"


class Sometimes(DEFECTS["overwrite"]):  # type: ignore[misc]
    """Like ``overwrite``, but only for the second of two backwards."""

    name = "sometimes"
    description = "overwritten in the first backward"

    def store(self, leaf: Any, g: Any) -> None:
        leaf.grad = np.array(g) if leaf.grad is None else leaf.grad - g


def _among(*defects: type[Defect]) -> Diagnosis:
    engine = FAULTS["overwrite"]()
    finding = check(SQUARE, engine)
    assert finding is not None
    return diagnose(SQUARE, finding, engine, TORCH, {d.name: d for d in defects})


def test_a_defect_that_shows_nothing_is_not_named() -> None:
    assert _among(Everything) == Diagnosis()
    assert _among(Everything).text() == "no known defect"


def test_a_defect_that_is_wrong_otherwise_is_not_named() -> None:
    diagnosis = _among(Everything, Half)
    assert diagnosis.matches == ()


def test_all_that_cannot_be_told_apart_are_named() -> None:
    overwrite = DEFECTS["overwrite"]
    diagnosis = _among(overwrite, Everything, Twin)
    assert _names(diagnosis) == ["overwrite", "twin"]
    lines = diagnosis.text().splitlines()
    assert lines[0].startswith("behaves like `overwrite`: a reused variable's gradient is")
    assert lines[1].startswith("or like `twin`: the same in other words; ")
    assert lines[1].endswith("the probes do not distinguish them")


def test_the_nearest_is_named_with_its_count() -> None:
    near = _among(Everything, Half, Sometimes).nearest
    assert near is not None
    assert near.defect == "sometimes"
    assert 1 <= near.agrees < near.of
    text = _among(Everything, Half, Sometimes).text()
    assert text == f"no known defect; nearest: `sometimes`, {near.agrees} of {near.of} probes"


class Seldom(DEFECTS["overwrite"]):  # type: ignore[misc]
    """Like ``overwrite``, but for arrays of one shape."""

    name = "seldom"
    description = "overwritten but for arrays of shape (2, 2)"

    def add(self, grads: dict[Any, Any], t: Any, g: Any) -> None:
        if t.shape == (2, 2):
            TapeEngine.add(self, grads, t, g)
        else:
            super().add(grads, t, g)


@pytest.mark.parametrize("other", [Sometimes, Seldom])
def test_what_tells_defects_apart_is_among_the_probes(other: type[Defect]) -> None:
    overwrite = DEFECTS["overwrite"]
    assert _names(_among(overwrite, other)) == ["overwrite"]
    near = _among(other).nearest
    assert near is not None
    assert near.of == PROBES
    assert near.agrees < PROBES


def test_an_engine_that_is_right_is_like_no_defect() -> None:
    finding = check(SQUARE, FAULTS["overwrite"]())
    assert finding is not None
    assert diagnose(SQUARE, finding, Tape(), TORCH) == Diagnosis()


def test_in_exact_programs_a_few_roundings_are_allowed_and_no_more() -> None:
    case = program([leaf([3.0, 2.0])], *(apply("add", i, i) for i in range(6)))
    tolerance = DefectTolerance(case)
    assert tolerance.exact
    ones = np.ones(2)
    np.testing.assert_allclose(tolerance.bound(3, ones), 8 * 2.0**-53, rtol=1e-12)


class Flat(FAULTS["overwrite"]):  # type: ignore[misc]
    """Knows no matrices, and remembers the largest rank that it was asked for."""

    max_ndim = 1
    largest = 0
    ops: ClassVar[dict[str, Any]] = {
        **Tape.ops,
        "stack": lambda *xs, axis: made(
            np.stack([x.array for x in xs], axis),
            lambda g: tuple(np.take(g, i, axis) for i in range(len(xs))),
            *xs,
        ),
    }

    def value(self, t: Any) -> Any:
        self.largest = max(self.largest, t.array.ndim)
        return super().value(t)


def test_probes_use_nothing_that_the_engine_does_not_support() -> None:
    engine = Flat()
    finding = check(SQUARE, engine)
    assert finding is not None
    assert _names(diagnose(SQUARE, finding, engine, TORCH)) == ["overwrite"]
    assert engine.largest == 1


# Orders.


@pytest.mark.parametrize(
    ("index", "order"),
    [(None, [4, 3, 2, 1, 0]), (0, [4, 3, 2, 1, 0]), (1, [4, 1, 0, 3, 2]), (2, [4, 3, 1, 0, 2])],
    ids=["newest first", "depth first", "depth first, last operand", "generations"],
)
def test_orders(index: int | None, order: list[int]) -> None:
    cls = Twin if index is None else other_traversals(Twin)[index]
    engine = cls()
    x = engine.leaf(np.array(2.0))
    neg, add = engine.ops["neg"], engine.ops["add"]
    root = add(neg(neg(x)), neg(neg(x)))
    assert [node.number for node in engine.order(root, {})] == order


def test_a_defect_of_order_keeps_its_own() -> None:
    assert other_traversals(DEFECTS["creation-order-ignored"]) == ()
    assert len(other_traversals(DEFECTS["overwrite"])) == 3


class RaisesOnReuse(Tape):
    def gather(self, arrived: dict[Any, Any], cell: Any, g: Any) -> None:
        if cell in arrived:
            raise OverflowError("twice")
        super().gather(arrived, cell, g)


class RaisesToo(Defect):
    name = "raises-too"
    description = "a second use raises"

    def add(self, grads: dict[Any, Any], t: Any, g: Any) -> None:
        if t in grads:
            raise ZeroDivisionError("other words")
        super().add(grads, t, g)


class RecursesToo(RaisesToo):
    name = "recurses-too"

    def add(self, grads: dict[Any, Any], t: Any, g: Any) -> None:
        if t in grads:
            raise RecursionError
        super().add(grads, t, g)


def test_exceptions_at_the_same_statement_are_the_same_behaviour() -> None:
    engine = RaisesOnReuse()
    finding = check(SQUARE, engine)
    assert finding is not None
    defects = {d.name: d for d in (RecursesToo, RaisesToo, DEFECTS["overwrite"])}
    assert _names(diagnose(SQUARE, finding, engine, TORCH, defects)) == ["raises-too"]


def test_what_the_defects_lack_is_said() -> None:
    class Logs(Tape):
        ops = {**Tape.ops, "softplus": lambda a: Tape.ops["add"](a, a)}  # noqa: RUF012

    case = program([leaf(3.0)], apply("softplus", 0))
    engine = Logs()
    finding = check(case, engine)
    assert finding is not None
    diagnosis = diagnose(case, finding, engine, TORCH)
    assert diagnosis.to_json() == []
    assert diagnosis.text().endswith(
        "; no known defect was tried: the engine that they are built on lacks `softplus`"
    )


# What a diagnosis costs and shows.


def test_a_diagnosis_is_the_same_each_time() -> None:
    case, finding = _first(FAULTS["overwrite"]())
    results = [diagnose(case, finding, FAULTS["overwrite"](), TORCH) for _ in range(2)]
    assert results[0] == results[1]


def test_a_diagnosis_runs_a_limited_number_of_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = itertools.count()

    def counted(*arguments: Any) -> Trace:
        next(runs)
        return execute(*arguments)

    monkeypatch.setattr("parity.diagnose.diagnose.execute", counted)
    case, finding = _first(Unheard())
    diagnose(case, finding, Unheard(), TORCH)
    assert next(runs) < 10_000  # of small programs: about two seconds


def test_json_and_text() -> None:
    match = Agreement("overwrite", "says so", 40, 40)
    assert Diagnosis((match,)).to_json() == [
        {"defect": "overwrite", "agrees": 40, "of": 40, "says": "says so"}
    ]
    assert Diagnosis((match,)).text() == "behaves like `overwrite`: says so; 40 of 40 probes"


def test_a_report_shows_the_diagnosis() -> None:
    engine = FAULTS["overwrite"]()
    finding = check(SQUARE, engine)
    assert finding is not None
    reported = Report(finding, SQUARE, 0)
    assert "behaves like" not in reported.text(engine, TORCH)
    add_diagnosis(reported, engine, TORCH)
    assert "\n  behaves like `overwrite`: " in reported.text(engine, TORCH)
    assert reported.to_json()["diagnosis"][0]["defect"] == "overwrite"


# Findings of probes.


class Recursive(Tape):
    def walk(self, root: Any) -> Any:
        def visit(cell: Any) -> None:
            for source in cell.sources:
                visit(source)

        visit(root)
        return super().walk(root)


class RecursiveToo(Defect):
    name = "recursive-too"
    description = "the graph is walked by a function that calls itself"
    probe = "deep-chain"

    def order(self, root: Any, grads: Any) -> Any:
        visited = [root]
        if len(list(super().order(root, grads))) > 500:
            raise RecursionError
        return super().order(visited[0], grads)


class OnlyClaims(Defect):
    """Known for the probe, but right."""

    name = "only-claims"
    description = "nothing is wrong"
    probe = "deep-chain"


class RecursesAndOverwrites(RecursiveToo):
    name = "recurses-and-overwrites"

    def add(self, grads: dict[Any, Any], t: Any, g: Any) -> None:
        grads[t] = g


class NotKnownForIt(RecursiveToo):
    """The programs show nothing, so nobody would try this one on a deep chain."""

    name = "not-known-for-it"
    probe = ""


@pytest.mark.parametrize(
    ("defects", "names"),
    [
        ((RecursiveToo,), ["recursive-too"]),
        ((Everything, Half, OnlyClaims, RecursesAndOverwrites, NotKnownForIt), []),
        ((Everything, RecursiveToo, DEFECTS["overwrite"]), ["recursive-too"]),
    ],
    ids=["the same", "others", "among others"],
)
def test_a_finding_of_a_probe_is_diagnosed(
    defects: tuple[type[Defect], ...], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    engine = Recursive()
    reported = next(r for r in run_probes(engine) if r.finding.kind == "depth")
    probe = next(p for p in ENGINE_PROBES if p.description == reported.probe)
    known = {d.name: d for d in defects}
    assert _names(diagnose_probe(probe, reported.finding, engine, TORCH, known)) == names


# Variations.

LIMITS = NeighbourLimits(tuple(TapeEngine().ops), 3, ("float32", "float64"))
FLAT = NeighbourLimits(("add", "mul", "neg"), 0, ("float64",))
CASES = {
    "add": SQUARE,
    "events": program(
        [leaf([3.0, 2.0]), leaf(2.0)],
        apply("mul", 0, 1),
        pr.Backward(2, constant([1.0, 2.0]), retain_graph=True),
        pr.Zero((0,)),
        pr.Backward(2, constant([1.0, 2.0])),
        pr.Clear((0, 1)),
    ),
    "leaf": program([leaf(3.0)], pr.Backward(0)),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_variations_are_valid_and_none_comes_twice(case: pr.Program) -> None:
    found = list(neighbours(case, LIMITS, 200))
    assert len(found) >= 100
    assert len(set(found)) == len(found)
    assert case not in found
    for varied in found:
        varied.validate()


def test_variations_are_the_same_each_time() -> None:
    assert list(neighbours(SQUARE, LIMITS, 50)) == list(neighbours(SQUARE, LIMITS, 50))


def test_variations_keep_to_their_limits() -> None:
    scalars = Scalars()
    found = list(neighbours(SQUARE, FLAT, 200))
    assert len(found) >= 100
    assert all(as_runner(scalars).supports(varied) for varied in found)


def test_variations_change_everything_that_a_fault_may_depend_on() -> None:
    found = list(neighbours(CASES["events"], LIMITS, 400))
    kinds = {type(s) for varied in found for s in varied.statements}
    assert kinds >= {pr.Apply, pr.Backward, pr.Clear, pr.Zero, pr.ChangeGrad, pr.Detach}
    ops = {s.op for varied in found for s in varied.statements if isinstance(s, pr.Apply)}
    assert len(ops) >= len(LIMITS.ops) // 2
    assert len({x.shape for varied in found for x in varied.leaves}) >= 6
    assert {x.dtype for varied in found for x in varied.leaves} == {"float32", "float64"}
    assert {len(varied.leaves) for varied in found} >= {2, 3}
    assert any(not x.requires_grad for varied in found for x in varied.leaves)


def test_generated_programs_vary_without_an_error() -> None:
    for case in itertools.chain(sample("general", 20), sample("second-order", 20)):
        for varied in neighbours(case, LIMITS, 10):
            varied.validate()
