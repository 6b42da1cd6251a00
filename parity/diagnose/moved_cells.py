"""Cells in which an operation meets arrays that are views: its gradient, or its operands.

Another operation comes after it: a transpose, a flip or a sum, whose gradient is a view in most
engines. That it is right is taken for granted, so these cells run only where the cells of that
operation alone are right. Operands are views where the adapter keeps the layout of leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from parity.diagnose.cells import GRADIENT, PLAIN, Cell, Scope, cycled
from parity.language import program as pr
from parity.language.operation import Operation
from parity.language.shapes import Attrs, Shape, size
from parity.language.table import OPS, attribute_choices, output_shapes

#: Shapes of operands by their number, with results of two axes and more.
_SHAPES: dict[int, tuple[tuple[Shape, ...], ...]] = {
    0: (((2, 3), (2, 3)),),
    1: (((2, 3),), ((2, 3, 2),)),
    2: (((2, 3), (2, 3)), ((2, 3), (3, 2)), ((2, 3), (3,)), ((2, 3), (2, 1))),
    3: (((2, 3), (3, 2), (2,)),),
}
#: Attributes of each that are tried.
_ATTRIBUTES = 3


#: The operations that come after, with their attributes for so many axes, and the conditions that
#: they make (``parity.diagnose.conditions``).
_MOVERS: dict[str, tuple[str, Callable[[int], Attrs]]] = {
    "transpose": ("transposed-gradient", lambda n: (("axes", tuple(reversed(range(n)))),)),
    "flip": ("reversed-gradient", lambda n: (("axis", tuple(range(n))),)),
    "sum": ("broadcast-gradient", lambda n: (("axis", 0), ("keepdims", False))),
}
#: The condition that the layout of leaves makes.
_OPERANDS = "transposed-operands"


def moved_cells(name: str, scope: Scope, right: Collection[str]) -> Iterator[Cell]:
    """Yield the cells of an operation; ``right``: the operations that are right alone."""
    op = OPS[name]
    if not op.has_rules or not scope.dtypes:
        return
    for shapes in _SHAPES.get(op.arity, ()):
        for attrs in _choices(op, shapes):
            leaves = _leaves(op, shapes, attrs, scope)
            if not leaves:
                continue
            apply = pr.Apply(op.name, tuple(range(len(leaves))), attrs)
            laid_out = tuple(replace(leaf, layout="F") for leaf in leaves)
            yield _cell(laid_out, apply, None, _OPERANDS)
            ndim = len(apply.outputs([leaf.info() for leaf in leaves])[0].shape)
            for mover, (condition, attrs_of) in _MOVERS.items():
                if mover in right:
                    yield _cell(leaves, apply, (mover, attrs_of(ndim)), condition)


def _choices(op: Operation, shapes: tuple[Shape, ...]) -> list[Attrs]:
    """Return attributes that leave a result of several axes, spread over all there are."""
    try:
        every = attribute_choices(op.name, shapes)
    except (ValueError, IndexError):  # shapes that the operation does not have
        return []
    fitting = []
    for attrs in every:
        outputs = output_shapes(op.name, shapes, attrs)
        if outputs is not None and len(outputs) == 1 and sum(n > 1 for n in outputs[0]) > 1:
            fitting.append(attrs)
    return fitting[:: max(1, -(-len(fitting) // _ATTRIBUTES))]


def _leaves(
    op: Operation, shapes: tuple[Shape, ...], attrs: Attrs, scope: Scope
) -> tuple[pr.Leaf, ...]:
    """Return leaves in the domain of an operation, or none."""
    limit = scope.max_ndim
    if limit is not None and any(len(s) > limit for s in shapes):
        return ()
    leaves = tuple(
        pr.Leaf(shape, cycled(PLAIN[min(i, len(PLAIN) - 1)], size(shape)), scope.dtypes[0])
        for i, shape in enumerate(shapes)
    )
    bounds = [(min(leaf.values), max(leaf.values)) for leaf in leaves]
    return leaves if op.interval_domain(*bounds, **dict(attrs)) else ()


def _cell(
    leaves: tuple[pr.Leaf, ...], apply: pr.Apply, after: tuple[str, Attrs] | None, condition: str
) -> Cell:
    """Return the cell in which another operation comes after, if one is given."""
    statements: tuple[pr.Statement, ...] = (apply,)
    root = len(leaves)
    if after is not None:
        mover, attrs = after
        statements += (pr.Apply(mover, (root,), attrs),)
        root += 1
    info = pr.Program(leaves, statements).infos[root]
    gradient = pr.Constant(info.shape, cycled(GRADIENT, size(info.shape)), info.dtype)
    whole = pr.Program(leaves, (*statements, pr.Backward(root, gradient)))
    return Cell(apply.op, apply.attrs, whole, moved=condition)
