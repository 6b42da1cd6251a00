"""Blocks of a program: statements between ``with no_grad():`` and their end.

A block ends with ``end``, or with ``raise``: an exception that leaves the innermost block and is
caught right after it. What is still open at the end of a program ends there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from parity._util.decode import one_of
from parity.language.statements import State, Statement
from parity.language.values import ProgramError

#: The modes of blocks; each is a method of ``parity.engines.base.Engine``.
MODES = ("no_grad", "enable_grad")


@dataclass(frozen=True, slots=True)
class Enter(Statement):
    """Begin a block in which operations are not recorded, or are recorded again."""

    keyword: ClassVar[str] = "enter"
    mode: Annotated[str, one_of(MODES)]

    def change(self, state: State) -> None:
        state.blocks.append(self.mode)

    def text(self, names: Any) -> str:
        return f"with {self.mode}():"


@dataclass(frozen=True, slots=True)
class Leave(Statement):
    """End the innermost block, by an exception if ``raises``."""

    keyword: ClassVar[str] = "leave"
    raises: bool = False

    def change(self, state: State) -> None:
        if not state.blocks:
            raise ProgramError("no block is open")
        state.blocks.pop()

    def simpler(self, rewires: bool) -> Iterator[Statement]:
        if self.raises:
            yield Leave()

    def text(self, names: Any) -> str:
        return "raise  # caught after the block" if self.raises else "end"


#: How the indentation of text changes before and after a statement.
INDENTS: dict[type[Statement], tuple[int, int]] = {Enter: (0, 1), Leave: (-1, 0)}
#: The lines of text that begin and end blocks, as JSON has them.
BLOCK_LINES: dict[str, dict[str, Any]] = {
    **{f"with {mode}():": {"do": "enter", "mode": mode} for mode in MODES},
    "end": {"do": "leave"},
    "raise": {"do": "leave", "raises": True},
}


def recording_at(statements: tuple[Statement, ...], number: int) -> bool:
    """Return whether operations are recorded after the first ``number`` statements."""
    modes: list[str] = []
    for s in statements[:number]:
        if isinstance(s, Enter):
            modes.append(s.mode)
        elif isinstance(s, Leave) and modes:
            modes.pop()
    return not modes or modes[-1] == "enable_grad"
