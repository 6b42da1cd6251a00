"""Functions that move elements, against PyTorch: values and derivatives."""

import numpy as np
import pytest
import torch

import dezero.functions as F
from dezero import Variable
from tests.helpers.dezero import (
    FLOATS,
    assert_bits,
    check_derivatives,
    integers,
    leaf,
    values,
)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "new"),
    [
        ((), ()),
        ((), (1, 1)),
        ((1,), ()),
        ((6,), (2, 3)),
        ((2, 3), (3, 2)),
        ((2, 3), (6,)),
        ((2, 3), -1),
        ((2, 3), (3, -1)),
        ((2, 3), [6, 1]),
        ((0, 3), (3, 0)),
        ((0,), (2, 0)),
    ],
)
def test_reshape(shape, new, dtype):
    sizes = (new,) if isinstance(new, int) else tuple(new)
    check_derivatives(
        lambda x: F.square(F.reshape(F.square(x), new)),
        lambda t: (t * t).reshape(sizes) ** 2,
        [integers(shape, dtype)],
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((), None),
        ((3,), None),
        ((2, 3), None),
        ((2, 3, 4), None),
        ((2, 3), (1, 0)),
        ((2, 3), (0, 1)),
        ((2, 3, 4), (1, 2, 0)),
        ((2, 3, 4), (2, 0, 1)),
        ((2, 3, 4), [0, 2, 1]),
        ((2, 3, 4), (-1, 0, -2)),
        ((2, 3, 4, 5), (3, 0, 2, 1)),
        ((2, 3, 4, 5), (1, 3, 0, 2)),
        ((0, 3), (1, 0)),
    ],
)
def test_transpose(shape, axes, dtype):
    order = tuple(range(len(shape)))[::-1] if axes is None else tuple(axes)
    check_derivatives(
        lambda x: F.square(F.transpose(F.square(x), axes)),
        lambda t: (t * t).permute(order) ** 2,
        [integers(shape, dtype)],
    )


BROADCASTS = [
    ((), ()),
    ((), (3,)),
    ((), (1, 1)),
    ((1,), (1, 1, 1)),
    ((), (2, 0)),
    ((1,), (3,)),
    ((3,), (2, 3)),
    ((3, 1), (3, 4)),
    ((1, 4), (3, 4)),
    ((2, 1, 3), (4, 2, 5, 3)),
    ((1, 1), (1, 1)),
    ((1,), (0,)),
    ((1, 3), (0, 3)),
    ((0, 1), (0, 4)),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("small", "large"), BROADCASTS, ids=str)
def test_broadcast_to(small, large, dtype):
    check_derivatives(
        lambda x: F.square(F.broadcast_to(F.square(x), large)),
        lambda t: torch.broadcast_to(t * t, large) ** 2,
        [integers(small, dtype)],
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("small", "large"), BROADCASTS, ids=str)
def test_sum_to(small, large, dtype):
    check_derivatives(
        lambda x: F.square(F.sum_to(F.square(x), small)),
        lambda t: (t * t).sum_to_size(small) ** 2,
        [integers(large, dtype)],
    )


@pytest.mark.parametrize(
    ("function", "shape", "new"),
    [
        (F.sum_to, (3,), (2,)),
        (F.sum_to, (2, 3), (2,)),
        (F.sum_to, (3,), (2, 3)),
        (F.sum_to, (1,), (3,)),
        (F.broadcast_to, (3,), (2,)),
        (F.broadcast_to, (3,), (3, 2)),
        (F.reshape, (3,), (2,)),
        (F.transpose, (2, 3), (0,)),
        (F.transpose, (2, 3), (0, 0)),
    ],
)
def test_shapes_that_do_not_fit_are_an_error(function, shape, new):
    with pytest.raises(ValueError):  # noqa: PT011 - the words are NumPy's
        function(leaf(np.ones(shape)), new)


# indices


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "index"),
    [
        ((), ()),
        ((), None),
        ((), ...),
        ((4,), 1),
        ((4,), -1),
        ((4,), np.int64(2)),
        ((4,), slice(1, 3)),
        ((4,), slice(None, None, 2)),
        ((4,), slice(2, 2)),
        ((4,), [0, 0, 1]),
        ((4,), np.array([3, 3, 3, -1])),
        ((4,), np.array([[0, 1], [1, 0]])),
        ((4,), np.array([], int)),
        ((4,), np.array([True, False, True, False])),
        ((4,), [False] * 4),
        ((4,), True),
        ((3, 4), 2),
        ((3, 4), (slice(None), 1)),
        ((3, 4), (1, 2)),
        ((3, 4), (..., 0)),
        ((3, 4), (None, slice(1), ..., None)),
        ((3, 4), ([0, 2, 0], [1, 1, 1])),
        ((3, 4), (slice(1, None), [3, 3])),
        ((3, 4), ([[0], [2]], [1, 1])),
        ((3, 4), np.arange(12).reshape(3, 4) % 5 == 0),
        ((0, 3), slice(0, 2)),
        ((2, 3, 2), (slice(None), 1, [0, 0])),
    ],
    ids=str,
)
def test_get_item(shape, index, dtype):
    check_derivatives(
        lambda x: F.square(F.square(x)[index]),
        lambda t: (t * t)[index] ** 2,
        [integers(shape, dtype)],
    )


def test_get_item_takes_variables_as_indices():
    x, index = leaf([1.0, 2.0, 3.0]), Variable(np.array([2, 2, 0]))
    for y in (x[index], F.get_item(x, (index,))):
        x.cleargrad()
        y.backward(np.array([1.0, 10.0, 100.0]))
        assert x.grad.data.tolist() == [100.0, 0.0, 11.0]


def test_get_item_with_a_negative_step():
    x = leaf(integers((5,)))
    x[::-2].backward(np.array([1.0, 2.0, 3.0]))
    assert x.grad.data.tolist() == [3.0, 0.0, 2.0, 0.0, 1.0]


def test_get_item_with_integers_and_arrays_apart_orders_the_axes_as_numpy():
    a, index = integers((2, 3, 2)), (1, slice(None), [0, 0])
    x = leaf(a)
    y = x[index]
    assert_bits(y, a[index])
    y.backward(integers((2, 3)))
    expected = np.zeros((2, 3, 2))
    expected[1, :, 0] = integers((2, 3)).sum(axis=0)
    assert_bits(x.grad, expected)


def test_get_item_of_overlapping_parts_sums_the_gradients():
    x = leaf(np.ones(4))
    (x[:3] * 2 + x[1:] * 3).backward()
    assert x.grad.data.tolist() == [2.0, 5.0, 5.0, 3.0]


@pytest.mark.parametrize("index", [4, (0, 0), [5]])
def test_an_index_out_of_range_is_an_error(index):
    with pytest.raises(IndexError):
        leaf(np.ones(4))[index]


# concat and split


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shapes", "axis"),
    [
        ([(3,)], 0),
        ([(3,), (1,)], 0),
        ([(2, 3), (1, 3), (4, 3)], 0),
        ([(2, 3), (2, 1)], 1),
        ([(2, 3), (2, 1)], -1),
        ([(2, 1, 2), (2, 3, 2)], -2),
        ([(0,), (3,)], 0),
        ([(2, 0), (2, 3), (2, 0)], 1),
        ([(0,), (0,)], 0),
    ],
)
def test_concat(shapes, axis, dtype):
    arrays = [integers(shape, dtype, 2 * i) for i, shape in enumerate(shapes)]
    check_derivatives(
        lambda *xs: F.square(F.concat([F.square(x) for x in xs], axis)),
        lambda *ts: torch.cat([t * t for t in ts], axis) ** 2,
        arrays,
    )


def test_concat_of_one_leaf_several_times_and_with_constants():
    c = np.array([7.0])
    t = torch.from_numpy(c)
    check_derivatives(
        lambda x: F.square(F.concat([x, c, x * 2, x])),
        lambda x: torch.cat([x, t, x * 2, x]) ** 2,
        [integers((3,))],
    )


def test_concat_of_two_dtypes_promotes_and_gives_each_leaf_its_own():
    a, b = integers((2,), np.float32), integers((3,), np.float64)
    check_derivatives(
        lambda x, y: F.concat([x, y]), lambda t, u: torch.cat([t.double(), u]), [a, b]
    )


@pytest.mark.parametrize(("shapes", "axis"), [([], 0), ([(2, 3), (2, 2)], 0), ([(2,), (2, 1)], 0)])
def test_concat_of_nothing_or_of_shapes_that_do_not_fit_is_an_error(shapes, axis):
    with pytest.raises(ValueError, match=r"concat|dimensions"):
        F.concat([leaf(np.ones(shape)) for shape in shapes], axis)


SPLITS = [
    ((6,), 3, 0),
    ((6,), 1, 0),
    ((6,), [2], 0),
    ((6,), (1, 1, 4), 0),
    ((6,), [0, 6], 0),
    ((2, 6), 2, 1),
    ((2, 6), 3, -1),
    ((4, 3), [1, 3], 0),
    ((4, 3), [1, 3], -2),
    ((0, 3), 2, 0),
]


@pytest.mark.parametrize("used", ["all", "last", "first twice"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("shape", "sections", "axis"), SPLITS)
def test_split(shape, sections, axis, dtype, used):
    def total(parts):
        if used == "all":
            return sum((part * part * (i + 1)).sum() for i, part in enumerate(parts))
        part = parts[-1 if used == "last" else 0]
        return (part * part).sum() + (part * 3).sum()

    def tensors(t):
        return torch.tensor_split(t * t, sections, dim=axis)

    a = integers(shape, dtype)
    assert len(F.split(leaf(a), sections, axis)) == len(tensors(torch.from_numpy(a)))
    check_derivatives(
        lambda x: total(F.split(F.square(x), sections, axis)), lambda t: total(tensors(t)), [a]
    )


def test_split_is_undone_by_concat():
    x = leaf(values((4, 3)))
    parts = F.split(x, [1, 2])
    assert isinstance(parts, tuple)
    y = F.concat(parts)
    assert_bits(y, x)
    y.backward(integers((4, 3)))
    assert_bits(x.grad, integers((4, 3)))


def test_split_of_a_constant_and_of_an_array():
    for x in (np.ones(4), Variable(np.ones(4), requires_grad=False)):
        parts = F.split(x, 2)
        assert [part.shape for part in parts] == [(2,), (2,)]
        assert not any(part.requires_grad for part in parts)


def test_split_into_unequal_parts_is_an_error():
    with pytest.raises(ValueError, match="equal division"):
        F.split(leaf(np.ones(5)), 2)
