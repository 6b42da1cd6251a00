"""Memory: freed by reference counts alone, with the garbage collector off."""

import gc
import weakref

import numpy as np
import pytest

import dezero.functions as F
from dezero import Function, Variable, no_grad
from dezero.graph import Leaf, Node
from tests.helpers.dezero import leaf


class Product(Function):
    def forward(self, a, b):
        return a * b

    def backward(self, gy):
        a, b = self.inputs
        return gy * b, gy * a


class Halves(Function):
    """Several outputs, and a formula that uses them."""

    def forward(self, x):
        return x / 2, x / 2

    def backward(self, g1, g2):
        first, second = (output() for output in self.outputs)
        return (g1 + g2) * (first + second) / (2 * self.inputs[0])


@pytest.fixture(autouse=True)
def no_collector():
    gc.freeze()  # what exists already is not looked at by gc.get_objects
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def count():
    """How many Variables, functions and other nodes there are, apart from those of other tests."""
    return sum(issubclass(type(o), (Variable, Node, Leaf)) for o in gc.get_objects())


def network(x, w):
    """Most functions, each in a graph with reuse."""
    h = F.tanh(x @ w + w[0]) * F.sigmoid(x @ w.T)
    h = F.concat([F.relu(h), F.absolute(h), F.maximum(h, 0.1)], axis=1)
    a, b, c = F.split(h, 3, axis=1)
    h = F.exp(a) / (2 + F.cos(b)) - F.square(F.sin(c)) + F.log(1 + F.square(a)) ** 2
    u, v = Halves()(F.reshape(F.transpose(h), (-1,)))
    y = Product()(u, v) + F.broadcast_to(F.mean(h), u.shape)
    return F.sum(F.sum_to(y[::2] - y[[0] * 3], (1,))) / 3 - F.cast(F.neg(u), np.float64)[0]


@pytest.fixture
def leaves():
    rng = np.random.default_rng(0)
    return [Variable(rng.normal(size=shape)) for shape in [(2, 3), (3, 3)]]


@pytest.mark.parametrize("retain_graph", [False, True])
@pytest.mark.parametrize("retain_grad", [False, True])
@pytest.mark.parametrize("passes", [0, 1, 2])
def test_dropping_the_result_frees_the_graph(leaves, passes, retain_grad, retain_graph):
    before = count()
    for _ in range(2):
        y = network(*leaves)
        for i in range(passes):
            y.backward(retain_grad=retain_grad, retain_graph=retain_graph or i < passes - 1)
        del y
        for x in leaves:
            x.cleargrad()
    assert count() == before


def test_dropping_all_frees_everything(leaves):
    before = count()
    x, w = (Variable(v.data.copy()) for v in leaves)
    y = network(x, w)
    y.backward()
    refs = [weakref.ref(o) for o in (x, w, y, x.grad, w.grad, x.data, w.data)]
    assert all(ref() is not None for ref in refs)
    del x, w, y
    assert [ref() for ref in refs] == [None] * 7
    assert count() == before


def test_recorded_gradients_make_no_cycle(leaves):
    # PyTorch warns of one here: a leaf, its gradient, and the graph of the gradient.
    before = count()
    x, w = (Variable(v.data.copy()) for v in leaves)
    y = network(x, w)
    y.backward(create_graph=True)
    penalty = F.sum(F.square(x.grad)) + F.sum(w.grad * w)
    penalty.backward(create_graph=True)
    F.sum(x.grad).backward()
    refs = [weakref.ref(o) for o in (x, w, y, penalty, x.grad, w.grad)]
    del x, w, y, penalty
    assert [ref() for ref in refs] == [None] * 6
    assert count() == before


@pytest.mark.parametrize(
    "function",
    [lambda a, b: Product()(a, b), F.mul, F.div, F.add, F.maximum, F.matmul],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_each_function_of_one_leaf_twice(function, create_graph):
    before = count()
    x = leaf([1.0, 2.0])
    function(x, x).backward(create_graph=create_graph)
    ref, grad = weakref.ref(x), weakref.ref(x.grad)
    del x
    assert ref() is None
    assert grad() is None
    assert count() == before


def test_a_training_loop_does_not_grow(leaves):
    x, w = leaves
    counts = []
    for _ in range(6):
        w.cleargrad()
        loss = network(x, w)
        loss.backward(create_graph=True)
        norm = F.sum(F.square(w.grad))
        w.cleargrad()
        x.cleargrad()
        norm.backward()
        with no_grad():
            w.data -= 0.01 * w.grad.data
        del loss, norm
        counts.append(count())
    assert len(set(counts)) == 1


def test_states_that_are_unchained_do_not_grow():
    w, h = leaf(0.5), leaf(1.0)
    counts = []
    for _ in range(6):
        for _ in range(5):
            h = F.tanh(h * w)
        h.backward()
        h.unchain_backward()
        counts.append(count())
    assert len(set(counts[1:])) == 1


def test_an_error_in_a_pass_leaves_nothing_behind():
    class Fails(Function):
        def forward(self, x):
            return x * 2

        def backward(self, gy):
            raise KeyError

    x = leaf([1.0, 2.0])
    before = count()
    for _ in range(3):
        y = Fails()(x * 2) * x
        with pytest.raises(KeyError):
            y.backward()
        del y
    assert count() == before


def saved_array(make):
    """A weak reference to an array that only the graph of the result holds, and the result."""
    x = leaf(np.ones(5))
    h = x * 2
    reference = weakref.ref(h.data)
    y = make(h)
    return reference, y, x


@pytest.mark.parametrize(
    "make",
    [
        F.square,
        lambda h: h * h,
        lambda h: Product()(h, h),
        lambda h: F.sin(h) + 1,
        lambda h: F.matmul(h, h),
    ],
)
def test_a_pass_releases_what_was_saved_while_the_result_lives(make):
    reference, y, _x = saved_array(make)
    assert reference() is not None
    y.backward(retain_graph=True)
    assert reference() is not None
    y.backward()
    assert reference() is None
    assert y.requires_grad


@pytest.mark.parametrize(
    "make",
    [
        lambda h: h + 1,
        lambda h: 1 - h,
        lambda h: h * 3,
        lambda h: h / 3,
        lambda h: 1 / h,
        F.neg,
        F.exp,
        F.tanh,
        F.relu,
        F.sum,
        lambda h: h[[0, 1]],
        lambda h: F.concat([h, h]),
        lambda h: F.cast(h, np.float32),
    ],
)
def test_an_array_that_no_backward_needs_is_freed_at_once(make):
    reference, y, x = saved_array(make)
    assert reference() is None
    y.backward()
    assert x.grad is not None


def test_without_recording_nothing_is_kept():
    with no_grad():
        reference, _y, _x = saved_array(F.square)
    assert reference() is None


def test_unchaining_releases_what_was_saved():
    reference, y, x = saved_array(F.square)
    y.unchain_backward()
    assert reference() is None
    assert x.requires_grad


def test_detach_does_not_hold_the_graph():
    reference, y, _x = saved_array(F.square)
    constant = y.detach()
    del y
    assert reference() is None
    assert constant.data.tolist() == [4.0] * 5


def test_a_leaf_dropped_before_the_pass_is_no_error():
    x, z = leaf(2.0), leaf(3.0)
    y = x * z
    reference = weakref.ref(x)
    del x
    assert reference() is None
    y.backward()
    assert z.grad.data == 2


def test_kept_gradients_are_freed_with_their_graph():
    x = leaf([1.0, 2.0])
    y = F.square(x)
    z = y * 3
    y.retain_grad()
    z.backward()
    reference = weakref.ref(y.grad)
    del z
    assert reference() is not None
    del y
    assert reference() is None


def test_clearing_frees_the_gradient():
    x = leaf([1.0, 2.0])
    F.square(x).backward()
    reference = weakref.ref(x.grad)
    x.cleargrad()
    assert reference() is None
