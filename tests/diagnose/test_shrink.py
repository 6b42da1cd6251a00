"""Reduction: the same kind of finding, never larger, and the smallest program in the end."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from parity.diagnose import shrink
from parity.diagnose.defects.base import rules_with
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import (
    CreationOrderIgnored,
    DepthFirst,
    InplaceAccumulation,
    Overwrite,
)
from parity.diagnose.shrink import SIMPLER, reduce_program
from parity.diagnose.shrink_passes import simpler
from parity.engines.base import Engine
from parity.language import program as pr
from parity.language.operation import Operation
from parity.language.shapes import size
from parity.language.table import OPS
from parity.oracle.finding import KINDS, Finding
from tests.helpers.programs import (
    DEZERO,
    apply,
    check,
    constant,
    leaf,
    program,
    reduced_cases,
    sample,
    searched,
)

DEFECTS: dict[str, type[Engine]] = {
    cls.name: cls for cls in (Overwrite, InplaceAccumulation, CreationOrderIgnored)
}
#: The smallest programs of the defects: of the kinds that they are found as.
SMALLEST = {
    "overwrite": {"x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)"},
    "inplace-accumulation": {
        "x0 = leaf(3.0)\nx1 = leaf(3.0)\nx2 = add(x0, x1)\nx3 = add(x0, x2)\nbackward(x3)",
        "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)",
    },
    "creation-order-ignored": {
        "x0 = leaf(3.0)\nx1 = add(x0, x0)\nx2 = add(x0, x1)\nx3 = add(x1, x2)\nbackward(x3)",
    },
}


def _measure(case: pr.Program) -> tuple[int, int, int]:
    elements = sum(1 + size(leaf.shape) + len(leaf.shape) for leaf in case.leaves)
    return len(case.statements), len(case.leaves), elements


@pytest.mark.parametrize("name", DEFECTS)
def test_twenty_programs_of_a_defect_reduce_to_one_of_the_least_size(name: str) -> None:
    sizes = {
        "overwrite": (2, 1),
        "inplace-accumulation": (3, 2),
        "creation-order-ignored": (4, 1),
    }
    results = [small for _, _, small, _ in reduced_cases(DEFECTS[name](), 20)]
    assert len(results) == 20
    measured = [(len(small.statements), len(small.leaves)) for small in results]
    assert max(measured) <= sizes[name], "\n\n".join({str(small) for small in results})


@pytest.mark.parametrize("seed", [0])
def test_overwrite_reduces_to_the_example_of_the_book(seed: int) -> None:
    texts = {str(small) for _, _, small, _ in reduced_cases(Overwrite(), 20, seed)}
    assert texts == SMALLEST["overwrite"]


class DoesNotClear(TapeEngine):
    name = "does-not-clear"

    def clear_grad(self, t):
        pass


class Replaces(TapeEngine):
    name = "replaces"

    def store(self, leaf, g):
        leaf.grad = g.copy()


class Shares(TapeEngine):
    name = "shares"

    def store(self, leaf, g):
        leaf.grad = g if leaf.grad is None else leaf.grad + g


class ZerosAnew(TapeEngine):
    name = "zeros-anew"

    def zero_grad(self, t):
        t.grad = t.grad * 0


class Wide(TapeEngine):
    name = "wide"

    def store(self, leaf, g):
        super().store(leaf, g.astype("float64"))


class NeverFreed(TapeEngine):
    name = "never-freed"

    def run(self, node, grads, retain):
        super().run(node, grads, True)


class NoSine(TapeEngine):
    name = "no-sine"

    def operation(self, value, vjp):
        if value.__name__ != "sin":
            return super().operation(value, vjp)

        def raising(*xs, **attrs):
            raise ValueError("sin")

        return raising


#: Engines, the kind of their findings, and what the programs reduce to.
OTHERS: list[tuple[type[Engine], str, set[str]]] = [
    (DoesNotClear, "clear", {"x0 = leaf(3.0)\nbackward(x0)\ncleargrad(x0)"}),
    (Replaces, "accumulation", {"x0 = leaf(3.0)\nbackward(x0)\nbackward(x0)"}),
    (ZerosAnew, "zero", {"x0 = leaf(3.0)\nbackward(x0)\nzero_grad(x0)"}),
    (Wide, "dtype", {"x0 = leaf(3.0, float32)\nbackward(x0)"}),
    (NoSine, "exception", {"x0 = leaf(3.0)\nx1 = sin(x0)"}),
    (
        NeverFreed,
        "no-exception",
        {f"x0 = leaf(3.0)\nx1 = {op}\nbackward(x1)\nbackward(x1)" for op in ("mul(x0, x0)",)},
    ),
]


@pytest.mark.parametrize(("cls", "kind", "texts"), OTHERS, ids=[cls.name for cls, *_ in OTHERS])
def test_every_kind_reduces_to_a_known_program(
    cls: type[Engine], kind: str, texts: set[str]
) -> None:
    results = list(reduced_cases(cls(), 4, kinds=frozenset({kind})))
    assert {after.kind for *_, after in results} == {kind}
    assert {str(small) for _, _, small, _ in results} == texts


@pytest.mark.parametrize("cls", [*DEFECTS.values(), Shares], ids=lambda cls: cls.name)
def test_reduction_keeps_the_kind_and_never_grows(cls: type[Engine]) -> None:
    engine = cls()
    for case, before, small, after in reduced_cases(engine, 8, seed=1, kinds=frozenset(KINDS)):
        assert after.kind in {before.kind, *SIMPLER.get(before.kind, ())}
        assert _measure(small) <= _measure(case)
        small.validate()
        again = check(small, engine)
        assert again is not None
        assert (again.kind, again.statement) == (after.kind, after.statement)


@pytest.mark.parametrize("cls", DEFECTS.values(), ids=lambda cls: cls.name)
def test_what_is_reduced_cannot_bereduced_cases(cls: type[Engine]) -> None:
    engine = cls()
    for _, _, small, after in reduced_cases(engine, 3):
        again, _ = reduce_program(small, after, lambda p: check(p, engine))
        assert again == small


def test_a_kind_turns_only_into_a_simpler_one() -> None:
    """A check that answers with other kinds does not lead the reduction astray."""
    case = next(case for case in searched(DEZERO, 0) if len(case.statements) > 6)
    answers = {"gradient": "value", "value": "gradient", "accumulation": "second-order"}
    for kind, other in answers.items():
        first = Finding(KINDS[kind], len(case.statements) - 1, "grad", 0, None, None)

        def check_other(p: pr.Program, other: str = other) -> Finding:
            return Finding(KINDS[other], len(p.statements) - 1, "grad", 0, None, None)

        assert reduce_program(case, first, check_other) == (case, first)


@pytest.mark.parametrize("kind", SIMPLER)
def test_a_kind_that_may_turn_into_a_simpler_one_does(kind: str) -> None:
    assert SIMPLER[kind] <= set(KINDS)
    case = program([leaf(3.0)], apply("add", 0, 0), pr.Backward(1), pr.Backward(1))

    def check_simple(p: pr.Program) -> Finding | None:
        name = min(SIMPLER[kind]) if len(p.statements) < 3 else kind
        return Finding(KINDS[name], len(p.statements) - 1, "grad", 0, None, None)

    first = Finding(KINDS[kind], 2, "grad", 0, None, None)
    small, after = reduce_program(case, first, check_simple)
    assert len(small.statements) < 3
    assert after.kind in SIMPLER[kind]


def test_statements_after_the_finding_go_first() -> None:
    case = program(
        [leaf(3.0)], apply("add", 0, 0), pr.Backward(1), *[apply("exp", 0) for _ in range(9)]
    )
    tried: list[pr.Program] = []

    def record(p: pr.Program) -> Finding | None:
        tried.append(p)
        return (
            Finding(KINDS["gradient"], 1, "grad", 0, None, None) if len(p.statements) == 2 else None
        )

    reduce_program(case, Finding(KINDS["gradient"], 1, "grad", 0, None, None), record)
    assert tried[0] == program([leaf(3.0)], *case.statements[:2])


@pytest.mark.parametrize("budget", [0, 1, 7])
def test_the_budget_bounds_the_runs(budget: int) -> None:
    case = next(case for case in searched(DEZERO, 1) if len(case.statements) > 8)
    runs: list[pr.Program] = []

    def never(p: pr.Program) -> Finding | None:
        runs.append(p)
        return None

    first = Finding(KINDS["gradient"], len(case.statements) - 1, "grad", 0, None, None)
    assert reduce_program(case, first, never, budget) == (case, first)
    assert len(runs) == budget
    assert len(set(runs)) == len(runs)


@pytest.mark.parametrize("number", range(14))
def test_reduction_ends_where_everything_fails(number: int) -> None:
    """With a check that always agrees, the smallest program of all is left."""
    case = next(itertools.islice(searched(DEZERO, 2), number, None))

    def always(p: pr.Program) -> Finding:
        p.validate()
        return Finding(KINDS["gradient"], max(len(p.statements) - 1, 0), "grad", 0, None, None)

    small, _ = reduce_program(case, always(case), always)
    assert small == pr.Program((pr.Leaf((), (3.0,)),), ())


@pytest.mark.parametrize("profile", ["lifetime", "user-gradient", "aliasing", "second-order"])
def test_only_valid_programs_are_tried(profile: str) -> None:
    def never(p: pr.Program) -> None:
        p.validate()

    for case in sample(profile, 6):
        first = Finding(KINDS["gradient"], len(case.statements) - 1, "grad", 0, None, None)
        assert reduce_program(case, first, never, 400)[0] == case


class AnyGradient(TapeEngine):
    """Takes gradients of any shape, those that do not fit for ones."""

    name = "any-gradient"

    def seed(self, t, gradient):
        fits = gradient is not None and gradient.shape == t.data.shape
        return super().seed(t, gradient if fits else None)


class AsManyElements(TapeEngine):
    """Takes gradients of any shape with as many elements as the root has."""

    name = "as-many-elements"

    def seed(self, t, gradient):
        return super().seed(t, None if gradient is None else gradient.reshape(t.data.shape))


def test_a_gradient_that_must_not_fit_does_not_in_the_smallest_program() -> None:
    engine = AnyGradient()
    texts = []
    for case in sample("errors", 600, engine):
        finding = check(case, engine)
        if finding is not None and finding.kind == "no-exception":
            small, _ = reduce_program(case, finding, lambda p: check(p, engine))
            texts.append(str(small))
    assert len(texts) > 3
    assert set(texts) == {"x0 = leaf(3.0)\nbackward(x0, gradient=[1.0, 1.0])"}


@pytest.mark.parametrize(
    ("leaves", "gradient"),
    [([[2.0], [5.0]], [1.0, -3.0]), (4.0, [[2.0]]), ([7.0, 8.0, 9.0], [[1.0], [2.0], [0.5]])],
)
def test_a_gradient_that_must_have_some_shape_keeps_it(leaves: object, gradient: object) -> None:
    """Of a shape that does not fit, of as many elements: no other will do."""
    case = program(
        [leaf(leaves, "float32")],
        apply("square", 0),
        apply("neg", 1),
        pr.Backward(2, retain_graph=True) if leaf(leaves).shape == () else pr.Drop(1),
        pr.Backward(2, constant(gradient, "float32")),
    )
    engine = AsManyElements()
    finding = check(case, engine)
    assert finding is not None
    assert finding.kind == "no-exception"
    small, after = reduce_program(case, finding, lambda p: check(p, engine))
    assert after.kind == "no-exception"
    (backward,) = small.statements
    assert isinstance(backward, pr.Backward)
    assert backward.gradient is not None
    assert backward.gradient.shape != small.leaves[0].shape
    assert set(backward.gradient.values) == {1.0}
    assert {backward.gradient.dtype, small.leaves[0].dtype} == {"float64"}


def test_a_gradient_that_fitted_is_made_to_fit_beside_one_that_does_not() -> None:
    fitting, misfit = constant([1.0, 2.0]), constant([1.0, 1.0])
    case = program([leaf([3.0, 2.0]), leaf(3.0)], pr.Backward(0, fitting), pr.Backward(1, misfit))
    seen = set()
    for p in simpler(case, 1):
        roots = [(s.gradient, p.infos[s.value]) for s in p.statements]
        fits = tuple(g.shape == info.shape for g, info in roots if g is not None)
        seen.add((len(p.statements), fits))
    assert (2, (True, False)) in seen
    assert not {fits for n, fits in seen if n == 2} - {(True, False), (True,), (False,)}


class WrongAtPoles(DepthFirst):
    """Wrong in another way where gradients are infinite."""

    def store(self, leaf, g):
        super().store(leaf, np.where(np.isinf(g), np.nan, g))


def test_what_is_finite_is_not_reduced_to_another_fault_at_a_pole() -> None:
    engine = WrongAtPoles()
    case = program(
        [leaf(-0.05), leaf(0.1)],
        *[apply("mul", 1, 0), apply("add", 2, 1), apply("mul", 1, 0), apply("sub", 3, 4)],
        *[apply("div", 5, 4), apply("add", 6, 1)],
        pr.Backward(7),
    )
    finding = check(case, engine)
    assert finding is not None
    assert not finding.non_finite
    small, after = reduce_program(case, finding, lambda p: check(p, engine))
    assert small == DepthFirst.smallest
    assert not after.non_finite


class UndefinedAndWrong(TapeEngine):
    """The gradient of exp is nan, that of neg has the wrong sign."""

    rules = rules_with(exp=lambda g, y, a: (g * np.nan,), neg=lambda g, y, a: (g,))


def test_a_nan_and_a_wrong_number_do_not_turn_into_each_other() -> None:
    both = program([leaf(2.0)], apply("exp", 0), apply("neg", 1), pr.Backward(2))
    found = check(both, UndefinedAndWrong())
    assert found is not None
    small, _ = reduce_program(both, found, lambda case: check(case, UndefinedAndWrong()))
    assert [s.op for s in small.statements if isinstance(s, pr.Apply)] == ["exp"]
    wrong = program([leaf(2.0)], apply("neg", 0), apply("add", 1, 1), pr.Backward(2))
    found = check(wrong, UndefinedAndWrong())
    assert found is not None
    small, _ = reduce_program(wrong, found, lambda case: check(case, UndefinedAndWrong()))
    assert [s.op for s in small.statements if isinstance(s, pr.Apply)] == ["neg"]


def test_a_fault_at_a_pole_is_reduced_there() -> None:
    engine = WrongAtPoles()
    case = program(
        [leaf([3.0, 2.0]), leaf([0.5, 0.0])],
        *[apply("square", 0), apply("div", 2, 1), apply("neg", 3)],
        pr.Backward(4, constant([1.0, 2.0])),
    )
    finding = check(case, engine)
    assert finding is not None
    assert finding.non_finite
    small, after = reduce_program(case, finding, lambda p: check(p, engine))
    assert len(small.statements) == 2
    assert after.non_finite


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_number_that_is_not_finite_counts_wherever_the_reference_shows_it(value: float) -> None:
    """Here in a value that no gradient depends on; the finding is the same one."""
    engine = Overwrite()
    for number, expected in ((1.0, False), (value, True)):
        case = program([leaf(3.0), leaf([1.0, number])], apply("add", 0, 0), pr.Backward(2))
        finding = check(case, engine)
        assert finding is not None
        assert finding.non_finite is expected


def test_a_gradient_that_matters_is_kept() -> None:
    """Only a gradient other than one shows this fault."""

    class IgnoresTheGradient(TapeEngine):
        def seed(self, t, gradient):
            return super().seed(t, gradient) * 0 + 1

    case = program([leaf([3.0, 2.0])], apply("neg", 0), pr.Backward(1, constant([-2.0, 0.5]), True))
    engine = IgnoresTheGradient()
    finding = check(case, engine)
    assert finding is not None
    small, _ = reduce_program(case, finding, lambda p: check(p, engine))
    assert small.leaves == (leaf(3.0),)
    (backward,) = small.statements
    assert isinstance(backward, pr.Backward)
    assert backward.gradient is not None
    assert backward.gradient.values[0] != 1
    assert not backward.retain_graph


class Limited(TapeEngine):
    """Two operations in float32, one of which raises, as does everything else."""

    name = "limited"
    dtypes = ("float32",)

    def __init__(self):
        super().__init__()
        self.ops = {"add": self.ops["add"], "tanh": self.raising}

    @staticmethod
    def raising(x):
        raise ValueError("not finished")

    def leaf(self, array, requires_grad=True):
        if array.dtype != np.float32:
            raise TypeError("only float32")
        return super().leaf(array, requires_grad)


def test_a_reduced_program_asks_nothing_of_the_engine_that_it_does_not_have() -> None:
    engine = Limited()
    results = list(reduced_cases(engine, 5, kinds=frozenset({"exception"})))
    assert results
    for _, _, small, after in results:
        assert {s.op for s in small.statements if isinstance(s, pr.Apply)} <= set(engine.ops)
        assert {leaf.dtype for leaf in small.leaves} == {"float32"}
        assert after.engine.startswith("ValueError: not finished (test_shrink.py:")


def test_what_is_computed_becomes_a_leaf_where_the_computation_does_not_matter() -> None:
    case = program(
        [leaf([2.0, 3.0])],
        apply("square", 0),
        apply("reshape", 1, shape=(2, 1)),
        apply("mul", 2, 2),
        pr.Backward(3, constant([[1.0], [2.0]])),
    )

    def found(p: pr.Program) -> Finding | None:
        muls = [s for s in p.statements if isinstance(s, pr.Apply) and s.op == "mul"]
        shapes = [info.shape for info in p.infos]
        shown = any(shapes[i] == (2, 1) for s in muls for i in s.inputs)
        return (
            Finding(KINDS["gradient"], len(p.statements) - 1, "grad", 0, None, None)
            if shown
            else None
        )

    first = found(case)
    assert first is not None
    small, _ = reduce_program(case, first, found)
    assert [s.op for s in small.statements if isinstance(s, pr.Apply)] == ["mul"]


def test_positions_follow_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("new_other", "new_last"):
        with monkeypatch.context() as context:
            context.setitem(OPS, name, Operation(name, "torch.sin(a)"))
            costs = [shrink._cost(program([leaf(3.0)], apply(op, 0))) for op in ("neg", name)]
            assert costs[0] < costs[1]
            assert shrink._positions(len(OPS), name)[name] == len(OPS) - 1
