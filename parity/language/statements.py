"""The statements of a program: a class each, which says what it reads, checks and defines.

A new kind of statement is a class here, in ``STATEMENTS``; a method of its ``keyword`` in
``parity.engines.execute`` runs it, and ``parity.diagnose.reproducer`` writes it into scripts. JSON
and text are read and written by the fields of the class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from parity._util.decode import Convert, shown
from parity._util.names import did_you_mean
from parity.language.attributes import as_attributes
from parity.language.shapes import Attrs, Shape
from parity.language.table import OPS, output_shapes, result_dtype
from parity.language.values import Constant, Info, Leaf, ProgramError, check_constant, info_of

AttrsOfFile = Annotated[Attrs, Convert("a list of names with values", as_attributes)]


@dataclass
class State:
    """What is known of a program before its next statement."""

    #: How many leaves it has; they are the first values.
    leaves: int
    infos: list[Info]
    dropped: set[int] = field(default_factory=set)
    #: Whether the last backward got an array that can still be changed.
    has_gradient_array: bool = False

    @staticmethod
    def of(leaves: Sequence[Leaf]) -> State:
        """The state before the first statement."""
        return State(len(leaves), [leaf.info() for leaf in leaves])

    def add(self, statement: Statement) -> list[Info]:
        """Return the properties of what a statement defines; ProgramError if it makes no sense."""
        for value in statement.operands():
            if not (isinstance(value, int) and 0 <= value < len(self.infos)):
                raise ProgramError(f"there is no value {shown(value)} yet")
            if value in self.dropped:
                raise ProgramError(f"value {value} was dropped")
        for leaf in statement.leaf_operands():
            if not (isinstance(leaf, int) and 0 <= leaf < self.leaves):
                raise ProgramError(f"there is no leaf {shown(leaf)}")
        statement.change(self)
        new = statement.outputs(self.infos)
        self.infos += new
        return new


@dataclass(frozen=True, slots=True)
class Statement:
    """One step of a program, after its leaves."""

    #: Its name in JSON, in text, and of the method of ``parity.engines.execute`` that runs it.
    keyword: ClassVar[str]
    #: The field of the arguments that text writes without a name; "" for none.
    positional: ClassVar[str] = ""
    #: What follows the call in text.
    note: ClassVar[str] = ""

    def operands(self) -> tuple[int, ...]:
        """Return the values that it reads."""
        return ()

    def leaf_operands(self) -> tuple[int, ...]:
        """Return the leaves whose gradients it reads or changes."""
        return ()

    def behind(self, result: int) -> Sequence[int]:
        """Return the values from which a gradient of its result number ``result`` goes on."""
        return self.operands()

    def outputs(self, infos: Sequence[Info]) -> list[Info]:
        """Return the properties of the values that it defines."""
        return []

    def change(self, state: State) -> None:
        """Make ``state`` what it is after it. ProgramError if it makes no sense there."""

    def text(self, names: Sequence[str]) -> str:
        """``keyword(x0, x1)``."""
        arguments = ", ".join(names[i] for i in (*self.operands(), *self.leaf_operands()))
        return f"{self.keyword}({arguments}){self.note}"


@dataclass(frozen=True, slots=True)
class Apply(Statement):
    """Apply an operation of ``parity.language.table.OPS``, under ``no_grad`` or not."""

    keyword: ClassVar[str] = "apply"
    op: str
    inputs: tuple[int, ...]
    attrs: AttrsOfFile = ()
    no_grad: bool = False

    def operands(self) -> tuple[int, ...]:
        return self.inputs

    def behind(self, result: int) -> Sequence[int]:
        return OPS[self.op].behind(result, self.inputs)

    def outputs(self, infos: Sequence[Info]) -> list[Info]:
        return self.results([infos[i] for i in self.inputs])

    def results(self, inputs: list[Info]) -> list[Info]:
        """Return the properties of its results; ProgramError if the operation does not apply."""
        op = OPS.get(self.op)
        if op is None:
            hint = did_you_mean(self.op[:40], OPS).rstrip()
            raise ProgramError(f"there is no operation {shown(self.op)}{hint and f': {hint}'}")
        if len(inputs) != (op.arity or len(inputs)) or not inputs:
            raise ProgramError(f"{op.name} takes {op.arity} operands, not {len(inputs)}")
        if tuple(sorted(op.kinds)) != tuple(name for name, _ in self.attrs):
            raise ProgramError(f"{op.name} takes the attributes {', '.join(op.kinds) or 'none'}")
        shapes = tuple(info.shape for info in inputs)
        outputs = output_shapes(op.name, shapes, self.attrs)
        if outputs is None:
            attrs = ", ".join(f"{name}={shown(value)}" for name, value in self.attrs)
            message = f"{op.name} does not apply to shapes {shown(shapes)} {attrs}"
            raise ProgramError(message.rstrip())
        dtype = result_dtype(op.name, [info.dtype for info in inputs], shapes)
        if dtype is None:
            raise ProgramError(f"{op.name} of mixed dtypes is not compared here")
        return self.infos_of(inputs, outputs, dtype)

    def infos_of(self, inputs: list[Info], shapes: Sequence[Shape], dtype: str) -> list[Info]:
        """Return the properties of its results from their shapes and dtype."""
        behind = OPS[self.op].behind
        return [
            info_of(shape, dtype, not self.no_grad and requires_gradient(behind(i, inputs)))
            for i, shape in enumerate(shapes)
        ]

    def text(self, names: Sequence[str]) -> str:
        """``add(x0, x0)``, with attributes as keywords."""
        arguments = [names[i] for i in self.inputs]
        arguments += [f"{k}={v!r}" for k, v in self.attrs]
        under = "  # under no_grad" if self.no_grad else ""
        return f"{self.op}({', '.join(arguments)}){under}"


@dataclass(frozen=True, slots=True)
class Backward(Statement):
    """Propagate from a value; without a gradient only from one element."""

    keyword: ClassVar[str] = "backward"
    positional: ClassVar[str] = "value"
    value: int
    gradient: Constant | None = None
    retain_graph: bool = False
    create_graph: bool = False

    def operands(self) -> tuple[int, ...]:
        return (self.value,)

    def change(self, state: State) -> None:
        state.has_gradient_array = self.gradient is not None
        if self.gradient is not None:
            check_constant(self.gradient, "gradient")

    def text(self, names: Sequence[str]) -> str:
        arguments = [names[self.value]]
        if self.gradient is not None:
            arguments.append(f"gradient={self.gradient}")
        flags = {"retain_graph": self.retain_graph, "create_graph": self.create_graph}
        arguments += [f"{name}=True" for name, on in flags.items() if on]
        return f"backward({', '.join(arguments)})"


@dataclass(frozen=True, slots=True)
class Detach(Statement):
    """A constant on the same values."""

    keyword: ClassVar[str] = "detach"
    positional: ClassVar[str] = "value"
    value: int

    def operands(self) -> tuple[int, ...]:
        return (self.value,)

    def outputs(self, infos: Sequence[Info]) -> list[Info]:
        info = infos[self.value]
        return [info_of(info.shape, info.dtype, False)]


@dataclass(frozen=True, slots=True)
class TakeGrad(Statement):
    """The gradient of a leaf as a value to compute on: second order."""

    keyword: ClassVar[str] = "grad_of"
    positional: ClassVar[str] = "leaf"
    leaf: int

    def leaf_operands(self) -> tuple[int, ...]:
        return (self.leaf,)

    def outputs(self, infos: Sequence[Info]) -> list[Info]:
        info = infos[self.leaf]
        return [info_of(info.shape, info.dtype, None)]


@dataclass(frozen=True, slots=True)
class Clear(Statement):
    """Make the gradients of leaves None: ``x.cleargrad()``, ``x.grad = None``."""

    keyword: ClassVar[str] = "cleargrad"
    positional: ClassVar[str] = "leaves"
    leaves: tuple[int, ...]

    def leaf_operands(self) -> tuple[int, ...]:
        return self.leaves


@dataclass(frozen=True, slots=True)
class Zero(Statement):
    """Fill the gradients of leaves with zeros in place: ``x.grad.zero_()``."""

    keyword: ClassVar[str] = "zero_grad"
    positional: ClassVar[str] = "leaves"
    leaves: tuple[int, ...]

    def leaf_operands(self) -> tuple[int, ...]:
        return self.leaves


@dataclass(frozen=True, slots=True)
class ChangeGrad(Statement):
    """Change a leaf's gradient in place (times 2, plus 1): others must not change."""

    keyword: ClassVar[str] = "change_grad"
    positional: ClassVar[str] = "leaf"
    note: ClassVar[str] = "  # in place: * 2 + 1"
    leaf: int

    def leaf_operands(self) -> tuple[int, ...]:
        return (self.leaf,)


@dataclass(frozen=True, slots=True)
class ChangeGradient(Statement):
    """Change the array that was passed to the last backward: no gradient may change."""

    keyword: ClassVar[str] = "change_gradient"
    note: ClassVar[str] = "  # the array passed to backward: * 2 + 1"

    def change(self, state: State) -> None:
        if not state.has_gradient_array:
            raise ProgramError("there is no gradient array to change")
        state.has_gradient_array = False


@dataclass(frozen=True, slots=True)
class Drop(Statement):
    """Drop the program's reference to a value."""

    keyword: ClassVar[str] = "drop"
    positional: ClassVar[str] = "value"
    value: int

    def operands(self) -> tuple[int, ...]:
        return (self.value,)

    def change(self, state: State) -> None:
        if self.value < state.leaves:
            raise ProgramError("leaves are not dropped: their gradients are observed")
        state.dropped.add(self.value)

    def text(self, names: Sequence[str]) -> str:
        return f"del {names[self.value]}"


#: The kinds of statements by keyword.
STATEMENTS: dict[str, type[Statement]] = {
    cls.keyword: cls
    for cls in (Apply, Detach, TakeGrad, Backward, Clear, Zero, ChangeGrad, ChangeGradient, Drop)
}


def requires_gradient(inputs: Sequence[Info]) -> bool | None:
    """Whether a recorded result requires a gradient: it does if an operand does."""
    known = [info.requires_grad for info in inputs]
    return True if True in known else (None if None in known else False)
