"""The graph: recorded passes, freed graphs, failed passes and unchaining."""

import numpy as np
import pytest
import torch

import dezero.functions as F
from dezero import Function, Variable
from tests.helpers.dezero import (
    assert_bits,
    assert_close,
    leaf,
    tensor,
)

FREED = "backward through the graph a second time"


# create_graph


@pytest.mark.parametrize("cube", [lambda x: x**3, lambda x: x * x * x])
def test_derivatives_of_a_cube_until_nothing_is_left(cube):
    x, t = leaf(2.0), tensor(2.0)
    y, ty = cube(x), cube(t)
    for expected in (12, 12, 6):
        x.cleargrad()
        y.backward(create_graph=True)
        (ty,) = torch.autograd.grad(ty, t, create_graph=True)
        y = x.grad
        assert y.data == ty.item() == expected
    # A constant: where PyTorch's formula still mentions x, its fourth derivative is 0.
    with pytest.raises(RuntimeError, match="does not require grad"):
        y.backward()


@pytest.mark.parametrize("function", [lambda x: x + x, lambda x: x * 3, F.sum, lambda x: x.T])
def test_the_recorded_gradient_of_a_linear_function_is_a_constant(function):
    x = leaf([1.0, 2.0])
    function(x).backward(create_graph=True)
    assert not x.grad.requires_grad
    with pytest.raises(RuntimeError, match="does not require grad"):
        x.grad.backward()


def test_a_recorded_gradient_left_in_place_is_added_to_in_place():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    g = x.grad
    g.backward()
    assert x.grad is g
    assert g.data == 24


def test_a_recorded_pass_onto_a_gradient_makes_a_new_one():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    g = x.grad
    g.backward(create_graph=True)
    assert x.grad is not g
    assert not np.shares_memory(x.grad.data, g.data)
    assert (g.data, x.grad.data) == (12, 24)
    assert x.grad.requires_grad
    x.grad.backward()  # 3x^2 + 6x
    assert x.grad.data == 24 + 6 * 2 + 6


def test_a_plain_pass_onto_a_recorded_gradient_makes_it_a_constant():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    (x**3).backward()
    assert x.grad.data == 24
    assert not x.grad.requires_grad


def test_recorded_gradients_of_two_leaves_are_apart():
    # One and the same gradient reaches both; what is done with either stays its own.
    a, b, t, u = leaf(1.0), leaf(2.0), tensor(1.0), tensor(2.0)
    ((a + b) ** 2).backward(create_graph=True)
    ga, gb = a.grad, b.grad
    tga, tgb = torch.autograd.grad((t + u) ** 2, [t, u], create_graph=True)
    tga, tgb = tga.clone(), tgb.clone()  # as .grad has it
    for v in (a, b):
        v.cleargrad()
    for g in (ga, gb, tga, tgb):
        g.retain_grad()
    (2 * ga + 3 * gb).backward()
    (2 * tga + 3 * tgb).backward()
    assert (tga.grad.item(), tgb.grad.item()) == (2, 3)
    assert (ga.grad.data, gb.grad.data) == (2, 3)


def test_a_recorded_gradient_that_is_a_given_one_can_be_zeroed():
    x, g = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    x.backward(g, create_graph=True)
    x.grad.zero_()
    assert x.grad.data.tolist() == [0.0, 0.0]
    assert g.data.tolist() == [3.0, 4.0]


def test_the_gradient_of_a_given_gradient():
    x, g = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x * x).backward(g, create_graph=True)
    x.grad.backward(np.array([1.0, 10.0]))
    assert g.grad.data.tolist() == [2.0, 40.0]


def test_a_recorded_pass_retains_the_graph_by_default_and_on_request_frees_it():
    x = leaf(2.0)
    y = x**3
    y.backward(create_graph=True)
    y.backward(create_graph=True, retain_graph=False)
    assert x.grad.data == 24
    with pytest.raises(RuntimeError, match=FREED):
        y.backward()


def test_a_sum_of_a_value_and_its_recorded_gradient():
    x, t = leaf(0.5), tensor(0.5)
    y, ty = F.sin(x), torch.sin(t)
    y.backward(create_graph=True)
    g = x.grad
    x.cleargrad()
    (y * g + g * g).backward()
    (tg,) = torch.autograd.grad(ty, t, create_graph=True)
    (expected,) = torch.autograd.grad(ty * tg + tg * tg, t)
    assert_close(x.grad, expected)


def test_a_used_output_and_a_recorded_gradient_of_a_users_function_together():
    class SinCos(Function):
        def forward(self, x):
            return np.sin(x), np.cos(x)

        def backward(self, gs, gc):
            s, c = (output() for output in self.outputs)
            return gs * c - gc * s

    x = leaf(1.0)
    s, c = SinCos()(x)
    s.backward(create_graph=True)
    g = x.grad  # cos x, by the second output
    x.cleargrad()
    (g + c).backward()
    assert_close(x.grad, -2 * np.sin(1.0))


# freed graphs


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x,
        lambda x: x * 3,
        lambda x: x / 2,
        lambda x: 2 / x,
        F.exp,
        F.relu,
        F.absolute,
        lambda x: F.maximum(x, 1),
        lambda x: x**2,
        lambda x: F.matmul(x, x),
        # PyTorch runs these again silently; here every freed graph is an error.
        lambda x: x + x,
        lambda x: x - 1,
        F.neg,
        F.sum,
        F.mean,
        lambda x: x.reshape(2, 1),
        lambda x: x.T,
        lambda x: x[0],
        lambda x: F.split(x, 2)[0],
        lambda x: F.concat([x, x]),
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_a_second_pass_through_a_freed_graph_is_an_error(function, create_graph):
    x = leaf([1.0, 2.0])
    y = function(x)
    y.backward(retain_graph=True)
    y.backward(create_graph=create_graph, retain_graph=False)
    grad = x.grad.data.copy()
    with pytest.raises(RuntimeError, match=f"{FREED}.*Specify retain_graph=True"):
        y.backward()
    assert_bits(x.grad, grad)


def test_a_shared_part_freed_by_one_root_makes_the_other_fail():
    x, z = leaf(2.0), leaf(3.0)
    h = x * x
    y1, y2 = h * 3, h * z
    y1.backward()
    with pytest.raises(RuntimeError, match=FREED):
        y2.backward()
    assert x.grad.data == 12
    assert z.grad is None  # a pass that fails changes no leaf


def test_a_part_not_behind_the_root_is_not_freed():
    x = leaf(2.0)
    h = x * x
    y1, y2 = h * 3, h * 5
    h.backward(retain_graph=True)
    y1.backward(retain_graph=True)
    y2.backward()
    assert x.grad.data == 4 + 12 + 20


def test_a_failed_pass_changes_no_leaf_and_keeps_old_gradients():
    x, z, w = leaf(2.0), leaf(3.0), leaf(4.0)
    (w * 10).backward()
    freed = x * z
    freed.backward()
    before = [v.grad.data.copy() for v in (x, z, w)]
    y = freed * w + w * z
    with pytest.raises(RuntimeError, match=FREED):
        y.backward()
    for v, grad in zip((x, z, w), before, strict=True):
        assert_bits(v.grad, grad)


# unchain


def test_unchain_cuts_at_one_variable():
    x, z = leaf(2.0), leaf(3.0)
    h = x * z
    y = h * z
    h.unchain()
    assert h.creator is None
    assert y.creator is not None
    y.backward()
    assert x.grad is None
    assert z.grad.data == 6


def test_unchain_backward_cuts_everything_behind():
    x = leaf(2.0)
    h = x * x
    k = h + x
    y = k * h
    y.unchain_backward()
    assert [v.creator for v in (h, k, y)] == [None, None, None]
    (y + h + k).backward()
    assert x.grad is None


@pytest.mark.parametrize("function", [Variable.unchain, Variable.unchain_backward])
def test_unchaining_leaves_and_constants_does_nothing(function):
    x, c = leaf(2.0), Variable(np.array(1.0), requires_grad=False)
    function(x)
    function(c)
    (x * c).backward()
    assert x.grad.data == 1


def test_truncated_backpropagation_through_time():
    # As in the book: the loss of each stretch, backward, then unchain; states go on.
    w, t = leaf(0.5), tensor(0.5)
    h, th = leaf(1.0), torch.tensor(1.0, dtype=torch.float64)
    for stretch in range(4):
        loss, tloss = 0, 0
        for step in range(3):
            x = 1.0 + stretch - step
            h, th = w * h + x, t * th + x
            loss, tloss = loss + h * h, tloss + th * th
        w.cleargrad()
        t.grad = None
        loss.backward()
        loss.unchain_backward()
        tloss.backward()
        th = th.detach()
        assert_bits(w.grad, t.grad)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, b: x + b,  # the bias is broadcast
        lambda x, b: b * x,
        lambda x, b: F.maximum(x, b),
        lambda x, b: x + F.cast(b, np.float32),
        lambda x, b: F.matmul(x, F.cast(F.broadcast_to(b, (2, 2)), np.float32)),
        lambda x, b: F.concat([x, F.cast(F.broadcast_to(b, (2,)), np.float32)]),
        lambda x, b: F.split(x + b, 2)[1],
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_passes_stop_at_an_unchained_function_of_any_kind(function, create_graph):
    x, b, z = leaf([1.0, 2.0]), leaf(3.0), leaf(5.0)
    h = function(x, b)
    h.sum().backward(retain_graph=True)
    before = [v.grad.data.copy() for v in (x, b)]
    h.unchain_backward()
    (h * z).sum().backward(create_graph=create_graph)
    for v, grad in zip((x, b), before, strict=True):
        assert_bits(v.grad, grad)
    assert_close(z.grad, h.data.sum())
