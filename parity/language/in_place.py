"""Operations in place: statements that change a value, ``add_(x1, x2)``.

What one means is said in operations of the table: the value that the name stands for afterwards.
Evaluations that are no engines (exact numbers, error bounds, exactness) follow that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np

from parity._util.decode import shown
from parity._util.names import did_you_mean
from parity.language.shapes import Shape
from parity.language.statements import AttrsOfFile, State, Statement, requires_gradient
from parity.language.values import Info, ProgramError, info_of


class Apply(Protocol):
    """Applies an operation of the table to values, given its attributes as programs have them."""

    def __call__(self, op: str, *values: Any, **attrs: Any) -> Any: ...


@dataclass(frozen=True)
class InPlaceOperation:
    """An operation that changes its first operand.

    Attributes
    ----------
    inputs
        How many further operands it has; they broadcast to the shape of the first.
    torch
        What PyTorch does, as an expression for scripts, with the operands ``a`` and ``b``.
    meaning
        The new value, from a function that applies operations, the shape of the first operand,
        the operands and the attributes.
    attrs
        The names of its attributes.
    saves_input, saves_result
        Whether its backward needs the further operand, or what the first one is afterwards.
    """

    inputs: int
    torch: str
    meaning: Callable[..., Any]
    attrs: tuple[str, ...] = ()
    saves_input: bool = False
    saves_result: bool = False


def _copied(apply: Apply, shape: Shape, a: Any, b: Any) -> Any:
    return apply("add", apply("mul_scalar", a, c=0.0), b)


def _with_item(apply: Apply, shape: Shape, a: Any, b: Any, *, index: int) -> Any:
    mask = np.zeros(shape, bool)
    mask[index] = True
    flat = (mask.size,)
    wide = apply("reshape", apply("broadcast_to", b, shape=shape), shape=flat)
    condition = tuple(mask.ravel().tolist())
    chosen = apply("where", wide, apply("reshape", a, shape=flat), condition=condition)
    return apply("reshape", chosen, shape=shape)


#: The operations in place by name, the simplest first.
IN_PLACE: dict[str, InPlaceOperation] = {
    "add_": InPlaceOperation(1, "a.add_(b)", lambda apply, shape, a, b: apply("add", a, b)),
    "mul_": InPlaceOperation(
        1, "a.mul_(b)", lambda apply, shape, a, b: apply("mul", a, b), saves_input=True
    ),
    "sub_": InPlaceOperation(1, "a.sub_(b)", lambda apply, shape, a, b: apply("sub", a, b)),
    "mul_scalar_": InPlaceOperation(
        0, "a.mul_(c)", lambda apply, shape, a, c: apply("mul_scalar", a, c=c), ("c",)
    ),
    "zero_": InPlaceOperation(
        0, "a.zero_()", lambda apply, shape, a: apply("mul_scalar", a, c=0.0)
    ),
    "copy_": InPlaceOperation(1, "a.copy_(b)", _copied),
    "relu_": InPlaceOperation(
        0, "a.relu_()", lambda apply, shape, a: apply("relu", a), saves_result=True
    ),
    "set_item_": InPlaceOperation(1, "a.__setitem__(index, b)", _with_item, ("index",)),
}


@dataclass(frozen=True, slots=True)
class InPlace(Statement):
    """Change a value by an operation of ``IN_PLACE``."""

    keyword: ClassVar[str] = "in_place"
    op: str
    target: int
    inputs: tuple[int, ...] = ()
    attrs: AttrsOfFile = ()

    def operands(self) -> tuple[int, ...]:
        return (self.target, *self.inputs)

    def changes(self) -> tuple[int, ...]:
        return (self.target,)

    def change(self, state: State) -> None:
        op = self._operation()
        target, *others = (state.infos[i] for i in self.operands())
        if len(others) != op.inputs:
            raise ProgramError(f"{self.op} takes {1 + op.inputs} operands, not {1 + len(others)}")
        if tuple(name for name, _ in self.attrs) != op.attrs:
            raise ProgramError(f"{self.op} takes the attributes {', '.join(op.attrs) or 'none'}")
        for name, value in self.attrs:
            _CHECKS[name](value, target)
        if self.target in self.inputs:
            raise ProgramError("a value is not changed by itself")
        part = target.shape[1:] if "index" in op.attrs else target.shape
        for other in others:
            if not _fits(other.shape, part) or other.dtype != target.dtype:
                raise ProgramError(f"shape {other.shape} is not broadcast to shape {part} in place")
        if state.recording and self.target >= state.leaves:
            requires = requires_gradient([target, *others])
            state.infos[self.target] = info_of(target.shape, target.dtype, requires)

    def _operation(self) -> InPlaceOperation:
        if self.op not in IN_PLACE:
            hint = did_you_mean(self.op[:40], IN_PLACE).rstrip()
            raise ProgramError(f"there is no {shown(self.op)} in place{hint and f': {hint}'}")
        return IN_PLACE[self.op]

    def renumbered(self, moved: Callable[[int], int]) -> Statement:
        return replace(self, target=moved(self.target), inputs=tuple(map(moved, self.inputs)))

    def simpler(self, rewires: bool) -> Iterator[Statement]:
        for name, value in self.attrs:
            for simple in _SIMPLE[name]:
                if simple != value:
                    yield replace(self, attrs=((name, simple),))
        for position, value in enumerate(self.inputs) if rewires else ():
            for other in range(value):
                inputs = (*self.inputs[:position], other, *self.inputs[position + 1 :])
                yield replace(self, inputs=inputs)
        for other in range(self.target) if rewires else ():
            yield replace(self, target=other)

    def text(self, names: Sequence[str]) -> str:
        arguments = [names[i] for i in self.operands()]
        arguments += [f"{k}={v!r}" for k, v in self.attrs]
        return f"{self.op}({', '.join(arguments)})"


@dataclass(frozen=True, slots=True)
class DetachInPlace(Statement):
    """Make a computed value a constant, ``x1.detach_()``."""

    keyword: ClassVar[str] = "detach_"
    positional: ClassVar[str] = "value"
    value: int

    def operands(self) -> tuple[int, ...]:
        return (self.value,)

    def change(self, state: State) -> None:
        if self.value < state.leaves:
            raise ProgramError("leaves are not detached in place")
        info = state.infos[self.value]
        state.infos[self.value] = info_of(info.shape, info.dtype, False)

    def renumbered(self, moved: Callable[[int], int]) -> Statement:
        return replace(self, value=moved(self.value))


def _check_number(value: Any, target: Info) -> None:
    if type(value) not in (int, float):
        raise ProgramError(f"c is {shown(value)}, not a number")


def _check_index(value: Any, target: Info) -> None:
    if not target.shape:
        raise ProgramError("a value without axes has no items")
    if type(value) is not int or not -target.shape[0] <= value < target.shape[0]:
        raise ProgramError(f"there is no item {shown(value)} of {target.shape[0]}")


_CHECKS: dict[str, Callable[[Any, Info], None]] = {"c": _check_number, "index": _check_index}
#: Simpler attributes.
_SIMPLE: dict[str, tuple[Any, ...]] = {"c": (2.0,), "index": (0,)}


def _fits(shape: Shape, target: Shape) -> bool:
    """Whether a shape is broadcast to another one."""
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False


def meaning(apply: Apply, statement: InPlace, shape: Shape, values: Sequence[Any]) -> Any:
    """Return the new value of the target, from those of the operands, by ``apply``."""
    return IN_PLACE[statement.op].meaning(apply, shape, *values, **dict(statement.attrs))
