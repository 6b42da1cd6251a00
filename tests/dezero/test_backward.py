"""Variable.backward: accumulation, arguments, errors, kept and recorded gradients."""

import numpy as np
import pytest

import dezero.functions as F
from dezero import Function, Variable, add, no_grad, square
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

FREED = "backward through the graph a second time"
NO_GRAD = "element 0 of variables does not require grad and does not have a grad_fn"


class Double(Function):
    def forward(self, x):
        return x * 2

    def backward(self, gy):
        return gy * 2


# accumulation


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x + x, 2),
        (lambda x: x * x, 6),
        (lambda x: x * x * x + x, 28),
        (lambda x: x - x, 0),
        (lambda x: x / x, 0),
        (lambda x: (x + x) * (x + x), 24),
        (lambda x: square(square(x)) + square(square(x)), 216),
        (lambda x: F.concat([x.reshape(1)] * 3), 3),
        (lambda x: F.matmul(x.reshape(1, 1), x.reshape(1, 1)), 6),
    ],
)
def test_the_gradient_of_a_reused_variable_is_the_sum_over_its_uses(function, expected):
    x = leaf(3.0)
    function(x).backward()
    assert x.grad.data == expected


def test_two_graphs_add_up():
    x = leaf(2.0)
    (x * x).backward()
    (x * 3).backward()
    assert x.grad.data == 7


def test_one_graph_run_again_adds_up_until_it_is_freed():
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    assert x.grad.data == 4
    y.backward()
    assert x.grad.data == 8
    with pytest.raises(RuntimeError, match=FREED):
        y.backward()
    assert x.grad.data == 8


def test_a_later_pass_adds_in_place_to_the_same_object():
    x = leaf([1.0, 2.0])
    (x * 2).sum().backward()
    grad, buffer = x.grad, x.grad.data
    (x * 3).sum().backward()
    assert x.grad is grad
    assert grad.data is buffer
    assert buffer.tolist() == [5.0, 5.0]


def test_backward_of_a_leaf_adds_its_own_gradient():
    x = leaf(3.0)
    x.backward()
    assert x.grad.data == 1
    x.backward()
    assert x.grad.data == 2
    g = np.array([3.0, 4.0])
    v = leaf([1.0, 2.0])
    v.backward(g)
    assert_bits(v.grad, g)
    assert not np.shares_memory(v.grad.data, g)


def test_a_leaf_not_used_has_none_and_a_leaf_times_zero_has_zero():
    x, z, unused = leaf(2.0), leaf(3.0), leaf(4.0)
    (x * z * 0).backward()
    assert unused.grad is None
    assert x.grad.data == 0
    assert z.grad.data == 0


def test_only_leaves_behind_the_root_get_a_gradient():
    x, z = leaf(2.0), leaf(3.0)
    y = x * 2
    _other = y * z
    y.backward()
    assert x.grad.data == 2
    assert z.grad is None


def test_functions_of_which_only_one_input_requires_a_gradient():
    c = Variable(np.array([2.0, 4.0]), requires_grad=False)
    for function, expected in [
        (lambda x: x - c, 1),
        (lambda x: c - x, -1),
        (lambda x: x / c, [0.5, 0.25]),
        (lambda x: c / x, [-2.0, -4.0]),
        (lambda x: x * c, c.data),
        (lambda x: F.maximum(c, x), 0),
        (lambda x: F.matmul(c, x), c.data),
    ]:
        x = leaf([1.0, 1.0])
        y = function(x)
        y.backward()
        np.testing.assert_array_equal(x.grad.data, np.broadcast_to(expected, 2))
    assert c.grad is None


# the gradient of the root


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (3,), (2, 3), (0,)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_without_a_gradient_the_root_is_seeded_with_ones(shape, dtype):
    x = leaf(np.full(shape, 2, dtype))
    (x * 3).backward()
    assert_bits(x.grad, np.full(shape, 3, dtype))


@pytest.mark.parametrize(
    ("given", "shape"), [((3,), (2,)), ((), (2,)), ((1,), ()), ((1, 2), (2,)), ((2,), (1,))]
)
@pytest.mark.parametrize("wrap", [np.asarray, Variable])
def test_a_gradient_of_another_shape_is_an_error(given, shape, wrap):
    x = leaf(np.ones(shape))
    for y in (x * 2, x):
        with pytest.raises(RuntimeError, match="Mismatch in shape: grad_output") as error:
            y.backward(wrap(np.ones(given)))
        assert f"shape of {given} and" in str(error.value)
        assert str(error.value).endswith(f"shape of {shape}.")
        assert x.grad is None


@pytest.mark.parametrize("given", [np.float32, np.float64, np.int64, np.int8, np.bool_])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("wrap", [np.asarray, Variable])
def test_the_gradient_is_cast_to_the_dtype_of_the_root(given, dtype, create_graph, wrap):
    x = leaf(np.ones(3, dtype))
    (x * 2 + x).backward(wrap(np.array([1, 0, 1], given)), create_graph=create_graph)
    assert_bits(x.grad, np.array([3, 0, 3], dtype))


def test_a_number_is_a_gradient_for_a_scalar():
    x = leaf(1.0)
    (x * 2).backward(3.0)
    assert x.grad.data == 6


@pytest.mark.parametrize("gradient", [np.ones(2, complex), "text", [None, None]])
def test_other_gradients_are_a_type_error(gradient):
    x = leaf([1.0, 2.0])
    with pytest.raises(TypeError, match="gradient can be a Variable or an ndarray"):
        (x * 2).backward(gradient)
    assert x.grad is None


def test_a_root_without_graph_is_an_error():
    x, c = leaf(2.0), Variable(np.array(2.0), requires_grad=False)
    with no_grad():
        computed = x * 2
    for root in (c, c * 2, x.detach(), (x * 2).detach(), computed):
        with pytest.raises(RuntimeError, match=NO_GRAD):
            root.backward()


# the gradients of others


def passes():
    """Computations whose backward hands one array on, as it is or as a view."""
    return [
        ("add", lambda a, b: a + b),
        ("sub", lambda a, b: a - b),
        ("users", lambda a, b: add(Double()(a), b)),
        ("reshape", lambda a, b: a.reshape(2, 2) + b.reshape(2, 2)),
        ("reshape twice", lambda a, b: a.reshape(2, 2).reshape(4) + b),
        ("transpose", lambda a, b: a.reshape(2, 2).T.reshape(4) + b.T),
        ("concat", lambda a, b: F.concat([a, b])),
        ("split", lambda a, b: F.concat([F.split(a, 2)[0], F.split(b, 2)[1]])),
        ("get_item", lambda a, b: a[1:3] + b[...][:2]),
        ("broadcast_to", lambda a, b: F.broadcast_to(a, (4,)) + F.broadcast_to(b, (4,))),
        ("sum_to", lambda a, b: F.sum_to(a, (4,)) + F.sum_to(b, (1,))),
        ("cast", lambda a, b: F.cast(a, np.float64) + F.cast(b, np.float64)),
        ("sum", lambda a, b: a.sum() + b.sum()),
        ("maximum", lambda a, b: F.maximum(a, b)),
        ("relu", lambda a, b: F.relu(a) + F.relu(b)),
        ("pow", lambda a, b: a**1 + b**1),
        ("matmul", lambda a, b: F.matmul(a.reshape(1, 4), b.reshape(4, 1))),
        ("only the first", lambda a, b: a + 0),
        ("root", lambda a, b: a),
    ]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("function", [p[1] for p in passes()], ids=[p[0] for p in passes()])
@pytest.mark.parametrize("wrap", [np.asarray, Variable])
def test_leaf_gradients_share_no_memory(function, create_graph, wrap):
    a, b = leaf(np.array([1.0, 2.0, 3.0, 4.0])), leaf(np.array([4.0, 2.0, 5.0, 1.0]))
    start = [a.data.copy(), b.data.copy()]
    y = function(a, b)
    g = integers(y.shape)
    before = g.copy()
    once = []
    for number in range(3):
        y.backward(wrap(g), retain_grad=True, create_graph=create_graph, retain_graph=True)
        arrays = [g, y.data, a.data, b.data]
        arrays += [v.grad.data for v in {a, b, y} if v.grad is not None]
        for i, array in enumerate(arrays[4:], 4):
            assert array.flags.writeable
            assert not any(np.shares_memory(array, other) for other in arrays[:i])
        if number == 0:
            once = [None if x.grad is None else x.grad.data.copy() for x in (a, b)]
    assert_bits(g, before)
    for x, data, grad in zip((a, b), start, once, strict=True):
        assert_bits(x, data)
        if grad is not None:
            assert_bits(x.grad, 3 * grad)
    g[...] = 99  # the user's array may change afterwards
    for x, grad in zip((a, b), once, strict=True):
        if grad is not None:
            assert_bits(x.grad, 3 * grad)


def test_the_gradient_of_a_given_gradient_shares_no_memory_with_the_users_array():
    # Its backward is an indexing, which gives a view.
    x, g, h = leaf(values((4,))), leaf(values((2,))), integers((4,))
    x[1:3].backward(g, create_graph=True)
    grad = x.grad
    x.cleargrad()
    for _ in range(2):
        grad.backward(h, retain_graph=True)
        assert not np.shares_memory(g.grad.data, h)
    assert_bits(h, integers((4,)))
    assert_bits(g.grad, 2 * h[1:3])


def test_a_changed_gradient_does_not_change_another():
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    y = a + b
    y.backward(retain_grad=True)
    a.grad.data += 10
    assert b.grad.data.tolist() == [1.0, 1.0]
    assert y.grad.data.tolist() == [1.0, 1.0]


def test_two_leaves_through_views_stay_correct_over_three_passes():
    # PyTorch gives 10 here: the two gradients share their storage (pytorch#34082).
    a, b = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    for _ in range(3):
        ((a.reshape(2) + b.reshape(2)) * 2).sum().backward()
    assert a.grad.data.tolist() == b.grad.data.tolist() == [6.0, 6.0]


def test_one_gradient_given_for_three_passes_through_a_view_counts_three_times():
    a, g = leaf([1.0, 2.0]), np.ones(2)
    for _ in range(3):
        a.reshape(2).backward(g)
    assert a.grad.data.tolist() == [3.0, 3.0]
    assert g.tolist() == [1.0, 1.0]


# kept gradients


def test_without_retain_grad_only_leaves_have_a_gradient():
    x = leaf(2.0)
    h = x * x
    y = h * 3
    y.backward()
    assert (h.grad, y.grad) == (None, None)
    assert x.grad.data == 12


def test_retain_grad_accumulates_out_of_place():
    x = leaf(2.0)
    h = x * x
    y = h * 12
    h.retain_grad()
    y.retain_grad()
    y.backward(retain_graph=True)
    first, seed = h.grad, y.grad
    y.backward()
    assert h.grad is not first
    assert (first.data, h.grad.data) == (12, 24)
    assert (seed.data, y.grad.data) == (1, 2)


def test_retain_grad_of_a_leaf_does_nothing_and_of_a_constant_is_an_error():
    x = leaf(2.0)
    x.retain_grad()
    x.backward()
    assert x.grad.data == 1
    with pytest.raises(RuntimeError, match="can't retain_grad on Variable that has requires_grad"):
        x.detach().retain_grad()


def test_the_argument_keeps_every_intermediate_gradient():
    x, z = leaf(2.0), leaf(5.0)
    h = x * z
    k = h + x
    y = k * h
    y.backward(retain_grad=True)
    assert [float(v.grad) for v in (y, k, h)] == [1.0, 10.0, 12.0 + 10.0]
    assert (x.grad.data, z.grad.data) == (22 * 5 + 10, 22 * 2)


def test_a_kept_gradient_can_be_cleared_and_is_kept_again():
    x = leaf(2.0)
    h = x * x
    h.retain_grad()
    y = h * 3
    y.backward(retain_graph=True)
    h.cleargrad()
    assert h.grad is None
    y.backward()
    assert h.grad.data == 3


@pytest.mark.parametrize("create_graph", [False, True])
def test_kept_gradients_of_functions_with_several_outputs(create_graph):
    x = leaf([1.0, 2.0, 3.0])
    first, second = F.split(x, [1])
    (first * 5 + second.sum()).backward(retain_grad=True, create_graph=create_graph)
    assert first.grad.data.tolist() == [5.0]
    assert second.grad.data.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("dtype", FLOATS)
def test_kept_gradients_equal_pytorchs(dtype):
    a, b = values((2, 3), dtype), values((3,), dtype, 7)
    x, z = leaf(a), leaf(b)
    h = x * z
    k = h + h * x
    (k * h).sum().backward(retain_grad=True)
    t, u = tensor(a), tensor(b)
    th = t * u
    tk = th + th * t
    th.retain_grad()
    tk.retain_grad()
    (tk * th).sum().backward()
    for mine, theirs in [(h, th), (k, tk), (x, t)]:
        assert_bits(mine.grad, theirs.grad)
    assert_close(z.grad, u.grad)
    assert to_array(x.grad).dtype == dtype
