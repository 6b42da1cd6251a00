"""matmul, sum and mean against PyTorch: values and derivatives."""

import numpy as np
import pytest
import torch

import dezero.functions as F
from tests.helpers.dezero import (
    FLOATS,
    assert_bits,
    assert_close,
    check_derivatives,
    integers,
    leaf,
    values,
)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "shapes",
    [
        ((3,), (3,)),
        ((2, 3), (3, 4)),
        ((1, 1), (1, 1)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((5, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (3, 4)),
        ((2, 3), (5, 3, 4)),
        ((1, 2, 3), (5, 3, 4)),
        ((5, 2, 3), (1, 3, 4)),
        ((5, 2, 3), (3,)),
        ((3,), (5, 3, 4)),
        ((4, 1, 2, 3), (5, 3, 2)),
        ((2, 0), (0, 3)),
        ((0, 3), (3, 2)),
        ((0, 2, 3), (3, 1)),
        ((0,), (0,)),
    ],
    ids=str,
)
def test_matmul(shapes, dtype):
    a, b = (integers(shape, dtype, 3 * i) for i, shape in enumerate(shapes))
    check_derivatives(F.matmul, torch.matmul, [a, b], orders=3)


@pytest.mark.parametrize("dtype", FLOATS)
def test_matmul_of_one_leaf_with_itself_and_its_transpose(dtype):
    a = integers((3, 3), dtype)
    check_derivatives(lambda x: x @ x, lambda t: t @ t, [a])
    check_derivatives(lambda x: x @ x.T, lambda t: t @ t.T, [a[:2]])


@pytest.mark.parametrize("kinds", [("f4", "f8"), ("f8", "f4")])
def test_matmul_of_two_dtypes_gives_each_leaf_its_own(kinds):
    a, b = integers((2, 3), kinds[0]), integers((3, 2), kinds[1], 2)
    check_derivatives(F.matmul, lambda t, u: t.double() @ u.double(), [a, b])


def test_matmul_with_a_constant_on_either_side():
    a, c = integers((2, 2)), integers((2, 2), start=3)
    t = torch.from_numpy(c)
    check_derivatives(lambda x: x @ c, lambda x: x @ t, [a])
    check_derivatives(lambda x: c @ x, lambda x: t @ x, [a])


@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((3,), (2,)), ((), (2,))], ids=str)
def test_matmul_of_shapes_that_do_not_fit_is_an_error(shapes):
    with pytest.raises(ValueError, match="matmul"):
        F.matmul(*map(leaf, map(np.ones, shapes)))


# reductions


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((), None),
        ((4,), None),
        ((4,), 0),
        ((4,), -1),
        ((2, 4), None),
        ((2, 4), 0),
        ((2, 4), 1),
        ((2, 4), -2),
        ((2, 4), (0, 1)),
        ((2, 4), [1]),
        ((2, 4, 2), (0, 2)),
        ((2, 4, 2), (-1, 1)),
        ((2, 4, 2), 1),
        ((1, 4), 0),
        ((0,), None),
        ((0, 3), 0),
        ((0, 3), 1),
        ((2, 0), (0, 1)),
    ],
)
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_sum_and_mean(name, shape, axis, keepdims, dtype):
    def ft(t):
        dims = tuple(range(t.ndim)) if axis is None else axis
        if t.ndim == 0:
            return t * 1
        return getattr(t, name)(dim=dims, keepdim=keepdims)

    check_derivatives(
        lambda x: getattr(F, name)(x, axis=axis, keepdims=keepdims), ft, [integers(shape, dtype)]
    )
    check_derivatives(
        lambda x: getattr(F.square(x), name)(axis, keepdims), lambda t: ft(t * t), [values(shape)]
    )


@pytest.mark.parametrize("function", [F.sum, F.mean])
@pytest.mark.parametrize("axis", [np.int64(1), (np.int64(0), np.int32(1)), (0,), -1])
def test_an_axis_may_be_an_integer_of_numpy(function, axis):
    a = integers((2, 3))
    check_derivatives(
        lambda x: function(x, axis),
        lambda t: getattr(t, function.__name__)(dim=np.array(axis).tolist()),
        [a],
    )


def test_a_reduction_over_no_axes_changes_nothing():
    for function in (F.sum, F.mean):
        x = leaf(values((2, 3)))
        y = function(x, ())
        assert_bits(y, x)
        y.backward(integers((2, 3)))
        assert_bits(x.grad, integers((2, 3)))


@pytest.mark.parametrize("function", [F.sum, F.mean])
def test_an_axis_out_of_range_is_an_error(function):
    with pytest.raises(ValueError, match="out of bounds"):
        function(leaf(np.ones((2, 3))), axis=2)


def test_the_sum_of_nothing_is_0_and_the_mean_of_nothing_nan():
    x = leaf(np.zeros((0, 2)))
    assert F.sum(x).data == 0
    assert np.isnan(F.mean(x).data)
    assert np.isnan(F.mean(x, axis=0).data).all()
    (F.sum(x) + F.mean(x)).backward()
    assert x.grad.shape == (0, 2)


# a function of many of them


@pytest.mark.parametrize("dtype", FLOATS)
def test_a_network_of_two_layers_with_its_second_derivatives(dtype):
    def network(lib):
        def function(x, w1, b1, w2, b2):
            h = lib.tanh(x @ w1 + b1)
            y = lib.sigmoid(h @ w2 + b2)
            return (y * y).mean() + (h * x.sum()).sum()

        return function

    shapes = [(4, 3), (3, 5), (5,), (5, 2), (1,)]
    arrays = [values(shape, dtype, 3 * i) / 2 for i, shape in enumerate(shapes)]
    check_derivatives(
        network(F),
        network(torch),
        arrays,
        same=lambda a, b: assert_close(a, b, 2e-4 if dtype is np.float32 else 1e-11),
    )
