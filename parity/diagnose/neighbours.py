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

from parity.diagnose.repair import choices_of, renumbered, repaired, with_statements
from parity.generate.builder import EXACT_POSITIVE, EXACT_VALUES, GRADIENTS
from parity.language import program as pr
from parity.language.json_format import dumps
from parity.language.shapes import Shape, size
from parity.language.table import OPS

_SHAPES: tuple[Shape, ...] = ((), (2,), (3,), (2, 3), (3, 1), (1, 3), (2, 2), (1,), (2, 1, 3))
#: Limits of a variation: steps away from the program, statements, elements of a value.
_STEPS = 4
_STATEMENTS = 16
_ELEMENTS = 64


@dataclass(frozen=True)
class NeighbourLimits:
    """What variations may use: operations by name, and dimensions and dtypes of leaves."""

    ops: tuple[str, ...]
    max_ndim: int
    dtypes: tuple[str, ...]


def neighbours(program: pr.Program, limits: NeighbourLimits, attempts: int) -> Iterator[pr.Program]:
    """Yield valid variations of ``program``, at most ``attempts``, each once."""
    source = random.Random(zlib.crc32(dumps(program).encode()))
    steps = _Steps(source, limits)
    seen = {program}
    for _ in range(attempts):
        varied = program
        for _ in range(source.randint(1, _STEPS)):
            candidate = source.choice(_CHANGES)(steps, varied)
            fitting = repaired(candidate) if candidate is not None else None
            varied = fitting or varied
        elements = max(size(info.shape) for info in varied.infos)
        small = len(varied.statements) <= _STATEMENTS and elements <= _ELEMENTS
        if varied not in seen and small:
            seen.add(varied)
            yield varied


def _positions(program: pr.Program, *kinds: type[Any]) -> list[int]:
    return [i for i, s in enumerate(program.statements) if isinstance(s, kinds)]


def _defined_before(program: pr.Program, position: int) -> int:
    return len(program.leaves) + sum(map(len, program.defined[:position]))


def _retained(program: pr.Program) -> pr.Program:
    """Set ``retain_graph`` on every backward but the last, so that the next one can run."""
    for position in _positions(program, pr.Backward)[:-1]:
        backward: Any = program.statements[position]
        program = with_statements(program, position, replace(backward, retain_graph=True))
    return program


_EVENTS = (pr.Backward, pr.Clear, pr.Zero, pr.ChangeGrad, pr.ChangeGradient)


@dataclass(frozen=True)
class _Steps:
    """Steps to a changed program, to be repaired; None where the step does not apply."""

    source: random.Random
    limits: NeighbourLimits

    def data(self, program: pr.Program) -> pr.Program:
        """Change the values of leaves; sometimes to the same in all, so that there are ties."""
        pool = self.source.choice((EXACT_VALUES, EXACT_VALUES, EXACT_POSITIVE))
        start, step = self.source.randrange(len(pool)), self.source.randint(1, 4)
        offset = self.source.choice((0, 1, 5))
        leaves = []
        for k, leaf in enumerate(program.leaves):
            numbers = (start + i * step + k * offset for i in range(size(leaf.shape)))
            leaves.append(replace(leaf, values=tuple(pool[n % len(pool)] for n in numbers)))
        return replace(program, leaves=tuple(leaves))

    def shapes(self, program: pr.Program) -> pr.Program:
        """Change the shape of all leaves, or of one."""
        shape = self.source.choice([s for s in _SHAPES if len(s) <= self.limits.max_ndim])
        leaves = list(program.leaves)
        chosen = range(len(leaves))
        if self.source.random() < 0.5:
            chosen = range(start := self.source.randrange(len(leaves)), start + 1)
        n = size(shape)
        for i in chosen:
            pool = leaves[i].values + EXACT_VALUES * (n // len(EXACT_VALUES) + 1)
            leaves[i] = replace(leaves[i], shape=shape, values=pool[:n])
        return replace(program, leaves=tuple(leaves))

    def dtype_or_constant(self, program: pr.Program) -> pr.Program:
        """Change the dtype of all leaves, or ``requires_grad`` of one."""
        leaves = list(program.leaves)
        if self.source.random() < 0.5:
            dtype = self.source.choice(self.limits.dtypes)
            leaves = [replace(leaf, dtype=dtype) for leaf in leaves]
        else:
            i = self.source.randrange(len(leaves))
            leaves[i] = replace(leaves[i], requires_grad=not leaves[i].requires_grad)
        return replace(program, leaves=tuple(leaves))

    def pick(self, program: pr.Program, *kinds: type[Any]) -> tuple[int, Any] | None:
        """Return the position of one statement of these kinds, and the statement."""
        positions = _positions(program, *kinds)
        position = self.source.choice(positions) if positions else None
        return None if position is None else (position, program.statements[position])

    def gradient(self, program: pr.Program) -> pr.Program | None:
        """Change the gradient of a backward; to None where the root has one element."""
        if (picked := self.pick(program, pr.Backward)) is None:
            return None
        position, s = picked
        info = program.infos[s.value]
        n, start = size(info.shape), self.source.randrange(len(GRADIENTS))
        values = tuple(GRADIENTS[(start + 2 * i) % len(GRADIENTS)] for i in range(n))
        without = n == 1 and s.gradient is not None
        gradient = None if without else pr.Constant(info.shape, values, info.dtype)
        return with_statements(program, position, replace(s, gradient=gradient))

    def operation(self, program: pr.Program) -> pr.Program | None:
        """Replace an operation by another one on the same operands."""
        if (picked := self.pick(program, pr.Apply)) is None:
            return None
        position, s = picked
        return with_statements(
            program, position, replace(self.any_apply(s.inputs), no_grad=s.no_grad)
        )

    def any_apply(self, values: Sequence[int]) -> pr.Apply:
        """Return a random operation on ``values``, repeated or cut to its number of operands."""
        name = self.source.choice(self.limits.ops)
        arity = OPS[name].arity or 2
        return pr.Apply(name, (tuple(values) * arity)[:arity])

    def operands(self, program: pr.Program) -> pr.Program | None:
        """Reverse the operands of an operation, or replace one by an earlier value."""
        if (picked := self.pick(program, pr.Apply)) is None:
            return None
        position, s = picked
        inputs = list(s.inputs)
        if self.source.random() < 0.5:
            inputs.reverse()
        else:
            earlier = self.source.randrange(_defined_before(program, position))
            inputs[self.source.randrange(len(inputs))] = earlier
        return with_statements(program, position, replace(s, inputs=tuple(inputs)))

    def use(self, program: pr.Program) -> pr.Program:
        """Insert an operation on earlier values; its result replaces one of them from there on."""
        events = _positions(program, pr.Backward)
        position = self.source.randint(0, events[0] if events else len(program.statements))
        count = _defined_before(program, position)
        value = self.source.choice((count - 1, self.source.randrange(count)))
        other = self.source.choice((value, self.source.randrange(count)))
        pair = self.source.choice(((value, other), (other, value)))
        statement: pr.Statement = self.any_apply(pair)
        if self.source.random() < 0.05:
            statement = pr.Detach(value)

        def moved(v: int) -> int:
            return v + 1 if v >= count else (count if v == value else v)

        later = [renumbered(s, moved) for s in program.statements[position:]]
        return replace(program, statements=(*program.statements[:position], statement, *later))

    def leaf(self, program: pr.Program) -> pr.Program | None:
        """Add a leaf as an operand of an operation."""
        count = len(program.leaves)
        if count > 3:
            return None
        leaves = (*program.leaves, self.source.choice(program.leaves))
        later = [renumbered(s, lambda v: v + (v >= count)) for s in program.statements]
        wider = pr.Program(leaves, tuple(later))
        if (picked := self.pick(wider, pr.Apply)) is None:
            return wider
        position, s = picked
        inputs = list(s.inputs)
        inputs[self.source.randrange(len(inputs))] = count
        return with_statements(wider, position, replace(s, inputs=tuple(inputs)))

    def double(self, program: pr.Program) -> pr.Program | None:
        if (picked := self.pick(program, *_EVENTS)) is None:
            return None
        position, event = picked
        return _retained(with_statements(program, position, event, event))

    def again(self, program: pr.Program) -> pr.Program:
        events = [program.statements[i] for i in _positions(program, *_EVENTS)]
        return _retained(replace(program, statements=(*program.statements, *events)))

    def event(self, program: pr.Program) -> pr.Program:
        """Insert an event at the end or before another event."""
        choice, count = self.source.choice, len(program.leaves)
        leaves = choice((tuple(range(count)), (self.source.randrange(count),)))
        backward = pr.Backward(self.source.randrange(len(program.infos)))
        event: pr.Statement = choice((backward, backward, pr.Clear(leaves), pr.Zero(leaves)))
        if self.source.random() < 0.1:
            event = choice((pr.ChangeGrad(leaves[-1]), pr.ChangeGradient()))
        old = program.statements
        position = choice([*_positions(program, *_EVENTS)[1:], len(old)])
        return _retained(replace(program, statements=(*old[:position], event, *old[position:])))

    def attributes(self, program: pr.Program) -> pr.Program | None:
        applied = list(enumerate(program.statements))
        positions = [i for i, s in applied if isinstance(s, pr.Apply) and s.attrs]
        if not positions:
            return None
        position = self.source.choice(positions)
        s: Any = program.statements[position]
        attrs = self.source.choice(choices_of(program, s) or ((),))
        return with_statements(program, position, replace(s, attrs=attrs))

    def mode(self, program: pr.Program) -> pr.Program | None:
        """Put an operation under ``no_grad``, or out of it."""
        if (picked := self.pick(program, pr.Apply)) is None:
            return None
        position, s = picked
        return with_statements(program, position, replace(s, no_grad=not s.no_grad))


#: Steps; those on which faults depend most often are repeated.
_CHANGES: tuple[Callable[[_Steps, pr.Program], pr.Program | None], ...] = (
    *(_Steps.data, _Steps.data, _Steps.data, _Steps.gradient, _Steps.gradient),
    *(_Steps.shapes, _Steps.shapes, _Steps.use, _Steps.use, _Steps.use, _Steps.use),
    *(_Steps.operation, _Steps.operands, _Steps.attributes, _Steps.leaf, _Steps.leaf),
    *(_Steps.double, _Steps.again, _Steps.event, _Steps.event),
    *(_Steps.dtype_or_constant, _Steps.mode),
)
