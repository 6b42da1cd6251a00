"""Hooks of leaves: the gradient of a pass before it is accumulated, the leaf afterwards."""

import numpy as np
import pytest
import torch

from dezero import Variable, grad
from tests.helpers.dezero import assert_bits, leaf, tensor

CREATE = pytest.mark.parametrize("create_graph", [False, True])


@CREATE
def test_a_hook_runs_once_a_pass_on_the_sum_before_it_is_accumulated(create_graph):
    x = leaf([1.0, 2.0])
    seen = []

    def hook(g):
        seen.append((g.data.tolist(), None if x.grad is None else x.grad.data.tolist()))

    x.register_hook(hook)
    for _ in range(2):
        (x * x + x * 3 + x).backward(create_graph=create_graph)
    assert seen == [([6.0, 8.0], None), ([6.0, 8.0], [6.0, 8.0])]
    assert x.grad.data.tolist() == [12.0, 16.0]


@CREATE
def test_hooks_are_chained_in_order_of_registration_and_none_keeps(create_graph):
    x, t = leaf(2.0), tensor(2.0)
    seen = []
    for v in (x, t):
        v.register_hook(lambda g: g + 1)
        v.register_hook(lambda g: seen.append(float(g)))
        v.register_hook(lambda g: g * 10)
        v.register_hook(lambda g: None)
    (x * x).backward(create_graph=create_graph)
    (t * t).backward()
    assert seen == [5.0, 5.0]
    assert_bits(x.grad, t.grad)
    assert x.grad.item() == 50.0


@CREATE
@pytest.mark.parametrize("wrap", [np.array, lambda a: Variable(np.array(a), requires_grad=False)])
def test_a_hook_may_return_a_variable_or_an_array(wrap, create_graph):
    x = leaf([1.0, 2.0])
    kept = wrap([7.0, 8.0])
    x.register_hook(lambda g: kept)
    for _ in range(2):
        (x * 2).backward(create_graph=create_graph)
    assert x.grad.data.tolist() == [14.0, 16.0]
    assert getattr(kept, "data", kept) is not x.grad.data
    array = kept if isinstance(kept, np.ndarray) else kept.data
    assert array.tolist() == [7.0, 8.0]
    assert not np.shares_memory(array, x.grad.data)


def test_a_hook_on_a_leaf_that_is_the_root():
    x = leaf(2.0)
    x.register_hook(lambda g: g * 5)
    x.backward()
    assert x.grad.item() == 5.0
    assert grad(x, x)[0].item() == 5.0


def test_hooks_of_a_leaf_that_is_not_reached_do_not_run():
    x, z = leaf(1.0), leaf(2.0)
    z.register_hook(lambda g: pytest.fail("not reached"))
    z.register_post_accumulate_grad_hook(lambda v: pytest.fail("not reached"))
    (x * x).backward()
    assert z.grad is None


@CREATE
@pytest.mark.parametrize("before", [None, 3.0])
def test_an_exception_in_a_hook_passes_through_and_no_gradient_changes(before, create_graph):
    x, z = leaf(1.0), leaf(2.0)
    after = []
    for v in (x, z):
        v.grad = None if before is None else np.array(before)
        v.register_post_accumulate_grad_hook(after.append)

    def hook(g):
        raise KeyError("from the hook")

    x.register_hook(hook)
    with pytest.raises(KeyError, match="from the hook"):
        (x * z).backward(create_graph=create_graph)
    for v in (x, z):
        assert (None if v.grad is None else v.grad.item()) == before
    assert not after
    with pytest.raises(KeyError, match="from the hook"):
        grad(x * z, [x], create_graph=create_graph)


@CREATE
def test_a_removed_hook_does_not_run_and_the_others_do(create_graph):
    x = leaf(1.0)
    handles = [x.register_hook(lambda g, n=n: g * n) for n in (2, 3, 5)]
    after = []
    handle = x.register_post_accumulate_grad_hook(after.append)
    handles[1].remove()
    handles[1].remove()  # a second time does nothing
    (x * 1).backward(create_graph=create_graph)
    assert x.grad.item() == 10.0
    handles[0].remove()
    handles[2].remove()
    handle.remove()
    x.cleargrad()
    (x * 1).backward(create_graph=create_graph)
    assert x.grad.item() == 1.0
    assert len(after) == 1


def test_a_handle_is_a_context_manager():
    x = leaf(1.0)
    with x.register_hook(lambda g: g * 2):
        x.backward()
    x.backward()
    assert x.grad.item() == 3.0


def test_a_hook_may_remove_itself():
    x = leaf(1.0)
    handles = []

    def once(g):
        handles[0].remove()
        return g * 2

    handles.append(x.register_hook(once))
    x.register_hook(lambda g: g + 1)
    x.backward()
    assert x.grad.item() == 3.0
    x.backward()
    assert x.grad.item() == 5.0


# after accumulation


@CREATE
def test_a_post_accumulate_hook_gets_the_leaf_with_its_new_gradient(create_graph):
    x = leaf(2.0)
    seen = []
    x.register_hook(lambda g: g * 10)
    x.register_post_accumulate_grad_hook(lambda v: seen.append((v is x, v.grad.item())))
    for _ in range(2):
        (x * 3).backward(create_graph=create_graph)
    assert seen == [(True, 30.0), (True, 60.0)]


def test_post_accumulate_hooks_run_in_order_and_may_clear_the_gradient():
    x = leaf(2.0)
    seen = []
    x.register_post_accumulate_grad_hook(lambda v: seen.append("first"))

    def step(v):
        v.data -= 0.5 * v.grad.data
        v.cleargrad()

    x.register_post_accumulate_grad_hook(step)
    x.register_post_accumulate_grad_hook(lambda v: seen.append(v.grad))
    (x * 3).backward()
    assert seen == ["first", None]
    assert x.data == 0.5
    assert x.grad is None


def test_post_accumulate_hooks_do_not_run_for_grad():
    x = leaf(2.0)
    x.register_post_accumulate_grad_hook(lambda v: pytest.fail("grad accumulates nothing"))
    assert grad(x * x, x)[0].item() == 4.0


# with grad, and higher orders


@CREATE
def test_hooks_change_what_grad_returns(create_graph):
    x, z = leaf(2.0), leaf(3.0)
    x.register_hook(lambda g: g * 10)
    found = grad(x * z, [x, z, x], create_graph=create_graph)
    assert [g.item() for g in found] == [30.0, 2.0, 30.0]
    assert x.grad is None


def test_what_a_hook_computes_under_create_graph_is_differentiated():
    def second(x, gradients):
        x.register_hook(lambda g: g * g)
        (g,) = gradients(x * x * x, x, create_graph=True)
        return g, *gradients(g, x)

    found, expected = second(leaf(2.0), grad), second(tensor(2.0), torch.autograd.grad)
    for f, e in zip(found, expected, strict=True):
        assert_bits(f, e)

    x = leaf(2.0)
    x.register_hook(lambda g: g * x)
    (x * x).backward(create_graph=True)  # 2 x * x
    assert x.grad.item() == 8.0
    g, x.grad = x.grad, None
    g.backward()  # 4 x, times x once more
    assert x.grad.item() == 16.0


def test_a_plain_pass_records_nothing_of_what_a_hook_computes():
    x, w = leaf(2.0), leaf(3.0)
    given = []
    x.register_hook(lambda g: given.append(g) or g * w)
    (x * x).backward()
    assert not given[0].requires_grad
    assert not x.grad.requires_grad
    assert x.grad.item() == 12.0


# in place


@CREATE
@pytest.mark.parametrize("function", [lambda x, z: x + z, lambda x, z: (x.reshape(2) + z) * 1])
def test_a_gradient_changed_in_place_by_a_hook_does_not_touch_its_siblings(function, create_graph):
    x, z = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    g = np.array([1.0, 10.0])

    def hook(given):
        array = given.data
        array *= 7

    x.register_hook(hook)
    function(x, z).backward(g, create_graph=create_graph)
    assert z.grad.data.tolist() == [1.0, 10.0]
    assert g.tolist() == [1.0, 10.0]
    (gz,) = grad(function(x, z), [z], g, create_graph=create_graph)
    assert_bits(gz, [1.0, 10.0])
    _, gz = grad(function(x, z), [x, z], g, create_graph=create_graph)
    assert_bits(gz, [1.0, 10.0])


@CREATE
def test_a_hook_that_returns_the_gradient_itself_shares_no_memory_with_the_leaf(create_graph):
    x = leaf([1.0, 2.0])
    held = []
    x.register_hook(lambda g: held.append(g) or g)
    (x * 2).backward(create_graph=create_graph)
    held[0].data.fill(99)
    assert x.grad.data.tolist() == [2.0, 2.0]


# errors


@CREATE
@pytest.mark.parametrize(
    ("result", "error", "match"),
    [
        (np.ones(3), RuntimeError, "hook '<lambda>' has changed the size of value"),
        (np.ones(()), RuntimeError, "hook '<lambda>' has changed the size of value"),
        (np.ones(2, np.float32), RuntimeError, "has changed the type of value .*float64.*float32"),
        (np.ones(2, int), RuntimeError, "has changed the type of value"),
        (2.0, TypeError, "expected Variable, but hook returned 'float'"),
        ("g", TypeError, "hook returned 'str'"),
        ([1.0, 1.0], TypeError, "hook returned 'list'"),
    ],
)
def test_what_a_hook_must_not_return(result, error, match, create_graph):
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: result)
    with pytest.raises(error, match=match):
        (x * x).backward(create_graph=create_graph)
    assert x.grad is None


@pytest.mark.parametrize("method", ["register_hook", "register_post_accumulate_grad_hook"])
def test_hooks_are_for_leaves_that_require_a_gradient(method):
    constant = Variable(np.ones(2), requires_grad=False)
    with pytest.raises(RuntimeError, match="cannot register a hook on a Variable that doesn't"):
        getattr(constant, method)(print)
    with pytest.raises(RuntimeError, match="for leaves"):
        getattr(leaf([1.0]) * 2, method)(print)
