"""A program as the source of a Python function of its leaves that returns its roots.

The source is straight-line code: an assignment for each operation. Backwards are no part of it;
they run through what the function returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.language import attributes
from parity.language import program as pr
from parity.language.forms import ARGUMENT, SEVERAL
from parity.language.table import OPS, keywords

#: How the names of forms begin in the source.
FORM = "form_"


@dataclass
class FunctionSource:
    """The source of one program, with names that begin with ``prefix``."""

    program: pr.Program
    prefix: str = ""
    #: The values that the function returns.
    outputs: tuple[int, ...] = ()
    #: Leaves that are passed once more, each as an argument of its own.
    again: list[int] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.outputs = outputs_of(self.program)
        for number, statement in enumerate(self.program.statements):
            write = _WRITERS.get(type(statement))
            if write is not None:
                self.lines += write(self, number, statement)

    @property
    def parameters(self) -> list[str]:
        """The names of the leaves, then of those that are passed once more."""
        leaves = [self.name(i) for i in range(len(self.program.leaves))]
        return leaves + [f"{self.name(i)}_{k}" for k, i in enumerate(self.again)]

    @property
    def returned(self) -> list[str]:
        return [self.name(i) for i in self.outputs]

    def name(self, value: int) -> str:
        return f"{self.prefix}x{value}"

    def apply(self, number: int, s: pr.Apply) -> list[str]:
        operands = [self.name(i) for i in s.inputs]
        if s.form == ARGUMENT and s.inputs[-1] < len(self.program.leaves):
            operands[-1] = f"{operands[-1]}_{len(self.again)}"
            self.again.append(s.inputs[-1])
        arguments = operands + [
            f"{k}={literal(s.op, v)}" for k, v in keywords(s.op, s.attrs).items()
        ]
        call = f"{s.op}({', '.join(arguments)})"
        if s.form and s.form != ARGUMENT:
            arguments = [repr(s.op), s.op, *arguments]
            call = f"{FORM}{s.form.replace('-', '_')}({', '.join(arguments)})"
        names = [self.name(i) for i in self.program.defined[number]]
        if len(names) == 1 and (s.op in SEVERAL or not OPS[s.op].has_rules):
            call = f"only({call})"
        line = f"{', '.join(names)} = {call}"
        if not s.no_grad:
            return [line]
        constants = [f"{name} = detach({name})" for name in names]  # docs/semantics.md 6.3
        return ["with no_grad():", f"    {line}", *constants]

    def detach(self, number: int, s: pr.Detach) -> list[str]:
        (new,) = self.program.defined[number]
        return [f"{self.name(new)} = detach({self.name(s.value)})"]

    def drop(self, number: int, s: pr.Drop) -> list[str]:
        return [] if s.value in self.outputs else [f"del {self.name(s.value)}"]


_WRITERS: dict[type[pr.Statement], Any] = {
    pr.Apply: FunctionSource.apply,
    pr.Detach: FunctionSource.detach,
    pr.Drop: FunctionSource.drop,
}


def only(result: Any) -> Any:
    """Return the result of an operation that may give a tuple of one."""
    return result[0] if isinstance(result, (tuple, list)) else result


def outputs_of(program: pr.Program) -> tuple[int, ...]:
    """Return the roots of backwards, and the values that nothing reads."""
    roots = {s.value for s in program.statements if isinstance(s, pr.Backward)}
    read = {i for s in program.statements if not isinstance(s, pr.Backward) for i in s.operands()}
    computed = range(len(program.leaves), len(program.infos))
    return tuple(sorted(roots | {i for i in computed if i not in read}))


def literal(op: str, value: Any) -> str:
    """Return an attribute as an expression.

    Operations with rules take lists for arrays as well, but for indices: a nested list is another
    index than the array.
    """
    if isinstance(value, np.ndarray) and OPS[op].has_rules and "index" not in OPS[op].kinds:
        return repr(value.tolist())
    return attributes.literal(value)


def batch_source(sources: Sequence[FunctionSource], name: str) -> str:
    """Return one function of all programs: of all their parameters, to a tuple for each.

    Examples
    --------
    >>> from parity.language.text_format import program_from_text
    >>> program = program_from_text("x0 = leaf(3.0)\\nx1 = mul(x0, x0)\\nbackward(x1)")
    >>> print(batch_source([FunctionSource(program)], "program"))
    def program(x0):
        x1 = mul(x0, x0)
        return ((x1,),)
    <BLANKLINE>
    """
    parameters = [name for source in sources for name in source.parameters]
    lines = [line for source in sources for line in source.lines]
    tuples = [f"({''.join(f'{name}, ' for name in s.returned).rstrip()})" for s in sources]
    body = [*lines, f"return ({', '.join(tuples)},)"]
    return "\n".join([f"def {name}({', '.join(parameters)}):", *(f"    {b}" for b in body), ""])
