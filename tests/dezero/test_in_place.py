"""Operations in place: values and gradients are those of PyTorch, and so is what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import dezero
from dezero import Variable

X, Y = np.array([[1.5, -2.0, 3.0], [0.5, 4.0, -1.0]]), np.array([2.0, -3.0, 0.25])
Change = Callable[[Any, Any], Any]


def _set(index: Any) -> Change:
    def change(a: Any, b: Any) -> None:
        a[index] = b

    return change


CHANGES: dict[str, Change] = {
    "add_": lambda a, b: a.add_(b),
    "sub_": lambda a, b: a.sub_(b),
    "mul_": lambda a, b: a.mul_(b),
    "mul_ by a number": lambda a, b: a.mul_(2.5),
    "add_ of a number": lambda a, b: a.add_(2.5),
    "relu_": lambda a, b: a.relu_(),
    "zero_": lambda a, b: a.zero_(),
    "copy_": lambda a, b: a.copy_(b),
    "an item": _set(1),
    "a slice": _set(slice(0, 1)),
    "a negative index": _set(-1),
}


def _pair() -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    mine = Variable(X.copy()), Variable(Y.copy())
    theirs = tuple(torch.tensor(a, requires_grad=True) for a in (X, Y))
    return mine, theirs  # type: ignore[return-value]


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("quiet", [False, True], ids=["recorded", "under no_grad"])
def test_values_and_gradients(name: str, quiet: bool) -> None:
    (x, y), (tx, ty) = _pair()
    a, ta = -x, -tx
    if quiet:
        with dezero.no_grad():
            CHANGES[name](a, y)
        with torch.no_grad():
            CHANGES[name](ta, ty)
    else:
        CHANGES[name](a, y)
        CHANGES[name](ta, ty)
    assert a.data.tolist() == ta.tolist()
    (a * a).sum().backward()
    (ta * ta).sum().backward()
    for mine, theirs in ((x, tx), (y, ty)):
        ours = np.zeros(mine.shape) if mine.grad is None else mine.grad.data
        right = np.zeros(mine.shape) if theirs.grad is None else theirs.grad.numpy()
        assert ours.tolist() == right.tolist()


@pytest.mark.parametrize("name", CHANGES)
def test_a_leaf_is_changed_under_no_grad_only(name: str) -> None:
    (x, y), _ = _pair()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used"):
        CHANGES[name](x, y)
    array = x.data
    with dezero.no_grad():
        CHANGES[name](x, y)
    assert x.data is array
    assert x.is_leaf
    assert x.requires_grad
    assert array.tolist() != X.tolist()


def test_a_saved_array_that_was_changed_is_refused() -> None:
    (x, y), _ = _pair()
    a = -x
    b = a * y
    a.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        b.sum().backward()


def test_what_used_the_old_value_keeps_its_gradient() -> None:
    (x, _), _ = _pair()
    a = -x
    b = a + 1.0
    a.mul_(10.0)
    b.sum().backward()
    assert x.grad.data.tolist() == np.full(X.shape, -1.0).tolist()


def test_a_constant_is_recorded_from_then_on() -> None:
    (x, _), _ = _pair()
    c = Variable(np.ones(X.shape), requires_grad=False)
    assert c.mul_(x) is c
    assert c.requires_grad
    c.sum().backward()
    assert x.grad.data.tolist() == np.ones(X.shape).tolist()


def test_the_dtype_and_the_shape_stay() -> None:
    narrow = Variable(np.ones(3, np.float32), requires_grad=False)
    narrow.add_(Variable(Y.copy()))
    assert narrow.dtype == np.float32
    with pytest.raises(RuntimeError, match="does not fit into shape"):
        narrow.add_(Variable(X.copy()))


def test_second_order() -> None:
    (x, _), (tx, _) = _pair()
    a, ta = x * x, tx * tx
    a.mul_(x)
    ta.mul_(tx)
    a.sum().backward(create_graph=True)
    (g,) = torch.autograd.grad(ta.sum(), tx, create_graph=True)
    grad = x.grad
    x.cleargrad()
    grad.sum().backward()
    g.sum().backward()
    assert np.allclose(x.grad.data, tx.grad.numpy(), rtol=1e-15)


def test_a_kept_gradient_is_that_of_the_new_value() -> None:
    (x, _), (tx, _) = _pair()
    a, ta = -x, -tx
    a.retain_grad()
    ta.retain_grad()
    a.mul_(2.0)
    ta.mul_(2.0)
    (a * 3.0).sum().backward()
    (ta * 3.0).sum().backward()
    assert a.grad.data.tolist() == ta.grad.tolist()


def test_detach_in_place() -> None:
    (x, _), _ = _pair()
    a = x * 2.0
    assert a.detach_() is a
    assert not a.requires_grad
    (a * x).sum().backward()
    assert x.grad.data.tolist() == a.data.tolist()


def test_items_by_lists_are_refused() -> None:
    with pytest.raises(TypeError, match="integers, slices and masks"):
        Variable(X.copy(), requires_grad=False)[[0, 1]] = 1.0
