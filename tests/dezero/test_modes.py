"""Modes: no_grad, enable_grad and using_config."""

import numpy as np
import pytest

import dezero.functions as F
from dezero import Config, Variable, enable_grad, no_grad, using_config
from tests.helpers.dezero import leaf


@pytest.fixture(autouse=True)
def modes_are_as_before():
    assert Config.enable_backprop is True
    assert Config.train is True
    yield
    assert Config.enable_backprop is True
    assert Config.train is True


def records():
    """Whether a computation is recorded now, from what it leaves behind."""
    x = leaf(2.0)
    y = F.square(x)
    recorded = y.requires_grad
    assert y.is_leaf is not recorded
    assert (y.creator is None) is not recorded
    assert x.requires_grad
    if recorded:
        y.backward()
        assert x.grad.data == 4
    else:
        with pytest.raises(RuntimeError, match="does not require grad"):
            y.backward()
    return recorded


def test_no_grad_holds_in_its_block_only():
    assert records()
    with no_grad():
        assert not records()
    assert records()


def test_no_grad_nests():
    with no_grad():
        with no_grad():
            assert not records()
        assert not records()
    assert records()


def test_enable_grad_inside_no_grad_and_back():
    with no_grad():
        with enable_grad():
            assert records()
            with no_grad():
                assert not records()
            assert records()
        assert not records()
    assert records()


def test_the_mode_is_restored_after_an_exception():
    with pytest.raises(KeyError, match="inside"), no_grad():
        raise KeyError("inside")
    assert records()
    with no_grad():
        with pytest.raises(KeyError), enable_grad():
            raise KeyError
        assert not records()


def test_the_same_object_can_be_entered_again_while_it_is_active():
    mode = no_grad()
    with mode:
        with mode:
            assert not records()
        assert not records()
    assert records()  # PyTorch leaves gradients switched off here
    with mode:
        with enable_grad():
            with mode:
                assert not records()
            assert records()
        assert not records()
    assert records()


@pytest.mark.parametrize("decorate", [no_grad, no_grad(), lambda f: no_grad()(f)])
def test_no_grad_as_decorator(decorate):
    @decorate
    def function(x, *, fail=False):
        """What it does."""
        if fail:
            raise KeyError
        return records(), x

    assert function.__name__ == "function"
    assert function.__doc__ == "What it does."
    assert function(3) == (False, 3)
    assert records()
    with pytest.raises(KeyError):
        function(3, fail=True)
    assert records()


@pytest.mark.parametrize("decorate", [enable_grad, enable_grad()])
def test_enable_grad_as_decorator(decorate):
    @decorate
    def function():
        return records()

    with no_grad():
        assert function()
        assert not records()


def test_a_decorated_function_may_call_itself():
    @no_grad
    def function(depth):
        inner = function(depth - 1) if depth else []
        return [*inner, records()]

    assert function(3) == [False] * 4
    assert records()


def test_a_decorated_method_gets_its_object():
    class Model:
        @no_grad()
        def predict(self, x):
            return self, (x * 2).requires_grad

    model = Model()
    assert model.predict(leaf(1.0)) == (model, False)


@pytest.mark.parametrize("decorate", [no_grad, no_grad()])
def test_a_decorated_generator_is_without_grad_only_while_it_runs(decorate):
    @decorate
    def generator():
        received = yield records()
        yield received, records()
        return "done"

    def whole():
        result.append((yield from generator()))

    result = []
    g = whole()
    assert next(g) is False
    assert records()
    assert g.send("sent") == ("sent", False)
    assert records()
    assert list(g) == []
    assert result == ["done"]
    assert records()


def test_a_decorated_generator_gets_exceptions_and_is_closed():
    @no_grad
    def generator():
        try:
            while True:
                try:
                    yield "next"
                except KeyError:
                    yield "caught", records()
        finally:
            closed.append(records())

    closed = []
    g = generator()
    assert next(g) == "next"
    assert g.throw(KeyError()) == ("caught", False)
    assert records()
    with pytest.raises(ZeroDivisionError):
        g.throw(ZeroDivisionError())
    assert closed == [False]
    assert records()
    g = generator()
    next(g)
    g.close()
    assert closed == [False, False]
    assert records()


def test_a_decorated_generator_does_not_change_the_mode_of_its_consumer():
    @enable_grad
    def generator():
        yield records()
        yield records()

    with no_grad():
        for inside in generator():
            assert inside
            assert not records()


def test_leaves_made_under_no_grad_require_a_gradient_later():
    with no_grad():
        x = Variable(np.array(3.0))
    assert x.requires_grad
    F.square(x).backward()
    assert x.grad.data == 6


def test_results_made_under_no_grad_stay_constants():
    x = leaf(3.0)
    with no_grad():
        y = x * 2
    (x * y).backward()
    assert x.grad.data == 6
    assert y.grad is None


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + x,
        lambda x: 2 / x,
        F.exp,
        F.relu,
        F.sum,
        F.mean,
        lambda x: x.reshape(2, 1),
        lambda x: x.T,
        lambda x: x[0],
        lambda x: x[[0, 1]],
        lambda x: F.broadcast_to(x, (3, 2)),
        lambda x: F.sum_to(x, (1,)),
        lambda x: F.concat([x, x]),
        lambda x: F.split(x, 2)[1],
        lambda x: F.matmul(x, x),
        lambda x: F.maximum(x, 0.5),
        lambda x: F.cast(x, np.float32),
    ],
)
def test_no_function_records_under_no_grad(function):
    x = leaf([1.0, 2.0])
    assert function(x).requires_grad
    with no_grad():
        y = function(x)
    assert not y.requires_grad
    assert y.is_leaf
    assert y.creator is None


@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_works_under_no_grad(create_graph):
    x = leaf(2.0)
    y = x * x * x
    with no_grad():
        y.backward(create_graph=create_graph)
        assert not records()
    assert x.grad.data == 12
    assert x.grad.requires_grad is create_graph
    if create_graph:
        grad = x.grad
        x.cleargrad()
        grad.backward()
        assert x.grad.data == 12


@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_leaves_the_mode_as_it_was(create_graph):
    for mode in (no_grad, enable_grad):
        y = F.square(leaf(2.0))
        with mode():
            before = Config.enable_backprop
            y.backward(create_graph=create_graph)
            assert Config.enable_backprop is before


def test_a_plain_pass_records_nothing():
    x = leaf(2.0)
    (x * x).backward()
    assert not x.grad.requires_grad
    assert x.grad.creator is None


# using_config


def test_using_config_switches_recording():
    with using_config("enable_backprop", False):
        assert not records()
        with using_config("enable_backprop", True):
            assert records()
        assert not records()
    assert records()


@pytest.mark.parametrize("name", ["enable_backprop", "train"])
def test_using_config_is_restored_after_an_exception(name):
    def fail():
        seen.append(getattr(Config, name))
        raise KeyError

    seen = []
    with pytest.raises(KeyError), using_config(name, False):
        fail()
    assert seen == [False]
    assert getattr(Config, name) is True


def test_using_config_refuses_a_name_that_config_does_not_have():
    with pytest.raises(AttributeError), using_config("enable_backprob", False):
        pass
    assert not hasattr(Config, "enable_backprob")


def test_config_can_be_set_as_in_the_book():
    Config.enable_backprop = False
    try:
        assert not records()
    finally:
        Config.enable_backprop = True
    assert records()
