"""Kinks, ties, infinities, nan and bad input of functions along axes and of powers."""

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import dezero.functions as F
from tests.dezero.test_families_axes import REDUCTIONS
from tests.helpers.dezero import (
    FLOATS,
    assert_close,
    check_derivatives,
    gradients,
    integers,
    leaf,
    torch_gradients,
)

INF, NAN = np.inf, np.nan
POINTS = [0.0, -0.0, 1.0, -1.0, 2.5, INF, -INF, NAN, 1e-30]
UNARY = {
    "sqrt": (F.sqrt, torch.sqrt),
    "sign": (F.sign, torch.sign),
    "floor": (F.floor, torch.floor),
    "clip": (lambda x: F.clip(x, -1.0, 1.0), lambda t: torch.clamp(t, -1.0, 1.0)),
    "clip below 0": (lambda x: F.clip(x, 0.0), lambda t: torch.clamp(t, min=0.0)),
    "clip above 0": (lambda x: F.clip(x, x_max=0.0), lambda t: torch.clamp(t, max=0.0)),
    "clip crossed": (lambda x: F.clip(x, 2.0, 1.0), lambda t: torch.clamp(t, 2.0, 1.0)),
    "softplus": (F.softplus, TF.softplus),
    "leaky_relu": (lambda x: F.leaky_relu(x, 0.1), lambda t: TF.leaky_relu(t, 0.1)),
    "gelu": (F.gelu, TF.gelu),
}


@pytest.fixture(autouse=True)
def silent_numpy():
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("point", POINTS, ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_operand(name, point, dtype):
    if name == "gelu" and point == INF:  # PyTorch's float32 gives nan there
        dtype = np.float64
    # The second element is ordinary: one that is special concerns itself alone.
    check_derivatives(*UNARY[name], [np.array([point, 1.5], dtype)])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["softplus", "gelu", "leaky_relu"])
def test_large_operands_overflow_nowhere(name, dtype):
    with np.errstate(all="raise", under="ignore"):
        F.softplus(leaf(np.array([1e4, -1e4], dtype))).backward()
    check_derivatives(*UNARY[name], [np.array([40.0, 100.0, 1e4, -100.0, -1e4], dtype)])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("b", POINTS, ids=str)
def test_powers_of_variables(b, dtype):
    for a, (second, exponent) in itertools.product(POINTS, [(2.0, 3.0)]):
        arrays = [np.array([a, second], dtype), np.array([b, exponent], dtype)]
        check_derivatives(F.pow, torch.pow, arrays, orders=1)


@pytest.mark.parametrize("points", [(0.0, 0.0), (0.0, 2.0), (2.0, 0.0), (-2.0, 2.0), (0.0, 3.0)])
def test_second_derivatives_of_powers_of_variables(points):
    a, b = points
    check_derivatives(F.pow, torch.pow, [np.array([a, 2.0]), np.array([b, 3.0])])


def test_gradients_of_powers_at_zero_in_numbers():
    da, db = gradients(F.pow, [np.array([0.0, 0.0, 0.0, -2.0]), np.array([0.0, 2.0, -1.0, 2.0])])
    np.testing.assert_array_equal(da.data, [0, 0, -INF, -4])
    np.testing.assert_array_equal(db.data, [0, 0, -INF, NAN])


@pytest.mark.parametrize("a", [0.0, INF, NAN], ids=str)
@pytest.mark.parametrize("b", [0.0, INF, NAN], ids=str)
def test_where_gives_zero_to_what_is_not_chosen(a, b):
    mask = np.array([True, False])
    t = torch.from_numpy(mask)
    arrays = [np.array([a, a]), np.array([b, b])]
    check_derivatives(lambda x, y: F.where(mask, x, y), lambda x, y: torch.where(t, x, y), arrays)
    check_derivatives(
        lambda x, y: F.where(mask, F.sqrt(x), y), lambda x, y: torch.where(t, x.sqrt(), y), arrays
    )


EDGES = [
    [0.0, 0.0],
    [-0.0, 0.0],
    [1.0, 1.0, 0.0],
    [2.0, 2.0, 2.0, 1.0],
    [5.0, 5.0],
    [INF, 1.0],
    [INF, INF, 1.0],
    [-INF, -INF],
    [-INF, 1.0],
    [INF, -INF],
    [NAN, 1.0],
    [1.0, NAN, NAN, 2.0],
    [1000.0, 1000.0],
    [-1000.0, -1001.0],
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("points", EDGES, ids=str)
@pytest.mark.parametrize("name", ["max", "min", "norm", "logsumexp"])
def test_reductions_of_ties_infinities_and_nan(name, points, dtype):
    fd, ft = REDUCTIONS[name]
    array = np.array(points, dtype)
    check_derivatives(fd, lambda t: ft(t, None, False), [array])
    both = np.stack([array, np.arange(len(points), dtype=dtype)])
    check_derivatives(lambda x: fd(x, 1, True), lambda t: ft(t, 1, True), [both], orders=1)


@pytest.mark.parametrize("function", [F.max, F.min])
@pytest.mark.parametrize("gradient", [1.0, -2.0, 0.0])
def test_nan_makes_all_gradients_of_an_extreme_nan(function, gradient):
    (found,) = gradients(function, [np.array([NAN, 1.0, 2.0])], np.array(gradient))
    assert np.isnan(found.data).all()


def test_ties_share_the_gradient_in_numbers():
    (found,) = gradients(lambda x: F.max(x, 1), [np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])])
    assert_close(found, np.array([[0, 0.5, 0.5], [1 / 3] * 3]))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "points",
    [[2.0, 0.0, 4.0], [0.0, 0.0, 3.0], [0.0], [-0.0, 2.0], [0.0, 0.0, 0.0], [5.0], [2.0, 3.0, 0.0]],
    ids=str,
)
def test_products_with_zeros_are_exact(points, dtype):
    fd, ft = REDUCTIONS["prod"]
    array = np.array(points, dtype)
    check_derivatives(fd, lambda t: ft(t, None, False), [array])
    if len(points) == 3:
        table = np.stack([array, array[::-1], array])
        for axis in (0, 1, (0, 1)):
            check_derivatives(
                lambda x, axis=axis: fd(x, axis),
                lambda t, axis=axis: ft(t, axis, False),
                [table],
            )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "points", [p for p in EDGES if len(p) < 4] + [[INF, 0.0], [2.0, INF]], ids=str
)
def test_products_of_infinities_and_nan(points, dtype):
    fd, ft = REDUCTIONS["prod"]
    array = np.array(points, dtype)
    orders = 1 if 0 in points else 2  # the second derivatives multiply infinity by zero there
    check_derivatives(fd, lambda t: ft(t, 0, False), [array], orders=orders)
    both = np.stack([array, np.arange(1, len(points) + 1, dtype=dtype)])
    for axis in 0, 1:
        check_derivatives(
            lambda x, axis=axis: fd(x, axis),
            lambda t, axis=axis: ft(t, axis, False),
            [both],
            orders=1,
        )


@pytest.mark.parametrize("value", [INF, -INF, NAN, 0.0, 3.0])
def test_the_gradient_of_the_product_of_a_scalar_is_one(value):
    (found,) = gradients(F.prod, [np.array(value)])
    assert found.data == 1


def test_gradients_of_products_with_zeros_in_numbers():
    for points, expected in [([2.0, 0, 4], [0, 8, 0]), ([0.0, 0, 3], [0, 0, 0])]:
        (found,) = gradients(F.prod, [np.array(points)])
        assert found.data.tolist() == expected


@pytest.mark.parametrize("points", EDGES[:5] + EDGES[12:], ids=str)
def test_variances_of_constants(points):
    fd, ft = REDUCTIONS["var"]
    check_derivatives(fd, lambda t: ft(t, None, False), [np.array(points)])


@pytest.mark.filterwarnings("ignore:var.*degrees of freedom")
def test_the_variance_of_one_element_is_nan():
    for found in (F.var(leaf(3.0)), F.var(leaf([3.0]))):
        assert np.isnan(found.data)
    (found,), (expected,) = gradients(F.var, [np.ones(1)]), torch_gradients(torch.var, [np.ones(1)])
    assert_close(found, expected)
    assert F.var(leaf([3.0]), correction=0).data == 0


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("points", EDGES, ids=str)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_infinities_and_nan(name, points, dtype):
    check_derivatives(
        lambda x: getattr(F, name)(x, axis=0),
        lambda t: getattr(torch, name)(t, 0),
        [np.array(points, dtype)],
    )


# whole numbers


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint8, np.bool_])
@pytest.mark.parametrize(
    "function",
    [
        F.sqrt,
        F.softplus,
        F.gelu,
        F.leaky_relu,
        F.norm,
        F.var,
        F.logsumexp,
        lambda x: F.softmax(x, 0),
        lambda x: F.log_softmax(x, 0),
    ],
    ids=[
        "sqrt",
        "softplus",
        "gelu",
        "leaky_relu",
        "norm",
        "var",
        "logsumexp",
        "softmax",
        "log_softmax",
    ],
)
def test_whole_numbers_are_computed_in_float64(function, kind):
    array = np.array([100, 0, 100]).astype(kind)
    assert_close(function(leaf(array)), function(leaf(array.astype(np.float64))))


# errors


def ones(*shape):
    return leaf(np.ones(shape))


@pytest.mark.parametrize(
    "name", ["max", "min", "prod", "var", "norm", "logsumexp", "cumsum", "softmax", "log_softmax"]
)
@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_out_of_range_is_an_error(name, axis):
    with pytest.raises(ValueError, match="out of bounds"):
        getattr(F, name)(ones(2, 3), axis)


@pytest.mark.parametrize(
    "call",
    [
        lambda: F.stack([]),
        lambda: F.stack([ones(2), ones(3)]),
        lambda: F.stack([ones(2), ones(2)], 2),
        lambda: F.squeeze(ones(2, 3), 0),
        lambda: F.squeeze(ones(1, 3), 2),
        lambda: F.expand_dims(ones(2), 2),
        lambda: F.moveaxis(ones(2, 3), 2, 0),
        lambda: F.moveaxis(ones(2, 3), 0, 2),
        lambda: F.moveaxis(ones(2, 3), -3, 0),
        lambda: F.moveaxis(ones(2, 3), (0, 1), (1, 1)),
        lambda: F.moveaxis(ones(2, 3), (0, 0), (0, 1)),
        lambda: F.moveaxis(ones(2, 3), (0, 1), (1,)),
        lambda: F.moveaxis(ones(), 0, 0),
        lambda: F.flip(ones(2), 1),
        lambda: F.pad(ones(2, 3), [(1, 1)]),
        lambda: F.pad(ones(3), [(-1, 0)]),
        lambda: F.take_along_axis(ones(2, 3), np.array([0]), 1),
        lambda: F.take_along_axis(ones(2, 3), np.zeros((3, 2), int), 1),
        lambda: F.take_along_axis(ones(2, 3), np.zeros((2, 1), int), 2),
        lambda: F.take_along_axis(ones(2, 3), np.zeros((2, 1), int), -3),
        lambda: F.take_along_axis(ones(), np.zeros((), int), 0),
    ],
)
def test_bad_axes_and_shapes_are_a_value_error(call):
    with pytest.raises(ValueError):  # noqa: PT011 - the words are NumPy's
        call()


@pytest.mark.parametrize("indices", [np.full((2, 1), 3), np.full((2, 1), -4), np.zeros((2, 1))])
def test_numbers_along_an_axis_that_are_out_of_range_or_no_integers_are_an_error(indices):
    with pytest.raises(IndexError, match=r"out of bounds|integer"):
        F.take_along_axis(leaf(integers((2, 3))), indices, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_softplus_is_straight_above_20(dtype):
    values = np.array([19.5, 20.0, 20.5, 40.0, -3.0], dtype)
    x, t = leaf(values.copy()), torch.tensor(values, requires_grad=True)
    y, u = F.softplus(x), TF.softplus(t)
    y.backward()
    u.sum().backward()
    np.testing.assert_array_equal(y.data[2:4], values[2:4])
    np.testing.assert_array_equal(x.grad.data[2:4], np.ones(2, dtype))
    np.testing.assert_allclose(x.grad.data, t.grad.numpy(), rtol=4 * np.finfo(dtype).eps)
