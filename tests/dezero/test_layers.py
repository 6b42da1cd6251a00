"""Parameters, layers and models: what they register, what they compute, how they train."""

import numpy as np
import pytest
import torch

import dezero.functions as F
import dezero.layers as L
from dezero import Layer, Model, Parameter, Variable, optimizers
from dezero.models import MLP
from tests.dezero.test_optimizers import CLEARINGS, OPTIMIZERS
from tests.helpers.dezero import assert_bits, assert_close, leaf, tensor, values


def test_a_parameter_is_a_leaf_with_a_name():
    p = Parameter(np.array([1.0, 2.0]), name="w")
    assert isinstance(p, Variable)
    assert p.is_leaf
    assert p.requires_grad
    assert p.name == "w"
    (p * p).backward()
    assert p.grad.data.tolist() == [2.0, 4.0]
    assert type(p * 1) is Variable


def test_a_parameter_may_get_its_data_later():
    p = Parameter(None, name="w")
    assert p.data is None
    assert p.grad is None
    p.cleargrad()
    p.data = np.array([3.0])
    (p * p).backward()
    assert p.grad.data.tolist() == [6.0]


def test_layers_register_parameters_and_layers_in_a_fixed_order():
    class Block(Layer):
        def __init__(self):
            super().__init__()
            self.w = Parameter(np.array([1.0]), "w")
            self.a = Parameter(np.array([2.0]), "a")
            self.other = leaf([3.0])

    class Net(Layer):
        def __init__(self):
            super().__init__()
            self.second = Block()
            self.first = Block()
            self.p = Parameter(np.array([4.0]), "p")
            self.size = 3

        def forward(self, x):
            return sum((x * p for p in self.params()), x)

    net = Net()
    expected = [net.first.a, net.first.w, net.p, net.second.a, net.second.w]
    assert [id(p) for p in net.params()] == [id(p) for p in expected]
    net.p = replaced = Parameter(np.array([5.0]), "p")
    assert sum(p is replaced for p in net.params()) == 1
    net(np.array([1.0])).backward()
    assert all(p.grad is not None for p in net.params())
    net.cleargrads()
    assert all(p.grad is None for p in net.params())
    assert net.first.other.grad is None


def test_a_parameter_of_two_layers_is_updated_once():
    shared = Parameter(np.array([1.0]))
    outer, inner = Layer(), Layer()
    outer.a, outer.b, outer.inner, inner.c = shared, shared, inner, shared
    assert [id(p) for p in outer.params()] == [id(shared)]
    shared.grad = np.array([1.0])
    optimizers.SGD(0.25).setup(outer).update()
    assert shared.data.tolist() == [0.75]


def test_an_attribute_that_is_no_longer_a_parameter_is_left_out():
    layer = Layer()
    layer.a, layer.b = Parameter(np.ones(1)), Parameter(np.ones(2))
    layer.a = None
    assert [id(p) for p in layer.params()] == [id(layer.b)]
    layer.cleargrads()
    del layer.b
    assert list(layer.params()) == []


@pytest.mark.parametrize("name", ["momentum", "Adam"])
def test_a_replaced_parameter_starts_afresh(name):
    layer = Layer()
    optimizer = OPTIMIZERS[name][0]().setup(layer)
    for size in (2, 3, 2, 4):  # memory of the one before is likely used again
        layer.p = None
        layer.p = Parameter(np.zeros(size))
        layer.p.grad = np.ones(size)
        optimizer.update()
        expected = tensor(np.zeros(size))
        expected.grad = torch.ones(size, dtype=torch.float64)
        OPTIMIZERS[name][1]([expected]).step()
        assert_close(layer.p, expected)


def test_a_layer_without_forward_says_so():
    with pytest.raises(NotImplementedError, match=r"Layer\.forward"):
        Layer()(np.ones(1))


@pytest.mark.parametrize("nobias", [False, True])
@pytest.mark.parametrize("in_size", [None, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_linear_finds_its_input_size(dtype, in_size, nobias):
    layer = L.Linear(4, nobias=nobias, dtype=dtype, in_size=in_size)
    assert (layer.W.data is None) is (in_size is None)
    x = values((5, 3), dtype)
    y = layer(x)
    assert layer.in_size == 3
    assert (layer.W.shape, layer.W.dtype) == ((3, 4), dtype)
    assert len(list(layer.params())) == (1 if nobias else 2)
    w = layer.W.data
    assert_close(y, x @ w if nobias else x @ w + layer.b.data)
    assert y.dtype == dtype
    layer(x)
    assert layer.W.data is w
    y.sum().backward()
    assert_close(layer.W.grad, x.T @ np.ones((5, 4), dtype))
    if not nobias:
        assert layer.b.data.tolist() == [0] * 4
        assert_bits(layer.b.grad, np.full(4, 5, dtype))


def test_linear_draws_its_weights_with_variance_1_over_in_size():
    np.random.seed(1)
    w = L.Linear(200, in_size=50, dtype=np.float64).W.data
    assert abs(w.std() * np.sqrt(50) - 1) < 0.05
    assert abs(w.mean()) < 0.01


@pytest.mark.parametrize("clear", ["cleargrads", "zeros", "none", "forgotten"])
@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam"])
def test_a_perceptron_of_layers_trains_as_pytorchs(name, clear):
    model = MLP((5, 4, 2), activation=F.relu)
    x, t = values((6, 3), start=3), np.array([0, 1, 1, 0, 1, 0])
    model(x.astype(np.float32))  # shapes become known
    for i, p in enumerate(model.params()):
        p.data = values(p.shape, start=11 * i + 1) / 2
    linears = [torch.nn.Linear(*layer.W.shape).double() for layer in model.layers]
    for mine, theirs in zip(model.layers, linears, strict=True):
        theirs.weight.data = torch.from_numpy(mine.W.data.T.copy())
        theirs.bias.data = torch.from_numpy(mine.b.data.copy())
    relu = torch.nn.ReLU()
    theirs = torch.nn.Sequential(linears[0], relu, linears[1], relu, linears[2])
    make, torch_make = OPTIMIZERS[name]
    optimizer, other = make().setup(model), torch_make(theirs.parameters())
    for _ in range(8):
        if clear == "cleargrads":
            model.cleargrads()
            other.zero_grad()
        else:
            CLEARINGS[clear](optimizer)
            CLEARINGS[clear](other)
        loss = F.softmax_cross_entropy(model(x), t)
        expected = torch.nn.functional.cross_entropy(
            theirs(torch.from_numpy(x)), torch.from_numpy(t)
        )
        assert_close(loss, expected, 1e-11)
        loss.backward()
        expected.backward()
        optimizer.update()
        other.step()
    for mine, linear in zip(model.layers, linears, strict=True):
        assert_close(mine.W, linear.weight.T, 1e-10)
        assert_close(mine.b, linear.bias, 1e-10)


def test_a_model_of_layers_learns():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.hidden = L.Linear(8, dtype=np.float64, in_size=1)
            self.out = L.Linear(1, dtype=np.float64, in_size=8)
            for i, p in enumerate(self.params()):
                p.data = values(p.shape, start=5 * i)

        def forward(self, x):
            return self.out(F.tanh(self.hidden(x)))

    model = Net()
    optimizer = optimizers.Adam(0.05).setup(model)
    x = np.linspace(-1, 1, 20)[:, np.newaxis]
    losses = []
    for _ in range(200):
        loss = F.mean_squared_error(model(x), x * x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.02 < losses[0]
