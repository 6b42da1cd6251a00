"""Functions of the user, with forward and backward of their own: ``user(square, x0)``.

There is a closed table of them. Forward and backward compute on arrays of NumPy; an engine makes a
differentiable function of the two (``parity.engines.base.Engine.function``). What one means is said
in operations of the table as well, for evaluations that are no engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar

from parity._util.decode import one_of
from parity.language.in_place import Apply
from parity.language.statements import Statement, requires_gradient
from parity.language.values import Info, ProgramError, info_of


@dataclass(frozen=True)
class UserFunction:
    """A function on arrays of one shape and dtype.

    Attributes
    ----------
    inputs, outputs
        How many there are.
    forward
        Source of the function from arrays to a tuple of arrays.
    backward
        Source of the function from the gradients of the outputs and the inputs, two tuples, to a
        tuple with a gradient, or None, for each input.
    meaning
        The outputs, from a function that applies operations, and the inputs.
    """

    inputs: int
    outputs: int
    forward: str
    backward: str
    meaning: Callable[..., tuple[Any, ...]]


def _square(apply: Apply, a: Any) -> tuple[Any, ...]:
    return (apply("square", a),)


def _product_and_sum(apply: Apply, a: Any, b: Any) -> tuple[Any, ...]:
    return apply("mul", a, b), apply("add", a, b)


def _second_constant(apply: Apply, a: Any, b: Any) -> tuple[Any, ...]:
    # The second input gets zeros, which compare equal to None after a backward.
    return (apply("add", apply("mul", a, apply("detach", b)), apply("mul_scalar", b, c=0.0)),)


def _double_of_slope_three(apply: Apply, a: Any) -> tuple[Any, ...]:
    return (apply("sub", apply("mul_scalar", a, c=3.0), apply("detach", a)),)


#: The functions by name, the simplest first.
USER_FUNCTIONS: dict[str, UserFunction] = {
    "square": UserFunction(
        1, 1, "lambda a: (a * a,)", "lambda gs, xs: (2 * gs[0] * xs[0],)", _square
    ),
    "product_and_sum": UserFunction(
        2,
        2,
        "lambda a, b: (a * b, a + b)",
        "lambda gs, xs: (gs[0] * xs[1] + gs[1], gs[0] * xs[0] + gs[1])",
        _product_and_sum,
    ),
    "second_constant": UserFunction(
        2, 1, "lambda a, b: (a * b,)", "lambda gs, xs: (gs[0] * xs[1], None)", _second_constant
    ),
    "double_of_slope_three": UserFunction(
        1, 1, "lambda a: (2 * a,)", "lambda gs, xs: (3 * gs[0],)", _double_of_slope_three
    ),
}


@dataclass(frozen=True, slots=True)
class User(Statement):
    """Call a function of ``USER_FUNCTIONS``."""

    keyword: ClassVar[str] = "user"
    is_recorded: ClassVar[bool] = True
    function: Annotated[str, one_of(USER_FUNCTIONS)]
    inputs: tuple[int, ...]

    def operands(self) -> tuple[int, ...]:
        return self.inputs

    def outputs(self, infos: Sequence[Info]) -> list[Info]:
        function = USER_FUNCTIONS[self.function]
        if len(self.inputs) != function.inputs:
            raise ProgramError(f"{self.function} takes {function.inputs} operands")
        inputs = [infos[i] for i in self.inputs]
        if len({(info.shape, info.dtype) for info in inputs}) > 1:
            raise ProgramError("a function of the user takes operands of one shape and dtype")
        requires = requires_gradient(inputs)
        return [info_of(inputs[0].shape, inputs[0].dtype, requires)] * function.outputs

    def renumbered(self, moved: Callable[[int], int]) -> Statement:
        return replace(self, inputs=tuple(map(moved, self.inputs)))

    def simpler(self, rewires: bool) -> Iterator[Statement]:
        for position, value in enumerate(self.inputs) if rewires else ():
            for other in range(value):
                inputs = (*self.inputs[:position], other, *self.inputs[position + 1 :])
                yield replace(self, inputs=inputs)

    def text(self, names: Sequence[str]) -> str:
        return f"user({', '.join((self.function, *(names[i] for i in self.inputs)))})"
