"""``draw``: leaves and attributes that an operation accepts, from its row alone."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parity.language import program as pr
from parity.language.domains import DomainError
from parity.language.operation import Operation
from parity.language.restrictions import ANYTHING, Restrictions
from parity.language.shapes import Attrs, Shape, size
from parity.language.table import attribute_choices, output_shapes


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
    op: Operation,
    source: random.Random,
    grid: bool,
    dtype: str = "float64",
    limit: int = 8,
    restrictions: Restrictions = ANYTHING,
) -> Draw | None:
    """Return numbers of the domain in shapes of the template; None if PyTorch refuses them.

    ``grid``: with zeros and ties where the domain has them. ``limit``: the most dimensions. None
    also for shapes or attributes beyond the ``restrictions`` of an engine.

    Examples
    --------
    >>> [leaf.shape for leaf in draw(OPS["matmul"], random.Random(1), grid=False).leaves]
    [(2, 3), (3, 1)]
    """
    shapes = op.template.draw(source)
    if any(len(shape) > limit for shape in shapes) or not restrictions.have(*shapes):
        return None
    choices = attribute_choices(op.name, shapes)
    if restrictions:
        choices = tuple(c for c in choices if restrictions.allow(op.name, c))
    if not choices:
        return None
    attrs = choices[0] if source.random() < 0.25 else source.choice(choices)
    if output_shapes(op.name, shapes, attrs) is None:
        return None
    numbers = np.random.default_rng(source.getrandbits(32))
    pairs = zip(op.domains(len(shapes)), shapes, strict=True)
    try:
        leaves = tuple(leaf_of(domain.draw(numbers, shape, grid), dtype) for domain, shape in pairs)
    except DomainError:  # PyTorch computes it, and no numbers of this shape are of the domain
        return None
    flags = op.differentiable or (True,) * len(leaves)
    return Draw(
        op,
        attrs,
        tuple(replace(leaf, requires_grad=f) for leaf, f in zip(leaves, flags, strict=True)),
    )


def filled(drawn: Draw, *patterns: tuple[float, ...]) -> Draw | None:
    """Return a draw with other numbers: in each operand the first pattern that its domain has.

    A pattern is repeated as needed; operands whose domain has none keep their numbers. None if
    that changes no operand.

    Examples
    --------
    >>> drawn = draw(OPS["xlogy"], random.Random(1), grid=False)
    >>> [leaf.values[:2] for leaf in filled(drawn, (0.0,), (0.5, 0.5)).leaves]
    [(0.0, 0.0), (0.5, 0.5)]
    """
    domains = drawn.op.domains(len(drawn.leaves))
    leaves = []
    for leaf, domain in zip(drawn.leaves, domains, strict=True):
        others = (_cycled(leaf, pattern) for pattern in patterns)
        leaves.append(next((o for o in others if domain.contains(o.array())), leaf))
    changed = replace(drawn, leaves=tuple(leaves))
    return changed if changed != drawn else None


def _cycled(leaf: pr.Leaf, pattern: tuple[float, ...]) -> pr.Leaf:
    return replace(leaf, values=tuple(itertools.islice(itertools.cycle(pattern), size(leaf.shape))))


def leaf_of(array: NDArray[Any], dtype: str) -> pr.Leaf:
    """Return a leaf with the numbers of an array, rounded to a dtype."""
    values = array.astype(dtype).astype(np.float64).ravel().tolist()
    return pr.Leaf(array.shape, tuple(values), dtype)
