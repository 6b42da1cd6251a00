"""What a program is: leaves and statements, in single-assignment form.

Values are numbered: first the leaves, then every output in order of its
statement; statements name values by number. A program is data: it can be
hashed, compared and printed as text; ``json_format`` and ``text_format`` write
it and read it back. They check each field by its annotation.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from parity._util.decode import Check, Convert, one_of, shown
from parity._util.names import did_you_mean
from parity.language.attributes import LONGEST, as_attributes, as_number, is_length
from parity.language.shapes import Attrs, Shape, extent, size
from parity.language.table import OPS, output_shapes, result_dtype

#: What a program that is read may have at most: elements of a value and of all values together,
#: dimensions of a value, leaves and statements. Generated programs have far less.
MOST_ELEMENTS, MOST_IN_TOTAL, MOST_DIMENSIONS, MOST_STATEMENTS = 2**20, 2**22, 32, 10_000

_Length = Annotated[int, Check(f"a length up to {LONGEST:,}", is_length)]
Lengths = tuple[_Length, ...]
Numbers = tuple[Annotated[float, Convert("a number", as_number)], ...]
AttrsOfFile = Annotated[Attrs, Convert("a list of names with values", as_attributes)]


class ProgramError(ValueError):
    """A program that makes no sense; the message says what and where."""


@dataclass(frozen=True, slots=True)
class Constant:
    """An array: shape, dtype and values in C order."""

    shape: Lengths
    values: Numbers
    dtype: Annotated[str, one_of(("float32", "float64"))] = "float64"

    def array(self) -> NDArray[Any]:
        """A new array."""
        return np.array(self.values, self.dtype).reshape(self.shape)

    def __str__(self) -> str:
        is_hidden = size(self.shape) == 0 and self.shape != (0,)  # lists do not tell the shape
        text = f"zeros{self.shape}" if is_hidden else repr(self.array().tolist())
        return text if self.dtype == "float64" else f"{text}, {self.dtype}"


@dataclass(frozen=True, slots=True)
class Leaf(Constant):
    """A variable that the program starts from."""

    requires_grad: bool = True

    def info(self) -> Info:
        return info_of(self.shape, self.dtype, self.requires_grad)

    def __str__(self) -> str:
        text = Constant.__str__(self)
        return text if self.requires_grad else f"{text}, requires_grad=False"


class _Event:
    """What statements have in common that name values or leaves and nothing else."""

    __slots__ = ()
    keyword: ClassVar[str]
    note: ClassVar[str] = ""

    def text(self, names: Sequence[str]) -> str:
        """``keyword(x0, x1)``."""
        arguments = ", ".join(names[i] for i in (*operands(self), *leaf_operands(self)))
        return f"{self.keyword}({arguments}){self.note}"


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply an operation of ``parity.language.table.OPS``, under ``no_grad`` or not."""

    keyword: ClassVar[str] = "apply"
    op: str
    inputs: tuple[int, ...]
    attrs: AttrsOfFile = ()
    no_grad: bool = False

    def text(self, names: Sequence[str]) -> str:
        """``add(x0, x0)``, with attributes as keywords."""
        arguments = [names[i] for i in self.inputs]
        arguments += [f"{k}={v!r}" for k, v in self.attrs]
        under = "  # under no_grad" if self.no_grad else ""
        return f"{self.op}({', '.join(arguments)}){under}"


@dataclass(frozen=True, slots=True)
class Backward:
    """Propagate from a value; without a gradient only from one element."""

    keyword: ClassVar[str] = "backward"
    value: int
    gradient: Constant | None = None
    retain_graph: bool = False
    create_graph: bool = False

    def text(self, names: Sequence[str]) -> str:
        arguments = [names[self.value]]
        if self.gradient is not None:
            arguments.append(f"gradient={self.gradient}")
        flags = {"retain_graph": self.retain_graph, "create_graph": self.create_graph}
        arguments += [f"{name}=True" for name, on in flags.items() if on]
        return f"backward({', '.join(arguments)})"


@dataclass(frozen=True, slots=True)
class Detach(_Event):
    """A constant on the same values."""

    keyword: ClassVar[str] = "detach"
    value: int


@dataclass(frozen=True, slots=True)
class TakeGrad(_Event):
    """The gradient of a leaf as a value to compute on: second order."""

    keyword: ClassVar[str] = "grad_of"
    leaf: int


@dataclass(frozen=True, slots=True)
class Clear(_Event):
    """Make the gradients of leaves None: ``x.cleargrad()``, ``x.grad = None``."""

    keyword: ClassVar[str] = "cleargrad"
    leaves: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Zero(_Event):
    """Fill the gradients of leaves with zeros in place: ``x.grad.zero_()``."""

    keyword: ClassVar[str] = "zero_grad"
    leaves: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ChangeGrad(_Event):
    """Change a leaf's gradient in place (times 2, plus 1): others must not change."""

    keyword: ClassVar[str] = "change_grad"
    note: ClassVar[str] = "  # in place: * 2 + 1"
    leaf: int


@dataclass(frozen=True, slots=True)
class ChangeGradient(_Event):
    """Change the array that was passed to the last backward: no gradient may change."""

    keyword: ClassVar[str] = "change_gradient"
    note: ClassVar[str] = "  # the array passed to backward: * 2 + 1"


@dataclass(frozen=True, slots=True)
class Drop:
    """Drop the program's reference to a value."""

    keyword: ClassVar[str] = "drop"
    value: int

    def text(self, names: Sequence[str]) -> str:
        return f"del {names[self.value]}"


Statement: TypeAlias = (
    Apply | Detach | TakeGrad | Backward | Clear | Zero | ChangeGrad | ChangeGradient | Drop
)
STATEMENTS: dict[str, type[Any]] = {cls.keyword: cls for cls in get_args(Statement)}


@dataclass(frozen=True, slots=True)
class Info:
    """Properties of a value known before execution; ``requires_grad`` None: it depends."""

    shape: Shape
    dtype: str
    requires_grad: bool | None


#: There are few of them, so equal ones are one object.
info_of = functools.lru_cache(maxsize=4096)(Info)


class Inference:
    """The properties of values, statement by statement."""

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self.infos = [leaf.info() for leaf in leaves]
        self._leaves = len(leaves)
        self._dropped: set[int] = set()
        self._with_gradient = False

    def add(self, statement: Statement) -> list[Info]:
        """Return the properties of what a statement defines; ProgramError if it makes no sense."""
        _check_references(statement, self.infos, self._leaves, self._dropped)
        if isinstance(statement, Backward):
            self._with_gradient = statement.gradient is not None
            if statement.gradient is not None:
                _check_constant(statement.gradient, "gradient")
        elif isinstance(statement, ChangeGradient):
            if not self._with_gradient:
                raise ProgramError("there is no gradient array to change")
            self._with_gradient = False
        elif isinstance(statement, Drop):
            self._dropped.add(statement.value)
        new = outputs_of(statement, self.infos)
        self.infos += new
        return new


@dataclass(frozen=True)
class Program:
    """Leaves and statements; ``validate`` says whether they make sense.

    A program is frozen, so what is inferred from it is inferred once.
    """

    leaves: tuple[Leaf, ...]
    statements: tuple[Statement, ...]

    @functools.cached_property
    def infos(self) -> tuple[Info, ...]:
        """Properties of every value. ProgramError names the statement that makes no sense."""
        inference = Inference(self.leaves)
        for number, statement in enumerate(self.statements):
            try:
                inference.add(statement)
            except ProgramError as error:
                raise ProgramError(f"statement {number} ({statement.keyword}): {error}") from None
        return tuple(inference.infos)

    @functools.cached_property
    def defined(self) -> tuple[tuple[int, ...], ...]:
        """For each statement the numbers of the values that it defines."""
        infos = [leaf.info() for leaf in self.leaves]
        defined = []
        for statement in self.statements:
            first = len(infos)
            infos += outputs_of(statement, infos)
            defined.append(tuple(range(first, len(infos))))
        return tuple(defined)

    def validate(self) -> None:
        """Raise ProgramError if the program is invalid."""
        if not self.leaves:
            raise ProgramError("a program needs a leaf")
        for what, several in (("leaves", self.leaves), ("statements", self.statements)):
            if len(several) > MOST_STATEMENTS:
                raise ProgramError(f"{len(several)} {what}, and at most {MOST_STATEMENTS} are run")
        for number, leaf in enumerate(self.leaves):
            _check_constant(leaf, f"leaf {number}")
        _check_sizes(self.infos)

    def __str__(self) -> str:
        """Return the program as text, one line per leaf or statement."""
        names = self.value_names
        lines = [f"{names[i]} = leaf({leaf})" for i, leaf in enumerate(self.leaves)]
        for statement, values in zip(self.statements, self.defined, strict=True):
            left = ", ".join(names[i] for i in values)
            text = statement.text(names)
            lines.append(f"{left} = {text}" if left else text)
        return "\n".join(lines)

    @property
    def value_names(self) -> list[str]:
        """The names that values have in text: x0, x1, ..."""
        return [f"x{i}" for i in range(len(self.infos))]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print the program in the failing examples of Hypothesis."""
        printer.text(f"\n{self}")


def operands(statement: Statement | _Event) -> tuple[int, ...]:
    """Return the values that a statement reads."""
    if isinstance(statement, Apply):
        return statement.inputs
    if isinstance(statement, (Detach, Backward, Drop)):
        return (statement.value,)
    return ()


def leaf_operands(statement: Statement | _Event) -> tuple[int, ...]:
    """The leaves whose gradients a statement reads or changes."""
    if isinstance(statement, (Clear, Zero)):
        return statement.leaves
    if isinstance(statement, (TakeGrad, ChangeGrad)):
        return (statement.leaf,)
    return ()


def check_shape(shape: Shape) -> None:
    """Raise ProgramError for a shape with too many dimensions or elements.

    Lengths of 0 count as 1: a sum over such an axis has as many elements.
    """
    if len(shape) > MOST_DIMENSIONS:
        raise ProgramError(f"{len(shape)} dimensions, and at most {MOST_DIMENSIONS} are run")
    if extent(shape) > MOST_ELEMENTS:
        raise ProgramError(f"shape {shape} has more than {MOST_ELEMENTS:,} elements")


def _check_sizes(infos: Sequence[Info]) -> None:
    """Raise ProgramError for values that take too much memory; nothing is allocated yet."""
    for number, info in enumerate(infos):
        try:
            check_shape(info.shape)
        except ProgramError as error:
            raise ProgramError(f"value {number}: {error}") from None
    if sum(extent(info.shape) for info in infos) > MOST_IN_TOTAL:
        raise ProgramError(f"its values have more than {MOST_IN_TOTAL:,} elements together")


def _check_constant(constant: Constant, where: str) -> None:
    if constant.dtype not in ("float32", "float64"):
        raise ProgramError(f"{where}: dtype {constant.dtype!r} is not supported")
    if size(constant.shape) != len(constant.values):
        raise ProgramError(f"{where}: {len(constant.values)} values for shape {constant.shape}")


def _check_references(
    statement: Statement, infos: list[Info], leaves: int, dropped: set[int]
) -> None:
    for value in operands(statement):
        if not (isinstance(value, int) and 0 <= value < len(infos)):
            raise ProgramError(f"there is no value {shown(value)} yet")
        if value in dropped:
            raise ProgramError(f"value {value} was dropped")
    for leaf in leaf_operands(statement):
        if not (isinstance(leaf, int) and 0 <= leaf < leaves):
            raise ProgramError(f"there is no leaf {shown(leaf)}")
    if isinstance(statement, Drop) and statement.value < leaves:
        raise ProgramError("leaves are not dropped: their gradients are observed")


def outputs_of(statement: Statement, infos: list[Info]) -> list[Info]:
    """The values that a statement defines."""
    if isinstance(statement, Apply):
        return apply_infos(statement, [infos[i] for i in statement.inputs])
    if isinstance(statement, Detach):
        info = infos[statement.value]
        return [info_of(info.shape, info.dtype, False)]
    if isinstance(statement, TakeGrad):
        info = infos[statement.leaf]
        return [info_of(info.shape, info.dtype, None)]
    return []


def apply_infos(statement: Apply, inputs: list[Info]) -> list[Info]:
    """Return the properties of the outputs; ProgramError if the operation does not apply."""
    op = OPS.get(statement.op)
    if op is None:
        hint = did_you_mean(statement.op[:40], OPS).rstrip()
        raise ProgramError(f"there is no operation {shown(statement.op)}{hint and f': {hint}'}")
    if len(inputs) != (op.arity or len(inputs)) or not inputs:
        raise ProgramError(f"{op.name} takes {op.arity} operands, not {len(inputs)}")
    if tuple(sorted(op.kinds)) != tuple(name for name, _ in statement.attrs):
        raise ProgramError(f"{op.name} takes the attributes {', '.join(op.kinds) or 'none'}")
    shapes = tuple(info.shape for info in inputs)
    outputs = output_shapes(op.name, shapes, statement.attrs)
    if outputs is None:
        attrs = ", ".join(f"{name}={shown(value)}" for name, value in statement.attrs)
        raise ProgramError(f"{op.name} does not apply to shapes {shown(shapes)} {attrs}".rstrip())
    dtype = result_dtype(op.name, [info.dtype for info in inputs], shapes)
    if dtype is None:
        raise ProgramError(f"{op.name} of mixed dtypes is not compared here")
    requires = False if statement.no_grad else requires_gradient(inputs)
    return [info_of(shape, dtype, requires) for shape in outputs]


def requires_gradient(inputs: list[Info]) -> bool | None:
    """Whether a recorded result requires a gradient: it does if an operand does."""
    known = [info.requires_grad for info in inputs]
    return True if True in known else (None if None in known else False)
