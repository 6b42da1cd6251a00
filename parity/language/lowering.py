"""``lowered``: a program without blocks, operations in place and functions of the user.

It has the same numbers and gradients, from operations alone, and serves analyses that know only
those. What an operation in place gives is a new value, which later statements read instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from parity.language.blocks import Enter, Leave
from parity.language.in_place import DetachInPlace, InPlace, meaning
from parity.language.program import Program
from parity.language.statements import Apply, Detach, Drop, Statement
from parity.language.user import USER_FUNCTIONS, User

_LOWERED = (Enter, Leave, InPlace, DetachInPlace, User)


def is_plain(program: Program) -> bool:
    """Return whether a program has none of the statements that are lowered."""
    return not any(isinstance(s, _LOWERED) for s in program.statements)


def lowered(program: Program) -> Program:
    """Return a program with the same results, without the statements of this module.

    Examples
    --------
    >>> from parity.language.text_format import program_from_text
    >>> print(lowered(program_from_text("x0 = leaf(3.0)\\nx1 = neg(x0)\\nadd_(x1, x0)")))
    x0 = leaf(3.0)
    x1 = neg(x0)
    x2 = add(x1, x0)
    """
    return program if is_plain(program) else _Lowering(program).program()


class _Lowering:
    """A program in the making."""

    def __init__(self, program: Program) -> None:
        self.source = program
        self.count = len(program.leaves)
        #: For each value of the source the value that has its number now.
        self.now = list(range(self.count))
        self.modes: list[str] = []
        self.statements: list[Statement] = []

    @property
    def quiet(self) -> bool:
        return bool(self.modes) and self.modes[-1] == "no_grad"

    def program(self) -> Program:
        for statement, defined in zip(self.source.statements, self.source.defined, strict=True):
            if isinstance(statement, Apply):
                statement = replace(statement, no_grad=statement.no_grad or self.quiet)
            method = _METHODS.get(type(statement))
            if method is not None:
                method(self, statement)
            else:
                moved = statement.renumbered(self.now.__getitem__)
                self.now += self.define(moved, len(defined))
        return Program(self.source.leaves, tuple(self.statements))

    def define(self, statement: Statement, outputs: int = 1) -> range:
        self.statements.append(statement)
        self.count += outputs
        return range(self.count - outputs, self.count)

    def apply(self, op: str, *values: Any, **attrs: Any) -> int:
        """Add an operation; the value it gives."""
        if op == "detach":
            return self.define(Detach(*values))[0]
        return self.define(Apply(op, values, tuple(sorted(attrs.items())), self.quiet))[0]

    def enter(self, statement: Enter) -> None:
        self.modes.append(statement.mode)

    def leave(self, statement: Leave) -> None:
        self.modes.pop()

    def in_place(self, statement: InPlace) -> None:
        values = [self.now[i] for i in statement.operands()]
        new = meaning(self.apply, statement, self.source.infos[statement.target].shape, values)
        if self.quiet:  # gradients reach what was there before
            difference = self.apply("detach", self.apply("sub", new, values[0]))
            new = self.define(Apply("add", (values[0], difference)))[0]
        self.now[statement.target] = new

    def detach_(self, statement: DetachInPlace) -> None:
        self.now[statement.value] = self.apply("detach", self.now[statement.value])

    def user(self, statement: User) -> None:
        inputs = [self.now[i] for i in statement.inputs]
        self.now += USER_FUNCTIONS[statement.function].meaning(self.apply, *inputs)


_METHODS: dict[type[Statement], Callable[[_Lowering, Any], None]] = {
    Drop: lambda lowering, statement: None,
    Enter: _Lowering.enter,
    Leave: _Lowering.leave,
    InPlace: _Lowering.in_place,
    DetachInPlace: _Lowering.detach_,
    User: _Lowering.user,
}
