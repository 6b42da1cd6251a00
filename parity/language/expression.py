"""Expressions of rows: how PyTorch computes an operation, as text.

Rows travel as text from an engine's process to the harness, so an expression may only compute: it
calls functions of ``torch`` on tensors and methods of tensors, and reaches no file, module or
private name. ``compiled`` refuses anything else. What is accepted is listed, not what is refused:
modules of PyTorch hold other modules, such as ``torch.os``. What takes much time or memory in
Python is refused as well (``parity.language.bounded``); PyTorch's functions are not bounded.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Collection
from typing import Any, Final

from parity.language.bounded import NAMES, Bounded, check_size
from parity.language.bounded import ExpressionError as ExpressionError

#: What an expression may consist of.
_NODES: Final = (
    *(ast.Expression, ast.Lambda, ast.arguments, ast.arg, ast.Name, ast.Load, ast.Store),
    *(ast.Attribute, ast.Call, ast.keyword, ast.Starred, ast.Constant, ast.Tuple, ast.List),
    *(ast.Subscript, ast.Slice, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp),
    *(ast.ListComp, ast.GeneratorExp, ast.comprehension, ast.operator, ast.unaryop, ast.boolop),
    ast.cmpop,
)
#: Functions that it may call beside those that take tensors, and constants.
_FURTHER: Final = frozenset(
    {"arange", "as_strided", "empty", "eye", "full", "linspace", "ones", "segment_reduce"}
    | {"tensor", "tril_indices", "triu_indices", "zeros", "pi", "inf", "nan"}
)
#: Methods and attributes of tensors that reach more than numbers.
_REFUSED: Final = frozenset(
    {"apply_", "backward", "data", "grad_fn", "map2_", "map_", "module_load", "numpy"}
    | {"register_hook", "register_post_accumulate_grad_hook", "set_", "share_memory_"}
    | {"storage", "storage_type", "untyped_storage"}
)
#: Functions of Python that it may call.
_BUILTINS: Final = frozenset(
    {"abs", "bool", "enumerate", "float", "int", "len", "list", "max", "min", "range", "reversed"}
    | {"set", "sorted", "sum", "tuple", "zip"}
)


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
    tree = ast.fix_missing_locations(Bounded().visit(check(source)))
    import torch  # only here: the table is read where PyTorch is not needed

    return eval(compile(tree, "<expression>", "eval"), {"torch": torch, **NAMES})  # type: ignore[no-any-return]


def check(source: str) -> ast.Expression:
    """Parse a source. Raises ExpressionError if it is no expression that only computes."""
    try:
        tree = ast.parse(source, mode="eval")
        compile(source, "<expression>", "eval")  # it refuses more, such as `lambda a, a: a`
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"{source[:200]!r} is no Python expression: {error}") from None
    nodes = list(ast.walk(tree))
    check_size(nodes)
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    bound = own | _BUILTINS
    of_torch = {id(part) for node in nodes for part in _parts_of_function(node)}
    for node in nodes:
        if not isinstance(node, _NODES):
            raise ExpressionError(f"{type(node).__name__} is not part of an expression here")
        if id(node) in of_torch:
            continue
        if isinstance(node, ast.Name) and (node.id not in bound or node.id.startswith("__")):
            raise ExpressionError(f"{node.id!r} is no operand, attribute or function here")
        if isinstance(node, ast.Attribute) and node.attr not in _methods():
            raise ExpressionError(f"{node.attr!r} is not called in an expression")
        if isinstance(node, ast.Call) and not _is_named(node.func, own):
            raise ExpressionError(f"{ast.unparse(node.func)[:80]!r} is called, which may be a loop")
    return tree


def _is_named(function: ast.expr, variables: Collection[str]) -> bool:
    """Return whether a function is called by a name of its own, or where it is written."""
    if isinstance(function, ast.Name):
        return function.id not in variables
    return isinstance(function, (ast.Attribute, ast.Lambda))


def _parts_of_function(node: ast.AST) -> list[ast.AST]:
    """Return the nodes of a name such as ``torch.fft.rfft`` that is accepted."""
    name = ".".join(dotted(node)) if isinstance(node, ast.Attribute) else ""
    return list(ast.walk(node)) if name in _functions() else []


@functools.cache
def _functions() -> frozenset[str]:
    """The functions of PyTorch that take tensors, with the modules they are in, and its dtypes."""
    import torch  # only here: the table is read where PyTorch is not needed

    modules = {
        "torch": torch,
        "torch.nn.functional": torch.nn.functional,
        "torch.linalg": torch.linalg,
        "torch.fft": torch.fft,
        "torch.special": torch.special,
    }
    accepted = {
        f for several in torch.overrides.get_overridable_functions().values() for f in several
    }
    return frozenset(
        f"{path}.{name}"
        for path, module in modules.items()
        for name, found in vars(module).items()
        if not name.startswith("_")
        and not isinstance(found, type)
        and (
            getattr(found, "__module__", "") == "torch.nn.functional"
            or isinstance(found, torch.dtype)
            or (callable(found) and found in accepted)
            or (path == "torch" and name in _FURTHER)
        )
    )


@functools.cache
def _methods() -> frozenset[str]:
    """The methods and attributes of tensors, and the fields of several results."""
    import torch  # only here: the table is read where PyTorch is not needed

    kinds = [torch.Tensor, *(t for t in vars(torch.return_types).values() if isinstance(t, type))]
    names = {name for kind in kinds for name in dir(kind)}
    return frozenset(name for name in names if not name.startswith("_")) - _REFUSED


def dotted(node: ast.expr) -> tuple[str, ...]:
    """Return the parts of a name with dots; ("",) for what is no such name.

    >>> dotted(ast.parse("torch.fft.rfft", mode="eval").body)
    ('torch', 'fft', 'rfft')
    """
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ("",)
