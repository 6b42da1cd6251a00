"""Function: subclasses written by users, what they get and what they may return."""

import numpy as np
import pytest
import torch

import dezero.functions as F
from dezero import Config, Function, Variable, no_grad
from tests.helpers.dezero import FLOATS, assert_bits, check_derivatives, integers, leaf, values


class Mul(Function):
    def forward(self, a, b):
        return a * b

    def backward(self, gy):
        a, b = self.inputs
        return gy * b, gy * a


class Cube(Function):
    def forward(self, x):
        return x * x * x

    def backward(self, gy):
        (x,) = self.inputs
        return gy * (3 * (x * x))


class SinCos(Function):
    """Two outputs; the formula uses them."""

    def forward(self, x):
        return np.sin(x), np.cos(x)

    def backward(self, gs, gc):
        s, c = (output() for output in self.outputs)
        return gs * c - gc * s


class Returns(Function):
    """Sum of its inputs; backward returns what ``make`` makes of gy."""

    def __init__(self, make):
        self.make = make

    def forward(self, *xs):
        return sum(xs)

    def backward(self, gy):
        return self.make(gy)


class Two(Function):
    """Two outputs, x and 2x; notes the gradients that backward gets."""

    def forward(self, x):
        return x * 1, x * 2

    def backward(self, g1, g2):
        self.seen.append((np.array(g1), np.array(g2)))
        return g1 + 2 * g2


@pytest.fixture
def two():
    function = Two()
    function.seen = []
    return function


# calls


@pytest.mark.parametrize("dtype", FLOATS)
def test_forward_gets_arrays_and_the_call_returns_a_variable(dtype):
    class Spy(Function):
        def forward(self, x, c):
            seen.extend([x, c])
            return x

    seen = []
    array, constant = np.ones(2, dtype), np.ones(2, dtype)
    y = Spy()(Variable(array), constant)
    assert seen[0] is array
    assert seen[1] is constant
    assert isinstance(y, Variable)
    assert y.creator.inputs[0].data is array


@pytest.mark.parametrize("scalar", [2, 2.0, True, np.float32(2)])
@pytest.mark.parametrize("dtype", FLOATS)
def test_python_scalars_are_taken_and_keep_the_dtype(scalar, dtype):
    x = leaf(np.ones(3, dtype))
    y = Mul()(x, scalar)
    y.backward()
    assert y.dtype == x.grad.dtype == dtype
    assert x.grad.data.tolist() == [float(scalar)] * 3
    assert Mul()(scalar, x).dtype == dtype


def test_other_inputs_are_a_type_error():
    for value in (None, [1.0], "1"):
        with pytest.raises(TypeError):
            Mul()(leaf(1.0), value)


def test_a_forward_that_returns_no_array_is_a_type_error():
    class Text(Function):
        def forward(self, x):
            return "text"

    with pytest.raises(TypeError, match="is not supported"):
        Text()(leaf(1.0))


def test_a_function_without_forward_or_backward_says_so():
    class Nothing(Function):
        pass

    class Forward(Function):
        def forward(self, x):
            return x * 2

    with pytest.raises(NotImplementedError, match="Nothing"):
        Nothing()(leaf(1.0))
    x = leaf(1.0)
    with pytest.raises(NotImplementedError, match="Forward"):
        Forward()(x).backward()
    assert x.grad is None


def test_a_scalar_that_forward_returns_becomes_an_array():
    class Length(Function):
        def forward(self, x):
            return float(len(x))

    y = Length()(np.ones(3))
    assert type(y.data) is np.ndarray
    assert y.data.shape == ()
    assert y.data == 3


def test_without_inputs_that_require_a_gradient_nothing_is_recorded():
    y = Mul()(np.array(2.0), Variable(np.array(3.0), requires_grad=False))
    assert not y.requires_grad
    with no_grad():
        z = Mul()(leaf(2.0), 3.0)
    assert not z.requires_grad
    assert z.creator is None


def test_one_function_called_twice_records_both_calls():
    cube = Cube()
    x, z = leaf(2.0), leaf(3.0)
    y, w = cube(x), cube(z)
    assert y.creator is not w.creator
    w.backward()
    y.backward()
    assert (x.grad.data, z.grad.data) == (12, 27)


def test_attributes_set_in_forward_belong_to_one_call():
    class Scale(Function):
        def forward(self, x):
            self.factor = float(x)
            return x * self.factor

        def backward(self, gy):
            return gy * self.factor

    scale = Scale()
    xs = [leaf(2.0), leaf(5.0)]
    first, second = map(scale, xs)
    (first + second).backward()
    assert [float(x.grad) for x in xs] == [2.0, 5.0]


def test_inputs_and_outputs_as_variables():
    x, c = leaf(2.0), np.array(3.0)
    y = Mul()(x, c)
    inputs, outputs = y.creator.inputs, y.creator.outputs
    assert inputs[0] is x
    assert inputs[1].data is c
    assert not inputs[1].requires_grad
    assert len(outputs) == 1
    assert outputs[0]().data == 6


def test_modes_while_forward_and_backward_run():
    # As in PyTorch: nothing is recorded in forward; backward records under create_graph.
    class Spy(Function):
        def forward(self, x):
            seen.append(("forward", Config.enable_backprop))
            return x * 2

        def backward(self, gy):
            seen.append(("backward", Config.enable_backprop))
            return gy * 2

    seen = []
    x = leaf(1.0)
    Spy()(x).backward()
    Spy()(x).backward(create_graph=True)
    assert [mode for name, mode in seen if name == "forward"] == [False, False]
    assert [mode for name, mode in seen if name == "backward"] == [False, True]
    assert Config.enable_backprop


# gradients


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
def test_derivatives_of_users_functions_up_to_the_third(dtype, shape):
    a, b = values(shape, dtype), values(shape, dtype, 5)
    check_derivatives(
        lambda x, y: Mul()(Cube()(x), y), lambda x, y: (x * x * x) * y, [a, b], orders=3
    )
    check_derivatives(
        lambda x: F.add(*SinCos()(x)), lambda x: torch.sin(x) + torch.cos(x), [a], orders=3
    )


def test_the_same_variable_twice_sums_the_gradients():
    x = leaf(3.0)
    Mul()(x, x).backward()
    assert x.grad.data == 6


def test_an_output_not_used_contributes_zeros(two):
    x = leaf([1.0, 2.0])
    y, _ = two(x)
    y.backward(np.array([3.0, 4.0]))
    g1, g2 = two.seen[0]
    assert g1.tolist() == [3.0, 4.0]
    assert_bits(g2, np.zeros(2))
    assert x.grad.data.tolist() == [3.0, 4.0]


def test_a_function_of_two_outputs_runs_once_in_a_pass(two):
    x = leaf([1.0])
    y, z = two(x)
    (y * z + y).backward()
    assert len(two.seen) == 1
    assert x.grad.data.tolist() == [5.0]


def test_outputs_of_different_shapes_and_dtypes_get_gradients_to_match():
    class Parts(Function):
        def forward(self, x):
            return x[:1], x.astype(np.float32).sum()

        def backward(self, g1, g2):
            seen.append((g1, g2))
            gx = np.zeros(3)
            gx[:1] = g1
            return gx + g2

    seen = []
    x = leaf([1.0, 2.0, 3.0])
    first, second = Parts()(x)
    second.backward(retain_graph=True)
    first.backward()
    assert [[(g.shape, g.dtype) for g in gs] for gs in seen] == [[((1,), "f8"), ((), "f4")]] * 2
    assert x.grad.data.tolist() == [2.0, 1.0, 1.0]


def test_none_from_backward_leaves_the_gradient_none():
    x, z = leaf(2.0), leaf(3.0)
    Returns(lambda gy: (gy, None))(x, z).backward()
    assert x.grad.data == 1
    assert z.grad is None


def test_trailing_nones_from_backward_are_ignored():
    x = leaf(2.0)
    Returns(lambda gy: (gy, None, None))(x).backward()
    assert x.grad.data == 1


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda gy: gy, r"incorrect number of gradients \(expected 2, got 1\)"),
        (lambda gy: (gy, gy, gy), r"incorrect number of gradients \(expected 2, got 3\)"),
        (lambda gy: (), r"incorrect number of gradients \(expected 2, got 0\)"),
        (lambda gy: (gy, gy[:1]), r"invalid gradient at index 1 - got \(1,\) but expected.*\(2,\)"),
        (lambda gy: (np.ones((2, 1)), gy), r"invalid gradient at index 0 - got \(2, 1\)"),
        (lambda gy: (np.float64(1), gy), r"invalid gradient at index 0 - got \(\)"),
        (lambda gy: (1.0, gy), r"at index 0 - expected Variable.*\(got float\)"),
    ],
)
@pytest.mark.parametrize("create_graph", [False, True])
def test_wrong_gradients_from_backward_are_named_and_change_no_leaf(make, match, create_graph):
    x, z, w = leaf([1.0, 2.0]), leaf([3.0, 4.0]), leaf([5.0, 6.0])
    y = Returns(make)(x * 2, z) * w
    with pytest.raises(RuntimeError, match=f"function Returns returned an.*{match}"):
        y.backward(create_graph=create_graph)
    assert (x.grad, z.grad, w.grad) == (None, None, None)
    assert Config.enable_backprop


def test_an_exception_in_backward_passes_through_and_changes_no_leaf():
    def fail(gy):
        raise ZeroDivisionError("mine")

    x, w = leaf(2.0), leaf(3.0)
    (w * 1).backward()
    y = Returns(fail)(x) * w + w
    with pytest.raises(ZeroDivisionError, match="mine"):
        y.backward()
    assert x.grad is None
    assert w.grad.data == 1
    assert Config.enable_backprop


@pytest.mark.parametrize("given", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_from_backward_are_cast_to_the_dtype_of_the_input(given, dtype, create_graph):
    x = leaf(np.ones(2, dtype))
    Returns(lambda gy: np.full(2, 3, given))(x).backward(create_graph=create_graph)
    assert_bits(x.grad, np.full(2, 3, dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_gradients_arrive_in_the_dtype_of_the_output(dtype):
    seen = []
    x = leaf(np.ones(2, dtype))
    Returns(lambda gy: seen.append(gy.dtype) or gy)(x).backward(np.ones(2))
    assert seen == [dtype]
    assert x.grad.dtype == dtype


def test_forward_may_return_its_input():
    class Same(Function):
        def forward(self, x):
            return x

        def backward(self, gy):
            return gy * 7

    x = leaf([1.0, 2.0])
    y = Same()(x)
    assert y is not x
    assert np.shares_memory(y.data, x.data)
    y.backward()
    assert x.grad.data.tolist() == [7.0, 7.0]


# arrays of others


def test_backward_may_change_its_gradient_in_place_without_effect_on_others():
    def spoil(gy):
        gy *= 7
        return gy

    g = np.array([1.0, 2.0])
    x, z = leaf([1.0, 1.0]), leaf([1.0, 1.0])
    y = Returns(spoil)(x) + z
    y.backward(g, retain_grad=True)
    assert g.tolist() == [1.0, 2.0]
    assert z.grad.data.tolist() == [1.0, 2.0]
    assert y.grad.data.tolist() == [1.0, 2.0]
    assert x.grad.data.tolist() == [7.0, 14.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_one_array_returned_for_all_inputs_is_copied_for_each_leaf(create_graph):
    shared = integers((3,))
    before = shared.copy()
    xs = [leaf(np.ones(3)) for _ in range(3)]
    function = Returns(lambda gy: (shared,) * 3)
    function(*xs).backward(create_graph=create_graph)
    function(*xs).backward(create_graph=create_graph)
    arrays = [shared, *(x.grad.data for x in xs)]
    for i, array in enumerate(arrays):
        assert not any(np.shares_memory(array, other) for other in arrays[:i])
    assert_bits(shared, before)
    for x in xs:
        assert_bits(x.grad, 2 * before)


def test_a_gradient_that_is_the_input_itself_is_copied():
    class Half(Function):
        def forward(self, x):
            return x * x / 2

        def backward(self, gy):
            return self.inputs[0].data

    x = leaf([1.0, 2.0])
    Half()(x).backward()
    Half()(x).backward()
    assert x.data.tolist() == [1.0, 2.0]
    assert x.grad.data.tolist() == [2.0, 4.0]
