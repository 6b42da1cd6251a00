"""The rest of the functions along axes and of those that move elements, against PyTorch."""

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


def dims(t, axis):
    """The axes as non-negative numbers, the last one first."""
    axes = range(t.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    return sorted((a % t.ndim for a in axes), reverse=True) if t.ndim else []


def over_axes(function):
    """A reduction of PyTorch over several axes; without axes it gets one of length 1."""

    def reduce(t, axis, keepdims):
        if not t.ndim:
            return function(t.reshape(1), (0,), False)
        return function(t, tuple(dims(t, axis)), keepdims)

    return reduce


def product(t, axes, keepdims):
    for axis in axes:
        t = t.prod(axis, keepdim=keepdims)
    return t


REDUCTIONS = {
    "max": (F.max, over_axes(lambda t, d, k: torch.amax(t, d, keepdim=k))),
    "min": (F.min, over_axes(lambda t, d, k: torch.amin(t, d, keepdim=k))),
    "prod": (F.prod, over_axes(product)),
    "var": (F.var, over_axes(lambda t, d, k: torch.var(t, d, keepdim=k))),
    "norm": (F.norm, over_axes(lambda t, d, k: torch.linalg.vector_norm(t, dim=d, keepdim=k))),
    "logsumexp": (F.logsumexp, over_axes(lambda t, d, k: torch.logsumexp(t, d, keepdim=k))),
}
CASES = [
    ((4,), None),
    ((4,), 0),
    ((4,), -1),
    ((2, 4), None),
    ((2, 4), 0),
    ((2, 4), -1),
    ((2, 4), (0, 1)),
    ((2, 4), [1]),
    ((2, 4, 2), (0, 2)),
    ((2, 4, 2), (-1, 1)),
    ((2, 4, 2), 1),
    ((0, 3), 1),
    ((2, 0), 0),
]
EMPTY = [((0,), None), ((0,), 0), ((0, 3), 0), ((2, 0), (0, 1)), ((2, 0), -1)]


def reducing(name, axis, keepdims):
    fd, ft = REDUCTIONS[name]
    return lambda x: fd(x, axis=axis, keepdims=keepdims), lambda t: ft(t, axis, keepdims)


@pytest.mark.filterwarnings("ignore:var.*degrees of freedom")
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize(("shape", "axis"), CASES)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, shape, axis, keepdims, dtype):
    fd, ft = reducing(name, axis, keepdims)
    same = (lambda a, b: assert_close(a, b, 1e-4)) if dtype is np.float32 else assert_close
    with np.errstate(all="ignore" if 0 in shape else "warn"):
        check_derivatives(fd, ft, [values(shape, dtype)], same=same)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", [name for name in REDUCTIONS if name != "var"])
def test_reductions_without_axes_and_over_one_element(name, dtype):
    for shape, axis in [((), None), ((1, 4), 0), ((1, 1), None)]:
        check_derivatives(*reducing(name, axis, False), [values(shape, dtype)])


@pytest.mark.filterwarnings("ignore:var.*degrees of freedom")
@pytest.mark.parametrize("name", ["prod", "var", "norm", "logsumexp"])
@pytest.mark.parametrize(("shape", "axis"), EMPTY)
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_of_nothing(name, shape, axis, keepdims):
    fd, ft = reducing(name, axis, keepdims)
    with np.errstate(all="ignore"):
        check_derivatives(fd, ft, [values(shape)], orders=1)


@pytest.mark.parametrize("function", [F.max, F.min])
@pytest.mark.parametrize(("shape", "axis"), EMPTY)
def test_the_largest_of_nothing_is_an_error(function, shape, axis):
    with pytest.raises(ValueError, match="zero-size"):
        function(leaf(np.ones(shape)), axis)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("correction", [0, 1, 2, 0.5])
@pytest.mark.parametrize("axis", [None, 0, (0, 1)])
def test_corrections_of_the_variance(axis, correction, dtype):
    check_derivatives(
        lambda x: F.var(x, axis, correction=correction),
        lambda t: torch.var(t, axis, correction=correction),
        [values((4, 3), dtype)],
    )


@pytest.mark.filterwarnings("ignore:var.*degrees of freedom")
@pytest.mark.parametrize("correction", [3, 4, 7])
def test_a_correction_as_large_as_the_count_divides_by_zero(correction):
    with np.errstate(all="ignore"):
        found = F.var(leaf(values((3,))), correction=correction)
    assert_bits(found, torch.var(torch.from_numpy(values((3,))), correction=correction))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((4,), 0), ((4,), -1), ((2, 4), 0), ((2, 4), -1), ((2, 3, 2), -2), ((0, 3), 1), ((), 0)],
)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name, shape, axis, dtype):
    check_derivatives(
        lambda x: getattr(F, name)(x, axis=axis),
        lambda t: getattr(torch, name)(t, axis),
        [values(shape, dtype)],
        orders=3,
        same=lambda a, b: assert_close(a, b, 1e-4 if dtype is np.float32 else 1e-11),
    )


@pytest.mark.parametrize(("shape", "axis"), [((0, 3), 0), ((3, 0), 1), ((0,), -1)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_nothing_is_empty(name, shape, axis):
    check_derivatives(
        lambda x: getattr(F, name)(x, axis),
        lambda t: getattr(torch, name)(t, axis),
        [values(shape)],
    )


def test_softmax_runs_along_axis_1_by_default_and_sums_to_1():
    x = leaf(values((2, 3)))
    for function in (F.softmax, lambda v: F.exp(F.log_softmax(v))):
        assert_close(function(x), F.softmax(x, axis=-1))
        assert_close(function(x).sum(axis=1), np.ones(2))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((), 0),
        ((3,), 0),
        ((3,), -1),
        ((2, 3), 0),
        ((2, 3), 1),
        ((2, 3), -2),
        ((0,), 0),
        ((2, 0), 1),
    ],
)
def test_cumsum(shape, axis, dtype):
    check_derivatives(
        lambda x: F.square(F.cumsum(F.square(x), axis)),
        lambda t: torch.cumsum(t * t, axis) ** 2,
        [integers(shape, dtype)],
    )


# moving elements


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((), 0),
        ((), -1),
        ((3,), 0),
        ((3,), 1),
        ((3,), -1),
        ((3,), -2),
        ((2, 3), 1),
        ((2, 3), -1),
        ((2, 3), 2),
        ((0,), 0),
        ((0,), 1),
    ],
)
def test_stack(shape, axis, dtype):
    check_derivatives(
        lambda x, y: F.square(F.stack([F.square(x), y, x], axis)),
        lambda t, u: torch.stack([t * t, u, t], axis) ** 2,
        [integers(shape, dtype), integers(shape, dtype, 4)],
    )


def moves(fd, ft, shape, dtype):
    """Between two squares, so that gradients are not all ones and second derivatives not zero."""
    check_derivatives(
        lambda x: F.square(fd(F.square(x))), lambda t: ft(t * t) ** 2, [integers(shape, dtype)]
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((1, 3, 1), None),
        ((1, 3, 1), 0),
        ((1, 3, 1), -1),
        ((1, 3, 1), (0, 2)),
        ((3,), None),
        ((), None),
        ((1,), 0),
        ((1, 1), None),
        ((0, 1), 1),
        ((0, 1), None),
    ],
)
def test_squeeze(shape, axis, dtype):
    moves(
        lambda x: F.squeeze(x, axis),
        lambda t: t.squeeze() if axis is None else t.squeeze(axis),
        shape,
        dtype,
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [((), 0), ((), -1), ((3,), 0), ((3,), -1), ((2, 3), 1), ((2, 3), -2), ((0,), 1)],
)
def test_expand_dims(shape, axis, dtype):
    moves(lambda x: F.expand_dims(x, axis), lambda t: t.unsqueeze(axis), shape, dtype)


@pytest.mark.parametrize("axes", [(0, 2), [0, 2], (-1, 0)])
def test_expand_dims_by_several_axes(axes):
    x = leaf(integers((3,)))
    y = F.expand_dims(x, axes)
    assert_bits(y, np.expand_dims(x.data, tuple(axes)))
    y.backward(integers(y.shape, start=2))
    assert_bits(x.grad, integers((3,), start=2))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "source", "destination"),
    [
        ((2, 3, 4), 0, 2),
        ((2, 3, 4), 2, 0),
        ((2, 3, 4), -1, 0),
        ((2, 3, 4), 1, -1),
        ((2, 3, 4), (0, 1), (1, 2)),
        ((2, 3, 4), (2, 0), (-3, -1)),
        ((2, 3, 4), [0, 2], [2, 0]),
        ((2, 3, 4, 5), (3, 0, 1), (0, 1, 3)),
        ((0, 3), 0, 1),
        ((3,), 0, 0),
    ],
)
def test_moveaxis(shape, source, destination, dtype):
    torchs = [tuple(a) if isinstance(a, list) else a for a in (source, destination)]
    moves(
        lambda x: F.moveaxis(x, source, destination),
        lambda t: torch.movedim(t, *torchs),
        shape,
        dtype,
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((3,), 0),
        ((3,), None),
        ((2, 3), None),
        ((2, 3), 1),
        ((2, 3), -2),
        ((2, 3), (0, 1)),
        ((2, 3), [1]),
        ((2, 3, 2), (0, -1)),
        ((0, 3), 0),
        ((), None),
    ],
)
def test_flip(shape, axis, dtype):
    moves(lambda x: F.flip(x, axis), lambda t: torch.flip(t, dims(t, axis)), shape, dtype)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "widths"),
    [
        ((3,), [(1, 2)]),
        ((2, 3), [(0, 1), (2, 0)]),
        ((2, 3), ((0, 0), (0, 0))),
        ((0,), [(1, 1)]),
        ((2, 1, 2), [(1, 0), (0, 2), (1, 1)]),
        ((), []),
    ],
)
def test_pad(shape, widths, dtype):
    flat = [n for pair in reversed(widths) for n in pair]
    moves(
        lambda x: F.pad(x, widths),
        lambda t: torch.nn.functional.pad(t, flat),
        shape,
        dtype,
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "indices", "axis"),
    [
        ((3,), [0, 0, 2], 0),
        ((3,), [-1, 1], -1),
        ((2, 3), [[0, 0], [2, 1]], 1),
        ((2, 3), [[1, 0, 1]], 0),
        ((2, 3), [[0], [1]], -1),
        ((2, 3), [[-1], [0]], 1),
        ((2, 3), [[2, 2, 2, 2]], 1),
        ((2, 1, 2), [[[0, 1], [1, 0], [1, 1]]], 0),
        ((2, 3), np.zeros((2, 0), int), 1),
    ],
)
def test_take_along_axis(shape, indices, axis, dtype):
    indices = np.array(indices)
    t = torch.from_numpy(indices % shape[axis])
    for given in (indices, leaf(indices)):
        moves(
            lambda x, given=given: F.take_along_axis(x, given, axis),
            lambda u: torch.take_along_dim(u, t, axis),
            shape,
            dtype,
        )
