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
from typing import Any

from parity.language.shapes import Shape, extent
from parity.language.statements import (
    STATEMENTS,
    Apply,
    Backward,
    ChangeGrad,
    ChangeGradient,
    Clear,
    Detach,
    Drop,
    State,
    Statement,
    TakeGrad,
    Zero,
    requires_gradient,
)
from parity.language.values import Constant, Info, Leaf, ProgramError, check_constant, info_of

__all__ = [
    "STATEMENTS",
    "Apply",
    "Backward",
    "ChangeGrad",
    "ChangeGradient",
    "Clear",
    "Constant",
    "Detach",
    "Drop",
    "Info",
    "Leaf",
    "Program",
    "ProgramError",
    "State",
    "Statement",
    "TakeGrad",
    "Zero",
    "check_shape",
    "info_of",
    "requires_gradient",
]

#: What a program that is read may have at most: elements of a value and of all values together,
#: dimensions of a value, leaves and statements. Generated programs have far less.
MOST_ELEMENTS, MOST_IN_TOTAL, MOST_DIMENSIONS, MOST_STATEMENTS = 2**20, 2**22, 32, 10_000


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
        for number, leaf in enumerate(self.leaves):
            check_constant(leaf, f"leaf {number}")
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
