"""The cells of the book's step 14: what is printed when a variable is used several times."""

import numpy as np
import pytest
import torch

from dezero import Function, Variable, add, square


def show(x):
    print(f"x.grad : {x.grad}")


@pytest.fixture
def x():
    return Variable(np.array(3.0))


@pytest.fixture
def t():
    return torch.tensor(3.0, requires_grad=True)


def test_a_variable_used_twice_has_gradient_2(x, capsys):
    y = add(x, x)
    y.backward()
    print(f"y : {y}")
    show(x)
    assert capsys.readouterr().out == "y : 6.0\nx.grad : 2.0\n"


def test_a_variable_used_three_times_has_gradient_3(x, capsys):
    add(add(x, x), x).backward()
    show(x)
    assert capsys.readouterr().out == "x.grad : 3.0\n"


def test_accumulation_leaves_the_gradient_of_the_output_alone(x, capsys):
    # `x.grad += gx` on the array that add() hands to both inputs would make y.grad 2.0 as well.
    y = add(x, x)
    y.backward(retain_grad=True)
    print(f"y.grad : {y.grad}")
    show(x)
    assert capsys.readouterr().out == "y.grad : 1.0\nx.grad : 2.0\n"
    assert y.grad is not x.grad
    assert not np.shares_memory(y.grad.data, x.grad.data)


def test_a_second_pass_leaves_the_first_gradient_of_the_output_alone(x):
    y = add(x, x)
    y.backward(retain_grad=True, retain_graph=True)
    first = y.grad
    y.backward(retain_grad=True)
    assert first.data == 1
    assert y.grad.data == 2
    assert x.grad.data == 4


def test_a_second_computation_adds_to_the_gradient(x, capsys):
    add(x, x).backward()
    show(x)
    add(add(x, x), x).backward()
    show(x)
    assert capsys.readouterr().out == "x.grad : 2.0\nx.grad : 5.0\n"


def test_cleargrad_starts_the_second_computation_anew(x, capsys):
    add(x, x).backward()
    show(x)
    x.cleargrad()
    show(x)
    add(add(x, x), x).backward()
    show(x)
    assert capsys.readouterr().out == "x.grad : 2.0\nx.grad : None\nx.grad : 3.0\n"


def test_zero_in_place_starts_the_second_computation_anew(x, capsys):
    add(x, x).backward()
    grad = x.grad
    x.grad.zero_()
    show(x)
    add(add(x, x), x).backward()
    show(x)
    assert capsys.readouterr().out == "x.grad : 0.0\nx.grad : 3.0\n"
    assert x.grad is grad


def test_pytorch_prints_the_same_for_a_variable_used_twice(t, capsys):
    torch.add(t, t).backward()
    show(t)
    assert capsys.readouterr().out == "x.grad : 2.0\n"


def test_pytorch_leaves_the_gradient_of_the_output_alone(t, capsys):
    y = torch.add(t, t)
    y.retain_grad()
    y.backward()
    print(f"y.grad : {y.grad}")
    show(t)
    assert capsys.readouterr().out == "y.grad : 1.0\nx.grad : 2.0\n"
    assert y.grad.data_ptr() != t.grad.data_ptr()


def test_pytorch_adds_a_second_computation_to_the_gradient(t, capsys):
    torch.add(t, t).backward()
    show(t)
    torch.add(torch.add(t, t), t).backward()
    show(t)
    assert capsys.readouterr().out == "x.grad : 2.0\nx.grad : 5.0\n"


def test_pytorch_starts_anew_after_zero_in_place(t, capsys):
    torch.add(t, t).backward()
    show(t)
    t.grad.zero_()
    show(t)
    torch.add(torch.add(t, t), t).backward()
    show(t)
    assert capsys.readouterr().out == "x.grad : 2.0\nx.grad : 0.0\nx.grad : 3.0\n"


# Functions of the user, as the chapters around step 14 write them.


class ArrayAdd(Function):
    def forward(self, x0, x1):
        y = x0 + x1
        return y

    def backward(self, gy):
        return gy, gy


class ArraySquare(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        x = self.inputs[0].data
        gx = 2 * x * gy
        return gx


class VariableSquare(Function):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        (x,) = self.inputs
        gx = 2 * x * gy
        return gx


class VariableTanh(Function):
    def forward(self, x):
        y = np.tanh(x)
        return y

    def backward(self, gy):
        y = self.outputs[0]()
        gx = gy * (1 - y * y)
        return gx


class SumAndProduct(Function):
    def forward(self, x0, x1):
        return x0 + x1, x0 * x1

    def backward(self, gsum, gproduct):
        x0, x1 = self.inputs[0].data, self.inputs[1].data
        return gsum + gproduct * x1, gsum + gproduct * x0


class AddAll(Function):
    def forward(self, *xs):
        y = 0
        for x in xs:
            y = y + x
        return y

    def backward(self, gy):
        return (gy,) * len(self.inputs)


class Copies(Function):
    """As many outputs as asked for."""

    def __init__(self, count):
        self.count = count

    def forward(self, x):
        return tuple(x * 1 for _ in range(self.count))

    def backward(self, *gys):
        assert len(gys) == self.count
        return sum(gys)


def test_add_written_as_in_the_book_sums_the_gradients(x, capsys):
    ArrayAdd()(x, x).backward()
    show(x)
    ArrayAdd()(ArrayAdd()(x, x), x).backward()
    show(x)
    assert capsys.readouterr().out == "x.grad : 2.0\nx.grad : 5.0\n"


@pytest.mark.parametrize("function", [ArraySquare, VariableSquare])
def test_the_sum_of_two_squares_written_as_in_the_book(function, capsys):
    x, y = Variable(np.array(2.0)), Variable(np.array(3.0))
    z = ArrayAdd()(function()(x), function()(y))
    z.backward()
    print(z.data, x.grad, y.grad, sep="\n")
    assert capsys.readouterr().out == "13.0\n4.0\n6.0\n"


def test_the_diamond_is_propagated_once_it_is_complete(capsys):
    # The code of step 14 itself takes functions in the wrong order here; step 16 corrects it.
    x = Variable(np.array(2.0))
    a = square(x)
    y = add(square(a), square(a))
    y.backward()
    print(y.data)
    print(x.grad)
    assert capsys.readouterr().out == "32.0\n64.0\n"


def test_the_output_of_a_function_is_reached_through_outputs():
    x = Variable(np.array(0.5))
    y = VariableTanh()(x)
    y.backward()
    assert x.grad.data == 1 - np.tanh(0.5) ** 2


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_functions_take_any_number_of_inputs(count):
    xs = [Variable(np.array(float(i))) for i in range(count)]
    y = AddAll()(*xs)
    y.backward()
    assert y.data == sum(range(count))
    assert [float(x.grad) for x in xs] == [1.0] * count


@pytest.mark.parametrize("count", [2, 3, 7])
def test_functions_return_any_number_of_outputs(count, x):
    ys = Copies(count)(x)
    assert isinstance(ys, tuple)
    assert len(ys) == count
    AddAll()(*ys).backward()
    assert x.grad.data == count


def test_one_input_for_all_places_gets_the_sum_over_them(x, capsys):
    AddAll()(x, x, x, x).backward()
    show(x)
    assert capsys.readouterr().out == "x.grad : 4.0\n"


def test_two_inputs_and_two_outputs(capsys):
    x, y = Variable(np.array(3.0)), Variable(np.array(4.0))
    s, p = SumAndProduct()(x, y)
    (s * p).backward()
    print(s, p, x.grad, y.grad)
    assert capsys.readouterr().out == "7.0 12.0 40.0 33.0\n"


def test_one_variable_in_both_places_of_a_function_with_two_outputs(x):
    s, p = SumAndProduct()(x, x)
    add(s, p).backward()
    assert x.grad.data == 2 + 2 * 3


@pytest.mark.parametrize("value", [1.0, 1, None, "1.0", [1.0], (1.0,), np.float64(1.0)])
def test_a_variable_of_no_array_is_a_type_error_that_names_the_type(value):
    with pytest.raises(TypeError, match=type(value).__name__):
        Variable(value)
