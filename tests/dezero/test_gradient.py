"""grad(): gradients of any outputs for any inputs, as ``torch.autograd.grad``."""

import operator

import numpy as np
import pytest
import torch

import dezero.functions as F
from dezero import Variable, grad, no_grad
from tests.helpers.dezero import (
    FLOATS,
    assert_bits,
    assert_close,
    integers,
    leaf,
    tensor,
    to_array,
    values,
)

FREED = "second time"


def constant(array):
    return Variable(np.array(array), requires_grad=False)


def test_the_result_is_a_tuple_and_no_gradient_is_touched():
    x, z = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    z.grad = np.array([7.0, 7.0])
    found = grad(x * z, [x, z])
    assert isinstance(found, tuple)
    assert [g.data.tolist() for g in found] == [[3.0, 4.0], [1.0, 2.0]]
    assert not any(g.requires_grad for g in found)
    assert x.grad is None
    assert z.grad.data.tolist() == [7.0, 7.0]


@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_outputs_and_inputs_may_be_one_variable_or_several(kind):
    x = leaf(3.0)
    assert [g.item() for g in grad(x * x, x)] == [6.0]
    assert [g.item() for g in grad(kind([x * x]), kind([x]))] == [6.0]


def test_an_unused_input_is_an_error_unless_it_is_allowed():
    x, z = leaf(2.0), leaf(5.0)
    with pytest.raises(RuntimeError, match="at index 1 appears to not have been used"):
        grad(x * x, [x, z])
    found = grad(x * x, [x, z], allow_unused=True)
    assert found[0].item() == 4.0
    assert found[1] is None
    assert grad(x * x, [z], allow_unused=True) == (None,)
    with pytest.raises(RuntimeError, match="at index 0 appears to not have been used"):
        grad(x * x, z)


def test_an_intermediate_variable_behind_the_output_is_unused():
    x = leaf(2.0)
    h = x * x
    k = h * 3
    with pytest.raises(RuntimeError, match="not have been used"):
        grad(h, k)
    assert [None if g is None else g.item() for g in grad(h, [k, x], allow_unused=True)] == [
        None,
        4.0,
    ]


@pytest.mark.parametrize("allow_unused", [False, True])
def test_an_input_without_requires_grad_is_an_error(allow_unused):
    x = leaf(2.0)
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad(x * x, [x, constant(1.0)], allow_unused=allow_unused)


def test_an_output_without_requires_grad_is_an_error():
    x = leaf(2.0)
    with pytest.raises(RuntimeError, match="element 1 of variables does not require grad"):
        grad([x * x, constant(1.0)], x)


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_same_input_twice_has_the_same_gradient_twice(create_graph):
    x = leaf([1.0, 2.0])
    a, b = grad(x * x, [x, x], create_graph=create_graph)
    assert_bits(a, [2.0, 4.0])
    assert_bits(b, a)


@pytest.mark.parametrize("computed", [False, True])
def test_the_gradient_of_an_output_for_itself_is_1(computed):
    x = leaf([1.0, 2.0])
    y = x * 3 if computed else x
    assert_bits(grad(y, y)[0], [1.0, 1.0])
    assert_bits(grad(y, y, np.array([5.0, 6.0]))[0], [5.0, 6.0])


def test_an_output_that_is_an_input_as_well():
    x = leaf(2.0)
    y = x * x
    z = y * 3
    assert [g.item() for g in grad([z, y], [y, x])] == [4.0, 16.0]
    y = x * x
    assert [g.item() for g in grad([y, x], [x])] == [5.0]


def test_several_outputs_sum_their_gradients_and_equal_ones_count_twice():
    x = leaf([1.0, 2.0])
    y, z = x * x, x * 3
    assert_bits(grad([y, z], x)[0], [5.0, 7.0])
    y = x * x
    assert_bits(grad([y, y], x)[0], [4.0, 8.0])


@pytest.mark.parametrize("wrap", [np.array, constant, leaf])
def test_gradients_of_the_outputs(wrap):
    x = leaf([1.0, 2.0])
    y, z = x * x, x * 3
    found = grad([y, z], x, [wrap([1.0, 10.0]), wrap([2.0, 3.0])])
    assert_bits(found[0], [8.0, 49.0])
    found = grad([x * x, x * 3], x, [None, wrap([2.0, 3.0])])
    assert_bits(found[0], [8.0, 13.0])
    assert_bits(grad(x * x, x, wrap([1.0, 10.0]))[0], [2.0, 40.0])


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ([np.ones(3)], "Mismatch in shape"),
        ([np.ones(())], "Mismatch in shape"),
        ([np.ones(2), np.ones(2)], "1 outputs and 2 gradients"),
        ([], "1 outputs and 0 gradients"),
    ],
)
def test_gradients_of_the_outputs_that_do_not_fit_are_an_error(given, match):
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match=match):
        grad(x * x, x, given)


def test_a_gradient_of_the_output_is_cast_to_its_dtype():
    x = leaf(np.float32([1, 2]))
    (g,) = grad(x * x, x, np.array([1, 3]))
    assert_bits(g, np.float32([2, 12]))


def test_intermediate_inputs():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 5.0])
    h = x * w
    y = (h * h + h).sum()
    gh, gw, gx = grad(y, [h, w, x])
    assert_bits(gh, 2 * h.data + 1)
    assert_bits(gw, gh.data * x.data)
    assert_bits(gx, gh.data * w.data)
    assert h.grad is None


def test_outputs_of_one_function_as_inputs():
    x = leaf([1.0, 2.0, 3.0, 4.0])
    a, b = F.split(x, 2)
    ga, gb, gx = grad((a * b * b).sum(), [a, b, x])
    assert_bits(ga, [9.0, 16.0])
    assert_bits(gb, [6.0, 16.0])
    assert_bits(gx, [9.0, 16.0, 6.0, 16.0])


def test_a_variable_between_two_inputs_counts_each_path_once():
    x = leaf(2.0)
    h = x * 3
    y = h * h + h * x
    gx, gh = grad(y, [x, h])
    assert (gx.item(), gh.item()) == (48.0, 14.0)


def test_an_intermediate_variable_that_keeps_its_gradient_gets_it_as_in_pytorch():
    x, t = leaf(2.0), tensor(2.0)
    h, u = x * x, t * t
    h.retain_grad()
    u.retain_grad()
    assert_bits(grad(h * 3, x)[0], torch.autograd.grad(u * 3, t)[0])
    assert_bits(h.grad, u.grad)


# what runs, and what is freed


def test_the_graph_is_freed_and_kept_with_retain_graph_or_create_graph():
    x = leaf(2.0)
    y = x * x
    grad(y, x)
    with pytest.raises(RuntimeError, match=FREED):
        grad(y, x)
    for kept in ({"retain_graph": True}, {"create_graph": True}):
        y = x * x
        grad(y, x, **kept)
        assert grad(y, x)[0].item() == 4.0
    y = x * x
    grad(y, x, create_graph=True, retain_graph=False)
    with pytest.raises(RuntimeError, match=FREED):
        y.backward()


def test_only_the_path_to_the_inputs_is_freed():
    x = leaf(2.0)
    h = x * x
    y1, y2 = h * 3, h * h
    assert grad(y1, h)[0].item() == 3.0
    y2.backward()
    assert x.grad.item() == 32.0
    with pytest.raises(RuntimeError, match=FREED):
        y1.backward()


def test_a_path_that_leads_to_no_input_is_neither_run_nor_freed():
    a, b = leaf(2.0), leaf(3.0)
    p, q = a * a, b * b
    y = p * q
    calls = []
    b.register_hook(calls.append)
    assert grad(y, a)[0].item() == 36.0
    assert not calls
    q.backward()  # not freed
    assert b.grad.item() == 6.0
    with pytest.raises(RuntimeError, match=FREED):
        p.backward()


def test_a_freed_part_that_is_not_needed_does_no_harm():
    a, b = leaf(2.0), leaf(3.0)
    p = a * a
    y = p * b
    p.backward()
    assert grad(y, [b])[0].item() == 4.0


def test_long_paths_run_without_recursion():
    x = leaf(1.0)
    y = h = x * 1
    for _ in range(5000):
        y = y + 1
    assert [g.item() for g in grad(y, [x, h])] == [1.0, 1.0]


# higher orders


@pytest.mark.parametrize("dtype", FLOATS)
def test_derivatives_up_to_the_fourth(dtype):
    array = values((4,), dtype)
    x, t = leaf(array), tensor(array)
    f, ft = (x**4).sum() + F.sin(x).sum(), (t**4).sum() + torch.sin(t).sum()
    for _ in range(4):
        (f,) = grad(f.sum(), x, create_graph=True)
        (ft,) = torch.autograd.grad(ft.sum(), t, create_graph=True)
        assert_close(f, ft, 5e-5 if dtype is np.float32 else None)
        assert f.requires_grad
    assert x.grad is None


def test_second_derivatives_of_several_inputs_and_of_intermediate_ones():
    arrays = [values((3,)), values((3,), start=7)]

    def second(xs, gradients):
        a, b = xs
        h = a * b
        y = (h * h * a).sum()
        ga, gh = gradients(y, [a, h], create_graph=True)
        return gradients((ga * gh).sum(), [a, b, h], create_graph=True)

    found = second([leaf(a) for a in arrays], grad)
    expected = second([tensor(a) for a in arrays], torch.autograd.grad)
    for f, e in zip(found, expected, strict=True):
        assert_close(f, e)


def test_a_gradient_can_be_differentiated_for_the_gradient_of_the_output():
    x, g = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (gx,) = grad(x * x, x, g, create_graph=True)
    dx, dg = grad(gx, [x, g])
    assert_bits(dx, [6.0, 8.0])
    assert_bits(dg, [2.0, 4.0])


def test_a_gradient_penalty_trains_through_backward():
    w, x = leaf([1.0, -2.0]), leaf([3.0, 0.5])
    (gx,) = grad((w * w * x * x).sum(), x, create_graph=True)
    (gx * gx).sum().backward()
    # gx = 2 w**2 x, so d(gx**2)/dw = 16 w**3 x**2
    assert_close(w.grad, 16 * w.data**3 * x.data**2)


@pytest.mark.parametrize("create_graph", [False, True])
def test_grad_works_under_no_grad(create_graph):
    x = leaf(3.0)
    y = x**3
    with no_grad():
        (g,) = grad(y, x, create_graph=create_graph)
        assert not (x * x).requires_grad
    assert g.item() == 27.0
    assert g.requires_grad is create_graph
    if create_graph:
        assert grad(g, x)[0].item() == 18.0


# bits and memory


OPERATIONS = [operator.add, operator.sub, operator.mul, lambda a, b: -a]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("seed", range(8))
def test_bits_of_reused_variables_equal_pytorchs(seed, dtype, create_graph):
    rng = np.random.default_rng(seed)
    arrays = [(rng.normal(size=5) * 10.0 ** rng.integers(-4, 5, 5)).astype(dtype) for _ in "abc"]
    plan = [(rng.integers(4), *rng.integers(0, 3 + i, 2)) for i in range(12)]

    def outputs(pool):
        for kind, i, j in plan:
            pool.append(OPERATIONS[kind](pool[i], pool[j]))
        return pool

    pool, ts = outputs([leaf(a) for a in arrays]), outputs([tensor(a) for a in arrays])
    chosen = [0, 1, 2, 4, 7]
    roots = [14, 13, 9]
    found = grad(
        [pool[i] for i in roots],
        [pool[i] for i in chosen],
        create_graph=create_graph,
        allow_unused=True,
    )
    expected = torch.autograd.grad(
        [ts[i] for i in roots],
        [ts[i] for i in chosen],
        [torch.ones_like(ts[i]) for i in roots],
        allow_unused=True,
    )
    for f, e in zip(found, expected, strict=True):
        assert (f is None) == (e is None)
        if f is not None:
            assert_bits(f, e)


@pytest.mark.parametrize("numbers", [[1.0, 1e16, -1e16], [-1e16, 1e16, 1.0], [1e16, 1.0, -1e16]])
def test_contributions_are_summed_from_the_last_use_to_the_first(numbers):
    def total(x):
        parts = [x * c for c in numbers]
        return parts[2] + parts[0] + parts[1]

    x, t = leaf(1.0), tensor(1.0)
    (found,) = grad(total(x), x)
    assert_bits(found, torch.autograd.grad(total(t), t)[0])


@pytest.mark.parametrize("create_graph", [False, True])
def test_results_share_no_memory(create_graph):
    a, b, g = leaf([1.0, 2.0]), leaf([3.0, 4.0]), np.array([5.0, 6.0])
    y = a.reshape(2) + b
    found = grad(y, [a, b, y, a], g, create_graph=create_graph)
    arrays = [*map(to_array, found), g, a.data, b.data]
    for i, one in enumerate(arrays):
        for other in arrays[:i]:
            assert not np.shares_memory(one, other)


def test_gradients_have_shape_and_dtype_of_their_input():
    x, w = leaf(integers((3, 1), np.float32)), leaf(integers((4,), np.float64))
    gx, gw = grad(x * w, [x, w])
    assert (gx.shape, gx.dtype) == ((3, 1), np.float32)
    assert (gw.shape, gw.dtype) == ((4,), np.float64)
