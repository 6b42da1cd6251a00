"""Lines of reproducer scripts for blocks, operations in place and functions of the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from parity.diagnose.reproducer_tape import TapeLines
from parity.language import program as pr
from parity.language.in_place import IN_PLACE
from parity.language.user import USER_FUNCTIONS


class Lines(Protocol):
    """What is asked of ``parity.diagnose.reproducer.EngineLines``."""

    program: pr.Program
    names: list[str]
    variable: str
    mode: str
    in_place: str
    user: str
    detach_in_place: str
    tape: Mapping[str, Any]

    def array(self, constant: pr.Constant) -> str: ...


def _in_place(lines: Lines, s: pr.InPlace, outputs: str) -> list[str]:
    operands = [lines.names[i] for i in s.operands()]
    operands += [f"{name}={value!r}" for name, value in s.attrs]
    form = {"e": lines.variable, "op": s.op, "operands": ", ".join(operands)}
    target = lines.names[s.target]
    return [
        f"result = {lines.in_place.format(**form)}",
        f"{target} = {target} if result is None else result",
    ]


def _detach_in_place(lines: Lines, s: pr.DetachInPlace, outputs: str) -> list[str]:
    return [lines.detach_in_place.format(e=lines.variable, value=lines.names[s.value])]


def _user(lines: Lines, s: pr.User, outputs: str) -> list[str]:
    name = f"user_{s.function}"
    inputs = ", ".join(lines.names[i] for i in s.inputs)
    called = [f"{outputs} = {name}({inputs})"]
    first = next(x for x in lines.program.statements if isinstance(x, pr.User) and x == s)
    if any(x.function == s.function for x in _before(lines.program, first)):
        return called
    return [f"{name} = {lines.user.format(e=lines.variable, name=s.function)}", *called]


def _before(program: pr.Program, statement: pr.User) -> list[pr.User]:
    statements = program.statements[: program.statements.index(statement)]
    return [s for s in statements if isinstance(s, pr.User)]


def _tape(lines: Lines, s: pr.TapeStatement, outputs: str) -> list[str]:
    return TapeLines(lines.variable, lines.names, lines.array, **lines.tape).lines(s, outputs)


#: The lines of a statement, from the lines of the program, the statement and names of results.
FURTHER_LINES: dict[type[Any], Callable[[Any, Any, str], list[str]]] = {
    pr.InPlace: _in_place,
    pr.DetachInPlace: _detach_in_place,
    pr.User: _user,
    **dict.fromkeys(pr.TAPE_STATEMENTS.values(), _tape),
}


class Blocks:
    """The indentation of the lines of a script, with the lines that begin and end blocks."""

    def __init__(self, statements: Sequence[pr.Statement]) -> None:
        self.statements = statements
        self.open: list[bool] = []  # of each block whether an exception leaves it

    @property
    def indent(self) -> str:
        return "    " * (len(self.open) + sum(self.open))

    def enter(self, number: int, lines: Lines) -> list[str]:
        """Return the lines that begin the block of a statement."""
        mode = getattr(self.statements[number], "mode", "")
        raises, outer = self._is_left_by_exception(number), self.indent
        self.open.append(raises)
        text = f"with {lines.mode.format(e=lines.variable, mode=mode)}:"
        begin = [f"{outer}try:", f"{outer}    {text}"] if raises else [outer + text]
        following = self.statements[number + 1 : number + 2]
        empty = not following or (isinstance(following[0], pr.Leave) and not raises)
        return [*begin, f"{self.indent}pass"] if empty else begin

    def leave(self) -> list[str]:
        """Return the lines that end the innermost block."""
        inner, raises = self.indent, self.open.pop()
        if not raises:
            return []
        outer = self.indent
        return [f"{inner}raise LeavesBlock", f"{outer}except LeavesBlock:", f"{outer}    pass"]

    def _is_left_by_exception(self, number: int) -> bool:
        depth = 0
        for s in self.statements[number:]:
            depth += isinstance(s, pr.Enter) - isinstance(s, pr.Leave)
            if not depth:
                return isinstance(s, pr.Leave) and s.raises
        return False


def further_tables(program: pr.Program) -> str:
    """Return the definitions that a script needs for these statements; "" for none."""
    changes = sorted({s.op for s in program.statements if isinstance(s, pr.InPlace)})
    functions = sorted({s.function for s in program.statements if isinstance(s, pr.User)})
    parts = []
    if any(isinstance(s, pr.Leave) and s.raises for s in program.statements):
        parts.append("\n\nclass LeavesBlock(Exception):\n    pass\n")
    if changes:
        lines = (f"    {name!r}: {_change(name)},\n" for name in changes)
        parts.append(f"\n# What PyTorch does in place.\nIN_PLACE = {{\n{''.join(lines)}}}\n")
    if functions:
        pairs = ((name, USER_FUNCTIONS[name]) for name in functions)
        lines = (f"    {name!r}: ({f.forward}, {f.backward}),\n" for name, f in pairs)
        parts.append(f"\n# Forward and backward of functions.\nUSER = {{\n{''.join(lines)}}}\n")
        parts.append(_TORCH_FUNCTION)
    return "".join(parts)


def _change(name: str) -> str:
    operation = IN_PLACE[name]
    parameters = ["a", *("b" for _ in range(operation.inputs))]
    parameters += ["*", *operation.attrs] if operation.attrs else []
    return f"lambda {', '.join(parameters)}: {operation.torch}"


_TORCH_FUNCTION = """

class OfUser(torch.autograd.Function):
    @staticmethod
    def forward(ctx, forward, backward, *ts):
        ctx.computed = backward
        ctx.save_for_backward(*ts)
        results = tuple(map(torch.tensor, forward(*(t.numpy() for t in ts))))
        return results if len(results) > 1 else results[0]

    @staticmethod
    def backward(ctx, *gs):
        gs, xs = (tuple(t.numpy() for t in ts) for ts in (gs, ctx.saved_tensors))
        found = ctx.computed(gs, xs)
        return None, None, *(g if g is None else torch.tensor(g) for g in found)


def torch_function(forward, backward):
    return lambda *ts: OfUser.apply(forward, backward, *ts)
"""
