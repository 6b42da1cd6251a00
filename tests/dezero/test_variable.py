"""Variable: its array, its text, its flags and its gradient as an attribute."""

import copy

import numpy as np
import pytest
import torch

import dezero
import dezero.functions as F
from dezero import Function, Variable, as_array, as_variable, no_grad
from tests.helpers.dezero import FLOATS, assert_bits, leaf


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (2, 0, 3)])
def test_a_variable_holds_the_array_itself(dtype, shape):
    array = np.ones(shape, dtype)
    x = Variable(array, name="w")
    assert x.data is array
    assert (x.shape, x.ndim, x.size, x.dtype) == (shape, len(shape), array.size, dtype)
    assert x.name == "w"
    assert x.grad is None
    assert x.creator is None
    assert x.is_leaf


@pytest.mark.parametrize("dtype", [np.float16, np.complex64, np.complex128, "U1", "M8[s]", object])
def test_other_dtypes_are_a_type_error(dtype):
    with pytest.raises(TypeError, match="is not supported"):
        Variable(np.zeros(2, dtype))


def test_a_subclass_of_ndarray_is_a_type_error():
    with pytest.raises(TypeError, match="MaskedArray"):
        Variable(np.ma.array([1.0]))


def test_a_variable_of_a_variable_is_a_type_error():
    with pytest.raises(TypeError, match="Variable"):
        Variable(leaf(1.0))


@pytest.mark.parametrize(
    ("array", "plain", "shown"),
    [
        (np.array(2.0), "2.0", "variable(2.0)"),
        (np.array(2.0, np.float32), "2.0", "variable(2.0)"),
        (np.array(2), "2", "variable(2)"),
        (np.array([1.0, 2.5]), "[1.  2.5]", "variable([1.  2.5])"),
        (np.array([[1, 2], [3, 4]]), "[[1 2]\n [3 4]]", "variable([[1 2]\n          [3 4]])"),
        (np.zeros(0), "[]", "variable([])"),
    ],
)
def test_text(array, plain, shown):
    x = Variable(array)
    assert str(x) == f"{x}" == plain
    assert repr(x) == f"{x!r}" == shown


def test_text_of_a_computed_scalar_is_that_of_an_array():
    assert repr(leaf(2.0) + 1) == "variable(3.0)"
    assert str(leaf(2.0) + 1) == "3.0"


def test_format_specifications():
    assert f"{leaf(1.5):.3f}" == "1.500"
    assert f"{leaf(1.0) / 3:.2f}" == "0.33"
    assert f"{leaf([1.0, 2.0]):>10}" == "   [1. 2.]"


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + x,
        lambda x: x * 2.0,
        F.exp,
        F.relu,
        F.absolute,
        F.sum,
        F.mean,
        F.neg,
        lambda x: F.maximum(x, 1.0),
        lambda x: F.matmul(x.reshape(1), x.reshape(1)),
        lambda x: F.get_item(x.reshape(1), 0),
        lambda x: F.sum_to(x.reshape(1), ()),
    ],
)
@pytest.mark.parametrize("dtype", FLOATS)
def test_results_without_axes_stay_arrays(function, dtype):
    x = leaf(dtype(0.5))
    y = function(x)
    y.backward(retain_grad=True)
    for array in (y.data, x.grad.data, y.grad.data):
        assert type(array) is np.ndarray
        assert (array.shape, array.dtype) == ((), dtype)


def test_conversion_to_python():
    x = leaf(2.5)
    assert (float(x), int(x), x.item(), bool(x)) == (2.5, 2, 2.5, True)
    assert type(x.item()) is float
    assert not leaf(0.0)
    assert len(leaf([1.0, 2.0, 3.0])) == 3
    assert [float(v) for v in leaf([1.0, 2.0])] == [1.0, 2.0]


def test_data_can_be_replaced_by_an_array_only():
    x = leaf([1.0, 2.0])
    array = np.array([3.0, 4.0])
    x.data = array
    assert x.data is array
    for value in (1.0, [1.0, 2.0], np.zeros(2, np.complex64)):
        with pytest.raises(TypeError):
            x.data = value
    assert x.data is array


@pytest.mark.parametrize("value", [2.0, 2, True, np.float32(2), np.float64(2), np.int64(2)])
def test_as_array_makes_scalars_arrays_of_their_dtype(value):
    array = as_array(value)
    assert type(array) is np.ndarray
    assert array.shape == ()
    assert array == value
    assert array.dtype == np.asarray(value).dtype


def test_as_array_gives_back_what_is_no_scalar():
    for value in (np.zeros(2), np.zeros(()), [1.0], None):
        assert as_array(value) is value


def test_as_variable():
    x = leaf(1.0)
    array = np.zeros(2)
    assert as_variable(x) is x
    assert as_variable(array).data is array
    assert as_variable(2.0).data.shape == ()
    assert not as_variable(array).requires_grad
    assert not as_variable(2.0).requires_grad
    with pytest.raises(TypeError, match="NoneType"):
        as_variable(None)


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint8, np.int16, np.uint32, np.int64])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + x,
        lambda x: x * 3,
        lambda x: x * np.ones(2, np.float32),
        lambda x: x / 2,
        lambda x: 2 / (x + 1),
        F.square,
        F.sum,
        F.mean,
        F.relu,
        F.exp,
        F.tanh,
        F.sigmoid,
        lambda x: F.maximum(x, 1),
        lambda x: x[[0, 0]],
        lambda x: F.concat([x, np.ones(2, np.float32)]),
    ],
)
def test_integer_leaves_get_float64_gradients(dtype, function):
    x = Variable(np.array([1, 0], dtype))
    y = function(x)
    y.backward()
    expected = leaf(x.data.astype(np.float64))
    function(expected).backward()
    assert x.grad.dtype == np.float64
    np.testing.assert_allclose(x.grad.data, expected.grad.data, rtol=1e-6)


# requires_grad


def test_requires_grad_of_leaves_constants_and_results():
    x, c = leaf(1.0), Variable(np.array(1.0), requires_grad=False)
    assert x.requires_grad
    assert Variable(np.array(1.0), requires_grad=True).requires_grad
    assert not c.requires_grad
    assert (x * c).requires_grad
    assert not (c * c).requires_grad
    assert (c * c).is_leaf
    assert not (x * c).is_leaf
    assert (x * c).creator is not None


def test_a_constant_gets_no_gradient():
    x, c = leaf(2.0), Variable(np.array(5.0), requires_grad=False)
    (x * c).backward()
    assert x.grad.data == 5
    assert c.grad is None


def test_requires_grad_switched_off_after_the_computation_stops_the_gradient():
    x, z = leaf(2.0), leaf(3.0)
    y = x * z
    x.requires_grad = False
    y.backward()
    assert x.grad is None
    assert z.grad.data == 2


def test_requires_grad_switched_on_again_gets_gradients_of_new_computations():
    x = leaf(2.0)
    x.requires_grad = False
    x.requires_grad = True
    (x * 3).backward()
    assert x.grad.data == 3


def test_requires_grad_of_a_result_cannot_be_changed():
    y = leaf(1.0) * 2
    with pytest.raises(RuntimeError, match="only change requires_grad flags of leaf"):
        y.requires_grad = False


# detach


def test_detach_shares_the_array_and_stops_the_gradient():
    x = leaf([1.0, 2.0])
    h = x * 3
    d = h.detach()
    assert np.shares_memory(d.data, h.data)
    assert not d.requires_grad
    assert d.creator is None
    (h * d).sum().backward()
    assert x.grad.data.tolist() == [9.0, 18.0]  # half of the gradient of h * h


# grad as an attribute


def test_an_assigned_variable_is_stored_and_added_to_in_place():
    x, g = leaf([1.0, 2.0]), Variable(np.array([10.0, 20.0]))
    x.grad = g
    (x * 2).sum().backward()
    assert x.grad is g
    assert g.data.tolist() == [12.0, 22.0]


def test_an_assigned_array_is_copied():
    x, g = leaf([1.0, 2.0]), np.array([10.0, 20.0])
    x.grad = g
    (x * 2).sum().backward()
    assert g.tolist() == [10.0, 20.0]
    assert x.grad.data.tolist() == [12.0, 22.0]


def test_none_clears_the_gradient_and_the_next_pass_makes_a_new_one():
    x = leaf(2.0)
    (x * 3).backward()
    old = x.grad
    x.grad = None
    assert x.grad is None
    (x * 3).backward()
    assert x.grad is not old
    assert not np.shares_memory(x.grad.data, old.data)
    assert x.grad.data == 3


def test_deleting_the_gradient_makes_it_none():
    t = torch.ones((), requires_grad=True)
    x = leaf(1.0)
    for v in (t, x):
        (v * 2).backward()
        del v.grad
        assert v.grad is None


@pytest.mark.parametrize(
    ("grad", "error", "match"),
    [
        (np.zeros(3), RuntimeError, r"gradient of size \(3,\) to a Variable of size \(2,\)"),
        (np.zeros(()), RuntimeError, "gradient of size"),
        (np.zeros(2, np.float32), RuntimeError, "gradient with dtype float32"),
        (np.zeros(2, np.int64), RuntimeError, "gradient with dtype int64"),
        (Variable(np.zeros((1, 2))), RuntimeError, "gradient of size"),
        (1.0, TypeError, "expected to be a Variable or None"),
        ([1.0, 2.0], TypeError, "expected to be a Variable or None"),
    ],
)
def test_a_wrong_gradient_is_refused_and_the_old_one_kept(grad, error, match):
    x = leaf([1.0, 2.0])
    (x * 2).sum().backward()
    old = x.grad
    with pytest.raises(error, match=match):
        x.grad = grad
    assert x.grad is old


def test_an_integer_variable_takes_a_float64_gradient():
    x = Variable(np.array([1, 2]))
    x.grad = np.array([0.5, 0.5])
    (x * 2).backward()
    assert x.grad.data.tolist() == [2.5, 2.5]


# cleargrad and zero_


def test_cleargrad_makes_the_gradient_none_and_leaves_the_old_object_alone():
    x = leaf(2.0)
    (x * 3).backward()
    old = x.grad
    x.cleargrad()
    assert x.grad is None
    x.cleargrad()  # nothing to clear: no error
    (x * 5).backward()
    assert (old.data, x.grad.data) == (3, 5)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (2,), (2, 3), (0,)])
def test_zero_fills_the_same_buffer_and_the_next_pass_adds_into_it(dtype, shape):
    x = leaf(np.ones(shape, dtype))
    (x * 3).sum().backward()
    grad, buffer = x.grad, x.grad.data
    assert x.grad.zero_() is grad
    assert_bits(grad, np.zeros(shape, dtype))
    (x * 5).sum().backward()
    assert x.grad is grad
    assert x.grad.data is buffer
    assert_bits(buffer, np.full(shape, 5, dtype))


def test_zero_of_a_gradient_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'zero_'"):
        leaf(1.0).grad.zero_()


def test_zero_of_a_recorded_gradient_makes_it_a_constant():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    grad = x.grad
    assert grad.requires_grad
    grad.zero_()
    assert x.grad is grad
    assert not grad.requires_grad
    (x**3).backward()
    assert x.grad.data == 12


def test_zero_of_a_leaf_is_an_error_except_under_no_grad():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        x.zero_()
    assert x.data.tolist() == [1.0, 2.0]
    buffer = x.data
    with no_grad():
        assert x.zero_() is x
    assert x.data is buffer
    assert buffer.tolist() == [0.0, 0.0]
    assert x.requires_grad


def test_zero_of_a_constant():
    c = Variable(np.ones(2), requires_grad=False)
    buffer = c.data
    c.zero_()
    assert c.data is buffer
    assert buffer.tolist() == [0.0, 0.0]


# the package


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_leaf_gets_its_own_gradient(clone):
    x = leaf(2.0)
    other = clone(x)
    (other * 3).backward()
    assert other.grad.data == 3
    assert x.grad is None
    x.backward()
    other = clone(x)
    other.backward()
    assert x.grad.data == 1


def test_the_names_of_the_package():
    assert dezero.add is F.add
    assert dezero.square is F.square
    assert dezero.functions is F
    assert issubclass(Function, object)
    for name in dezero.__all__:
        assert hasattr(dezero, name)
    for name in F.__all__:
        assert callable(getattr(F, name))
