"""What an operation gives on operands of given shapes, worked out once.

Programs use the same shapes over and over, so a generator asks the rules of an operation
only when it meets such operands for the first time.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from parity.language.dyadic import ONE
from parity.language.intervals import Interval, anywhere
from parity.language.operation import Operation
from parity.language.shapes import Attrs, Shape, size
from parity.language.table import OPS, attribute_choices, output_shapes


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
        """Between which bounds the results lie; None for operands beyond the domain."""
        op = self.op
        if op.domain is not anywhere and not op.domain(*operands, **self.keywords):
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
