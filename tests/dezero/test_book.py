"""The names and idioms of the book's steps 23 to 47, in short programs."""

import math

import numpy as np
import pytest

import dezero.functions as F
import dezero.layers as L
from dezero import Function, Model, Variable, as_variable, no_grad, optimizers, using_config
from dezero.models import MLP
from dezero.utils import get_dot_graph, plot_dot_graph
from tests.helpers.dezero import assert_close, tensor


@pytest.fixture(autouse=True)
def own_folder_without_graphviz(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))


def test_operators_mix_variables_numbers_and_arrays():
    x = Variable(np.array(1.0))
    y = (x + 3) ** 2
    y.backward()
    assert str(y) == "16.0"
    assert repr(x.grad) == "variable(8.0)"
    a = Variable(np.array([1.0, 2.0]))
    for found in (a + np.ones(2), np.ones(2) + a, 1.0 + a, a + 1):
        assert isinstance(found, Variable)
        assert found.data.tolist() == [2.0, 3.0]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, y: x**2 + y**2, (2.0, 2.0)),
        (lambda x, y: 0.26 * (x**2 + y**2) - 0.48 * x * y, (0.04, 0.04)),
        (lambda x, y: (1 + (2 * x - 3 * y) ** 2) * (30 - 14 * x + 6 * x * y), (-104.0, 144.0)),
    ],
)
def test_functions_of_two_variables(function, expected):
    x, y = Variable(np.array(1.0)), Variable(np.array(1.0))
    function(x, y).backward()
    t, u = tensor(np.array(1.0)), tensor(np.array(1.0))
    function(t, u).backward()
    assert_close(x.grad, t.grad)
    assert_close(y.grad, u.grad)
    assert (x.grad.item(), y.grad.item()) == pytest.approx(expected)


def test_names_in_drawings(tmp_path):
    x0, x1 = Variable(np.array(1.0)), Variable(np.array(1.0))
    y = (x0 + x1) ** 2
    y.backward()
    x0.name, x1.name, y.name = "x0", "x1", "y"
    plot_dot_graph(y, verbose=False)
    plot_dot_graph(y, verbose=False, to_file="square.png")
    text = get_dot_graph(y, verbose=False)
    for name in ("x0", "x1", "y", "Add", "Pow"):
        assert f'label="{name}"' in text
    assert (tmp_path / "graph.dot").read_text() == text
    assert (tmp_path / "square.dot").read_text() == text


def test_a_function_of_ones_own_with_its_inputs():
    class MySin(Function):
        def forward(self, x):
            return np.sin(x)

        def backward(self, gy):
            return gy * np.cos(self.inputs[0].data)

    x = Variable(np.array(np.pi / 4))
    y = MySin()(x)
    y.backward()
    assert y.data == np.sin(np.pi / 4)
    assert x.grad.data == np.cos(np.pi / 4)


def test_a_function_of_ones_own_with_its_output_twice_differentiable():
    class MyTanh(Function):
        def forward(self, x):
            return np.tanh(x)

        def backward(self, gy):
            y = self.outputs[0]()
            return gy * (1 - y * y)

    x = Variable(np.array(0.5))
    y = MyTanh()(x)
    y.backward(create_graph=True)
    gx, t = x.grad, np.tanh(0.5)
    x.cleargrad()
    gx.backward()
    assert_close(gx, np.array(1 - t**2))
    assert_close(x.grad, np.array(-2 * t * (1 - t**2)))


@pytest.mark.parametrize("threshold", [1e-4, 1e-150])
def test_a_series_until_a_term_is_small(threshold):
    x = Variable(np.array(np.pi / 4))
    y = 0
    for i in range(200):
        term = (-1) ** i / math.factorial(2 * i + 1) * x ** (2 * i + 1)
        y = y + term
        if abs(term.data) < threshold:
            break
    y.backward()
    tolerance = max(threshold, 1e-14)
    assert abs(y.data - math.sqrt(0.5)) < tolerance
    assert abs(x.grad.data - math.sqrt(0.5)) < tolerance


# optimization by hand


def test_gradient_descent_subtracts_a_variable_from_an_array():
    x0, x1 = Variable(np.array(0.0)), Variable(np.array(2.0))
    for _ in range(50):
        y = 100 * (x1 - x0**2) ** 2 + (x0 - 1) ** 2
        x0.cleargrad()
        x1.cleargrad()
        y.backward()
        x0.data -= 0.001 * x0.grad
        x1.data -= 0.001 * x1.grad
    assert type(x0.data) is np.ndarray
    assert type(x1.data) is np.ndarray
    a, b = 0.0, 2.0
    for _ in range(50):
        ga, gb = -400 * a * (b - a * a) + 2 * (a - 1), 200 * (b - a * a)
        a, b = a - 0.001 * ga, b - 0.001 * gb
    assert (x0.item(), x1.item()) == pytest.approx((a, b))


@pytest.mark.parametrize("shape", [(), (3,), (2, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_augmented_assignment_of_a_variable_to_data(dtype, shape):
    x = Variable(np.full(shape, 2.0, dtype))
    (x * x).backward()
    x.data -= x.grad / 4
    assert type(x.data) is np.ndarray
    assert_close(x, np.full(shape, 1.0, dtype))
    x.data += 0.5 * x.grad
    assert_close(x, np.full(shape, 3.0, dtype))


def test_newtons_method_with_a_formula_for_the_second_derivative():
    x = Variable(np.array(2.0))
    for _ in range(10):
        y = x**4 - 2 * x**2
        x.cleargrad()
        y.backward()
        x.data -= x.grad / (12 * x.data**2 - 4)
    assert abs(x.item() - 1) < 1e-12


def test_newtons_method_with_automatic_second_derivatives():
    x = Variable(np.array(2.0))
    seen = []
    for _ in range(10):
        y = x**4 - 2 * x**2
        x.cleargrad()
        y.backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        gx.backward()
        gx2 = x.grad
        x.data -= gx.data / gx2.data
        seen.append(x.item())
    assert seen[0] == pytest.approx(2 - 24 / 44)
    assert seen[-1] == 1.0


def test_derivatives_of_sin_repeat_after_four():
    x = Variable(np.linspace(-7, 7, 20))
    y = F.sin(x)
    y.backward(create_graph=True)
    for expected in (np.cos(x.data), -np.sin(x.data), -np.cos(x.data), np.sin(x.data)):
        gx = x.grad
        assert_close(gx.data.flatten(), expected)
        x.cleargrad()
        gx.backward(create_graph=True)


def test_a_gradient_of_higher_order_is_named_and_drawn(tmp_path):
    x = Variable(np.array(1.0))
    y = F.tanh(x)
    x.name, y.name = "x", "y"
    y.backward(create_graph=True)
    for _ in range(2):
        gx = x.grad
        x.cleargrad()
        gx.backward(create_graph=True)
    gx = x.grad
    gx.name = "gx" + str(3)
    plot_dot_graph(gx, verbose=False, to_file="tanh.png")
    assert 'label="gx3"' in (tmp_path / "tanh.dot").read_text()
    t = np.tanh(1.0)
    assert_close(gx, np.array((1 - t * t) * (6 * t * t - 2)))


def test_a_gradient_is_part_of_a_further_computation():
    x = Variable(np.array(2.0))
    y = x**2
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    z = gx**3 + y
    z.backward()
    assert x.grad.item() == 100.0


# arrays


def test_whole_numbers_and_kept_gradients():
    x = Variable(np.array([[1, 2, 3], [4, 5, 6]]))
    c = Variable(np.array([[10, 20, 30], [40, 50, 60]]))
    t = x + c
    y = F.sum(t)
    y.backward(retain_grad=True)
    assert y.grad.item() == 1
    for v in (t, x, c):
        assert v.grad.data.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_shapes_of_values_and_gradients():
    x = Variable(np.array([[0, 1, 2], [3, 4, 5]]))
    for y in (F.reshape(x, (6,)), x.reshape(6), x.reshape((3, 2)), F.transpose(x), x.T, F.sum(x)):
        x.cleargrad()
        y.backward(retain_grad=True)
        assert y.grad.shape == y.shape
        assert x.grad.data.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert x.sum(axis=0).data.tolist() == [3, 5, 7]
    assert Variable(np.ones((2, 3, 4, 5))).sum(keepdims=True).shape == (1, 1, 1, 1)
    assert (len(x), x.ndim, x.size, x.dtype) == (2, 2, 6, np.array([1]).dtype)


def test_broadcasting_sums_the_gradient():
    x0, x1 = Variable(np.array([1, 2, 3])), Variable(np.array([10]))
    y = x0 + x1
    y.backward()
    assert y.data.tolist() == [11, 12, 13]
    assert x1.grad.data.tolist() == [3]


def test_matrix_products():
    x, w = Variable(np.ones((2, 3))), Variable(np.ones((3, 4)))
    for y in (F.matmul(x, w), x @ w):
        y.backward()
    assert x.grad.data.tolist() == [[8.0] * 3] * 2
    assert w.grad.data.tolist() == [[4.0] * 4] * 3


# networks

rng = np.random.RandomState(0)
INPUTS = rng.rand(50, 1)
TARGETS = np.sin(2 * np.pi * INPUTS) + 0.1 * rng.rand(50, 1)


def test_linear_regression_by_hand():
    x, y = Variable(INPUTS), Variable(5 + 2 * INPUTS)
    W, b = Variable(np.zeros((1, 1))), Variable(np.zeros(1))
    for _ in range(300):
        diff = y - (F.matmul(x, W) + b)
        loss = F.sum(diff**2) / diff.size
        W.cleargrad()
        b.cleargrad()
        loss.backward()
        W.data -= 0.5 * W.grad.data
        b.data -= 0.5 * b.grad.data
    assert abs(W.item() - 2) < 0.01
    assert abs(b.item() - 5) < 0.01
    assert loss.item() < 1e-4
    assert x.grad is not None  # a Variable that nobody cleared


def trained(predict, params, clear, update, x=INPUTS, y=TARGETS):
    """The losses of 60 steps of training."""
    losses = []
    for _ in range(60):
        loss = F.mean_squared_error(y, predict(x))
        clear()
        loss.backward()
        update(params())
        losses.append(float(loss.data))
    return losses


def descend(params):
    for p in params:
        p.data -= 0.2 * p.grad.data


def test_one_network_in_five_ways_gives_the_same_losses():
    weights = [0.3 * rng.randn(1, 10), np.zeros(10), 0.3 * rng.randn(10, 1), np.zeros(1)]

    def by_hand():
        W1, b1, W2, b2 = vs = [Variable(w.copy()) for w in weights]

        def predict(x):
            return F.linear(F.sigmoid(F.linear(x, W1, b1)), W2, b2)

        return trained(predict, lambda: vs, lambda: [v.cleargrad() for v in vs], descend)

    def filled(l1, l2):
        l1.W.data, l1.b.data, l2.W.data, l2.b.data = (w.copy() for w in weights)

    def by_layers():
        l1, l2 = L.Linear(10), L.Linear(1)
        filled(l1, l2)

        def clear():
            l1.cleargrads()
            l2.cleargrads()

        return trained(
            lambda x: l2(F.sigmoid(l1(x))),
            lambda: [p for layer in (l1, l2) for p in layer.params()],
            clear,
            descend,
        )

    class TwoLayerNet(Model):
        def __init__(self, hidden_size, out_size):
            super().__init__()
            self.l1 = L.Linear(hidden_size)
            self.l2 = L.Linear(out_size)

        def forward(self, x):
            return self.l2(F.sigmoid(self.l1(x)))

    def by_model():
        model = TwoLayerNet(10, 1)
        filled(model.l1, model.l2)
        return trained(model, model.params, model.cleargrads, descend)

    def by_optimizer(variables):
        model = MLP((10, 1))
        filled(*model.layers)
        optimizer = optimizers.SGD(0.2).setup(model)
        x, y = (Variable(INPUTS), Variable(TARGETS)) if variables else (INPUTS, TARGETS)
        return trained(model, list, model.cleargrads, lambda _: optimizer.update(), x, y)

    losses = by_hand()
    assert losses[-1] < losses[0]
    assert by_layers() == by_model() == by_optimizer(False) == by_optimizer(True) == losses


def test_softmax_and_cross_entropy_of_a_perceptron():
    model = MLP((10, 3))
    y = model(Variable(np.array([[0.2, -0.4]])))
    e = F.exp(as_variable(y))
    p = e / F.sum(e)
    assert_close(p, F.softmax(y), 1e-6)
    x = np.array([[0.2, -0.4], [0.3, 0.5], [1.3, -3.2], [2.1, 0.3]])
    t = np.array([2, 0, 1, 0])
    y = model(x)
    p = F.softmax(y)
    assert p.shape == (4, 3)
    loss = F.softmax_cross_entropy(y, t)
    loss.backward()
    assert_close(loss, -np.log(p.data[np.arange(4), t]).mean(), 1e-6)
    assert all(p.grad is not None for p in model.params())


def test_the_simple_softmax_and_cross_entropy_have_names_of_their_own():
    y = Variable(np.array([[0.2, -0.4, 1.0], [0.3, 0.5, -2.0]]))
    assert_close(F.softmax_simple(y), F.softmax(y))
    loss = F.softmax_cross_entropy_simple(y, np.array([2, 0]))
    assert_close(loss, F.softmax_cross_entropy(y, np.array([2, 0])))
    loss.backward()
    simple, y.grad = y.grad, None
    F.softmax_cross_entropy(y, np.array([2, 0])).backward()
    assert_close(simple, y.grad)


def test_modes_of_the_book():
    x = Variable(np.array(2.0))
    for mode in (no_grad(), using_config("enable_backprop", False)):
        with mode:
            assert (x * x).creator is None
    assert type((x * x).creator).__name__ == "Mul"
