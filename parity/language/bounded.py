"""Arithmetic of Python in expressions of rows, which must not take much time or memory.

An expression comes from the process of an engine and runs in that of the harness. On tensors its
operators do what they do; on numbers and sequences of Python they refuse what becomes large. A loop
runs over few numbers, and there are few loops.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import Any, Final

#: The most bits of a whole number, elements of a sequence or of a range, nodes, loops, and the
#: largest whole number that an expression may have. Those of the table use far less.
MOST_BITS, MOST_ELEMENTS, MOST_RANGE = 1024, 10_000, 256
MOST_NODES, MOST_LOOPS, MOST_NUMBER = 400, 3, 10_000


class ExpressionError(ValueError):
    """An expression that is not accepted; the message says what and why."""


def check_size(nodes: Sequence[ast.AST]) -> None:
    """Raise ExpressionError if an expression with these nodes is large, or may run for long."""
    if len(nodes) > MOST_NODES:
        raise ExpressionError(f"an expression of {len(nodes)} parts, and {MOST_NODES} is the most")
    if sum(isinstance(node, ast.comprehension) for node in nodes) > MOST_LOOPS:
        raise ExpressionError(f"more than {MOST_LOOPS} loops")
    for node in nodes:
        if isinstance(node, ast.Constant) and type(node.value) is int and node.value > MOST_NUMBER:
            raise ExpressionError(f"a whole number above {MOST_NUMBER:,}")


def _bits(a: Any) -> int:
    return int(a).bit_length() if type(a) in (int, bool) else 0


def _length(a: Any) -> int:
    return len(a) if isinstance(a, Sequence) else 0


def _check_result(bits: int, elements: int) -> None:
    if bits > MOST_BITS:
        raise ExpressionError(f"a whole number of more than {MOST_BITS} bits")
    if elements > MOST_ELEMENTS:
        raise ExpressionError(f"a sequence of more than {MOST_ELEMENTS:,} elements")


def _plus(a: Any, b: Any) -> Any:
    _check_result(0, _length(a) + _length(b))
    return a + b


def _times(a: Any, b: Any) -> Any:
    count = max((x for x in (a, b) if _bits(x)), default=1)
    _check_result(_bits(a) + _bits(b), max(_length(a), _length(b)) * count)
    return a * b


def _power(a: Any, b: Any) -> Any:
    _check_result(_bits(a) * b if _bits(a) and _bits(b) else 0, 0)
    return a**b


def _shifted(a: Any, b: Any) -> Any:
    _check_result(_bits(a) + b if _bits(a) and _bits(b) else 0, 0)
    return operator.lshift(a, b)


def _range(*bounds: int) -> range:
    found = range(*bounds)
    if found[MOST_RANGE:]:
        raise ExpressionError(f"a range of more than {MOST_RANGE} numbers")
    return found


#: What stands for operators: the names are none that an expression may use itself.
_OF_OPERATOR: Final[dict[type[ast.operator], str]] = {
    ast.Add: "__plus",
    ast.Mult: "__times",
    ast.Pow: "__power",
    ast.LShift: "__shifted",
}
#: The names that a bounded expression needs.
NAMES: Final[dict[str, Callable[..., Any]]] = {
    "__plus": _plus,
    "__times": _times,
    "__power": _power,
    "__shifted": _shifted,
    "range": _range,
}


class Bounded(ast.NodeTransformer):
    """Puts calls of the functions above in the place of operators.

    Examples
    --------
    >>> ast.unparse(Bounded().visit(ast.parse("a * 2 - b", mode="eval")))
    '__times(a, 2) - b'
    """

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        name = _OF_OPERATOR.get(type(node.op))
        if name is None:
            return node
        return ast.Call(ast.Name(name, ast.Load()), [node.left, node.right], [])
