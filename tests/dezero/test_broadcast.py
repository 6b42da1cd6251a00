"""What is shared between nodes for speed, and where a faster call of NumPy must be the same one."""

import itertools

import numpy as np
import pytest

from dezero import Variable
from dezero.functions.reduction import kept_shape
from dezero.primitive import undoing
from tests.helpers.dezero import assert_bits

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "steps": lambda a: np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2],
    "reversed": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
}


def pair():
    """Two products with the same broadcast, of leaves of their own."""
    xs = [Variable(np.full((2, 3), float(i))) for i in (1, 2)]
    rows = [Variable(np.full(3, float(i))) for i in (3, 4)]
    return xs, rows, [x * row for x, row in zip(xs, rows, strict=True)]


def test_a_kept_gradient_is_that_of_its_own_node():
    _, rows, (y, z) = pair()
    y.retain_grad()
    (y + z).backward(np.full((2, 3), 5.0))
    assert_bits(y.grad.data, np.full((2, 3), 5.0))
    assert z.grad is None
    assert_bits(rows[0].grad.data, np.full(3, 10.0))
    assert_bits(rows[1].grad.data, np.full(3, 20.0))


def test_cutting_one_node_leaves_the_broadcast_of_the_others():
    xs, rows, (y, z) = pair()
    y.unchain()
    (y + z).backward()
    assert xs[0].grad is None
    assert rows[0].grad is None
    assert_bits(rows[1].grad.data, np.full(3, 4.0))


@pytest.mark.parametrize("retain", [False, True])
@pytest.mark.parametrize(
    ("shape", "small"),
    [((4, 5), ()), ((4, 5), (1,)), ((4, 5), (4, 1)), ((3, 4, 5), (4, 1)), ((1, 5), (1, 1, 1))],
)
def test_undone_axes_are_those_of_numpy(shape, small, retain):
    x, row = Variable(np.ones(shape)), Variable(np.ones(small))
    gradient = np.random.default_rng(0).standard_normal(np.broadcast_shapes(shape, small))
    y = x + row
    if retain:
        y.retain_grad()
    y.backward(gradient)
    for v in (x, row):
        lead = gradient.ndim - v.ndim
        axes = tuple(i for i in range(gradient.ndim) if i < lead or v.shape[i - lead] == 1)
        assert_bits(v.grad.data, gradient.sum(axes, keepdims=True).reshape(v.shape))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("left", "right"), [*itertools.product(LAYOUTS, repeat=2)])
def test_matmul_is_numpy_matmul_in_every_bit(left, right, dtype):
    source = np.random.default_rng(0)
    for m, k, n in itertools.product((1, 2, 5, 17), (1, 2, 4, 33), (1, 3, 16)):
        if not {left, right} <= {"C", "F"} and min(m, k, n) > 1:
            continue  # NumPy's own: whether it copies an array with gaps differs by its version
        a = LAYOUTS[left](source.standard_normal((m, k)).astype(dtype))
        b = LAYOUTS[right](source.standard_normal((k, n)).astype(dtype))
        gradient = source.standard_normal((m, n)).astype(dtype)
        x, w = Variable(a), Variable(b)
        y = x @ w
        y.backward(gradient)
        assert_bits(y.data, a @ b)
        assert_bits(x.grad.data, gradient @ b.T)
        assert_bits(w.grad.data, a.T @ gradient)


def test_caches_are_bounded():
    assert undoing.cache_info().maxsize
    assert kept_shape.cache_info().maxsize
