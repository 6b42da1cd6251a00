"""Which programs leave no room for rounding, judged against exact rational arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from parity.engines.execute import execute
from parity.generate.profiles import PROFILES
from parity.language import program as pr
from parity.language.table import OPS, keywords
from parity.oracle.exactness import is_exact, is_rounded
from tests.helpers.programs import DEZERO, TORCH, apply, constant, leaf, program, sample

SUM = {"axis": None, "keepdims": False}
WIDTHS = [("float32", 24), ("float64", 53)]


@pytest.mark.parametrize(("dtype", "bits"), WIDTHS)
def test_a_leaf_that_needs_all_bits_is_exact(dtype: str, bits: int) -> None:
    wide = 2.0 ** (bits - 1) + 1
    assert is_exact(program([leaf(wide, dtype)], pr.Backward(0)))
    assert is_exact(program([leaf(wide * 2.0**-30, dtype)], pr.Backward(0)))


@pytest.mark.parametrize(("dtype", "bits"), WIDTHS)
@pytest.mark.parametrize("op", ["mul_scalar", "add_scalar", "sub_scalar", "rsub_scalar"])
def test_a_result_just_over_the_limit_is_not_exact(op: str, dtype: str, bits: int) -> None:
    wide, narrow = 2.0 ** (bits - 1) + 1, 2.0 ** (bits - 4)
    assert is_exact(program([leaf(narrow, dtype)], apply(op, 0, c=2.5), pr.Backward(1)))
    assert not is_exact(program([leaf(wide, dtype)], apply(op, 0, c=2.5), pr.Backward(1)))


@pytest.mark.parametrize(("dtype", "bits"), WIDTHS)
def test_a_product_just_over_the_limit_is_not_exact(dtype: str, bits: int) -> None:
    """Both operands and the gradients fit, the product does not."""
    half = bits // 2

    def product(extra: int) -> pr.Program:
        leaves = [leaf(2.0**half + 1, dtype), leaf(2.0 ** (half + extra) + 1, dtype)]
        return program(leaves, apply("mul", 0, 1), pr.Backward(2))

    assert is_exact(product(-2))
    assert not is_exact(product(2))


@pytest.mark.parametrize(("dtype", "bits"), WIDTHS)
def test_a_sum_of_many_just_over_the_limit_is_not_exact(dtype: str, bits: int) -> None:
    def total(top: int) -> pr.Program:
        return program([leaf([2.0**top] * 4 + [1.0] * 4, dtype)], apply("sum", 0, **SUM))

    assert is_exact(total(bits - 4))
    assert not is_exact(total(bits - 1))


@pytest.mark.parametrize(("dtype", "bits"), WIDTHS)
def test_an_accumulated_gradient_just_over_the_limit_is_not_exact(dtype: str, bits: int) -> None:
    def passes(first: float) -> pr.Program:
        backwards = [pr.Backward(0, constant(gradient, dtype)) for gradient in (first, 1.0)]
        return program([leaf(1.0, dtype)], *backwards)

    assert is_exact(passes(2.0 ** (bits - 2)))
    assert not is_exact(passes(2.0**bits))


@pytest.mark.parametrize(("dtype", "bits"), WIDTHS)
def test_a_gradient_just_over_the_limit_is_not_exact(dtype: str, bits: int) -> None:
    """The value is small: only the gradient's product grows."""

    def steep(top: int) -> pr.Program:
        statements = [apply("mul_scalar", 0, c=2.0**12 + 1)]
        return program(
            [leaf(1.0, dtype)], *statements, pr.Backward(1, constant(2.0**top + 1, dtype))
        )

    assert is_exact(steep(bits - 16))
    assert not is_exact(steep(bits - 10))


@pytest.mark.parametrize(("dtype", "bits"), WIDTHS)
def test_a_changed_gradient_is_twice_as_large_plus_one(dtype: str, bits: int) -> None:
    def changed(gradient: float) -> pr.Program:
        return program(
            [leaf(1.0, dtype)], pr.Backward(0, constant(gradient, dtype)), pr.ChangeGrad(0)
        )

    assert is_exact(changed(2.0 ** (bits - 3)))
    assert not is_exact(changed(2.0**bits))
    assert not is_exact(changed(2.0 ** -(bits + 2)))  # plus one rounds it away


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_too_large_or_small_for_the_exponent_are_not_exact(dtype: str) -> None:
    huge, tiny = (2.0**100, 2.0**-100) if dtype == "float32" else (2.0**700, 2.0**-700)
    for number in (huge, tiny):
        case = program([leaf(number, dtype)], apply("square", 0), pr.Backward(1))
        assert not is_exact(case)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_not_exact(value: float) -> None:
    assert not is_exact(program([leaf(value)], pr.Backward(0)))
    assert not is_exact(program([leaf(1.0)], pr.Backward(0, constant(value))))


@pytest.mark.parametrize("op", ["exp", "log", "sin", "cos", "tanh", "sigmoid"])
def test_transcendental_functions_are_neither(op: str) -> None:
    case = program([leaf(1.0)], apply(op, 0), pr.Backward(1))
    assert not is_exact(case)
    assert not is_rounded(case)


@pytest.mark.parametrize(
    ("exponent", "exact"),
    [(0, True), (1, True), (2, True), (3, True), (0.5, False), (-1, False)],
)
def test_powers(exponent: float, exact: bool) -> None:
    case = program([leaf(2.0)], apply("pow", 0, exponent=exponent), pr.Backward(1))
    assert is_exact(case) is exact
    assert is_rounded(case) is exact


@pytest.mark.parametrize(("n", "exact"), [(1, True), (2, True), (3, False), (4, True), (6, False)])
def test_a_mean_is_exact_over_powers_of_two(n: int, exact: bool) -> None:
    case = program([leaf([2.0] * n)], apply("mean", 0, **SUM), pr.Backward(1))
    assert is_exact(case) is exact


def test_a_quotient_is_rounded_but_not_exact() -> None:
    case = program([leaf(1.0), leaf(3.0)], apply("div", 0, 1), pr.Backward(2))
    assert not is_exact(case)
    assert is_rounded(case)


def test_second_order_is_neither() -> None:
    case = program([leaf(1.0)], pr.Backward(0, create_graph=True), pr.TakeGrad(0))
    assert not is_exact(case)
    assert not is_rounded(case)


@pytest.mark.parametrize(
    ("op", "shapes", "attrs", "rounded"),
    [
        ("sum", [(2,)], SUM, False),
        ("matmul", [(2,), (2,)], {}, False),
        ("add", [(2, 2), (2, 2)], {}, True),
        ("add", [(3, 3), (3, 3)], {}, True),
        ("add", [(2, 2), ()], {}, True),
        ("add", [(3, 3), ()], {}, False),
        ("mul", [(5,), (1,)], {}, False),
        ("where", [(2, 2), ()], {"condition": (False,)}, True),
        ("where", [(2, 3), (2, 3)], {"condition": (False,)}, True),
        ("where", [(2, 3), ()], {"condition": (False,)}, False),
        ("where", [(1,), (1,)], {"condition": (False,) * 5}, False),
        ("get_item", [(4,)], {"index": (("list", (0, 0)),)}, True),
        ("get_item", [(5,)], {"index": (("list", (0, 0, 0, 0, 0)),)}, False),
        ("broadcast_to", [()], {"shape": (4,)}, True),
        ("broadcast_to", [()], {"shape": (5,)}, False),
    ],
)
def test_what_every_engine_rounds_alike(
    op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any], rounded: bool
) -> None:
    leaves = [leaf(np.full(shape, 0.1)) for shape in shapes]
    assert is_rounded(program(leaves, apply(op, *range(len(leaves)), **attrs))) is rounded


# Exact rational arithmetic on arrays of fractions.

_zero = Fraction(0)


def _pick(better: Callable[[Any, Any], bool]) -> Callable[..., Any]:
    return lambda a, b: np.frompyfunc(lambda x, y: x if better(x, y) else y, 2, 1)(a, b)


def _mean(a: Any, *, axis: Any, keepdims: bool) -> Any:
    total = np.sum(a, axis=axis, keepdims=keepdims)
    return total / Fraction(a.size // max(np.size(total), 1))


def _sum_to(a: Any, *, shape: tuple[int, ...]) -> Any:
    lead = a.ndim - len(shape)
    a = np.sum(a, axis=tuple(range(lead)))
    ones = tuple(i for i, n in enumerate(shape) if n == 1)
    return np.sum(a, axis=ones, keepdims=True) if ones else a


def _split(a: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
    return tuple(np.split(a, np.cumsum(sizes)[:-1], axis))


def _clip(a: Any, *, x_min: float | None, x_max: float | None) -> Any:
    low = -math.inf if x_min is None else Fraction(x_min)
    high = math.inf if x_max is None else Fraction(x_max)
    return np.frompyfunc(lambda x: min(max(x, low), high), 1, 1)(a)


def _reduced(function: Any) -> Callable[..., Any]:
    def reduce(a: Any, *, axis: Any, keepdims: bool) -> Any:
        axes = tuple(range(np.ndim(a))) if axis is None else axis
        if np.ndim(a) == 0:
            return a
        axes = (axes,) if isinstance(axes, int) else axes
        for i in sorted((i % np.ndim(a) for i in axes), reverse=True):
            a = function.reduce(np.asarray(a, object), i, keepdims=keepdims)
        return a

    return reduce


def _clip(a: Any, *, x_min: float | None, x_max: float | None) -> Any:
    low, high = (None if v is None else Fraction(v) for v in (x_min, x_max))
    return np.frompyfunc(lambda x: x if low is None or x > low else low, 1, 1)(
        np.frompyfunc(lambda x: x if high is None or x < high else high, 1, 1)(a)
    )


def _einsum(a: Any, b: Any, *, subscripts: str) -> Any:
    """Term by term, since NumPy's does not take fractions in every case."""
    inputs, output = subscripts.split("->")
    names = inputs.split(",")
    lengths = {
        k: n
        for name, x in zip(names, (a, b), strict=True)
        for k, n in zip(name, x.shape, strict=True)
    }
    result = np.full([lengths[k] for k in output], Fraction(0), object)
    for position in np.ndindex(*lengths.values()):
        at = dict(zip(lengths, position, strict=True))
        terms = (x[tuple(at[k] for k in name)] for name, x in zip(names, (a, b), strict=True))
        result[tuple(at[k] for k in output)] += math.prod(terms)
    return result


RATIONAL: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "sub": lambda a, b: a - b,
    "neg": lambda a: -a,
    "square": lambda a: a * a,
    "pow": lambda a, *, exponent: a**exponent,
    "relu": lambda a: np.frompyfunc(lambda x: max(x, _zero), 1, 1)(a),
    "absolute": abs,
    "maximum": _pick(lambda x, y: x > y),
    "minimum": _pick(lambda x, y: x < y),
    "matmul": np.matmul,
    "sum": lambda a, *, axis, keepdims: np.sum(a, axis=axis, keepdims=keepdims),
    "mean": _mean,
    "reshape": lambda a, *, shape: np.reshape(a, shape),
    "transpose": lambda a, *, axes: np.transpose(a, axes),
    "broadcast_to": lambda a, *, shape: np.broadcast_to(a, shape),
    "sum_to": _sum_to,
    "get_item": lambda a, *, index: np.asarray(a, object)[index],
    "slice_backwards": lambda a, *, axis, start, stop, step: np.asarray(a, object)[
        (slice(None),) * axis + (slice(start, stop, step),)
    ],
    "transpose_all": np.transpose,
    "squeeze_all": np.squeeze,
    "concat": lambda *xs, axis: np.concatenate(xs, axis),
    "split": _split,
    "add_scalar": lambda a, *, c: a + Fraction(c),
    "mul_scalar": lambda a, *, c: a * Fraction(c),
    "sub_scalar": lambda a, *, c: a - Fraction(c),
    "rsub_scalar": lambda a, *, c: Fraction(c) - a,
    "clip": _clip,
    "where": lambda a, b, *, condition: np.where(np.array(condition, bool), a, b),
    "sign": lambda a: np.frompyfunc(lambda x: Fraction((x > 0) - (x < 0)), 1, 1)(a),
    "floor": lambda a: np.frompyfunc(lambda x: Fraction(math.floor(x)), 1, 1)(a),
    "max": _reduced(np.maximum),
    "min": _reduced(np.minimum),
    "prod": _reduced(np.multiply),
    "cumsum": lambda a, *, axis: np.cumsum(a, axis),
    "stack": lambda *xs, axis: np.stack(xs, axis),
    "squeeze": lambda a, *, axis: np.squeeze(a, axis),
    "expand_dims": lambda a, *, axis: np.expand_dims(a, axis),
    "moveaxis": lambda a, *, source, destination: np.moveaxis(a, source, destination),
    "flip": lambda a, *, axis: np.flip(a, axis),
    "pad": lambda a, *, pad_width: np.pad(a, pad_width),
    "take_along_axis": lambda a, *, indices, axis: np.take_along_axis(a, np.array(indices), axis),
    "outer": np.multiply.outer,
    "dot": np.matmul,
    "einsum": lambda a, b, *, subscripts: np.einsum(subscripts, a, b),
    "linear": lambda a, b, d: np.matmul(a, b) + d,
}


def _fractions(array: Any) -> Any:
    result = np.empty(np.shape(array), object)
    for position in np.ndindex(result.shape):
        result[position] = Fraction(float(np.asarray(array)[position]))
    return result


def _rational(case: pr.Program) -> list[Any]:
    """All values of a program without rounding."""
    values = [_fractions(item.array()) for item in case.leaves]
    for s in case.statements:
        if isinstance(s, pr.Apply):
            inputs = [values[i] for i in s.inputs]
            result = RATIONAL[s.op](*inputs, **keywords(s.op, s.attrs))
            for y in result if isinstance(result, tuple) else (result,):
                array = np.empty(np.shape(y), object)
                array[...] = y
                values.append(array)
        elif isinstance(s, pr.Detach):
            values.append(values[s.value])
    return values


def test_rational_arithmetic_knows_every_exact_operation() -> None:
    assert set(RATIONAL) == {name for name, op in OPS.items() if op.dyadic}


@pytest.mark.parametrize(
    "profile", sorted(set(PROFILES) - {"functions", "bits", "second-order", "curvature", "rows"})
)
def test_values_of_exact_programs_equal_rational_arithmetic(profile: str) -> None:
    cases = [case for case in sample(profile, 60) if is_exact(case)]
    assert len(cases) >= 20
    for case in cases:
        expected = _rational(case)
        for engine in (DEZERO, TORCH):
            for seen in execute(case, engine).observations:
                if seen.what == "value":
                    assert seen.array is not None
                    same = _fractions(seen.array) == expected[seen.which]
                    assert np.all(same), f"value {seen.which} of {engine.name}\n{case!s}"
                    assert seen.array.shape == expected[seen.which].shape


def _tangent(case: pr.Program, number: int, position: tuple[int, ...], step: Fraction) -> Any:
    """The gradient's element for one backward, by a difference of polynomials.

    Exact for programs that are polynomials of degree two at most.
    """
    totals = []
    for sign in (1, -1):
        leaves = [_fractions(item.array()) for item in case.leaves]
        leaves[number][position] += sign * step
        values = list(leaves)
        for s in case.statements:
            if isinstance(s, pr.Apply):
                values.append(
                    RATIONAL[s.op](*[values[i] for i in s.inputs], **keywords(s.op, s.attrs))
                )
            elif isinstance(s, pr.Backward):
                seed = s.gradient.array() if s.gradient else np.ones(())
                totals.append(np.sum(np.asarray(values[s.value], object) * _fractions(seed)))
                break
    return (totals[0] - totals[1]) / (2 * step)


@pytest.mark.parametrize(
    "statements",
    [
        [apply("mul", 0, 1), apply("sum", 2, **SUM), pr.Backward(3)],
        [apply("mul", 0, 0), apply("sub", 2, 1), pr.Backward(3, constant([1.0, -2.0]))],
        [apply("matmul", 0, 1), apply("add", 2, 2), pr.Backward(3, constant(-1.5))],
        [apply("sub", 0, 0), apply("add", 2, 1), pr.Backward(3, constant([3.0, 0.5]))],
        [
            apply("square", 0),
            apply("mean", 2, **SUM),
            apply("add", 3, 1),
            pr.Backward(4, constant([1.0, 4.0])),
        ],
    ],
    ids=lambda statements: " ".join(getattr(s, "op", s.keyword) for s in statements),
)
def test_gradients_of_exact_programs_equal_rational_arithmetic(
    statements: list[pr.Statement],
) -> None:
    case = program([leaf([3.0, -0.5]), leaf([1.5, 4.0])], *statements)
    assert is_exact(case)
    for engine in (DEZERO, TORCH):
        grads = [o for o in execute(case, engine).observations if o.what == "grad"]
        for seen in grads:
            for position in np.ndindex(2):
                expected = _tangent(case, seen.which, position, Fraction(1, 8))
                assert seen.array is not None
                assert Fraction(float(seen.array[position])) == expected


@pytest.mark.parametrize(("gradient", "exact"), [(0.1, False), (0.75, True), (2.0**40, True)])
def test_a_gradient_that_uses_all_bits_is_not_exact(gradient: float, exact: bool) -> None:
    case = program([leaf(3.0)], apply("absolute", 0), pr.Backward(1, constant(gradient)))
    assert is_exact(case) is exact
