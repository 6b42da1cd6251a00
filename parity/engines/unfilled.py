"""The first line of an adapter's file that was left as the template has it: ``...``."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def unfilled(source: str, class_name: str) -> tuple[int, str] | None:
    """Return the line and what it is about, or None if nothing was left.

    Only names of the module and the class of the adapter count. A method of ``...`` alone is no
    line of the template, and a file that Python cannot read has none.

    Examples
    --------
    >>> unfilled("class Mine:\\n    def value(self, t):\\n        return ...\\n", "Mine")
    (3, '`value`')
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    return min(_found(module, class_name), default=None)


def _found(module: ast.Module, class_name: str) -> Iterator[tuple[int, str]]:
    for node in module.body:
        if isinstance(node, ast.Assign) and _is_dots(node.value):
            yield node.lineno, f"`{ast.unparse(node.targets[0])}`"
        elif isinstance(node, ast.ClassDef) and node.name == class_name:
            for part in node.body:
                yield from _in_class(part)


def _in_class(part: ast.stmt) -> Iterator[tuple[int, str]]:
    name = getattr(part, "name", "") or ast.unparse(getattr(part, "targets", [part])[0])
    for node in () if _is_stub(part) else ast.walk(part):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is not None and _is_dots(value):
                    yield value.lineno, f"operation `{ast.literal_eval(key)}`"
        elif isinstance(node, (ast.Assign, ast.Return, ast.Expr)) and _is_dots(node.value):
            yield node.lineno, f"`{name}`"


def _is_stub(part: ast.stmt) -> bool:
    """Whether a part of a class is ``...``, or a method of nothing else."""
    body = getattr(part, "body", [part])
    return len(body) == 1 and isinstance(body[0], ast.Expr) and _is_dots(body[0].value)


def _is_dots(value: ast.expr | None) -> bool:
    """Whether a value is ``...``, or a function of nothing else."""
    if isinstance(value, ast.Lambda):
        return _is_dots(value.body)
    return isinstance(value, ast.Constant) and value.value is Ellipsis
