"""The rest of the elementwise functions, of linear algebra and of losses, against PyTorch."""

import operator

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import dezero.functions as F
from dezero import Variable
from tests.helpers.dezero import (
    FLOATS,
    assert_bits,
    assert_close,
    check_derivatives,
    integers,
    leaf,
    values,
)

SHAPES = [(), (3,), (2, 3), (0,), (2, 0)]
PAIRS = [
    ((), ()),
    ((2, 3), (2, 3)),
    ((3,), ()),
    ((), (2, 3)),
    ((2, 3), (3,)),
    ((3, 1), (1, 4)),
    ((4, 1), (2, 1, 3)),
    ((0,), ()),
    ((0, 3), (1, 3)),
    ((0, 1), (1, 0)),
]
UNARY = {
    "sqrt": (lambda x: F.sqrt(F.absolute(x)), lambda t: torch.sqrt(torch.abs(t))),
    "sign": (lambda x: F.sign(x) * x, lambda t: torch.sign(t) * t),
    "floor": (lambda x: F.floor(x) * x, lambda t: torch.floor(t) * t),
    "clip": (lambda x: F.clip(x, -1, 0.5), lambda t: torch.clamp(t, -1, 0.5)),
    "clip below": (lambda x: F.clip(x, x_min=-0.5), lambda t: torch.clamp(t, min=-0.5)),
    "clip above": (lambda x: F.clip(x, x_max=0.5), lambda t: torch.clamp(t, max=0.5)),
    "softplus": (F.softplus, TF.softplus),
    "leaky_relu": (F.leaky_relu, lambda t: TF.leaky_relu(t, 0.2)),
    "leaky_relu 0.01": (lambda x: F.leaky_relu(x, 0.01), TF.leaky_relu),
    "gelu": (F.gelu, TF.gelu),
}


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_operand(name, shape, dtype):
    fd, ft = UNARY[name]
    check_derivatives(fd, ft, [values(shape, dtype)], orders=3)
    check_derivatives(lambda x: fd(x * x), lambda t: ft(t * t), [values(shape, dtype)])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["sqrt", "softplus", "gelu", "leaky_relu"])
def test_gradients_of_nonlinear_functions_alone(name, dtype):
    functions = {"sqrt": (F.sqrt, torch.sqrt)} | UNARY
    check_derivatives(*functions[name], [np.abs(values((7,), dtype))], orders=3)


@pytest.mark.parametrize("function", [F.sign, F.floor])
@pytest.mark.parametrize("create_graph", [False, True])
def test_steps_have_zero_gradients_and_still_require_one(function, create_graph):
    x = leaf([-1.5, 0.0, 2.5])
    y = function(x)
    assert y.requires_grad
    y.backward(np.array([1.0, np.inf, np.nan]), create_graph=create_graph)
    assert_bits(x.grad, np.zeros(3))


# powers with an exponent that is a Variable


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("power", [F.pow, operator.pow])
def test_powers_of_variables(power, shapes, dtype):
    a, b = np.abs(values(shapes[0], dtype)), values(shapes[1], dtype, 9)
    check_derivatives(
        power,
        torch.pow,
        [a, b],
        same=lambda x, y: assert_close(x, y, 1e-4 if dtype is np.float32 else 1e-11),
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_powers_of_one_variable_and_with_arrays(dtype):
    a, c = np.abs(values((3,), dtype)), values((3,), dtype, 5)
    t = torch.from_numpy(c)
    check_derivatives(lambda x: x**x, lambda u: u**u, [a])
    check_derivatives(lambda x: x**c, lambda u: u**t, [a])
    check_derivatives(
        lambda x: F.pow(np.abs(c), x), lambda u: torch.pow(torch.abs(t), u), [values((3,), dtype)]
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (3,), (0,)])
@pytest.mark.parametrize("base", [2.0, 0.5, 1, 0])
@pytest.mark.parametrize("power", [F.pow, operator.pow])
def test_powers_of_a_number(power, base, shape, dtype):
    array = np.abs(values(shape, dtype, 2))
    with np.errstate(all="ignore" if base == 0 else "warn"):  # 0 times log(0), not used
        check_derivatives(lambda x: power(base, x), lambda t: torch.pow(base, t), [array])


@pytest.mark.parametrize("kinds", [("f4", "f8"), ("f8", "f4")])
def test_powers_of_two_dtypes_give_each_leaf_its_own(kinds):
    a, b = np.abs(values((2, 3), kinds[0])), values((3,), kinds[1], 9)
    check_derivatives(F.pow, lambda t, u: t.double() ** u.double(), [a, b])


# where


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shapes", PAIRS, ids=str)
def test_where(shapes, dtype):
    a, b = (values(shape, dtype, 9 * i) for i, shape in enumerate(shapes))
    full = np.broadcast_shapes(*shapes)
    odd = np.array(np.arange(np.prod(full)).reshape(full) % 2 == 1)
    for mask in (odd, np.array(True), np.array(False)):
        condition = torch.from_numpy(mask)
        for wrap in (np.array, lambda c: Variable(c)):
            check_derivatives(
                lambda x, y, m=mask, wrap=wrap: F.square(F.where(wrap(m), x, y)),
                lambda t, u, m=condition: torch.where(m, t, u) ** 2,
                [a, b],
            )


def test_where_broadcasts_its_condition():
    mask = np.array([[True], [False]])
    m = torch.from_numpy(mask)
    check_derivatives(
        lambda x, y: F.where(mask, x, y) * x,
        lambda t, u: torch.where(m, t, u) * t,
        [values((3,)), values((), start=4)],
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("scalar", [0.5, 2])
def test_where_with_python_scalars_keeps_the_dtype(scalar, dtype):
    mask = np.array([True, False])
    for function, expected in [
        (lambda x: F.where(mask, x, scalar), [1, scalar]),
        (lambda x: F.where(~mask, scalar, x), [1, scalar]),
    ]:
        x = leaf(np.array([1, 3], dtype))
        y = function(x)
        assert_bits(y, np.array(expected, dtype))
        y.backward()
        assert_bits(x.grad, np.array([1, 0], dtype))


# linear algebra


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("sizes", [(3, 3), (1, 1), (0, 0)])
def test_dot(sizes, dtype):
    a, b = (integers((n,), dtype, 2 * i) for i, n in enumerate(sizes))
    check_derivatives(F.dot, torch.dot, [a, b], orders=3)
    check_derivatives(lambda x: F.dot(x, x), lambda t: torch.dot(t, t), [a])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("sizes", [(3, 4), (1, 2), (2, 1), (0, 3), (3, 0)])
def test_outer(sizes, dtype):
    a, b = (integers((n,), dtype, 2 * i) for i, n in enumerate(sizes))
    check_derivatives(F.outer, torch.outer, [a, b], orders=3)
    check_derivatives(lambda x: F.outer(x, x), lambda t: torch.outer(t, t), [a])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("ij,jk->ik", ((2, 3), (3, 4))),
        ("ij,jk->ki", ((2, 3), (3, 4))),
        (" i j , k j -> k i ", ((2, 3), (4, 3))),
        ("i,i->", ((3,), (3,))),
        ("i,j->ij", ((3,), (2,))),
        ("i,j->ji", ((3,), (2,))),
        ("ij,ij->", ((2, 3), (2, 3))),
        ("ij,ij->i", ((2, 3), (2, 3))),
        ("ij,ji->ij", ((2, 3), (3, 2))),
        ("ij,k->", ((2, 3), (2,))),
        ("ij,k->k", ((2, 3), (2,))),
        ("ij,k->j", ((2, 3), (2,))),
        ("bij,bjk->bik", ((2, 2, 3), (2, 3, 2))),
        ("bij,jk->bki", ((2, 2, 3), (3, 2))),
        ("bij,bij->b", ((2, 2, 3), (2, 2, 3))),
        (",->", ((), ())),
        (",i->i", ((), (3,))),
        ("i,->", ((3,), ())),
        ("ij,jk->ik", ((0, 3), (3, 2))),
        ("ij,jk->ik", ((2, 0), (0, 2))),
        ("ij,ij->ij", ((2, 3), (1, 3))),
        ("ij,jk->ik", ((2, 1), (3, 2))),
    ],
)
def test_einsum(subscripts, shapes, dtype):
    a, b = (integers(shape, dtype, 2 * i) for i, shape in enumerate(shapes))
    check_derivatives(
        lambda x, y: F.einsum(subscripts, x, y),
        lambda t, u: torch.einsum(subscripts, t, u),
        [a, b],
        orders=3,
    )


def test_einsum_of_one_leaf_with_itself():
    a = integers((3, 3))
    check_derivatives(
        lambda x: F.einsum("ij,jk->ik", x, x), lambda t: torch.einsum("ij,jk->ik", t, t), [a]
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(4, 3), (3,), (2, 4, 3), (0, 3)])
@pytest.mark.parametrize("bias", [False, True])
def test_linear(shape, bias, dtype):
    arrays = [integers(shape, dtype), integers((3, 2), dtype, 1), integers((2,), dtype, 2)]
    check_derivatives(
        F.linear,
        lambda t, w, b=None: TF.linear(t, w.T, b),
        arrays if bias else arrays[:2],
        orders=3,
    )


# losses


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shapes", "rows"),
    [
        (((4,), (4,)), 4),
        (((4, 1), (4, 1)), 4),
        (((4, 3), (4, 3)), 4),
        (((4, 3), (3,)), 4),
        (((), ()), 1),
        (((2, 3, 2), (2, 3, 2)), 2),
    ],
)
def test_mean_squared_error(shapes, rows, dtype):
    a, b = (values(shape, dtype, 5 * i) for i, shape in enumerate(shapes))
    check_derivatives(
        F.mean_squared_error, lambda t, u: ((t - u) ** 2).sum() / rows, [a, b], orders=3
    )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("labels", [[2, 0, 1, 2], [0, 0, 0, 0]])
@pytest.mark.parametrize("wrap", [np.array, lambda t: Variable(np.array(t)), list])
def test_softmax_cross_entropy(wrap, labels, dtype):
    t = torch.tensor(labels)
    check_derivatives(
        lambda x: F.softmax_cross_entropy(x, wrap(labels)),
        lambda u: TF.cross_entropy(u, t),
        [values((4, 3), dtype) * 2],
    )


def test_softmax_cross_entropy_of_large_scores_is_finite():
    scores = np.array([[1000.0, 0.0, -1000.0], [0.0, -1000.0, 1000.0]])
    check_derivatives(
        lambda x: F.softmax_cross_entropy(x, np.array([1, 2])),
        lambda t: TF.cross_entropy(t, torch.tensor([1, 2])),
        [scores],
    )


# errors


def ones(*shape):
    return leaf(np.ones(shape))


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: F.clip(ones(2)), ValueError, "clip: needs x_min, x_max or both"),
        (lambda: F.dot(ones(2), ones(2, 2)), ValueError, "dot: needs two vectors"),
        (lambda: F.dot(ones(2), ones(3)), ValueError, "mismatch"),
        (lambda: F.outer(ones(2, 2), ones(2)), ValueError, "outer: needs two vectors"),
        (lambda: F.outer(ones(), ones(2)), ValueError, "outer: needs two vectors"),
        (lambda: F.where(np.array([True, False]), ones(3), ones(3)), ValueError, "broadcast"),
        (lambda: F.pow(ones(2), ones(3)), ValueError, "broadcast"),
        (lambda: F.linear(ones(2, 3), ones(2, 3)), ValueError, "mismatch"),
        (lambda: F.linear(ones(2, 3), ones(3, 2), ones(3)), ValueError, "broadcast"),
        (lambda: F.mean_squared_error(ones(2), ones(3)), ValueError, "broadcast"),
        (lambda: F.softmax_cross_entropy(ones(2, 3), np.array([0, 3])), IndexError, "bounds"),
        (lambda: F.softmax_cross_entropy(ones(2, 3), np.array([0.0, 1.0])), IndexError, "integer"),
        (lambda: F.softmax_cross_entropy(ones(2, 3), np.array([0, 1, 2])), IndexError, "mismatch"),
        (lambda: F.sqrt("4"), TypeError, "not supported"),
        (lambda: F.gelu([1.0]), TypeError, "not supported"),
        (lambda: F.softplus(None), TypeError, "not supported"),
    ],
)
def test_bad_input_is_a_clear_error(call, error, match):
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("labels", [[0], [0, -1], [[0], [1], [2]]])
def test_labels_that_do_not_fit_are_an_error(labels):
    with pytest.raises((ValueError, IndexError)):
        F.softmax_cross_entropy(ones(2, 3), np.array(labels))


@pytest.mark.parametrize(
    "subscripts",
    [
        "ij,jk",
        "ii,jk->ik",
        "ij,jk->ii",
        "ij,jk->iz",
        "...i,ij->j",
        "ij->ji",
        "ij,jk->ik->k",
        "",
        "->",
    ],
)
def test_einsum_of_another_form_is_a_value_error(subscripts):
    with pytest.raises(ValueError, match=r"einsum: .* is not of the form"):
        F.einsum(subscripts, ones(2, 2), ones(2, 2))


@pytest.mark.parametrize("shapes", [((2,), (2, 2)), ((2, 3), (2, 2)), ((2, 2, 2), (2, 2))], ids=str)
def test_einsum_of_shapes_that_do_not_fit_is_a_value_error(shapes):
    with pytest.raises(ValueError, match=r"einstein|broadcast"):
        F.einsum("ij,jk->ik", *map(leaf, map(np.ones, shapes)))
