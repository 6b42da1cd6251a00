"""Programs as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parity.language import program as pr


def value_names(program: pr.Program) -> list[str]:
    """The names that values have in text: x0, x1, ..."""
    return [f"x{i}" for i in range(len(program.infer()))]


def call_text(statement: pr.Apply, names: list[str]) -> str:
    """``add(x0, x0)`` with attributes as keywords."""
    arguments = [names[i] for i in statement.inputs]
    arguments += [f"{k}={v!r}" for k, v in statement.attrs]
    return f"{statement.op}({', '.join(arguments)})"


def _apply(s: pr.Apply, names: list[str]) -> str:
    return call_text(s, names) + ("  # under no_grad" if s.no_grad else "")


def _backward(s: pr.Backward, names: list[str]) -> str:
    arguments = [names[s.value]]
    if s.gradient is not None:
        arguments.append(f"gradient={s.gradient}")
    arguments += [f"{k}=True" for k in ("retain_graph", "create_graph") if getattr(s, k)]
    return f"backward({', '.join(arguments)})"


def _leaves(s: pr.Clear | pr.Zero, names: list[str]) -> str:
    return f"{s.keyword}({', '.join(names[i] for i in s.leaves)})"


_TEXTS: dict[type[Any], Callable[[Any, list[str]], str]] = {
    pr.Apply: _apply,
    pr.Detach: lambda s, names: f"detach({names[s.value]})",
    pr.TakeGrad: lambda s, names: f"grad_of({names[s.leaf]})",
    pr.Backward: _backward,
    pr.Clear: _leaves,
    pr.Zero: _leaves,
    pr.ChangeGrad: lambda s, names: f"change_grad({names[s.leaf]})  # in place: * 2 + 1",
    pr.ChangeGradient: lambda s, names: (
        "change_gradient()  # the array passed to backward: * 2 + 1"
    ),
    pr.Drop: lambda s, names: f"del {names[s.value]}",
}


def statement_text(statement: pr.Statement, names: list[str]) -> str:
    """The right-hand side of a statement, or the whole of an event."""
    return _TEXTS[type(statement)](statement, names)


def program_text(program: pr.Program) -> str:
    """A line a leaf or statement."""
    names = value_names(program)
    lines = [f"{names[i]} = leaf({leaf})" for i, leaf in enumerate(program.leaves)]
    for statement, values in zip(program.statements, program.defined(), strict=True):
        left = ", ".join(names[i] for i in values)
        text = statement_text(statement, names)
        lines.append(f"{left} = {text}" if left else text)
    return "\n".join(lines)
