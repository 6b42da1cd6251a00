"""What a program is: leaves and statements, in single-assignment form.

Values are numbered: first the leaves, then every output in order of its
statement; statements name values by number. A program is data: it can be
hashed, compared and printed as text; ``json_format`` and ``text_format`` write
it and read it back. They check each field by its annotation.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from parity._util.decode import shown
from parity.language.blocks import INDENTS, Enter, Leave
from parity.language.in_place import DetachInPlace, InPlace
from parity.language.shapes import Shape, extent
from parity.language.statements import STATEMENTS as _BASIC
from parity.language.statements import (
    Apply,
    Backward,
    ChangeGrad,
    ChangeGradient,
    Clear,
    Detach,
    Drop,
    Read,
    State,
    Statement,
    TakeGrad,
    Zero,
    requires_gradient,
)
from parity.language.tape_statements import (
    HOOKS,
    TAPE_STATEMENTS,
    BackwardMany,
    Grad,
    Hook,
    Pass,
    RemoveHook,
    RetainGrad,
    SetGrad,
    TapeStatement,
    records,
    with_hooks_in_order,
)
from parity.language.user import User
from parity.language.values import Constant, Info, Leaf, ProgramError, check_constant, info_of

__all__ = [
    "HOOKS",
    "STATEMENTS",
    "TAPE_STATEMENTS",
    "UNREAD",
    "Apply",
    "Backward",
    "BackwardMany",
    "ChangeGrad",
    "ChangeGradient",
    "Clear",
    "Constant",
    "Detach",
    "DetachInPlace",
    "Drop",
    "Enter",
    "Grad",
    "Hook",
    "InPlace",
    "Info",
    "Leaf",
    "Leave",
    "Pass",
    "Program",
    "ProgramError",
    "Read",
    "RemoveHook",
    "RetainGrad",
    "SetGrad",
    "State",
    "Statement",
    "TakeGrad",
    "TapeStatement",
    "User",
    "Zero",
    "check_shape",
    "info_of",
    "records",
    "requires_gradient",
    "with_hooks_in_order",
]

#: The kinds of statements by keyword.
STATEMENTS: dict[str, type[Statement]] = {
    **_BASIC,
    **TAPE_STATEMENTS,
    **{cls.keyword: cls for cls in (Enter, Leave, InPlace, DetachInPlace, User)},
}

#: What a program that is read may have at most: elements of a value and of all values together,
#: dimensions of a value, leaves and statements, earlier calls. Generated programs have far less.
MOST_ELEMENTS, MOST_IN_TOTAL, MOST_DIMENSIONS, MOST_STATEMENTS = 2**20, 2**22, 32, 10_000
MOST_CALLS = 16


#: What of a program may be unread, with what that means: everything is read as soon as it is there,
#: or the values of results are read by ``Read`` only, or gradients after the last event only, too.
UNREAD: dict[str, str] = {
    "": "each value and gradient is read at once",
    "values": "results are read where a statement reads them",
    "all": "results are read where a statement reads them, gradients after the last event",
}


@dataclass(frozen=True)
class Program:
    """Leaves and statements; ``validate`` says whether they make sense.

    A program is frozen, so what is inferred from it is inferred once.
    """

    leaves: tuple[Leaf, ...]
    statements: tuple[Statement, ...]
    #: What is not read as soon as it is there (``UNREAD``), "" for nothing. Not part of ``repr``,
    #: of which the seeds of error bounds are made.
    unread: str = field(default="", repr=False)
    #: Leaves of earlier calls of the same statements as one function. An engine that compiles
    #: programs makes them first; for all others they mean nothing.
    calls: tuple[tuple[Leaf, ...], ...] = field(default=(), repr=False)

    @functools.cached_property
    def infos(self) -> tuple[Info, ...]:
        """Properties of every value. ProgramError names the statement that makes no sense."""
        state = State.of(self.leaves)
        for number, statement in enumerate(self.statements):
            try:
                state.add(statement)
            except ProgramError as error:
                raise ProgramError(f"statement {number} ({statement.keyword}): {error}") from None
        return tuple(state.infos)

    @functools.cached_property
    def defined(self) -> tuple[tuple[int, ...], ...]:
        """For each statement the numbers of the values that it defines."""
        infos = [leaf.info() for leaf in self.leaves]
        defined = []
        for statement in self.statements:
            first = len(infos)
            infos += statement.outputs(infos)
            defined.append(tuple(range(first, len(infos))))
        return tuple(defined)

    def validate(self) -> None:
        """Raise ProgramError if the program is invalid."""
        if not self.leaves:
            raise ProgramError("a program needs a leaf")
        for what, several in (("leaves", self.leaves), ("statements", self.statements)):
            if len(several) > MOST_STATEMENTS:
                raise ProgramError(f"{len(several)} {what}, and at most {MOST_STATEMENTS} are run")
        if self.unread not in UNREAD:
            raise ProgramError(f"unread({shown(self.unread)}) is not known")
        changes = [s for s in self.statements if isinstance(s, (Zero, ChangeGrad))]
        if self.unread == "all" and changes:
            raise ProgramError(f"{changes[0].keyword} reads gradients, which are not read")
        for number, leaf in enumerate(self.leaves):
            check_constant(leaf, f"leaf {number}")
        _check_sizes(self.infos)
        self._check_calls()

    def _check_calls(self) -> None:
        if len(self.calls) > MOST_CALLS:
            raise ProgramError(f"{len(self.calls)} earlier calls, and at most {MOST_CALLS} are run")
        forms = [(leaf.shape, leaf.dtype) for leaf in self.leaves]
        for call in self.calls:
            if [(leaf.shape, leaf.dtype) for leaf in call] != forms:
                raise ProgramError("an earlier call has leaves of other shapes or dtypes")
            for number, leaf in enumerate(call):
                check_constant(leaf, f"leaf {number} of an earlier call")

    def __str__(self) -> str:
        """Return the program as text, one line per leaf or statement, after what is unread."""
        unread = [f"unread({self.unread!r})"] if self.unread else []
        return "\n".join([*unread, *self.lines()])

    def lines(self) -> list[str]:
        """Return the line of each leaf, then those of the statements."""
        names = self.value_names
        lines = [f"{names[i]} = leaf({leaf})" for i, leaf in enumerate(self.leaves)]
        depth = 0
        for statement, values in zip(self.statements, self.defined, strict=True):
            left = ", ".join(names[i] for i in values)
            text = statement.text(names)
            before, after = INDENTS.get(type(statement), (0, 0))
            depth += before
            lines.append("    " * depth + (f"{left} = {text}" if left else text))
            depth += after
        for call in self.calls:
            lines += [f"{names[i]} = earlier({leaf})" for i, leaf in enumerate(call)]
        return lines

    def constants(self) -> list[Constant]:
        """Return the arrays of the program: its leaves, and the gradients that it passes."""
        backwards = (s for s in self.statements if isinstance(s, Backward))
        return [*self.leaves, *(s.gradient for s in backwards if s.gradient is not None)]

    def all_read(self) -> Program:
        """Return the program in which each value and gradient is read at once."""
        return replace(self, unread="") if self.unread else self

    @property
    def value_names(self) -> list[str]:
        """The names that values have in text: x0, x1, ..."""
        return [f"x{i}" for i in range(len(self.infos))]

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print the program in the failing examples of Hypothesis."""
        printer.text(f"\n{self}")


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
