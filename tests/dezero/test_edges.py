"""Kinks, infinities and nan, rounding and casts: the numbers PyTorch gives there."""

import numpy as np
import pytest
import torch

import dezero.functions as F
from dezero import Variable
from tests.helpers.dezero import (
    FLOATS,
    assert_bits,
    assert_close,
    check_derivatives,
    gradients,
    integers,
    leaf,
    tensor,
    torch_gradients,
    values,
)

INF, NAN = np.inf, np.nan
POINTS = [0.0, -0.0, 1.0, -1.0, 2.5, INF, -INF, NAN, 1e-30, -1e-30]


@pytest.fixture(autouse=True)
def silent_numpy():
    with np.errstate(all="ignore"):
        yield


def both(fd, ft, arrays, gradient=None):
    """Value and gradients of dezero and of PyTorch, as two lists; None becomes zeros."""
    found = [fd(*map(leaf, arrays)), *gradients(fd, arrays, gradient)]
    expected = [ft(*map(tensor, arrays)), *torch_gradients(ft, arrays, gradient)]
    shown = [np.zeros(())] * len(found)
    for i, array in enumerate(arrays, 1):
        shown[i] = np.zeros_like(array)
    for part in (found, expected):
        part[:] = [zeros if x is None else x for x, zeros in zip(part, shown, strict=True)]
    return found, expected


UNARY = {
    "relu": (F.relu, torch.relu),
    "absolute": (F.absolute, torch.abs),
    "log": (F.log, torch.log),
    "exp": (F.exp, torch.exp),
    "sin": (F.sin, torch.sin),
    "cos": (F.cos, torch.cos),
    "tanh": (F.tanh, torch.tanh),
    "sigmoid": (F.sigmoid, torch.sigmoid),
    "square": (F.square, torch.square),
    "neg": (F.neg, torch.neg),
    "reciprocal": (lambda x: 1 / x, lambda t: 1 / t),
    "times 0": (lambda x: x * 0, lambda t: t * 0),
    "by 0": (lambda x: x / 0, lambda t: t / 0),
    "sqrt of the square": (lambda x: (x * x) ** 0.5, lambda t: (t * t) ** 0.5),
    "square of the sqrt": (lambda x: (x**0.5) ** 2, lambda t: (t**0.5) ** 2),
    "sum": (F.sum, torch.sum),
    "mean": (F.mean, torch.mean),
    "relu of relu": (lambda x: F.relu(F.relu(x)), lambda t: torch.relu(torch.relu(t))),
    "log of exp": (lambda x: F.log(F.exp(x)), lambda t: torch.log(torch.exp(t))),
}
for exponent in (0, 1, 2, 3, -1, -2, 0.5, -0.5, 1.5):
    UNARY[f"power {exponent}"] = (
        lambda x, p=exponent: F.pow(x, p),
        lambda t, p=exponent: t**p,
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_operand(name, point, dtype):
    fd, ft = UNARY[name]
    for shape in ((), (1,)):
        # Of a leaf, and of a result: without axes, that is a scalar of NumPy inside.
        for argument in (lambda x: x, lambda x: x * 1):
            found, expected = both(
                lambda x, a=argument: fd(a(x)),
                lambda t, a=argument: ft(a(t)),
                [np.full(shape, point, dtype)],
            )
            for f, e in zip(found, expected, strict=True):
                assert_close(f, e)


@pytest.mark.parametrize("point", [0.0, -0.0, 1.0, INF, NAN], ids=str)
@pytest.mark.parametrize("gradient", [0.0, -0.0, INF, NAN, 3.0], ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_nothing_masks_a_gradient_that_is_no_number(name, gradient, point):
    found, expected = both(*UNARY[name], [np.array(point)], np.array(gradient))
    for f, e in zip(found, expected, strict=True):
        assert_close(f, e)


BINARY = {
    "maximum": (F.maximum, torch.maximum),
    "minimum": (F.minimum, torch.minimum),
    "div": (F.div, torch.div),
    "mul": (F.mul, torch.mul),
    "sub": (F.sub, torch.sub),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("b", [0.0, -0.0, 1.0, INF, -INF, NAN], ids=str)
@pytest.mark.parametrize("a", [0.0, -0.0, 1.0, INF, -INF, NAN], ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_operands(name, a, b, dtype):
    # The second element is ordinary: one that is special concerns itself alone.
    arrays = [np.array([a, 2.0], dtype), np.array([b, 3.0], dtype)]
    for scale in (1.0, -3.0):
        found, expected = both(*BINARY[name], arrays, np.full(2, scale, dtype))
        for f, e in zip(found, expected, strict=True):
            assert_close(f, e)


@pytest.mark.parametrize(
    ("function", "points", "expected"),
    [
        (F.relu, [0.0, -0.0, NAN, -1.0, 1.0], [0, 0, 1, 0, 1]),
        (F.absolute, [0.0, -0.0, NAN, -1.0, 1.0], [0, 0, 0, -1, 1]),
        (F.log, [0.0, -0.0, -1.0], [INF, -INF, -1]),
        (lambda x: x**0, [0.0, INF, NAN], [0, 0, 0]),
        (lambda x: x**1, [0.0, INF, NAN], [1, 1, 1]),
        (lambda x: x**0.5, [0.0], [INF]),
        (lambda x: x**-1, [0.0, -0.0], [-INF, -INF]),
        (lambda x: F.maximum(x, 1.0), [0.0, 1.0, 2.0, NAN], [0, 0.5, 1, 1]),
        (lambda x: F.minimum(x, 1.0), [0.0, 1.0, 2.0, NAN], [1, 0.5, 0, 1]),
        (lambda x: x * 0, [INF], [0]),
        (lambda x: F.sigmoid(x), [1e4, -1e4, INF, -INF], [0, 0, 0, 0]),
    ],
)
def test_gradients_in_numbers(function, points, expected):
    (grad,) = gradients(function, [np.array(points)])
    np.testing.assert_array_equal(grad.data, expected)


def test_a_zero_gradient_times_infinity_is_nan():
    (found,) = gradients(lambda x: (x**0.5)[1], [np.array([0.0, 1.0])])
    (expected,) = torch_gradients(lambda t: (t**0.5)[1], [np.array([0.0, 1.0])])
    assert_bits(found, expected)
    assert np.isnan(found.data[0])


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_of_broadcast_operands_halve_each_gradient(name, swap):
    fd, ft = BINARY[name]
    arrays = [np.array([1.0, 2.0, 2.0, NAN]), np.array(2.0)]
    if swap:
        arrays.reverse()
    for x, e in zip(*both(fd, ft, arrays), strict=True):
        assert_bits(x, e)


@pytest.mark.parametrize("name", ["relu", "absolute", "square", "power 2", "power 3", "sigmoid"])
@pytest.mark.parametrize("point", [0.0, -0.0, 1.0])
def test_second_derivatives_at_kinks(name, point):
    check_derivatives(*UNARY[name], [np.full(2, point)])


def test_sigmoid_does_not_warn_where_exp_overflows():
    with np.errstate(all="raise", under="ignore"):
        for dtype in FLOATS:
            (grad,) = gradients(F.sigmoid, [np.array([-1e4, 1e4, 0], dtype)])
            assert grad.data.tolist() == [0, 0, 0.25]


# rounding: gradients equal PyTorch's in every bit where the values do


EXACT = {
    "a / b": (lambda a, b: a / b, lambda a, b: a / b),
    "a * b": (lambda a, b: a * b, lambda a, b: a * b),
    "a - b": (lambda a, b: a - b, lambda a, b: a - b),
    "a / 3": (lambda a, b: a / 3, lambda a, b: a / 3),
    "0.3 / a": (lambda a, b: 0.3 / a, lambda a, b: 0.3 / a),
    "1 / a": (lambda a, b: 1 / a, lambda a, b: 1 / a),
    "7 / a + a / 7": (lambda a, b: 7 / a + a / 7, lambda a, b: 7 / a + a / 7),
    "a ** 2": (lambda a, b: a**2, lambda a, b: a**2),
    "a ** 3": (lambda a, b: a**3, lambda a, b: a**3),
    "a ** -1": (lambda a, b: a**-1, lambda a, b: a**-1),
    "square": (lambda a, b: F.square(a), lambda a, b: torch.square(a)),
    "mean": (lambda a, b: a[:3].mean(), lambda a, b: a[:3].mean()),
    "maximum": (F.maximum, torch.maximum),
    "relu": (lambda a, b: F.relu(a), lambda a, b: torch.relu(a)),
    "absolute": (lambda a, b: F.absolute(a), lambda a, b: torch.abs(a)),
    "nested": (lambda a, b: (a / b) * (0.1 / a) - b / (a * a), None),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", EXACT)
def test_every_bit_equals_pytorchs(name, dtype):
    fd, ft = EXACT[name]
    rng = np.random.default_rng(1)
    arrays = [(rng.normal(size=97) * 10 ** rng.uniform(-3, 3, 97)).astype(dtype) for _ in "ab"]
    y = fd(*map(leaf, arrays))
    g = rng.normal(size=y.shape).astype(dtype)
    for f, e in zip(*both(fd, ft or fd, arrays, g), strict=True):
        assert_bits(f, e)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("exponent", [-2, -1, 0, 1, 2, 3])
def test_values_of_powers_equal_pytorchs_in_every_bit(exponent, dtype):
    array = np.random.default_rng(3).normal(size=97).astype(dtype)
    assert_bits(leaf(array) ** exponent, tensor(array) ** exponent)


@pytest.mark.parametrize("dtype", FLOATS)
def test_formulas_that_use_the_output(dtype):
    # Bits of exp and of its kin depend on the library; the formulas on them do not.
    rng = np.random.default_rng(2)
    a, g = (rng.normal(size=97).astype(dtype) for _ in range(2))
    for function, formula in [
        (F.exp, lambda g, y: g * y),
        (F.sigmoid, lambda g, y: (g * (1 - y)) * y),
        (F.tanh, lambda g, y: g * (1 - y * y)),
    ]:
        y = function(leaf(a))
        (found,) = gradients(function, [a], g)
        assert_bits(found, formula(g, y.data))


# dtypes


def test_contributions_are_cast_to_the_leaf_before_they_are_added():
    weights = [1.0, 2.0**-25, 2.0**-25, 2.0**-25]

    def function(cast):
        def run(x):
            return sum(cast(x, w) for w in weights)

        return run

    array = np.ones(1, np.float32)
    (found,) = gradients(function(lambda x, w: x * np.full(1, w)), [array])
    (expected,) = torch_gradients(
        function(lambda t, w: t * torch.full((1,), w, dtype=torch.float64)), [array]
    )
    assert_bits(found, expected)

    def once(x):
        double = F.cast(x, np.float64) if isinstance(x, Variable) else x.double()
        return sum(double * w for w in weights)

    (found,) = gradients(once, [array])
    (expected,) = torch_gradients(once, [array])
    assert_bits(found, expected)


def test_a_broadcast_gradient_is_summed_before_it_is_cast():
    arrays = [np.ones((), np.float32), np.array([1.0, 2.0**-25, 2.0**-25, 2.0**-25])]
    found, expected = both(F.mul, torch.mul, [np.ones((1,), np.float32), arrays[1]])
    for f, e in zip(found, expected, strict=True):
        assert_bits(f, e)
    assert found[1].data[0] == np.float32(1 + 3 * 2.0**-25) != 1


def test_a_gradient_too_large_for_float32_is_infinite():
    array = np.ones(1, np.float32)
    (found,) = gradients(lambda x: F.cast(x, np.float64) * 1e300, [array])
    (expected,) = torch_gradients(lambda t: t.double() * 1e300, [array])
    assert_bits(found, expected)
    assert np.isposinf(found.data[0])


@pytest.mark.parametrize("function", [F.add, F.mul, F.div, F.maximum, F.matmul])
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_float32_leaf_next_to_integers_keeps_its_dtype(function, create_graph):
    x, c = leaf(integers((3,), np.float32)), np.array([2, 3, 4])
    for operands in ((x, c), (c, x)):
        x.cleargrad()
        y = function(*operands)
        assert y.dtype == np.float64  # as NumPy promotes; PyTorch keeps float32
        y.backward(create_graph=create_graph)
        assert x.grad.dtype == np.float32


@pytest.mark.parametrize("dtype", FLOATS)
def test_intermediate_gradients_have_the_dtype_of_their_variable(dtype):
    x = leaf(values((3,), dtype))
    h = F.exp(x)
    k = h * np.ones(3)
    k.sum().backward(retain_grad=True)
    assert (h.dtype, h.grad.dtype) == (dtype, dtype)
    assert k.grad.dtype == np.float64
    assert x.grad.dtype == dtype
