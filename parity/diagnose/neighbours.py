"""Variations of a program, in which the same fault should show with other numbers.

Each step changes one thing: data, shapes, gradients, operations or operands, one more use of a
value, a repeated event, a new leaf. The same program always gives the same variations.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from parity.diagnose.repair import repaired
from parity.generate.builder import EXACT_POSITIVE, EXACT_VALUES, GRADIENTS
from parity.language import program as pr
from parity.language.json_format import dumps
from parity.language.shapes import Shape, size
from parity.language.table import OPS, attribute_choices

_SHAPES: tuple[Shape, ...] = ((), (2,), (3,), (2, 3), (3, 1), (1, 3), (2, 2), (1,), (2, 1, 3))
#: Limits of a variation: steps away from the program, statements, elements of a value.
_STEPS = 4
_STATEMENTS = 16
_ELEMENTS = 64


@dataclass(frozen=True)
class NeighbourLimits:
    """What variations may use.

    Attributes
    ----------
    ops
        Names of operations.
    max_ndim
        The largest number of dimensions of a leaf.
    dtypes
        Dtypes of leaves.
    """

    ops: tuple[str, ...]
    max_ndim: int
    dtypes: tuple[str, ...]


#: One step: a changed program, to be repaired, or None where the step does not apply.
Change = Callable[[pr.Program, random.Random, NeighbourLimits], pr.Program | None]


def neighbours(program: pr.Program, limits: NeighbourLimits, attempts: int) -> Iterator[pr.Program]:
    """Yield valid variations of ``program``, at most ``attempts``, each once."""
    source = random.Random(zlib.crc32(dumps(program).encode()))
    seen = {program}
    for _ in range(attempts):
        varied = program
        for _ in range(source.randint(1, _STEPS)):
            candidate = source.choice(_CHANGES)(varied, source, limits)
            fitting = repaired(candidate) if candidate is not None else None
            varied = fitting or varied
        if varied not in seen and _is_small(varied):
            seen.add(varied)
            yield varied


def _is_small(program: pr.Program) -> bool:
    elements = max(size(info.shape) for info in program.infos)
    return len(program.statements) <= _STATEMENTS and elements <= _ELEMENTS


def _data(program: pr.Program, source: random.Random, limits: NeighbourLimits) -> pr.Program:
    """Change the values of leaves; sometimes to the same in all, so that there are ties."""
    pool = source.choice((EXACT_VALUES, EXACT_VALUES, EXACT_POSITIVE))
    start, step, offset = (
        source.randrange(len(pool)),
        source.randint(1, 4),
        source.choice((0, 1, 5)),
    )
    leaves = [
        replace(
            leaf,
            values=tuple(
                pool[(start + i * step + k * offset) % len(pool)] for i in range(size(leaf.shape))
            ),
        )
        for k, leaf in enumerate(program.leaves)
    ]
    return replace(program, leaves=tuple(leaves))


def _with_shape(leaf: pr.Leaf, shape: Shape) -> pr.Leaf:
    n = size(shape)
    pool = leaf.values + EXACT_VALUES * (n // len(EXACT_VALUES) + 1)
    return replace(leaf, shape=shape, values=pool[:n])


def _shapes(program: pr.Program, source: random.Random, limits: NeighbourLimits) -> pr.Program:
    """Change the shape of all leaves, or of one."""
    shape = source.choice([s for s in _SHAPES if len(s) <= limits.max_ndim])
    chosen = range(len(program.leaves))
    if source.random() < 0.5:
        chosen = range(start := source.randrange(len(program.leaves)), start + 1)
    leaves = [_with_shape(x, shape) if i in chosen else x for i, x in enumerate(program.leaves)]
    return replace(program, leaves=tuple(leaves))


def _dtype_or_constant(
    program: pr.Program, source: random.Random, limits: NeighbourLimits
) -> pr.Program:
    """Change the dtype of all leaves, or ``requires_grad`` of one."""
    if source.random() < 0.5:
        dtype = source.choice(limits.dtypes)
        return replace(program, leaves=tuple(replace(x, dtype=dtype) for x in program.leaves))
    i = source.randrange(len(program.leaves))
    leaf = program.leaves[i]
    changed = replace(leaf, requires_grad=not leaf.requires_grad)
    return replace(program, leaves=(*program.leaves[:i], changed, *program.leaves[i + 1 :]))


def _positions(program: pr.Program, *kinds: type[Any]) -> list[int]:
    return [i for i, s in enumerate(program.statements) if isinstance(s, kinds)]


def _put(program: pr.Program, position: int, *statements: pr.Statement) -> pr.Program:
    """Replace the statement at ``position`` by others."""
    old = program.statements
    return replace(program, statements=(*old[:position], *statements, *old[position + 1 :]))


def _gradient(
    program: pr.Program, source: random.Random, limits: NeighbourLimits
) -> pr.Program | None:
    """Change the gradient of a backward; to None where the root has one element."""
    positions = _positions(program, pr.Backward)
    if not positions:
        return None
    position = source.choice(positions)
    statement: Any = program.statements[position]
    info = program.infos[statement.value]
    n, start = size(info.shape), source.randrange(len(GRADIENTS))
    values = tuple(GRADIENTS[(start + 2 * i) % len(GRADIENTS)] for i in range(n))
    gradient = pr.Constant(info.shape, values, info.dtype)
    without = n == 1 and statement.gradient is not None
    return _put(program, position, replace(statement, gradient=None if without else gradient))


def _operation(
    program: pr.Program, source: random.Random, limits: NeighbourLimits
) -> pr.Program | None:
    """Replace an operation by another one on the same operands."""
    positions = _positions(program, pr.Apply)
    if not positions:
        return None
    position = source.choice(positions)
    statement: Any = program.statements[position]
    return _put(program, position, _any_apply(source, limits, statement.inputs, statement.no_grad))


def _any_apply(
    source: random.Random, limits: NeighbourLimits, values: Sequence[int], no_grad: bool = False
) -> pr.Apply:
    """Return a random operation on ``values``, repeated or cut to its number of operands."""
    name = source.choice(limits.ops)
    arity = OPS[name].arity or 2
    return pr.Apply(name, (tuple(values) * arity)[:arity], no_grad=no_grad)


def _operands(
    program: pr.Program, source: random.Random, limits: NeighbourLimits
) -> pr.Program | None:
    """Reverse the operands of an operation, or replace one by an earlier value."""
    positions = _positions(program, pr.Apply)
    if not positions:
        return None
    position = source.choice(positions)
    statement: Any = program.statements[position]
    if source.random() < 0.5:
        return _put(program, position, replace(statement, inputs=statement.inputs[::-1]))
    inputs = list(statement.inputs)
    inputs[source.randrange(len(inputs))] = source.randrange(_defined_before(program, position))
    return _put(program, position, replace(statement, inputs=tuple(inputs)))


def _defined_before(program: pr.Program, position: int) -> int:
    """Return how many values are defined before a statement."""
    return len(program.leaves) + sum(map(len, program.defined[:position]))


def _use(program: pr.Program, source: random.Random, limits: NeighbourLimits) -> pr.Program | None:
    """Insert an operation on earlier values; its result replaces one of them from there on."""
    events = _positions(program, pr.Backward)
    position = source.randint(0, events[0] if events else len(program.statements))
    count = _defined_before(program, position)
    value = source.choice((count - 1, source.randrange(count)))
    other = source.choice((value, source.randrange(count)))
    pair = source.choice(((value, other), (other, value)))
    statement: pr.Statement = _any_apply(source, limits, pair)
    if source.random() < 0.05:
        statement = pr.Detach(value)

    def moved(v: int) -> int:
        return v + 1 if v >= count else (count if v == value else v)

    later = [_renumbered(s, moved) for s in program.statements[position:]]
    return replace(program, statements=(*program.statements[:position], statement, *later))


def _renumbered(statement: Any, moved: Callable[[int], int]) -> Any:
    """Renumber the values that a statement reads."""
    if isinstance(statement, pr.Apply):
        return replace(statement, inputs=tuple(map(moved, statement.inputs)))
    if isinstance(statement, (pr.Detach, pr.Backward, pr.Drop)):
        return replace(statement, value=moved(statement.value))
    return statement


def _leaf(program: pr.Program, source: random.Random, limits: NeighbourLimits) -> pr.Program | None:
    """Add a leaf as an operand of an operation."""
    count = len(program.leaves)
    if count > 3:
        return None
    leaves = (*program.leaves, source.choice(program.leaves))
    later = [_renumbered(s, lambda v: v + (v >= count)) for s in program.statements]
    wider = pr.Program(leaves, tuple(later))
    positions = _positions(wider, pr.Apply)
    if not positions:
        return wider
    position = source.choice(positions)
    statement: Any = wider.statements[position]
    inputs = list(statement.inputs)
    inputs[source.randrange(len(inputs))] = count
    return _put(wider, position, replace(statement, inputs=tuple(inputs)))


_EVENTS = (pr.Backward, pr.Clear, pr.Zero, pr.ChangeGrad, pr.ChangeGradient)


def _double(
    program: pr.Program, source: random.Random, limits: NeighbourLimits
) -> pr.Program | None:
    """Repeat an event."""
    positions = _positions(program, *_EVENTS)
    if not positions:
        return None
    position = source.choice(positions)
    event = program.statements[position]
    return _retained(_put(program, position, event, event))


def _again(program: pr.Program, source: random.Random, limits: NeighbourLimits) -> pr.Program:
    """Repeat all events at the end."""
    events = [program.statements[i] for i in _positions(program, *_EVENTS)]
    return _retained(replace(program, statements=(*program.statements, *events)))


def _event(
    program: pr.Program, source: random.Random, limits: NeighbourLimits
) -> pr.Program | None:
    """Insert an event at the end or before another event."""
    count = len(program.leaves)
    leaves = source.choice((tuple(range(count)), (source.randrange(count),)))
    backward = pr.Backward(source.randrange(len(program.infos)))
    event: pr.Statement = source.choice((backward, backward, pr.Clear(leaves), pr.Zero(leaves)))
    if source.random() < 0.1:
        event = source.choice((pr.ChangeGrad(leaves[-1]), pr.ChangeGradient()))
    positions = [*_positions(program, *_EVENTS)[1:], len(program.statements)]
    position = source.choice(positions)
    old = program.statements
    return _retained(replace(program, statements=(*old[:position], event, *old[position:])))


def _attributes(
    program: pr.Program, source: random.Random, limits: NeighbourLimits
) -> pr.Program | None:
    """Change the attributes of an operation."""
    positions = [
        i for i in _positions(program, pr.Apply) if getattr(program.statements[i], "attrs", ())
    ]
    if not positions:
        return None
    position = source.choice(positions)
    statement: Any = program.statements[position]
    infos = program.infos
    choices = attribute_choices(statement.op, tuple(infos[i].shape for i in statement.inputs))
    return _put(program, position, replace(statement, attrs=source.choice(choices or ((),))))


def _mode(program: pr.Program, source: random.Random, limits: NeighbourLimits) -> pr.Program | None:
    """Put an operation under ``no_grad``, or out of it."""
    positions = _positions(program, pr.Apply)
    if not positions:
        return None
    position = source.choice(positions)
    statement: Any = program.statements[position]
    return _put(program, position, replace(statement, no_grad=not statement.no_grad))


def _retained(program: pr.Program) -> pr.Program:
    """Set ``retain_graph`` on every backward but the last, so that the next one can run."""
    positions = _positions(program, pr.Backward)[:-1]
    statements = [
        replace(s, retain_graph=True) if i in positions and isinstance(s, pr.Backward) else s
        for i, s in enumerate(program.statements)
    ]
    return replace(program, statements=tuple(statements))


#: Steps; those on which faults depend most often are repeated.
_CHANGES: tuple[Change, ...] = (
    *(_data, _data, _data, _gradient, _gradient, _shapes, _shapes),
    *(_use, _use, _use, _use, _operation, _operands, _attributes, _leaf, _leaf),
    *(_double, _again, _event, _event, _dtype_or_constant, _mode),
)
