"""Programs of operations without rules: leaves for one operation, then what follows from it.

The header chooses an operation. Its template, attribute kinds and domains give the leaves. In half
of the programs other operations follow, on values whose shapes and numbers fit them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from parity.engines.base import CONSTANTS
from parity.generate.builder import Builder
from parity.language import program as pr
from parity.language.draws import Draw, draw
from parity.language.operation import Operation
from parity.language.shapes import Shape, size
from parity.language.table import OPS, attribute_choices

#: Operations that are tried on values that are there, and operands of each.
_TRIED, _PICKED = 6, 4
#: Operations with rules that often follow: they use a value again, or reduce it.
FOLLOWING = ("mul", "add", "sum", "sub", "square", "reshape", "tanh", "maximum", "get_item")


def build(builder: Builder, rows: Sequence[str], data: bytes, dtypes: Sequence[str]) -> None:
    """Add leaves and statements to an empty builder: one operation, and those that follow."""
    source = random.Random(int.from_bytes(data, "little"))
    alone = builder.restrictions.padded(())
    if not rows:
        builder.add_leaf(pr.Leaf(alone, (1.0,), dtypes[0]))
        return
    op = OPS[rows[int.from_bytes(data[:2], "little") % len(rows)]]
    grid = data[2] % 2 == 1
    dtype = source.choice(dtypes)
    drawn = next(
        filter(
            None,
            (
                draw(op, source, grid, dtype, builder.max_ndim, builder.restrictions)
                for _ in range(_TRIED)
            ),
        ),
        None,
    )
    if drawn is None:
        builder.add_leaf(pr.Leaf(alone, (1.0,), dtype))
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
