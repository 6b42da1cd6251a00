"""The order in which functions run and contributions are summed, bit by bit."""

import random

import numpy as np
import pytest
import torch

import dezero.functions as F
from dezero import Function, Variable
from tests.helpers.dezero import (
    FLOATS,
    assert_bits,
    gradients,
    leaf,
    tensor,
    torch_gradients,
    values,
)


class Noted(Function):
    def forward(self, *xs):
        return sum(xs)

    def backward(self, gy):
        self.order.append(self.number)
        return (gy,) * len(self.inputs)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("create_graph", [False, True])
def test_functions_run_in_decreasing_order_of_creation_each_once(seed, create_graph):
    random_ = random.Random(seed)
    order, nodes = [], [leaf(1.0)]
    for number in range(60):
        function = Noted()
        function.order, function.number = order, number
        nodes.append(function(*random_.choices(nodes, k=random_.randint(1, 3))))
    roots = nodes[1:]
    random_.shuffle(roots)
    F.concat([root.reshape(1) for root in roots]).backward(create_graph=create_graph)
    assert order == list(range(59, -1, -1))


@pytest.mark.parametrize("scales", [(1, 1e16, -1e16), (1e16, 1, -1e16), (1e16, -1e16, 1)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_the_last_created_contribution_comes_first_in_the_sum(scales, dtype):
    def function(x):
        a, b, c = (x * float(s) for s in scales)
        return (b + a) + c

    (expected,) = torch_gradients(function, [np.ones(2, dtype)])
    (found,) = gradients(function, [np.ones(2, dtype)])
    assert_bits(found, expected)
    last, middle, first = (dtype(s) for s in reversed(scales))
    assert found.data[0] == (last + middle) + first


def test_several_uses_in_one_function_are_summed_one_by_one():
    class Weighted(Function):
        def forward(self, *xs):
            return sum(xs)

        def backward(self, gy):
            return tuple(gy * w for w in (1.0, 1e16, -1e16))

    x = leaf([1.0])
    y = Weighted()(x, x, x)
    (y + x * 3.0).backward()
    assert x.grad.data[0] == ((3.0 + 1.0) + 1e16) + -1e16
    x.cleargrad()
    Weighted()(x, x, x).backward()
    assert x.grad.data[0] == (1.0 + 1e16) + -1e16


def test_an_existing_gradient_is_added_last():
    big = np.float32(2**24)

    def grads(x, g):
        x.grad = g
        (x + x).backward(np.ones(1, np.float32) if isinstance(x, Variable) else torch.ones(1))
        return x.grad

    found = grads(leaf(np.ones(1, np.float32)), np.full(1, big))
    assert_bits(found, grads(tensor(np.ones(1, np.float32)), torch.full((1,), float(big))))
    assert found.data[0] == big + 2  # one by one they would be lost


def test_a_gradient_twenty_times_rounded_is_the_fold_from_the_last_use():
    factors = values((20,), np.float32) * np.float32(0.1)

    def function(x):
        y = x * float(factors[0])
        for factor in factors[1:]:
            y = y + x * float(factor)
        return y

    (found,) = gradients(function, [np.ones(1, np.float32)])
    (expected,) = torch_gradients(function, [np.ones(1, np.float32)])
    assert_bits(found, expected)
    folds = []
    for order in (factors[::-1], factors):
        total = order[0]
        for factor in order[1:]:
            total = total + factor
        folds.append(total)
    assert found.data[0] == folds[0] != folds[1]


def random_program(seed):
    """A program of + - * / neg on two leaves and numbers, for Variables and tensors alike."""
    random_ = random.Random(seed)
    steps = [
        (random_.choice("+-*/n*+"), random_.random() ** 2, random_.random(), random_.uniform(-1, 1))
        for _ in range(40)
    ]

    def run(a, b):
        nodes = [a, b]
        for op, i, j, c in steps:
            x, y = nodes[-1 - int(i * len(nodes))], nodes[int(j * len(nodes))]
            if op == "n":
                node = -x
            elif op == "/":
                node = x / b if j < 0.5 else x / (c + 2)
            elif op == "*":
                node = x * y * 0.25 if abs(c) < 0.5 else x * c
            else:
                node = x + y if op == "+" else (x - y if c < 0.5 else c - x)
            nodes.append(node)
        root = nodes[-1]
        for node in nodes[2::7]:
            root = root + node
        return root, nodes

    return run


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("dtype", FLOATS)
def test_random_graphs_equal_pytorch_in_every_bit(seed, dtype):
    run = random_program(seed)
    a, b = values((3,), dtype, seed), 2 + np.abs(values((3,), dtype, seed + 5))
    xs, ts = [leaf(a), leaf(b)], [tensor(a), tensor(b)]
    (y, nodes), (ty, tnodes) = run(*xs), run(*ts)
    for node in tnodes:
        node.retain_grad()
    assert_bits(y, ty)
    for _ in range(2):  # the second pass adds to the first
        y.backward(retain_grad=True, retain_graph=True)
        ty.backward(torch.ones_like(ty), retain_graph=True)
        for node, tnode in zip([*xs, *nodes], [*ts, *tnodes], strict=True):
            assert (node.grad is None) is (tnode.grad is None)
            if node.grad is not None:
                assert_bits(node.grad, tnode.grad)
    for x in xs:
        x.cleargrad()
    y.backward(create_graph=True)
    grads = torch.autograd.grad(ty, ts, torch.ones_like(ty), allow_unused=True)
    for x, expected in zip(xs, grads, strict=True):
        assert (x.grad is None) is (expected is None)
        if expected is not None:
            assert_bits(x.grad, expected)
