"""Lines of the template of an adapter: an operation, how it is called, and types of attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parity.language import attributes as kinds
from parity.language.attributes import AttributeKind
from parity.language.named_kinds import NAMED_KINDS
from parity.language.operation import OPERANDS, Operation
from parity.language.table import OPS

#: Calls of operations in the template; all others are written as methods.
_CALLS = {
    "sub": "a - b",
    "neg": "-a",
    "div": "a / b",
    "pow": "a**exponent",
    "power": "a**b",
    "matmul": "a @ b",
    "get_item": "a[index]",
    "slice_backwards": "a[(slice(None),) * axis + (slice(start, stop, step),)]",
    "transpose_all": "a.transpose()",
    "squeeze_all": "a.squeeze()",
    "add_scalar": "a + c",
    "mul_scalar": "a * c",
    "sub_scalar": "a - c",
    "rsub_scalar": "c - a",
    "div_scalar": "a / c",
    "rdiv_scalar": "c / a",
}


#: The Python types of attributes as operations get them.
_TYPES: dict[AttributeKind, str] = {
    kinds.INTEGER: "int",
    kinds.NUMBER: "float",
    kinds.OPTIONAL_NUMBER: "float or None",
    kinds.OPTIONAL_INTEGER: "int or None",
    kinds.FLAG: "bool",
    kinds.FLAGS: "ndarray of bool",
    kinds.TEXT: "str",
    kinds.AXIS: "int",
    kinds.AXES: "tuple of int",
    kinds.REDUCED_AXES: "int, tuple of int, or None for all axes",
    kinds.INTEGERS: "tuple of int",
    kinds.NESTED_INTEGERS: "int, or nested tuples of int",
    kinds.PAIRS: "tuple of pairs of int",
    kinds.LENGTHS: "tuple of int",
    kinds.INDEX: "what stands in a[...]: int, slice, list, ndarray, None, ... or a tuple",
}


def type_of(op: Operation, attribute: str) -> str:
    """Return the type of an attribute of an operation in words, for people who write adapters.

    Examples
    --------
    >>> type_of(OPS["sum"], "axis")
    'int, tuple of int, or None for all axes'
    """
    choices = op.attributes.get(attribute)
    if isinstance(choices, str):
        return NAMED_KINDS[choices].words
    if choices is not None:
        return f"one of {', '.join(map(repr, choices))}"
    return _TYPES[op.kinds[attribute]]


def operations_in_comments(names: Iterable[str]) -> str:
    """Return comment lines for each operation: the types of attributes, its name and a call."""
    return "\n".join(line for name in names for line in _lines(OPS[name]))


def _lines(op: Operation) -> Iterator[str]:
    types = "; ".join(f"{name}: {type_of(op, name)}" for name in op.kinds)
    if types:
        yield f"        # {types}"
    yield f"        # {call_of(op)}"


def call_of(op: Operation) -> str:
    """Return the item of ``Engine.ops`` for an operation that is a method of a tensor.

    Examples
    --------
    >>> call_of(OPS["sum"])
    '"sum": lambda a, *, axis, keepdims: a.sum(axis=axis, keepdims=keepdims),'
    """
    return f'"{op.name}": lambda {_call(op)},'


def _call(op: Operation) -> str:
    """Return parameters and body of a lambda for an operation."""
    operands = tuple(OPERANDS[: op.arity]) if op.arity else ("*xs",)
    attrs = sorted(op.kinds)
    parameters = [*operands, *(["*"] if attrs and op.arity else []), *attrs]
    call = _CALLS.get(op.name)
    if call is None:
        keywords = [f"{name}={name}" for name in attrs]
        first, others = (operands[0], operands[1:]) if op.arity else ("engine", operands)
        call = f"{first}.{op.name}({', '.join([*others, *keywords])})"
    return f"{', '.join(parameters)}: {call}"
