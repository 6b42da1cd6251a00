"""The table of operations, and what follows from a row.

Each operation is a row, an ``Operation``; the rows stand in
``parity.language.operations``, by family. ``register`` adds one. Programs use the same shapes over
and over, so the rules of an operation are asked only once about them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from parity.language.attributes import are_valid
from parity.language.dyadic import ONE
from parity.language.intervals import Interval, anywhere
from parity.language.operation import Operation
from parity.language.operations import elementwise, moving, plain, products, reductions
from parity.language.shapes import Attrs, Shape, size

#: Every operation by name, simplest first: in this order the generator lists them, and
#: shrinking prefers the earlier ones.
OPS: dict[str, Operation] = {}


def register(operation: Operation) -> None:
    """Add an operation to the table, as the last.

    A row of parity itself stands in the module of its family in
    ``parity.language.operations``; an adapter with an operation that parity does not
    know registers a row of its own. Engines are made after that: an engine has the
    operations that the table has when it is made.

    Raises
    ------
    ValueError
        If there is an operation of that name.

    Examples
    --------
    >>> register(Operation("add", "a + b", "*s, ~s"))
    Traceback (most recent call last):
    ...
    ValueError: there is an operation 'add' already
    """
    if operation.name in OPS:
        raise ValueError(f"there is an operation {operation.name!r} already")
    OPS[operation.name] = operation
    # They know nothing of the name.
    for known in (output_shapes, attribute_choices, keywords, with_vjp):
        known.cache_clear()


def with_rules() -> tuple[str, ...]:
    """The names of the operations that have rules (``Operation.has_rules``)."""
    return tuple(name for name, op in OPS.items() if op.has_rules)


@functools.cache
def with_vjp() -> tuple[Operation, ...]:
    """The operations whose rows have a VJP."""
    return tuple(op for op in OPS.values() if op.vjp is not None)


@functools.lru_cache(maxsize=65536)
def output_shapes(name: str, shapes: tuple[Shape, ...], attrs: Attrs) -> tuple[Shape, ...] | None:
    """Return the shapes of an operation's outputs, or None if it does not apply."""
    if name not in OPS or not are_valid(OPS[name].kinds, attrs):
        return None
    try:
        return OPS[name].output_shapes(shapes, **dict(attrs))
    except (ValueError, TypeError, IndexError, KeyError, ArithmeticError):
        return None  # ShapeError, or attributes from a file that a rule does not know


@functools.lru_cache(maxsize=65536)
def attribute_choices(name: str, shapes: tuple[Shape, ...]) -> tuple[Attrs, ...]:
    """The attributes that fit operands of these shapes, simplest first."""
    choices = OPS[name].attribute_choices(shapes)
    return tuple(tuple(sorted(choice.items())) for choice in choices)


@functools.lru_cache(maxsize=65536)
def keywords(name: str, attrs: Attrs) -> dict[str, Any]:
    """The attributes of an operation as an engine gets them. Not to be changed."""
    kinds = OPS[name].kinds
    return {key: kinds[key].to_python(value) for key, value in attrs}


def result_dtype(name: str, dtypes: list[str], shapes: tuple[Shape, ...]) -> str | None:
    """The dtype of a result, or None for mixtures that PyTorch refuses or promotes otherwise.

    NumPy promotes by dtype, PyTorch lets 0-d operands give way (docs/semantics.md 8.2).
    """
    if dtypes.count(dtypes[0]) == len(dtypes):
        return dtypes[0]
    if not OPS[name].promotes or len({len(shape) > 0 for shape in shapes}) > 1:
        return None
    return "float64"


@dataclass(frozen=True, slots=True, eq=False)
class InferredOperation:
    """An operation with attributes that fit the shapes of its operands."""

    op: Operation
    attrs: Attrs
    #: The shapes of the results.
    outputs: tuple[Shape, ...]
    #: Elements and dimensions of the largest result.
    size: int
    ndim: int
    #: Whether the result is exact on dyadic numbers.
    exact: bool
    #: Keywords of the domain and of the interval rule, in addition to the operands.
    keywords: dict[str, Any]
    interval_keywords: dict[str, Any]

    def interval(self, operands: list[Interval]) -> Interval | None:
        """Between which bounds the results lie; None for operands beyond the domain.

        None as well for an operation without an interval rule: its numbers have to be known.
        """
        op = self.op
        if op.interval is None:
            return None
        if op.interval_domain is not anywhere and not op.interval_domain(
            *operands, **self.keywords
        ):
            return None
        return op.interval(*operands, **self.interval_keywords)


def infer_operation(name: str, shapes: tuple[Shape, ...], number: int) -> InferredOperation | None:
    """An operation on operands of these shapes, with one of the attributes that fit them.

    After the last of these attributes comes the first again. None where no attributes fit, or the
    operation does not apply.
    """
    choices = attribute_choices(name, shapes)
    return _inferred(name, shapes, number % len(choices)) if choices else None


@functools.lru_cache(maxsize=65536)
def _inferred(name: str, shapes: tuple[Shape, ...], number: int) -> InferredOperation | None:
    op, attrs = OPS[name], attribute_choices(name, shapes)[number]
    outputs = output_shapes(name, shapes, attrs)
    if outputs is None:
        return None
    keywords = dict(attrs)
    sizes = tuple(map(size, shapes))
    ones = (ONE,) * len(shapes)
    return InferredOperation(
        op,
        attrs,
        outputs,
        max(map(size, outputs)),
        max(map(len, outputs)),
        op.dyadic is not None and op.dyadic.value(ones, sizes, keywords) is not None,
        keywords,
        {**keywords, "n": max(sizes[0], 1)} if op.sums else keywords,
    )


for _operation in (
    *(*elementwise.BASIC, *products.BASIC, *reductions.BASIC, *moving.BASIC, *elementwise.SCALARS),
    *(*elementwise.FURTHER, *reductions.FURTHER, *moving.FURTHER, *products.FURTHER),
    *reductions.LOSSES,
    *plain.ROWS,
):
    register(_operation)
