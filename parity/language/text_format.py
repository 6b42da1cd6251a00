"""Programs read back from their text, ``str(program)``."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from parity.language import program as pr
from parity.language.shapes import size

#: A dtype follows the values that it belongs to, in a gradient after a keyword as well.
_DTYPE = re.compile(r", (float32|float64)\b")
_UNDER_NO_GRAD = "# under no_grad"


def program_from_text(text: str) -> pr.Program:
    """The validated program of its text, indented or not; nothing is executed.

    ProgramError says which line makes no sense.
    """
    reader = _Reader()
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            reader.line(line)
        except (SyntaxError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise pr.ProgramError(f"{line!r} is no statement: {error}") from None
    program = pr.Program(tuple(reader.leaves), tuple(reader.statements))
    program.validate()
    return program


class _Reader:
    def __init__(self) -> None:
        self.leaves: list[pr.Leaf] = []
        self.statements: list[pr.Statement] = []
        self.numbers: dict[str, int] = {}

    def line(self, line: str) -> None:
        (parsed,) = ast.parse(_DTYPE.sub(r", dtype='\1'", line)).body
        if isinstance(parsed, ast.Delete):
            self.statements.append(pr.Drop(self.number(parsed.targets[0])))
            return
        call = parsed.value if isinstance(parsed, (ast.Assign, ast.Expr)) else None
        if not isinstance(call, ast.Call):
            raise ValueError("expected a call")
        keyword = _name(call.func)
        if keyword == "leaf":
            self.leaves.append(pr.Leaf(**_array(call.args[0], _attrs(call))))
        else:
            read = _EVENTS.get(keyword, _Reader.apply)
            self.statements.append(read(self, call, line.endswith(_UNDER_NO_GRAD)))
        if isinstance(parsed, ast.Assign):
            left = parsed.targets[0]
            for target in left.elts if isinstance(left, ast.Tuple) else [left]:
                self.numbers[_name(target)] = len(self.numbers)

    def number(self, node: ast.AST) -> int:
        """Return the number of the value with this name."""
        name = _name(node)
        if name not in self.numbers:
            raise ValueError(f"there is no value {name} yet")
        return self.numbers[name]

    def operands(self, call: ast.Call) -> tuple[int, ...]:
        return tuple(map(self.number, call.args))

    def apply(self, call: ast.Call, no_grad: bool) -> pr.Statement:
        attrs = tuple(sorted(_attrs(call).items()))
        return pr.Apply(_name(call.func), self.operands(call), attrs, no_grad)

    def backward(self, call: ast.Call, no_grad: bool) -> pr.Statement:
        nodes = [k.value for k in call.keywords if k.arg == "gradient"]
        flags = _attrs(call, leave_out="gradient")
        dtype = {"dtype": flags.pop("dtype")} if "dtype" in flags else {}
        gradient = pr.Constant(**_array(nodes[0], dtype)) if nodes else None
        return pr.Backward(self.operands(call)[0], gradient, **flags)


_EVENTS: dict[str, Callable[[_Reader, ast.Call, bool], pr.Statement]] = {
    "backward": _Reader.backward,
    "detach": lambda reader, call, _: pr.Detach(reader.operands(call)[0]),
    "grad_of": lambda reader, call, _: pr.TakeGrad(reader.operands(call)[0]),
    "cleargrad": lambda reader, call, _: pr.Clear(reader.operands(call)),
    "zero_grad": lambda reader, call, _: pr.Zero(reader.operands(call)),
    "change_grad": lambda reader, call, _: pr.ChangeGrad(reader.operands(call)[0]),
    "change_gradient": lambda reader, call, _: pr.ChangeGradient(),
}


def _name(node: ast.AST) -> str:
    if not isinstance(node, ast.Name):
        raise ValueError("expected a name")
    return node.id


def _attrs(call: ast.Call, leave_out: str = "") -> dict[str, Any]:
    return {str(k.arg): ast.literal_eval(k.value) for k in call.keywords if k.arg != leave_out}


def _array(node: ast.AST, attrs: dict[str, Any]) -> dict[str, Any]:
    """Shape and values of nested lists, or of ``zeros(shape)`` where there are no values."""
    if isinstance(node, ast.Call):
        shape = tuple(ast.literal_eval(a) for a in node.args)
        return {"shape": shape, "values": (0.0,) * size(shape), **attrs}
    array = np.array(_numbers(node), np.float64)
    return {"shape": array.shape, "values": tuple(array.ravel().tolist()), **attrs}


def _numbers(node: ast.AST) -> Any:
    """Numbers in nested lists; ``nan`` and ``inf`` are names."""
    if isinstance(node, ast.List):
        return [_numbers(e) for e in node.elts]
    if isinstance(node, ast.UnaryOp):
        return -_numbers(node.operand)
    if isinstance(node, ast.Name):
        return {"nan": math.nan, "inf": math.inf}[node.id]
    return ast.literal_eval(node)
