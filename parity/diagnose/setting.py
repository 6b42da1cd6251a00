"""An operation applied alone, as conditions ask about it: attributes, operands, index, axes."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.language import program as pr
from parity.language.attributes import INDEX
from parity.language.indexing import index_items, item_kind
from parity.language.shapes import Attrs, Shape, elementwise, size, where
from parity.language.table import OPS


@dataclass(frozen=True, eq=False)
class Setting:
    """An operation, applied alone: what conditions are about."""

    op: str
    attrs: dict[str, Any]
    leaves: tuple[pr.Leaf, ...]
    outputs: tuple[Shape, ...]
    root: int
    gradient: pr.Constant | None
    second: bool

    @staticmethod
    def of(op: str, attrs: Attrs, program: pr.Program) -> Setting:
        first = len(program.leaves)
        outputs = tuple(program.infos[i].shape for i in program.defined[0])
        backward = next(s for s in program.statements if isinstance(s, pr.Backward))
        second = any(isinstance(s, pr.TakeGrad) for s in program.statements)
        root, gradient = backward.value - first, backward.gradient
        return Setting(op, dict(attrs), program.leaves, outputs, root, gradient, second)

    @property
    def shapes(self) -> list[Shape]:
        return [leaf.shape for leaf in self.leaves]

    @functools.cached_property
    def values(self) -> list[float]:
        return [v for leaf in self.leaves for v in leaf.values]

    @functools.cached_property
    def axes(self) -> list[int]:
        """The axes that the attributes name, as they are given."""
        found: list[int] = []
        for name in ("axis", "axes", "source", "destination"):
            value = self.attrs.get(name)
            some = value if isinstance(value, tuple) else (value,)
            found += [axis for axis in some if isinstance(axis, int)]
        return found

    @functools.cached_property
    def places(self) -> list[int]:
        """The axes, counted from the front."""
        n = len(self.shapes[0]) + (self.op in ("stack", "expand_dims"))
        return [axis % max(n, 1) for axis in self.axes]

    @functools.cached_property
    def index(self) -> list[Any]:
        """The items of an index, as (kind, value); empty without an index."""
        if OPS[self.op].kinds.get("index") is not INDEX:
            return []
        items = index_items(self.attrs.get("index", ()))
        return [i if isinstance(i, tuple) else (item_kind(i), i) for i in items]

    def broadcast(self, number: int) -> bool:
        """Return whether an operand is broadcast."""
        if not self.by_element or len(self.leaves) <= number:
            return False
        return self.leaves[number].shape != self.outputs[0]

    @functools.cached_property
    def by_element(self) -> bool:
        """Whether the operation combines elements of its operands that meet in broadcasting."""
        op = OPS[self.op]
        if op.shape is not None:
            return op.shape in (elementwise, where)
        # Not "+s m n, ~s n o", whose operands meet in their first axes alone.
        operands = [operand.strip() for operand in op.operands.split(",")]
        return "~" in op.operands and all(o[0] in "*+~" and len(o) == 2 for o in operands)

    @functools.cached_property
    def ties(self) -> int:
        """How many elements are the largest or smallest of a group that is reduced, at most."""
        if not self.reduces or not size(self.shapes[0]):
            return 0
        return max(max(_ties(group)) for group in self.groups)

    @property
    def reduces(self) -> bool:
        """Whether elements along axes are reduced to one."""
        return {"axis", "keepdims"} <= self.attrs.keys()

    @functools.cached_property
    def groups(self) -> list[list[float]]:
        """The elements that are reduced together."""
        array = self.leaves[0].array()
        if not array.size:
            return []
        axis = self.attrs["axis"]
        places = range(array.ndim) if axis is None else self.places
        others = [i for i in range(array.ndim) if i not in places]
        count = math.prod(array.shape[i] for i in others)
        rows: NDArray[Any] = array.transpose(*others, *places).reshape(count, -1)
        return [list(row) for row in rows.tolist()]

    @functools.cached_property
    def pairs(self) -> list[tuple[float, float]]:
        """The elements of two operands that meet, for operations by element."""
        if len(self.leaves) != 2 or not self.by_element:
            return []
        a, b = np.broadcast_arrays(*(leaf.array() for leaf in self.leaves))
        return list(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))


def _ties(group: list[float]) -> tuple[int, int]:
    return group.count(max(group)), group.count(min(group))
