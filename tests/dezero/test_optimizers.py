"""Optimizers: whole training runs step by step against ``torch.optim``, ways to clear."""

import numpy as np
import pytest
import torch

import dezero.functions as F
from dezero import Parameter, optimizers
from dezero.models import MLP
from tests.helpers.dezero import assert_bits, assert_close, integers, leaf, tensor, values

OPTIMIZERS = {
    "SGD": (lambda: optimizers.SGD(0.1), lambda ps: torch.optim.SGD(ps, 0.1)),
    "SGD default": (lambda: optimizers.SGD(), lambda ps: torch.optim.SGD(ps, 0.01)),
    "momentum": (
        lambda: optimizers.MomentumSGD(0.05, 0.8),
        lambda ps: torch.optim.SGD(ps, 0.05, momentum=0.8),
    ),
    "momentum default": (
        lambda: optimizers.MomentumSGD(),
        lambda ps: torch.optim.SGD(ps, 0.01, momentum=0.9),
    ),
    "Adam": (
        lambda: optimizers.Adam(0.05, 0.8, 0.95, 1e-3),
        lambda ps: torch.optim.Adam(ps, 0.05, (0.8, 0.95), 1e-3),
    ),
    "Adam default": (lambda: optimizers.Adam(), lambda ps: torch.optim.Adam(ps)),
}
CLEARINGS = {
    "none": lambda o: o.zero_grad(set_to_none=True),
    "default": lambda o: o.zero_grad(),
    "zeros": lambda o: o.zero_grad(set_to_none=False),
    "forgotten": lambda o: None,
}


def network(lib, x, t, w1, b1, w2, b2):
    h = lib.tanh(x @ w1 + b1)
    diff = h @ w2 + b2 - t
    return (diff * diff).mean()


@pytest.mark.parametrize("clearing", CLEARINGS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_training_run_equals_pytorchs_step_by_step(name, clearing):
    shapes = [(3, 5), (5,), (5, 2), (1,)]
    arrays = [values(shape, start=7 * i) / 2 for i, shape in enumerate(shapes)]
    x, t = values((6, 3), start=3), values((6, 2), start=40)
    ps, ts = [Parameter(a.copy()) for a in arrays], [tensor(a) for a in arrays]
    make, torch_make = OPTIMIZERS[name]
    mine, theirs = make().setup(ps), torch_make(ts)
    for _ in range(12):
        CLEARINGS[clearing](mine)
        CLEARINGS[clearing](theirs)
        loss = network(F, x, t, *ps)
        expected = network(torch, torch.from_numpy(x), torch.from_numpy(t), *ts)
        assert_close(loss, expected, 1e-11)
        loss.backward()
        expected.backward()
        mine.step()
        theirs.step()
        for p, q in zip(ps, ts, strict=True):
            assert_close(p.grad, q.grad, 1e-11)
            assert_close(p, q, 1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_parameters_keep_dtype_object_and_buffer(name, dtype):
    p = Parameter(values((3,), dtype))
    buffer = p.data
    optimizer = OPTIMIZERS[name][0]().setup([p])
    for _ in range(3):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.update()
    assert p.data is buffer
    assert p.data.dtype == dtype
    assert not np.array_equal(p.data, values((3,), dtype))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_parameter_without_gradient_stays_and_starts_later(name):
    a, b = values((2,)), values((2,), start=5)
    ps, ts = [Parameter(a.copy()), Parameter(b.copy())], [tensor(a), tensor(b)]
    make, torch_make = OPTIMIZERS[name]
    mine, theirs = make().setup(ps), torch_make(ts)
    for i in range(5):
        for optimizer, vs in ((mine, ps), (theirs, ts)):
            optimizer.zero_grad()
            loss = (vs[0] * vs[0]).sum()
            if i in (2, 3):
                loss = loss + (vs[1] * vs[1] * vs[1]).sum()
            loss.backward()
            optimizer.step()
        for p, q in zip(ps, ts, strict=True):
            assert_close(p, q)
        if i < 2:
            assert_bits(ps[1], b)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_leaves_gradients_alone(name):
    p = Parameter(np.array([1.0, -2.0]))
    optimizer = OPTIMIZERS[name][0]().setup([p])
    for _ in range(2):
        p.grad = np.array([3.0, 4.0])
        g, buffer = p.grad, p.grad.data
        optimizer.update()
        assert p.grad is g
        assert g.data is buffer
        assert g.data.tolist() == [3.0, 4.0]


# clearing


def test_zero_grad_sets_none_or_fills_the_same_buffer():
    p, q = Parameter(np.array([1.0, 2.0])), Parameter(np.array([3.0]))
    optimizer = optimizers.SGD(0.1).setup([p, q])
    (p * p).sum().backward()
    g, buffer = p.grad, p.grad.data
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is g
    assert p.grad.data is buffer
    assert buffer.tolist() == [0.0, 0.0]
    assert q.grad is None
    (p * 3).sum().backward()
    assert p.grad is g
    assert buffer.tolist() == [3.0, 3.0]
    optimizer.zero_grad()
    assert p.grad is None
    assert buffer.tolist() == [3.0, 3.0]


def test_zero_grad_of_a_recorded_gradient_makes_it_a_constant():
    p = Parameter(np.array([1.0, 2.0]))
    optimizer = optimizers.SGD(0.1).setup([p])
    (p * p).sum().backward(create_graph=True)
    g = p.grad
    assert g.requires_grad
    optimizer.zero_grad(False)
    assert p.grad is g
    assert not g.requires_grad
    assert g.data.tolist() == [0.0, 0.0]


def test_zero_grad_of_an_assigned_leaf_makes_it_a_constant():
    p, t = Parameter(np.array([1.0, 2.0])), tensor(np.array([1.0, 2.0]))
    p.grad, t.grad = leaf([3.0, 4.0]), tensor(np.array([3.0, 4.0]))
    theirs, mine = torch.optim.SGD([t], 0.1), optimizers.SGD(0.1).setup([p])
    theirs.zero_grad(set_to_none=False)
    mine.zero_grad(set_to_none=False)
    assert t.grad.tolist() == p.grad.data.tolist() == [0.0, 0.0]
    assert p.grad.requires_grad is t.grad.requires_grad is False


# use of optimizers


def test_setup_returns_the_optimizer_and_takes_layers_and_iterables():
    model = MLP((2, 1))
    optimizer = optimizers.SGD(0.5)
    assert optimizer.setup(model) is optimizer
    model(np.ones((1, 3), np.float32)).sum().backward()
    before = [p.data.copy() for p in model.params()]
    grads = [p.grad.data for p in model.params()]
    optimizer.update()
    for p, old, g in zip(model.params(), before, grads, strict=True):
        assert_close(p, old - np.float32(0.5) * g)
    v = leaf([1.0])
    optimizers.SGD(1.0).setup(iter([v])).update()  # no gradient yet
    assert v.data.tolist() == [1.0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_parameter_has_its_own_state_and_each_optimizer_too(name):
    def run(arrays, together):
        ps = [Parameter(a.copy()) for a in arrays]
        groups = [ps] if together else [[p] for p in ps]
        makers = [OPTIMIZERS[name][0]().setup(group) for group in groups]
        for i in range(4):
            for j, p in enumerate(ps):
                p.grad = integers(p.shape, start=i + j)
            for maker in makers:
                maker.update()
        return ps

    arrays = [values((2,)), values((3,), start=9)]
    for a, b in zip(run(arrays, True), run(arrays, False), strict=True):
        assert_bits(a, b)


def test_hooks_of_an_optimizer_get_the_parameters_that_have_a_gradient():
    p, q = Parameter(np.array([1.0])), Parameter(np.array([2.0]))
    optimizer = optimizers.SGD(0.1).setup([p, q])
    seen = []

    def decay(params):
        seen.append(list(params))
        for param in params:
            param.grad.data += 10 * param.data

    optimizer.add_hook(decay)
    (p * 3).sum().backward()
    optimizer.update()
    assert len(seen) == 1
    assert seen[0][0] is p
    assert len(seen[0]) == 1
    assert_close(p, np.array([1 - 0.1 * 13.0]))
    assert q.data.tolist() == [2.0]


def test_an_optimizer_without_a_rule_says_so():
    p = Parameter(np.array([1.0]))
    p.grad = np.array([1.0])
    with pytest.raises(NotImplementedError, match=r"Mine\.update_one"):
        type("Mine", (optimizers.Optimizer,), {})().setup([p]).update()
