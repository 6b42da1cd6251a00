"""Scale: deep and wide graphs, without recursion."""

import gc
import sys

import numpy as np
import pytest

import dezero.functions as F
from dezero import Function
from tests.helpers.dezero import FLOATS, assert_bits, leaf

DEPTH = 100_000


class Next(Function):
    def forward(self, x):
        return x + 1

    def backward(self, gy):
        return gy


class Pair(Function):
    def forward(self, x):
        return x * 1, x * 1

    def backward(self, g1, g2):
        return g1 + g2


@pytest.fixture
def no_collector():
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def chain(step, depth, start):
    y = start
    for _ in range(depth):
        y = step(y)
    return y


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    ("step", "depth", "value", "gradient"),
    [
        (lambda y: y + 1, DEPTH, DEPTH, 1),
        (lambda y: y * -1, DEPTH, 0, 1),
        (F.neg, DEPTH, 0, 1),
        (Next(), DEPTH // 5, DEPTH // 5, 1),
    ],
    ids=["add", "mul", "neg", "users"],
)
def test_a_long_chain_is_built_run_and_deleted(step, depth, value, gradient):
    x = leaf(0.0)
    y = chain(step, depth, x)
    assert y.data == value
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.data == 2 * gradient
    del y


@pytest.mark.usefixtures("no_collector")
def test_a_long_chain_that_no_pass_ran_through_is_deleted():
    y = chain(lambda y: y * 2.0, DEPTH, leaf(0.0))
    del y
    y = chain(lambda y: Pair()(y)[1], DEPTH // 10, leaf(0.0))
    del y


def test_a_long_chain_is_unchained():
    x = leaf(1.0)
    y = chain(lambda y: y + x, DEPTH // 2, x)
    y.unchain_backward()
    (y * x).backward()
    assert x.grad.data == 1 + DEPTH // 2


@pytest.mark.parametrize("count", [10_000])
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_value_used_ten_thousand_times(count, create_graph):
    x = leaf(2.0)
    y = chain(lambda y: y + x, count - 1, x)
    y.backward(create_graph=create_graph)
    assert x.grad.data == count
    x.cleargrad()
    h = x * 3
    F.sum(F.concat([h.reshape(1)] * count)).backward(create_graph=create_graph)
    assert x.grad.data == 3 * count


@pytest.mark.parametrize("dtype", FLOATS)
def test_sixty_doublings(dtype):
    # The number of paths is 2 to the 60th: each node runs once.
    x = leaf(np.ones(2, dtype))
    y = chain(lambda y: y + y, 60, x)
    y.backward()
    assert_bits(x.grad, np.full(2, 2.0**60, dtype))
    assert_bits(y, x.grad)


def test_sixty_doublings_of_users_functions_and_of_several_outputs():
    x = leaf(1.0)
    chain(lambda y: F.add(*Pair()(y)), 60, x).backward()
    assert x.grad.data == 2.0**60
    x.cleargrad()
    chain(lambda y: F.add(*F.split(F.concat([y, y]), 2)), 60, x.reshape(1)).backward()
    assert x.grad.data == 2.0**60


@pytest.mark.usefixtures("no_collector")
def test_the_second_derivative_through_ten_thousand_functions():
    count = 10_000
    x = leaf(1.0)
    y = chain(lambda y: y * x, count - 1, x)  # x to the 10000th
    y.backward(create_graph=True)
    assert x.grad.data == count
    first = x.grad
    x.cleargrad()
    first.backward()
    assert x.grad.data == count * (count - 1)
    del first, y


def test_the_second_derivative_along_ten_thousand_functions():
    x = leaf(3.0)
    y = F.square(chain(lambda y: y + 1, 10_000, x))
    y.backward(create_graph=True)
    first = x.grad
    x.cleargrad()
    first.backward()
    assert first.data == 2 * 10_003
    assert x.grad.data == 2


def test_the_recursion_limit_is_not_needed_nor_touched():
    limit = sys.getrecursionlimit()
    y = chain(lambda y: F.square(y) * 0.5 + y, 3 * limit, leaf(0.0))
    y.backward(retain_grad=True, create_graph=True)
    y.unchain_backward()
    assert sys.getrecursionlimit() == limit
