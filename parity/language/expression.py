"""Expressions of rows: how PyTorch computes an operation, as text.

Rows travel as text from an engine's process to the harness, so an expression may only compute: it
calls functions of ``torch`` on its operands and attributes, and reaches no file, module or private
name. ``compiled`` refuses anything else.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable
from typing import Any, Final

#: What an expression may consist of.
_NODES: Final = (
    *(ast.Expression, ast.Lambda, ast.arguments, ast.arg, ast.Name, ast.Load, ast.Store),
    *(ast.Attribute, ast.Call, ast.keyword, ast.Starred, ast.Constant, ast.Tuple, ast.List),
    *(ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp),
    *(ast.ListComp, ast.GeneratorExp, ast.comprehension, ast.operator, ast.unaryop, ast.boolop),
    ast.cmpop,
)
#: Modules of PyTorch whose functions it may call, and functions that reach more than numbers.
_MODULES: Final = frozenset({"nn", "functional", "linalg", "special", "fft"})
_REFUSED: Final = frozenset(
    {"load", "save", "from_file", "compile", "tofile", "numpy", "share_memory_", "map_", "map2_"}
    | {"apply_", "register_hook", "set_", "typename", "fork", "wait", "save_for_backward"}
)
#: Functions of Python that it may call.
_BUILTINS: Final[dict[str, Any]] = {
    function.__name__: function
    for function in (
        *(abs, bool, enumerate, float, int, len, list, max, min, range, reversed, set, sorted),
        *(sum, tuple, zip),
    )
}


class ExpressionError(ValueError):
    """An expression that is not accepted; the message says what and why."""


def spelled_out(expression: str) -> str:
    """Return an expression with ``torch.nn.functional`` in place of ``F``.

    >>> spelled_out("F.relu(a)")
    'torch.nn.functional.relu(a)'
    """
    return re.sub(r"(?<![\w.])F\.", "torch.nn.functional.", expression)


@functools.lru_cache(maxsize=4096)
def compiled(source: str) -> Callable[..., Any]:
    """Return the function of a lambda over operands and attributes.

    Raises ExpressionError if the source does anything but compute with PyTorch.

    Examples
    --------
    >>> compiled("lambda a: open(a)")
    Traceback (most recent call last):
    ...
    parity.language.expression.ExpressionError: 'open' is no operand, attribute or function here
    """
    check(source)
    import torch  # only here: the table is read where PyTorch is not needed

    # PyTorch itself imports through the builtins of its caller; no expression can name a "_" name.
    builtins = {**_BUILTINS, "__import__": __import__}
    return eval(source, {"torch": torch, "__builtins__": builtins})  # type: ignore[no-any-return]


def check(source: str) -> None:
    """Raise ExpressionError if a source is no expression that only computes."""
    try:
        tree = ast.parse(source, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"{source[:200]!r} is no Python expression: {error}") from None
    bound = {"torch", *_BUILTINS}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            raise ExpressionError(f"{type(node).__name__} is not part of an expression here")
        if isinstance(node, ast.Name) and (node.id not in bound or node.id.startswith("_")):
            raise ExpressionError(f"{node.id!r} is no operand, attribute or function here")
        if isinstance(node, ast.Attribute):
            _check_attribute(node)


def _check_attribute(node: ast.Attribute) -> None:
    name = node.attr
    if name.startswith("_") or name in _REFUSED:
        raise ExpressionError(f"{name!r} is not called in an expression")
    path = ast.unparse(node)
    inside = path.split(".")[1:-1] if path.startswith("torch.") else []
    if path.startswith("torch.") and not all(
        part in _MODULES for part in inside if "(" not in part
    ):
        raise ExpressionError(f"{path[:80]!r} is not a function of {', '.join(sorted(_MODULES))}")
