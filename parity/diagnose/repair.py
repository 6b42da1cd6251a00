"""Repair a program after a step of shrinking or variation, so that it is valid again.

Attributes and gradients are replaced where they no longer fit the shapes. Programs that must raise
since a gradient has the wrong shape keep a wrong shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from parity.language import program as pr
from parity.language.shapes import Attrs, Shape, size
from parity.language.table import OPS, attribute_choices, output_shapes

T = TypeVar("T")

#: Values of a gradient in place of one whose shape no longer fits; all 1.0 if its shape is wrong.
GRADIENT_VALUES = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
#: Wrong shapes of gradients, simplest first.
WRONG_SHAPES: tuple[Shape, ...] = ((2,), ())


def replaced(items: tuple[T, ...], index: int, *new: T) -> tuple[T, ...]:
    """Return ``items`` with others, or none, in place of one."""
    return (*items[:index], *new, *items[index + 1 :])


def with_statements(program: pr.Program, number: int, *others: pr.Statement) -> pr.Program:
    return replace(program, statements=replaced(program.statements, number, *others))


def renumbered(statement: Any, moved: Callable[[int], int]) -> Any:
    """Return a statement with other numbers of the values, not of the leaves of events."""
    if isinstance(statement, pr.Apply):
        return replace(statement, inputs=tuple(map(moved, statement.inputs)))
    if isinstance(statement, (pr.Detach, pr.Backward, pr.Drop)):
        return replace(statement, value=moved(statement.value))
    return statement


def choices_of(program: pr.Program, s: pr.Apply) -> tuple[Attrs, ...]:
    """Return the attributes that an operation of the program may have, simplest first."""
    infos = program.infos
    return attribute_choices(s.op, tuple(infos[i].shape for i in s.inputs))


@dataclass(frozen=True, slots=True)
class WrongShapeGradient(pr.Constant):
    """A gradient that has another shape than its root, and must keep one.

    It exists only between ``with_wrong_shapes_marked`` and ``repaired``, so that the latter can
    distinguish it from a gradient that a step made invalid.
    """


def simplest_wrong_shape(shape: Shape) -> Shape:
    """Return the simplest shape of a gradient that does not fit a root of ``shape``."""
    return next(s for s in WRONG_SHAPES if s != shape)


def wrong_shape_gradient(shape: Shape) -> WrongShapeGradient:
    return WrongShapeGradient(shape, GRADIENT_VALUES[:1] * size(shape))


def with_wrong_shapes_marked(program: pr.Program) -> pr.Program:
    """Return the program with gradients of the wrong shape as ``WrongShapeGradient``."""
    statements = list(program.statements)
    for number, s in enumerate(statements):
        if not isinstance(s, pr.Backward) or s.gradient is None:
            continue
        old = s.gradient
        if old.shape != program.infos[s.value].shape:
            marked = WrongShapeGradient(old.shape, old.values, old.dtype)
            statements[number] = replace(s, gradient=marked)
    return replace(program, statements=tuple(statements))


def repaired(program: pr.Program) -> pr.Program | None:
    """Return the program with attributes and gradients that fit; None if it stays invalid.

    Gradients marked by ``with_wrong_shapes_marked`` have a wrong shape still.
    """
    infos = [leaf.info() for leaf in program.leaves]
    statements: list[pr.Statement] = []
    try:
        for s in program.statements:
            if isinstance(s, pr.Apply):
                s = _with_fitting_attrs(s, [infos[i] for i in s.inputs])
            elif isinstance(s, pr.Backward):
                s = replace(s, gradient=_fitting_gradient(s.gradient, infos[s.value]))
            infos += s.outputs(infos)
            statements.append(s)
        result = replace(program, statements=tuple(statements))
        result.validate()
    except (pr.ProgramError, IndexError):
        return None
    return result


def _with_fitting_attrs(s: pr.Apply, inputs: list[pr.Info]) -> pr.Apply:
    shapes = tuple(info.shape for info in inputs)
    names = tuple(name for name, _ in s.attrs)
    if names == tuple(sorted(OPS[s.op].kinds)) and output_shapes(s.op, shapes, s.attrs):
        return s
    for attrs in attribute_choices(s.op, shapes):
        if output_shapes(s.op, shapes, attrs) is not None:
            return replace(s, attrs=attrs)
    raise pr.ProgramError("no attributes fit")


def _fitting_gradient(gradient: pr.Constant | None, info: pr.Info) -> pr.Constant | None:
    """Return a gradient that fits a root, or, in place of a marked one, one that does not."""
    n = size(info.shape)
    if isinstance(gradient, WrongShapeGradient):
        if gradient.shape == info.shape:
            gradient = wrong_shape_gradient(simplest_wrong_shape(info.shape))
        return pr.Constant(gradient.shape, gradient.values, info.dtype)
    if gradient is None:
        return None if n == 1 else pr.Constant(info.shape, (GRADIENT_VALUES * n)[:n], info.dtype)
    if (gradient.shape, gradient.dtype) == (info.shape, info.dtype):
        return gradient
    values = (gradient.values + GRADIENT_VALUES * n)[:n]
    return pr.Constant(info.shape, values, info.dtype)
