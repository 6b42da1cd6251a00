"""The exact evaluation: every operation beside PyTorch, the events, the digits."""

from __future__ import annotations

import ast
import itertools
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity.oracle.exact
from parity.engines.base import CONSTANTS, OPTIONAL, abilities
from parity.engines.execute import execute, owns_buffer
from parity.engines.load import load_engine
from parity.generate.profiles import PROFILES
from parity.language import program as pr
from parity.language.table import OPS, attribute_choices, with_rules
from parity.oracle.check import check_program
from parity.oracle.compare import compare
from parity.oracle.exact import functions as fn
from parity.oracle.exact import numbers as nu
from parity.oracle.exact.engine import Exact
from parity.oracle.exact.graph import Leaf, Node
from parity.oracle.exact.rules import RULES
from tests.helpers.programs import (
    DEZERO,
    TORCH,
    apply,
    check,
    constant,
    leaf,
    program,
    sample,
    searched,
)

SUM = {"axis": None, "keepdims": False}
#: Shapes on which an operation is tried, for each number of operands.
SHAPES: dict[int, list[tuple[tuple[int, ...], ...]]] = {
    0: [((2, 3), (2, 3)), ((2,), (2,), (2,))],
    1: [((2, 3),), ((1, 2),), ((3,),)],
    2: [((2, 3), (2, 3)), ((2, 2), (2,)), ((2,), (2,)), ((2, 1, 2), (2, 2)), ((2,), (2, 3))],
    3: [((2, 3), (3, 2), (2,))],
}


def _smooth(op: str) -> list[pr.Program]:
    """First and second order of an operation, away from kinks and poles."""
    found = []
    random = np.random.default_rng(7)
    for shapes in SHAPES[OPS[op].arity]:
        for attrs in attribute_choices(op, shapes)[:7]:
            # Irregular and distinct, between 1/2 and 2: no ties, logarithms defined.
            leaves = [leaf(2.0 ** random.uniform(-1, 1, shape)) for shape in shapes]
            statements: list[pr.Statement] = [pr.Apply(op, tuple(range(len(shapes))), attrs)]
            try:
                case = program(leaves, *statements)
            except pr.ProgramError:
                continue
            found.append(_to_second_order(case))
    return found


def _to_second_order(case: pr.Program) -> pr.Program:
    """Backward with irregular gradients, and once more from the gradients' products with leaves."""
    leaves = len(case.leaves)
    infos = case.infos
    results = range(leaves, len(infos))
    statements = list(case.statements)
    for root in results:
        n = int(np.prod(infos[root].shape))
        gradient = constant(1.25 + np.arange(n).reshape(infos[root].shape) / 3)
        statements.append(pr.Backward(root, gradient, create_graph=True))
    value = len(infos)
    for i in range(leaves):
        statements += [pr.TakeGrad(i), apply("mul", value, i), apply("sum", value + 1, **SUM)]
        value += 3
    statements.append(pr.Clear(tuple(range(leaves))))
    roots = [value - 1 - 3 * i for i in range(leaves)]
    statements += [pr.Backward(root, retain_graph=True) for root in roots]
    return program(list(case.leaves), *statements)


@pytest.mark.parametrize("op", with_rules())
def test_derivatives_of_first_and_second_order_are_pytorchs(op: str) -> None:
    cases = _smooth(op)
    assert cases
    for case in cases:
        ours, theirs = execute(case, Exact()), execute(case, TORCH)
        assert ours.failure is None, ours.failure
        assert theirs.failure is None, theirs.failure
        for a, b in zip(ours.observations, theirs.observations, strict=True):
            assert a[:3] == b[:3]
            x = np.zeros(()) if a.array is None else a.array
            y = np.zeros(()) if b.array is None else b.array
            np.testing.assert_allclose(x, y, 1e-12, 1e-13, err_msg=f"{case}\n{a[:3]}")


def test_there_is_a_rule_for_each_operation() -> None:
    assert set(RULES) == set(with_rules())
    assert set(Exact().ops) == set(with_rules())


@pytest.mark.parametrize("op", with_rules())
def test_whether_a_gradient_depends_on_variables_as_pytorch_says(op: str) -> None:
    for shapes in SHAPES[OPS[op].arity][:3]:
        for attrs in attribute_choices(op, shapes)[:7]:
            for needs in itertools.product((True, False), repeat=len(shapes)):
                if any(needs):
                    _same_dependence(op, shapes, attrs, needs)


def _same_dependence(op: str, shapes: Any, attrs: Any, needs: tuple[bool, ...]) -> None:
    leaves = [leaf(np.full(s, 1.5), requires_grad=n) for s, n in zip(shapes, needs, strict=True)]
    try:
        case = program(leaves, pr.Apply(op, tuple(range(len(shapes))), attrs))
    except pr.ProgramError:
        return
    infos = case.infos[len(shapes) :]
    statements: list[pr.Statement] = [*case.statements]
    for i, info in enumerate(infos):
        gradient = constant(np.ones(info.shape))
        statements.append(pr.Backward(len(shapes) + i, gradient, create_graph=True))
    for place in (i for i, n in enumerate(needs) if n):
        dependent = program(
            leaves, *statements, pr.TakeGrad(place), _backward_of(leaves, infos, place)
        )
        ours, theirs = execute(dependent, Exact()).failure, execute(dependent, TORCH).failure
        assert (ours is None) == (theirs is None), (str(dependent), ours, theirs)


def _backward_of(leaves: list[pr.Leaf], infos: list[pr.Info], place: int) -> pr.Backward:
    ones = constant(np.ones(leaves[place].shape))
    return pr.Backward(len(leaves) + len(infos), ones)


# Exact numbers.


def _value(engine: Exact, op: str, *arrays: Any, **attrs: Any) -> list[Any]:
    with nu.precise():
        node = engine.ops[op](*[engine.leaf(np.array(a)) for a in arrays], **attrs)
    assert isinstance(node, Node)
    return list(node.exact)


def test_rational_operations_are_exact() -> None:
    engine = Exact()
    assert _value(engine, "div", [1.0, 0.5], [3.0, 7.0]) == [Fraction(1, 3), Fraction(1, 14)]
    assert _value(engine, "add", 0.1, 0.2) == [Fraction(0.1) + Fraction(0.2)]
    assert _value(engine, "pow", [3.0], exponent=-2) == [Fraction(1, 9)]
    assert _value(engine, "mean", [1.0, 2.0, 2.0], **SUM) == [Fraction(5, 3)]
    x = engine.leaf(np.array([0.1, 0.7]))
    third = engine.ops["div_scalar"](x, c=3)
    assert list(engine.ops["mul_scalar"](third, c=3).exact) == [Fraction(0.1), Fraction(0.7)]


def test_rational_gradients_are_exact() -> None:
    engine = Exact()
    x = engine.leaf(np.array(3.0))
    engine.backward(engine.ops["rdiv_scalar"](x, c=1.0))
    assert list(x.gradient()) == [Fraction(-1, 9)]


def test_long_rational_numbers_become_decimals_of_fifty_digits() -> None:
    engine = Exact()
    x = engine.leaf(np.array(0.7))
    for _ in range(5):
        x = engine.ops["square"](x)
    assert isinstance(x.exact[0], Decimal)
    error = Fraction(x.exact[0]) / Fraction(0.7) ** 32 - 1
    assert 0 < abs(error) < Fraction(1, 10**48)


#: Computed with mpmath 1.3 at 52 digits.
DIGITS = [
    ("exp", 1, "2.71828182845904523536028747135266249775724709"),
    ("exp", -20, "0.00000000206115362243855782796594038015582097637580728"),
    ("log", 3, "1.09861228866810969139524523692252570464749056"),
    ("sin", 2, "0.909297426825681695396019865911744842702254971"),
    ("sin", 1000000, "-0.349993502171292952117652486780771469061406605"),
    ("cos", 2, "-0.416146836547142386997568229500762189766000771"),
    ("tanh", 0.75, "0.635148952387287319214434357312496495092481687"),
    ("sigmoid", -2, "0.119202922022117555940270858697603204793615701"),
    ("sqrt", 2, "1.41421356237309504880168872420969807856967188"),
    ("normal", 1.5, "0.933192798731141933995505959020113920477104814"),
    ("normal", -3, "0.00134989803163009452665181476759497737782936816"),
    ("normal", 9, "0.999999999999999999887141159404615935226449792"),
    ("density", 1.5, "0.129517595665891727614099557954741491183832239"),
    ("softplus", -2, "0.126928011042972496443726806358304431434333063"),
    ("softplus", -100, "3.72007597602083596295969580386311833735889222e-44"),
]


@pytest.mark.parametrize(("name", "x", "digits"), DIGITS)
def test_functions_have_the_digits_that_are_promised(name: str, x: float, digits: str) -> None:
    with nu.precise():
        result = getattr(fn, name)(nu.array_of([nu.element(x)]))[0]
        assert abs(result / Decimal(digits) - 1) < Decimal("1e-42")


def test_a_small_tanh_keeps_its_digits() -> None:
    with nu.precise():
        x = Decimal("1.2345678901234567890123456789e-60")
        assert fn.tanh(nu.array_of([x]))[0] == x - x**3 / 3


@pytest.mark.parametrize(
    ("x", "y", "order"),
    [
        (Fraction(1, 3), Decimal("0.333333333333333333333333"), 1),
        (Decimal("0.5"), Fraction(1, 2), 0),
        (2, Decimal("Infinity"), -1),
        (Fraction(1, 3), Decimal("-Infinity"), 1),
        (Decimal("NaN"), 0, 2),
        (1, 2, -1),
    ],
)
def test_numbers_of_different_kinds_are_compared_exactly(x: Any, y: Any, order: int) -> None:
    with nu.precise():
        assert nu.compare(nu.array_of([x]), nu.array_of([y])).tolist() == [order]


def test_mixed_kinds_are_computed_as_decimals() -> None:
    with nu.precise():
        third, root = nu.array_of([Fraction(1, 3)]), nu.array_of([Decimal(2).sqrt()])
        expected = Decimal(1) / Decimal(3)
        assert nu.add(third, root)[0] == expected + root[0]
        assert nu.mul(root, third)[0] == expected * root[0]
        assert nu.total(nu.array_of([Fraction(1, 3), Decimal(2).sqrt()])) == expected + root[0]


# Derivatives of third order and deep graphs.


def test_third_order() -> None:
    engine = Exact()
    mul = engine.ops["mul"]
    x = engine.leaf(np.array(3.0))
    y = mul(mul(x, x), mul(x, x))
    for expected in (108, 108, 72, 24, 0):  # 4 x**3, 12 x**2, 24 x, 24, 0
        engine.clear_grad(x)
        engine.backward(y, create_graph=True)
        y = engine.grad_tensor(x)
        assert list(y.exact) == [expected]


def test_mixed_second_derivatives_of_two_leaves() -> None:
    engine = Exact()
    mul = engine.ops["mul"]
    x, z = engine.leaf(np.array([2.0, 3.0])), engine.leaf(np.array(5.0))
    engine.backward(mul(mul(x, x), z), np.array([1.0, 10.0]), create_graph=True)
    g = engine.grad_tensor(x)
    engine.clear_grad(x)
    engine.clear_grad(z)
    engine.backward(g, np.array([1.0, 1.0]))
    assert engine.grad(x).tolist() == [10.0, 100.0]
    assert engine.grad(z).tolist() == 64.0


def test_a_deep_graph_needs_no_stack() -> None:
    engine = Exact()
    x = engine.leaf(np.array(1.0))
    y = x
    for _ in range(3000):
        y = engine.ops["add"](y, x)
    engine.backward(y)
    assert engine.grad(x) == 3001.0


def test_paths_are_not_followed_one_by_one() -> None:
    engine = Exact()
    x = y = engine.leaf(np.array(1.0))
    for _ in range(60):
        y = engine.ops["add"](y, y)
    engine.backward(y)
    assert engine.grad(x) == 2.0**60


# Events (docs/semantics.md 1, 2, 4 to 7).

SQUARE = [leaf([3.0, 2.0]), leaf([1.0, 1.0], requires_grad=False)]
ONES = constant([1.0, 1.0])
EVENTS: dict[str, list[pr.Statement]] = {
    "accumulate": [apply("square", 0), *[pr.Backward(2, ONES, retain_graph=True)] * 3],
    "two graphs": [
        apply("square", 0),
        apply("add", 0, 0),
        pr.Backward(2, ONES),
        pr.Backward(3, ONES),
    ],
    "leaf as root": [pr.Backward(0, ONES), pr.Backward(0, ONES)],
    "clear": [pr.Backward(0, ONES), pr.Clear((0,)), pr.Backward(0, ONES)],
    "zero": [pr.Backward(0, ONES), pr.Zero((0, 1)), pr.Backward(0, ONES)],
    "change": [pr.Backward(0, ONES), pr.ChangeGrad(0), pr.Backward(0, ONES)],
    "change the gradient": [pr.Backward(0, ONES), pr.ChangeGradient(), pr.Backward(0, ONES)],
    "constant": [apply("mul", 0, 1), pr.Backward(2, ONES)],
    "no_grad": [apply("mul", 0, 0, no_grad=True), apply("mul", 2, 0), pr.Backward(3, ONES)],
    "detach": [apply("mul", 0, 0), pr.Detach(2), apply("mul", 2, 3), pr.Backward(4, ONES)],
    "unused": [apply("square", 0), apply("add", 0, 0), pr.Backward(3, ONES)],
    "freed": [apply("square", 0), pr.Backward(2, ONES), pr.Backward(2, ONES)],
    "freed, nothing kept": [apply("add", 0, 0), pr.Backward(2, ONES), pr.Backward(2, ONES)],
    "freed, shared": [
        apply("square", 0),
        apply("add", 2, 0),
        apply("neg", 2),
        pr.Backward(3, ONES),
        pr.Backward(4, ONES),
    ],
    "retained": [apply("exp", 0), pr.Backward(2, ONES, True), pr.Backward(2, ONES)],
    "create_graph retains": [
        apply("exp", 0),
        pr.Backward(2, ONES, create_graph=True),
        pr.Backward(2, ONES, retain_graph=True),
    ],
    "create_graph accumulates": [
        apply("exp", 0),
        pr.Backward(2, ONES, create_graph=True),
        pr.Backward(2, ONES, create_graph=True),
        pr.TakeGrad(0),
        apply("mul", 3, 3),
        pr.Clear((0,)),
        pr.Backward(4, ONES),
    ],
    "changed in place, then taken": [
        apply("exp", 0),
        pr.Backward(2, ONES, create_graph=True),
        pr.ChangeGrad(0),
        pr.TakeGrad(0),
        apply("mul", 3, 0),
        pr.Clear((0,)),
        pr.Backward(4, ONES),
    ],
    "zeros depend on nothing": [
        apply("exp", 0),
        pr.Backward(2, ONES, create_graph=True),
        pr.Zero((0,)),
        pr.TakeGrad(0),
        apply("mul", 3, 0),
        pr.Clear((0,)),
        pr.Backward(4, ONES),
    ],
    "of a constant": [pr.Backward(1, ONES)],
    "of a detached value": [pr.Detach(0), pr.Backward(2, ONES)],
    "under no_grad": [apply("square", 0, no_grad=True), pr.Backward(2, ONES)],
    "no gradient given": [pr.Backward(0)],
    "wrong shape": [pr.Backward(0, constant([[1.0, 1.0]]))],
    "no gradient to take": [pr.TakeGrad(0)],
    "linear gradient": [
        apply("add", 0, 0),
        pr.Backward(2, ONES, create_graph=True),
        pr.TakeGrad(0),
        pr.Backward(3, ONES),
    ],
}
RAISES = {
    *("freed", "freed, shared", "of a constant", "of a detached value", "under no_grad"),
    *("no gradient given", "wrong shape", "no gradient to take", "linear gradient"),
}


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_events_are_pytorchs(name: str, dtype: str) -> None:
    def cast(c: Any) -> Any:
        return type(c)(
            c.shape, c.values, dtype, *([c.requires_grad] if hasattr(c, "requires_grad") else [])
        )

    statements = [
        pr.Backward(s.value, cast(s.gradient), s.retain_graph, s.create_graph)
        if isinstance(s, pr.Backward) and s.gradient
        else s
        for s in EVENTS[name]
    ]
    case = program([cast(x) for x in SQUARE], *statements)
    exact = execute(case, Exact())
    assert (exact.failure is not None) == (name in RAISES)
    assert compare(case, exact, execute(case, TORCH)) is None


def test_a_gradient_is_one_buffer_that_is_changed_in_place() -> None:
    engine = Exact()
    x = engine.leaf(np.array([3.0, 2.0], np.float32))
    engine.backward(x, np.array([1.0, 2.0], np.float32))
    buffer = engine.grad(x)
    assert buffer.dtype == np.float32
    engine.backward(x, np.array([1.0, 2.0], np.float32))
    assert engine.grad(x) is buffer
    assert buffer.tolist() == [2.0, 4.0]
    engine.zero_grad(x)
    assert engine.grad(x) is buffer
    assert buffer.tolist() == [0.0, 0.0]
    buffer += 5
    engine.backward(x, np.array([1.0, 2.0], np.float32))
    assert buffer.tolist() == [6.0, 7.0]
    engine.clear_grad(x)
    assert engine.grad(x) is None


def test_a_recorded_backward_makes_a_new_buffer() -> None:
    engine = Exact()
    x = engine.leaf(np.array(3.0))
    engine.backward(x)
    buffer = engine.grad(x)
    engine.backward(x, create_graph=True)
    assert engine.grad(x) is not buffer
    assert (buffer.tolist(), engine.grad(x).tolist()) == (1.0, 2.0)


def test_gradients_accumulate_before_they_are_rounded() -> None:
    engine = Exact()
    x = engine.leaf(np.array(3.0, np.float32))
    third = engine.ops["div_scalar"](x, c=3)
    for seed in (3.0, -1.0, -2.0):
        engine.backward(third, np.array(seed, np.float32), retain_graph=True)
    assert engine.grad(x) == 0.0


def test_a_gradient_is_cast_to_the_dtype_of_the_root() -> None:
    engine = Exact()
    x = engine.leaf(np.array(3.0, np.float32))
    engine.backward(x, np.array(0.1))
    assert list(x.gradient()) == [Fraction(float(np.float32(0.1)))]


def test_abilities() -> None:
    engine = load_engine("exact")
    assert type(engine) is Exact
    assert abilities(engine) == {CONSTANTS, *OPTIONAL} - {"optimizer"}
    assert not engine.bitwise
    assert owns_buffer(engine)


def test_no_grad_is_restored_after_an_exception() -> None:
    engine = Exact()
    x = engine.leaf(np.array(3.0))
    with pytest.raises(KeyError), engine.no_grad():
        raise KeyError
    assert engine.ops["square"](x).requires_grad


def test_mixed_dtypes_that_are_not_compared_are_refused() -> None:
    engine = Exact()
    with pytest.raises(TypeError, match="float64, float32"):
        engine.ops["mul"](engine.leaf(np.array(3.0)), engine.leaf(np.ones(2, np.float32)))


# Independence, and the whole beside PyTorch and dezero.


#: What every engine is written against: it holds no formula of a value or of a gradient.
CONTRACT = ("parity.engines.base", "parity.language.shapes", "parity.language.table")


def test_nothing_is_shared_with_the_sides() -> None:
    for file in Path(parity.oracle.exact.__file__).parent.glob("*.py"):
        imported: set[str] = set()
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(str(node.module))
        assert not {"torch", "dezero"} & {name.partition(".")[0] for name in imported}
        ours = {name for name in imported if name.startswith("parity.")}
        assert all(name.startswith(("parity.oracle.exact", *CONTRACT)) for name in ours)


def test_generated_programs_show_no_difference() -> None:
    exact = Exact()
    for case in itertools.islice(searched(TORCH, 5), 450):
        finding = check_program(case, TORCH, exact)
        assert finding is None, f"{finding}\n{case}"


@pytest.mark.parametrize("profile", ["bits", "mixed-dtypes", "zero", "lifetime", "user-gradient"])
def test_profiles_outside_the_rotation_show_no_difference(profile: str) -> None:
    exact = Exact()
    assert profile in PROFILES
    for case in sample(profile, 40, DEZERO, 3):
        assert check_program(case, DEZERO, exact) is None, str(case)


def test_as_the_engine_under_test_beside_pytorch() -> None:
    assert check(program([leaf(3.0)], apply("exp", 0), pr.Backward(1)), Exact()) is None
    assert isinstance(Exact().leaf(np.array(1.0)), Leaf)
