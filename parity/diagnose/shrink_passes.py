"""Shrink passes: the programs that are one step simpler than a given one.

A step drops a statement or leaf, simplifies a leaf, an attribute or a gradient, replaces an
operation by another, or lets a statement read another value.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from parity.diagnose.repair import (
    GRADIENT_VALUES,
    WRONG_SHAPES,
    WrongShapeGradient,
    choices_of,
    renumbered,
    repaired,
    replaced,
    with_statements,
    with_wrong_shapes_marked,
    wrong_shape_gradient,
)
from parity.language import program as pr
from parity.language.shapes import Attrs, Shape, size
from parity.language.table import OPS, with_rules

#: The usual values of leaves, repeated.
LEAF_VALUES = (3.0, 2.0, 4.0, 5.0, 7.0, 6.0)
#: Simpler values of leaves, simplest first.
PLAIN_VALUES = (0.0, 1.0, -1.0)
_SIMPLE_SHAPES: tuple[Shape, ...] = ((), (2,), (2, 2), (2, 3))
#: A computed value may be replaced by a new leaf if there are fewer leaves than this.
_MOST_LEAVES = 4
#: Leaves with at most so many elements are simplified element by element.
_MOST_ELEMENTS = 12


class Freedom(enum.Flag):
    """What steps may do in addition to dropping and simplifying.

    ``SWAP``: replace an operation by another one. ``REWIRE``: let a statement read a value on
    which it did not depend, so that a value may get more uses than before.
    """

    NONE = 0
    SWAP = enum.auto()
    REWIRE = enum.auto()
    ALL = SWAP | REWIRE


def simpler(program: pr.Program, last: int, freedom: Freedom = Freedom.ALL) -> Iterator[pr.Program]:
    """Yield the valid programs that are one step simpler, the largest steps first.

    ``last`` is the index of the statement of the finding; later statements are dropped.
    """
    for candidate in _candidates(with_wrong_shapes_marked(program), last, freedom):
        fitting = repaired(candidate)
        if fitting is not None:
            yield fitting


def _candidates(program: pr.Program, last: int, freedom: Freedom) -> Iterator[pr.Program]:
    if last + 1 < len(program.statements):
        yield replace(program, statements=program.statements[: max(last, 0) + 1])
    for number in reversed(range(len(program.statements))):
        yield from _without_statement(program, number, freedom)
    for number in range(len(program.statements)):
        yield from _cut_off(program, number)
    for i in reversed(range(len(program.leaves))):
        yield from _without_leaf(program, i, freedom)
    for shape in _SIMPLE_SHAPES:
        yield replace(program, leaves=tuple(_reshaped(x, shape) for x in program.leaves))
    yield replace(program, leaves=tuple(replace(x, dtype="float64") for x in program.leaves))
    usual = tuple(replace(x, values=_pattern(x.shape)) for x in program.leaves)
    yield replace(program, leaves=usual)
    for i, leaf in enumerate(program.leaves):
        for simple in _simpler_leaves(leaf):
            yield replace(program, leaves=replaced(program.leaves, i, simple))
    for number, statement in enumerate(program.statements):
        for other in _simpler_statements(program, statement, freedom):
            yield with_statements(program, number, other)
    yield from _finer(program)


def _finer(program: pr.Program) -> Iterator[pr.Program]:
    """Yield small steps, which matter for programs that are nearly as small as possible."""
    for i, leaf in enumerate(program.leaves):
        for simple in _plainer(leaf):
            yield replace(program, leaves=replaced(program.leaves, i, simple))
    plain = program
    for number, statement in enumerate(program.statements):
        if isinstance(statement, pr.Backward):
            plain = with_statements(plain, number, replace(statement, gradient=None))
    for number, statement in enumerate(program.statements):
        if isinstance(statement, pr.Apply):
            for attrs in choices_of(program, statement):  # the result may have one element
                yield with_statements(plain, number, replace(statement, attrs=attrs))
            yield from _with_matching_values(program, number, statement)
    yield from _with_leaves_swapped(program)


# Leaves.


def _pattern(shape: Shape) -> tuple[float, ...]:
    return tuple(LEAF_VALUES[i % len(LEAF_VALUES)] for i in range(size(shape)))


def _reshaped(leaf: pr.Leaf, shape: Shape) -> pr.Leaf:
    values = (leaf.values + _pattern(shape))[: size(shape)]
    return replace(leaf, shape=shape, values=values)


def _simpler_leaves(leaf: pr.Leaf) -> Iterator[pr.Leaf]:
    for shape in _SIMPLE_SHAPES:
        yield _reshaped(leaf, shape)
    for axis, n in enumerate(leaf.shape):
        yield _reshaped(leaf, replaced(leaf.shape, axis))
        if n > 1:
            yield _reshaped(leaf, replaced(leaf.shape, axis, n - 1))
    yield replace(leaf, requires_grad=True)
    yield replace(leaf, dtype="float64")
    yield replace(leaf, values=_pattern(leaf.shape))


def _plainer(leaf: pr.Leaf) -> Iterator[pr.Leaf]:
    """Yield one of the elements, or an index of an axis, then the leaf with plain values."""
    array, values = leaf.array(), leaf.values
    for v in dict.fromkeys(values) if leaf.shape else ():
        yield replace(leaf, shape=(), values=(v,))
    for axis, n in enumerate(leaf.shape if leaf.shape[1:] else ()):
        for index in range(n):
            part = array.take(index, axis)
            yield replace(leaf, shape=part.shape, values=tuple(part.ravel().tolist()))
    for v in PLAIN_VALUES:
        yield replace(leaf, values=(v,) * len(values))
    for i, usual in enumerate(_pattern(leaf.shape) if 1 < len(values) <= _MOST_ELEMENTS else ()):
        for v in (usual, *PLAIN_VALUES):
            yield replace(leaf, values=replaced(values, i, v))


def _with_matching_values(program: pr.Program, number: int, s: pr.Apply) -> Iterator[pr.Program]:
    """Yield simpler attributes with leaves that follow: a value on a bound stays on it."""
    held = {v for leaf in program.leaves for v in leaf.values}
    olds = [v for v in _numbers(s.attrs) if v in held]
    if not olds:
        return
    for attrs in choices_of(program, s):
        changed = with_statements(program, number, replace(s, attrs=attrs))
        for old, new in itertools.product(olds, _numbers(attrs)):
            moved = (tuple(new if v == old else v for v in leaf.values) for leaf in program.leaves)
            pairs = zip(program.leaves, moved, strict=True)
            yield replace(changed, leaves=tuple(replace(leaf, values=vs) for leaf, vs in pairs))


def _numbers(attrs: Attrs) -> list[float]:
    return [float(v) for _, v in attrs if type(v) in (int, float)]


def _with_leaves_swapped(program: pr.Program) -> Iterator[pr.Program]:
    for j in range(1, len(program.leaves)):
        for i in range(j):
            numbers = [{i: j, j: i}.get(v, v) for v in _values(program)]
            leaves = tuple(program.leaves[numbers[k]] for k in range(len(program.leaves)))
            yield pr.Program(leaves, _renumbered(program.statements, numbers))


# Statements.


def _simpler_statements(
    program: pr.Program, s: pr.Statement, freedom: Freedom
) -> Iterator[pr.Statement]:
    if isinstance(s, pr.Apply):
        yield from _simpler_applications(program, s, freedom)
    elif isinstance(s, pr.Backward):
        yield replace(s, gradient=None)
        yield replace(s, create_graph=False)
        yield replace(s, retain_graph=False)
        for gradient in _simpler_gradients(s.gradient):
            yield replace(s, gradient=gradient)
        for value in range(s.value) if Freedom.REWIRE in freedom else ():
            yield replace(s, value=value)
    elif isinstance(s, (pr.Clear, pr.Zero)):
        for leaf in s.leaves:
            yield replace(s, leaves=(leaf,))
    elif isinstance(s, (pr.TakeGrad, pr.ChangeGrad)) and Freedom.REWIRE in freedom:
        for leaf in range(s.leaf):
            yield replace(s, leaf=leaf)


def _simpler_applications(
    program: pr.Program, s: pr.Apply, freedom: Freedom
) -> Iterator[pr.Statement]:
    yield replace(s, no_grad=False)
    if Freedom.SWAP in freedom:
        yield from _with_other_operations(s)
    for attrs in choices_of(program, s):
        yield replace(s, attrs=attrs)
    if not OPS[s.op].arity and len(s.inputs) > 2:
        for index in range(len(s.inputs)):
            yield replace(s, inputs=replaced(s.inputs, index))
    yield replace(s, inputs=tuple(sorted(s.inputs)))
    for index, value in enumerate(s.inputs) if Freedom.REWIRE in freedom else ():
        for other in range(value):
            yield replace(s, inputs=replaced(s.inputs, index, other))


def _simpler_gradients(gradient: pr.Constant | None) -> Iterator[pr.Constant]:
    if isinstance(gradient, WrongShapeGradient):
        yield from map(wrong_shape_gradient, (*WRONG_SHAPES, gradient.shape))
    elif gradient is not None:
        n = len(gradient.values)
        yield replace(gradient, values=GRADIENT_VALUES[:1] * n)
        yield replace(gradient, values=(GRADIENT_VALUES * n)[:n])


def with_other_operation(program: pr.Program, number: int) -> Iterator[pr.Program]:
    """Yield the program with other operations in place of that of a statement.

    An operation of one operand is replaced by others of one operand, one of several by such.
    """
    s = program.statements[number]
    assert isinstance(s, pr.Apply)
    marked = with_wrong_shapes_marked(program)
    for other in _with_other_operations(s):
        fitting = repaired(with_statements(marked, number, other))
        if fitting is not None and (len(s.inputs) > 1) == (len(other.inputs) > 1):
            yield fitting


def _with_other_operations(s: pr.Apply) -> Iterator[pr.Apply]:
    for name in with_rules():
        op = OPS[name]
        if name != s.op and op.arity:
            yield replace(s, op=name, attrs=(), inputs=(s.inputs * op.arity)[: op.arity])


def _without_statement(program: pr.Program, number: int, freedom: Freedom) -> Iterator[pr.Program]:
    """Yield the program without a statement; earlier values replace those that it defined."""
    defined = program.defined[number]
    rest = replaced(program.statements, number)
    if not defined:
        yield replace(program, statements=rest)
        return
    first = defined[0]
    substitutes = program.statements[number].operands()
    unused = not any(i in defined for s in rest for i in s.operands())
    if Freedom.REWIRE in freedom or unused:
        substitutes = (*substitutes, *reversed(range(first)))
    for substitute in dict.fromkeys(substitutes):
        numbers = _removed(program, first, len(defined), substitute)
        yield replace(program, statements=_renumbered(rest, numbers))


def _cut_off(program: pr.Program, number: int) -> Iterator[pr.Program]:
    """Yield the program with a new leaf in place of the value that a statement computes."""
    defined = program.defined[number]
    new = len(program.leaves)
    if len(defined) != 1 or new >= _MOST_LEAVES:
        return
    info = program.infos[defined[0]]
    rest = replaced(program.statements, number)
    numbers = [v + (new <= v < defined[0]) for v in _values(program)]
    numbers[defined[0]] = new
    statements = _renumbered(rest, numbers)
    for values in (_pattern(info.shape), PLAIN_VALUES[:1] * size(info.shape)):
        leaf = pr.Leaf(info.shape, values, info.dtype)
        yield pr.Program((*program.leaves, leaf), statements)


def _without_leaf(program: pr.Program, leaf: int, freedom: Freedom) -> Iterator[pr.Program]:
    if len(program.leaves) < 2:
        return
    leaves = replaced(program.leaves, leaf)
    used = any(leaf in (*s.operands(), *s.leaf_operands()) for s in program.statements)
    for substitute in range(len(program.leaves)) if Freedom.REWIRE in freedom or not used else ():
        if substitute != leaf:
            numbers = _removed(program, leaf, 1, substitute)
            yield pr.Program(leaves, _renumbered(program.statements, numbers))


# Renumbering of values.


def _values(program: pr.Program) -> range:
    return range(len(program.leaves) + sum(map(len, program.defined)))


def _removed(program: pr.Program, first: int, count: int, substitute: int) -> list[int]:
    """Return new numbers if ``substitute`` replaces ``count`` values from ``first`` on."""
    numbers = [v if v < first else v - count for v in _values(program)]
    numbers[first : first + count] = [numbers[substitute]] * count
    return numbers


def _renumbered(statements: tuple[pr.Statement, ...], numbers: list[int]) -> tuple[Any, ...]:
    """Renumber each value ``v`` as ``numbers[v]``."""

    def moved(s: Any) -> Any:
        if isinstance(s, (pr.Clear, pr.Zero)):
            return replace(s, leaves=tuple(sorted({numbers[i] for i in s.leaves})))
        if isinstance(s, (pr.TakeGrad, pr.ChangeGrad)):
            return replace(s, leaf=numbers[s.leaf])
        return renumbered(s, numbers.__getitem__)

    return tuple(map(moved, statements))
