"""Rows as plain data: how rows of an adapter reach another process, and how they are checked.

The rows of an engine (``Engine.extra_ops``) travel with its name. What arrives is data: fields are
checked, and an expression may only compute (``parity.language.expression``).
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from parity._util.decode import Check, Convert, FormatError, decode, encode
from parity._util.escape import described, one_line
from parity.language.attributes import as_plain
from parity.language.expression import check
from parity.language.named_kinds import is_plain
from parity.language.operation import Operation
from parity.language.table import OPS, register

#: Shapes of operands on which a new operation is tried.
_TRIED = 20

_Text = Annotated[str, Check("a text of at most 2,000 characters", lambda s: len(s) <= 2000)]


@dataclass(frozen=True)
class PlainRow:
    """The fields of an ``Operation`` that are plain data."""

    name: Annotated[str, Check("a name", lambda s: s.isidentifier() and len(s) <= 80)]
    torch: _Text | None
    operands: _Text
    domain: _Text
    #: Names of attributes with their choices, or with the name of a kind.
    attributes: dict[
        Annotated[str, Check("a name", str.isidentifier)],
        Annotated[Any, Convert("a list of choices or the name of a kind", as_plain)],
    ]
    kinks: _Text
    smooth: bool
    differentiable: tuple[bool, ...]
    separate: bool
    ulps: float
    result: _Text

    def operation(self) -> Operation:
        """Return the row. Raises ValueError if it makes no sense."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        op = Operation(**fields)
        if op.torch is not None:
            check(op.source)
        return op


def rows_to_plain(operations: Iterable[Operation]) -> list[dict[str, Any]]:
    """Return rows as data that JSON can hold."""
    names = [f.name for f in dataclasses.fields(PlainRow)]
    return [{name: encode(getattr(op, name)) for name in names} for op in operations]


def register_rows(operations: object, checked: bool = False) -> None:
    """Add the rows of an engine to the table; rows that are there already, alike, are left out.

    ``checked``: they come from ``rows_from_plain``, which has checked them.

    Raises
    ------
    ValueError
        If a row is wrong, or its name is that of another operation; one line says which and why.
    """
    if not isinstance(operations, Sequence) or isinstance(operations, str):
        raise ValueError("extra_ops is not a list of operations")
    for op in operations:
        if not isinstance(op, Operation):
            raise ValueError(f"extra_ops has {one_line(repr(op))[:80]}, which is no Operation")
        plain = op if checked else _checked(op)
        known = OPS.get(op.name)
        if known is None:
            _check_on_operands(op)
            register(plain if op.shape is None and op.interval is None else op)
        elif rows_to_plain([known]) != rows_to_plain([op]):
            raise ValueError(f"extra_ops: there is another operation {op.name!r}: rename yours")


def _checked(op: Operation) -> Operation:
    """Return an operation as its plain data have it. Raises ValueError if it is wrong."""
    try:
        return plain_row(op).operation()
    except ValueError as error:
        raise ValueError(f"extra_ops: {one_line(op.name)}: {one_line(error)}") from None


def _check_on_operands(op: Operation) -> None:
    """Raise ValueError for an operation that PyTorch computes on none of its own operands."""
    reason = "no attributes fit"
    for number in range(_TRIED):
        shapes = op.template.draw(random.Random(number))
        try:
            for domain, shape in zip(op.domains(len(shapes)), shapes, strict=True):
                domain.draw(np.random.default_rng(number), shape, grid=False)
            for choice in op.attribute_choices(shapes)[:1]:
                op.output_shapes(shapes, **choice)
                return
        except Exception as error:  # whatever PyTorch raises
            reason = described(error)
    raise ValueError(
        f"extra_ops: {one_line(op.name)}: PyTorch computes it on no operands that its row "
        f"describes: {one_line(reason)}"
    )


def plain_row(op: Operation) -> PlainRow:
    """Return the plain data of a row. Raises ValueError if they are not plain."""
    (row,) = rows_to_plain([op])
    if not all(isinstance(c, str) or is_plain(as_plain(c)) for c in row["attributes"].values()):
        raise ValueError("the choices of an attribute are no plain data")
    return decode(PlainRow, row)


def rows_from_plain(rows: object) -> tuple[Operation, ...]:
    """Return rows from data. Raises FormatError if they are not rows."""
    try:
        return tuple(row.operation() for row in decode(tuple[PlainRow, ...], rows, "rows"))
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(str(error), "rows") from None
