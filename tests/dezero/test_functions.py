"""Functions of each element against PyTorch: values and derivatives, broadcasting, dtypes."""

import operator

import numpy as np
import pytest
import torch

import dezero.functions as F
from dezero import Variable
from tests.helpers.dezero import (
    FLOATS,
    assert_bits,
    assert_close,
    check_derivatives,
    gradients,
    integers,
    leaf,
    tensor,
    torch_gradients,
    values,
)

UNARY = {
    "neg": (F.neg, torch.neg),
    "square": (F.square, torch.square),
    "exp": (F.exp, torch.exp),
    "log": (lambda x: F.log(x * x), lambda t: torch.log(t * t)),
    "sin": (F.sin, torch.sin),
    "cos": (F.cos, torch.cos),
    "tanh": (F.tanh, torch.tanh),
    "sigmoid": (F.sigmoid, torch.sigmoid),
    "relu": (F.relu, torch.relu),
    "absolute": (F.absolute, torch.abs),
    "cast up": (lambda x: F.cast(x, np.float64), lambda t: t.double()),
    "cast down": (lambda x: F.cast(x, np.float32), lambda t: t.float()),
}
BINARY = {
    "add": (F.add, torch.add),
    "sub": (F.sub, torch.sub),
    "mul": (F.mul, torch.mul),
    "div": (F.div, torch.div),
    "maximum": (F.maximum, torch.maximum),
    "minimum": (F.minimum, torch.minimum),
}
PAIRS = [
    ((), ()),
    ((2, 3), (2, 3)),
    ((3,), ()),
    ((), (2, 3)),
    ((2, 3), (3,)),
    ((3,), (2, 3)),
    ((1,), (3,)),
    ((3,), (1,)),
    ((3, 1), (1, 4)),
    ((4, 1), (2, 1, 3)),
    ((2, 1, 3), (4, 1)),
    ((), (1, 1)),
    ((0,), ()),
    ((), (0, 2)),
    ((0, 3), (1, 3)),
    ((1, 3), (0, 3)),
    ((0, 1), (1, 0)),
    ((2, 0), (1,)),
]
EXACT = ("add", "sub", "mul", "maximum", "minimum")


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_operand(name, shape, dtype):
    check_derivatives(*UNARY[name], [values(shape, dtype)], orders=3)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_operands_broadcast(name, shapes, dtype):
    a, b = (values(shape, dtype, 9 * i) for i, shape in enumerate(shapes))
    check_derivatives(*BINARY[name], [a, b])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shapes", PAIRS, ids=str)
@pytest.mark.parametrize("name", EXACT)
def test_functions_of_whole_numbers_are_exact(name, shapes, dtype):
    a, b = (integers(shape, dtype, 4 * i) for i, shape in enumerate(shapes))
    same = assert_bits if name in ("add", "sub", "mul") else assert_close
    check_derivatives(*BINARY[name], [a, b], same=same)
    check_derivatives(*BINARY[name], [a, a])  # ties


@pytest.mark.parametrize("kinds", [("f4", "f8"), ("f8", "f4")])
@pytest.mark.parametrize("shapes", PAIRS[1:2] + PAIRS[4:6] + PAIRS[8:9], ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_dtypes_promote_and_give_each_leaf_its_own(name, shapes, kinds):
    a, b = (values(shapes[i], kinds[i], 9 * i) for i in range(2))
    fd, ft = BINARY[name]
    check_derivatives(fd, lambda t, u: ft(t.double(), u.double()), [a, b])


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("shapes", [((2,), (3,)), ((2, 3), (2,)), ((0,), (2,))], ids=str)
def test_shapes_that_do_not_fit_are_an_error(name, shapes):
    a, b = map(leaf, map(np.ones, shapes))
    with pytest.raises(ValueError, match="could not be broadcast"):
        BINARY[name][0](a, b)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BINARY)
def test_one_leaf_as_both_operands(name, dtype):
    fd, ft = BINARY[name]
    check_derivatives(lambda x: fd(x, x), lambda t: ft(t, t), [integers((3,), dtype)])
    check_derivatives(
        lambda x: fd(x.reshape(3, 1), x), lambda t: ft(t.reshape(3, 1), t), [integers((3,), dtype)]
    )


# powers


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (3,), (0, 2)])
@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 4, -1, -2, -3, 0.5, -0.5, 1.5, 2.0, 0.0, True])
def test_powers(exponent, shape, dtype):
    array = np.abs(values(shape, dtype)) if exponent % 1 else values(shape, dtype)
    orders = 3 if exponent % 1 == 0 else 2
    for power in (F.pow, operator.pow):
        check_derivatives(
            lambda x, power=power: power(x, exponent),
            lambda t: t ** (1 if exponent is True else exponent),
            [array],
            orders=orders,
        )


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int64])
@pytest.mark.parametrize("dtype", FLOATS)
def test_an_exponent_of_numpy_is_a_number_like_any_other(kind, dtype):
    x = leaf(values((3,), dtype))
    y = F.pow(x, kind(4))
    y.backward()
    assert y.dtype == x.grad.dtype == dtype
    assert_close(x.grad, 4 * x.data**3)


@pytest.mark.parametrize("exponent", ["2", None, 1j, [1.0]])
def test_an_exponent_that_is_no_number_is_a_type_error(exponent):
    with pytest.raises(TypeError, match="is not supported"):
        F.pow(leaf([1.0, 2.0, 3.0]), exponent)


# scalars and arrays as operands

OPERATORS = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


@pytest.mark.parametrize("scalar", [2, 0.5, -3, True, 1, 0.1])
@pytest.mark.parametrize("shape", [(), (3,), (0,)])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("symbol", OPERATORS)
def test_operators_with_python_scalars_equal_pytorch_in_every_bit(symbol, dtype, shape, scalar):
    op = OPERATORS[symbol]
    array = values(shape, dtype)
    number = 1 if scalar is True else scalar  # PyTorch refuses to subtract True
    for fd, ft in [
        (lambda x: op(x, scalar), lambda t: op(t, number)),
        (lambda x: op(scalar, x), lambda t: op(number, t)),
    ]:
        assert_bits(fd(leaf(array)), ft(tensor(array)))
        g = values(shape, dtype, 21)
        for found, expected in zip(
            gradients(fd, [array], g), torch_gradients(ft, [array], g), strict=True
        ):
            assert_bits(found, expected)
        check_derivatives(fd, ft, [array], orders=3)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BINARY)
def test_functions_with_python_scalars_on_either_side(name, dtype):
    fd, ft = BINARY[name]
    array = values((4,), dtype)
    half = torch.tensor(0.5, dtype=tensor(array).dtype)
    check_derivatives(lambda x: fd(x, 0.5), lambda t: ft(t, half), [array])
    check_derivatives(lambda x: fd(0.5, x), lambda t: ft(half, t), [array])


@pytest.mark.parametrize("wrap", [np.asarray, lambda a: Variable(a, requires_grad=False)])
@pytest.mark.parametrize("shapes", PAIRS[1:6] + PAIRS[8:9], ids=str)
@pytest.mark.parametrize("symbol", OPERATORS)
def test_operators_with_arrays_and_constants_on_either_side(symbol, shapes, wrap):
    op = OPERATORS[symbol]
    a, b = (values(shape, np.float64, 9 * i) for i, shape in enumerate(shapes))
    t = torch.from_numpy(b)
    check_derivatives(lambda x: op(x, wrap(b)), lambda x: op(x, t), [a])
    check_derivatives(lambda x: op(wrap(b), x), lambda x: op(t, x), [a])


@pytest.mark.parametrize("symbol", OPERATORS)
def test_an_array_on_the_left_gives_one_variable(symbol):
    y = OPERATORS[symbol](np.ones(3), leaf([1.0, 2.0, 4.0]))
    assert isinstance(y, Variable)
    assert y.shape == (3,)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", BINARY)
def test_scalars_of_numpy_are_operands(name, dtype):
    # float64 scalars promote, as in NumPy; the gradient has the dtype of the leaf all the same.
    for scalar in (np.float32(2), np.float64(2), np.int64(2)):
        for swap in (False, True):
            x = leaf(np.float64([3, 4]).astype(dtype))
            y = BINARY[name][0](scalar, x) if swap else BINARY[name][0](x, scalar)
            y.backward()
            assert y.dtype == np.result_type(scalar, x.data)
            assert x.grad.dtype == dtype


@pytest.mark.parametrize("operand", [None, "1", [1.0, 2.0], np.ones(2, complex), 1j])
@pytest.mark.parametrize("name", BINARY)
def test_other_operands_are_a_type_error(name, operand):
    for operands in [(leaf([1.0, 2.0]), operand), (operand, leaf([1.0, 2.0]))]:
        with pytest.raises(TypeError):
            BINARY[name][0](*operands)


@pytest.mark.parametrize("name", [*BINARY, *UNARY])
def test_functions_take_arrays_and_scalars_alone(name):
    function = BINARY[name][0] if name in BINARY else UNARY[name][0]
    count = 2 if name in BINARY else 1
    for operand in (np.full(2, 0.5), 0.5):
        y = function(*[operand] * count)
        assert isinstance(y, Variable)
        assert not y.requires_grad
        assert type(y.data) is np.ndarray
        assert y.shape == np.shape(operand)


def test_operators_are_the_functions():
    a, b = values((2, 2)), values((2, 2), start=5)
    x, y = leaf(a), leaf(b)
    for found, expected in [
        (x + y, a + b),
        (x - y, a - b),
        (x * y, a * b),
        (x / y, a / b),
        (x @ y, a @ b),
        (a @ y, a @ b),
        (x @ b, a @ b),
        (-x, -a),
        (abs(x), np.abs(a)),
        (x**3, a * a * a),
        (x.T, a.T),
        (x.sum(axis=0), a.sum(0)),
        (x.mean(axis=1, keepdims=True), a.mean(1, keepdims=True)),
        (x.reshape(4), a.reshape(4)),
        (x.reshape((4, 1)), a.reshape(4, 1)),
        (x.reshape(-1), a.reshape(-1)),
        (x.transpose(1, 0), a.T),
        (x.transpose((0, 1)), a),
        (x.transpose(), a.T),
        (x[0, 1], a[0, 1]),
        (x.astype(np.float32), a.astype(np.float32)),
        (sum([x, y]), a + b),
    ]:
        assert_bits(found, expected)


def test_augmented_assignment_makes_a_new_variable():
    x = leaf([1.0, 2.0])
    y = x
    y += 1
    y *= 3
    assert x.data.tolist() == [1.0, 2.0]
    y.backward()
    assert x.grad.data.tolist() == [3.0, 3.0]


@pytest.mark.parametrize("function", [np.sin, lambda x: np.hypot(np.ones(2), x), np.add.reduce])
def test_functions_of_numpy_refuse_variables(function):
    with pytest.raises(TypeError):
        function(leaf([1.0, 2.0]))
