"""Endings of programs that PyTorch refuses: a freed graph, a wrong shape, a constant."""

from __future__ import annotations

from typing import Protocol

from parity.language import program as pr
from parity.language.shapes import Shape, size
from parity.language.table import OPS


class Unfinished(Protocol):
    """What endings need of a program under construction (``parity.generate.builder``)."""

    leaves: list[pr.Leaf]
    statements: list[pr.Statement]
    infos: list[pr.Info]
    graph: list[int]
    dropped: set[int]
    backwards: list[tuple[int, int]]


def error(builder: Unfinished, extra: int) -> None:
    """One statement more that PyTorch refuses (docs/semantics.md 1.2, 4.2, 4.4)."""
    ways = (freed_graph, _wrong_shape, _no_grad_needed)
    for k in range(len(ways)):
        if ways[(extra + k) % len(ways)](builder, extra):
            return


def freed_graph(builder: Unfinished, extra: int) -> bool:
    """A second backward through a graph that the last one freed, from its root or another."""
    if not builder.backwards:
        return False
    number, ran = builder.backwards[-1]
    last = builder.statements[number]
    if not isinstance(last, pr.Backward) or last.retain_graph:
        return False
    if extra % 2 and _from_another_root(builder, last.value, ran):
        return True
    # The newest statement of the graph has made the value.
    newest = builder.graph[last.value].bit_length() - 1
    if newest < 0 or not _saves(builder, newest):
        return False
    builder.statements.append(last)
    return True


def _from_another_root(builder: Unfinished, root: int, freed: int) -> bool:
    """Run backward from a value that shares a freed part of the graph: PyTorch raises."""
    saving = (1 << number for number in range(len(builder.statements)) if _saves(builder, number))
    noticed = sum(saving) & freed
    for value in reversed(range(len(builder.leaves), len(builder.infos))):
        if value not in (root, *builder.dropped) and builder.graph[value] & noticed:
            return _backward_of_ones(builder, value, builder.infos[value].shape)
    return False


def _saves(builder: Unfinished, number: int) -> bool:
    """Whether a statement keeps something for its backward."""
    statement = builder.statements[number]
    return isinstance(statement, pr.Apply) and OPS[statement.op].saves


def _backward_of_ones(builder: Unfinished, value: int, shape: Shape) -> bool:
    gradient = pr.Constant(shape, (1.0,) * size(shape), builder.infos[value].dtype)
    builder.statements.append(pr.Backward(value, gradient))
    return True


def _wrong_shape(builder: Unfinished, extra: int) -> bool:
    """A gradient of another shape."""
    for value in reversed(range(len(builder.infos))):
        if value not in builder.dropped and builder.infos[value].requires_grad:
            return _backward_of_ones(builder, value, (*builder.infos[value].shape, 2))
    return False


def _no_grad_needed(builder: Unfinished, extra: int) -> bool:
    """A backward from a constant."""
    for value, info in enumerate(builder.infos):
        if value not in builder.dropped and info.requires_grad is False and size(info.shape) == 1:
            builder.statements.append(pr.Backward(value))
            return True
    return False
