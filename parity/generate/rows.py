"""Programs of operations without rules: leaves for one operation, then what follows from it.

The header chooses an operation. Its template, attribute kinds and domains give the leaves. In half
of the programs other operations follow, on values whose shapes and numbers fit them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from parity.engines.base import CONSTANTS
from parity.generate.builder import Builder
from parity.language import program as pr
from parity.language.operation import Operation
from parity.language.shapes import Attrs, Shape, size
from parity.language.table import OPS, attribute_choices, output_shapes

#: Operations that are tried on values that are there, and operands of each.
_TRIED, _PICKED = 6, 4
#: Operations with rules that often follow: they use a value again, or reduce it.
FOLLOWING = ("mul", "add", "sum", "sub", "square", "reshape", "tanh", "maximum", "get_item")


@dataclass(frozen=True)
class Draw:
    """Operands and attributes that an operation accepts."""

    op: Operation
    attrs: Attrs
    leaves: tuple[pr.Leaf, ...]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(leaf.shape for leaf in self.leaves)


def draw(
    op: Operation, source: random.Random, grid: bool, dtype: str = "float64", limit: int = 8
) -> Draw | None:
    """Return numbers of the domain in shapes of the template; None if PyTorch refuses them.

    ``grid``: with zeros and ties where the domain has them. ``limit``: the most dimensions.

    Examples
    --------
    >>> [leaf.shape for leaf in draw(OPS["matmul"], random.Random(1), grid=False).leaves]
    [(2, 3), (3, 1)]
    """
    shapes = op.template.draw(source)
    if any(len(shape) > limit for shape in shapes):
        return None
    choices = attribute_choices(op.name, shapes)
    if not choices:
        return None
    attrs = choices[0] if source.random() < 0.25 else source.choice(choices)
    if output_shapes(op.name, shapes, attrs) is None:
        return None
    numbers = np.random.default_rng(source.getrandbits(32))
    leaves = tuple(
        leaf_of(domain.draw(numbers, shape, grid), dtype)
        for domain, shape in zip(op.domains(len(shapes)), shapes, strict=True)
    )
    flags = op.differentiable or (True,) * len(leaves)
    return Draw(
        op,
        attrs,
        tuple(replace(leaf, requires_grad=f) for leaf, f in zip(leaves, flags, strict=True)),
    )


def leaf_of(array: np.ndarray[tuple[int, ...], np.dtype[np.float64]], dtype: str) -> pr.Leaf:
    """Return a leaf with the numbers of an array, rounded to a dtype."""
    values = array.astype(dtype).astype(np.float64).ravel().tolist()
    return pr.Leaf(array.shape, tuple(values), dtype)


def build(builder: Builder, rows: Sequence[str], data: bytes, dtypes: Sequence[str]) -> None:
    """Add leaves and statements to an empty builder: one operation, and those that follow."""
    source = random.Random(int.from_bytes(data, "little"))
    op = OPS[rows[int.from_bytes(data[:2], "little") % len(rows)]]
    grid = data[2] % 2 == 1
    dtype = source.choice(dtypes)
    drawn = next(
        filter(None, (draw(op, source, grid, dtype, builder.max_ndim) for _ in range(_TRIED))), None
    )
    if drawn is None:
        builder.add_leaf(pr.Leaf((), (1.0,), dtype))
        return
    for leaf in _varied(drawn.leaves, source, CONSTANTS in builder.abilities):
        builder.add_leaf(leaf)
    inputs = _inputs(drawn, source)
    builder.apply_to(op, inputs, drawn.attrs)
    if data[2] % 4 >= 2:
        for _ in range(source.randint(1, 4)):
            _follow(builder, rows, source)


def _varied(
    leaves: tuple[pr.Leaf, ...], source: random.Random, constants: bool
) -> Iterator[pr.Leaf]:
    """Yield leaves, of which one may be a constant."""
    wanting = [i for i, leaf in enumerate(leaves) if leaf.requires_grad]
    constant = source.choice(wanting) if len(wanting) > 1 and source.random() < 0.2 else None
    for i, leaf in enumerate(leaves):
        if not constants:
            yield replace(leaf, requires_grad=True)
        else:
            yield replace(leaf, requires_grad=False) if i == constant else leaf


def _inputs(drawn: Draw, source: random.Random) -> tuple[int, ...]:
    """Return the operands: the leaves in order, or sometimes one of them twice."""
    inputs = list(range(len(drawn.leaves)))
    letters = drawn.op.domains(len(inputs))
    alike = [
        (i, j)
        for i in inputs
        for j in inputs[:i]
        if drawn.leaves[i].shape == drawn.leaves[j].shape and letters[i] is letters[j]
    ]
    if alike and source.random() < 0.2:
        i, j = source.choice(alike)
        inputs[i] = j
    return tuple(inputs)


def _follow(builder: Builder, rows: Sequence[str], source: random.Random) -> None:
    """Apply one more operation, to values that fit: one with rules, or one without."""
    names = [name for name in FOLLOWING if name in builder.ops]
    newest = len(builder.infos) - 1
    if names and source.random() < 0.6:
        left = newest if source.random() < 0.7 else source.randrange(newest + 1)
        right = source.randrange(newest + 1)
        builder.apply(OPS[source.choice(names)], left, right, *source.randbytes(2))
        return
    for _ in range(_TRIED):
        op = OPS[source.choice(rows)]
        for _ in range(_PICKED):
            count = op.arity or 2
            inputs = [newest, *(source.randrange(newest + 1) for _ in range(count - 1))]
            source.shuffle(inputs)
            shapes = tuple(builder.infos[i].shape for i in inputs)
            if op.template.matches(shapes) and _applied(builder, op, inputs, shapes, source):
                return


def _applied(
    builder: Builder,
    op: Operation,
    inputs: list[int],
    shapes: tuple[Shape, ...],
    source: random.Random,
) -> bool:
    choices = attribute_choices(op.name, shapes)
    if not choices or max(map(size, shapes)) > builder.max_size:
        return False
    return builder.apply_to(op, tuple(inputs), source.choice(choices)) is not None
