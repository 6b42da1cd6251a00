"""Large steps of shrinking: lengths of axes by bisecting, and many statements at once.

A fault that shows from some length on is shrunk to that length in a few dozen runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

from parity.diagnose.repair import (
    MOST_EXPLICIT,
    renumbered,
    repaired,
    replaced,
    resized,
    with_wrong_shapes_marked,
)
from parity.language import program as pr
from parity.language.patterns import Pattern
from parity.language.shapes import Shape, size
from parity.language.table import attribute_choices, output_shapes

#: Lengths up to this one are left to the steps of ``parity.diagnose.shrink_passes``.
SHORT = 4
#: Programs with at most so many statements, too.
_FEW = 12
#: The shares of a length that are tried last, as numerators of these denominators.
_SHARES = ((3, 4), (7, 8), (15, 16), (31, 32))
_FILLER = (3.0, 2.0, 4.0, 5.0, 7.0, 6.0)


class Reduction(Protocol):
    """The smallest program so far; ``accepts`` replaces it by a smaller one with the finding."""

    program: pr.Program

    def accepts(self, candidate: pr.Program) -> bool: ...


def shrink_lengths(reduction: Reduction) -> None:
    """Shrink each length: in all leaves that have it, then axis by axis; first of vectors."""
    elements = max(size(leaf.shape) for leaf in reduction.program.leaves)
    if elements > MOST_EXPLICIT:
        vectors: list[Shape] = [(elements,)] * len(reduction.program.leaves)
        _accepts(reduction, with_shapes(reduction.program, vectors))
    for old in sorted(_lengths(reduction.program), reverse=True):
        whole = reduction.program
        shrunk(old, lambda new: _of_length(reduction, with_length(whole, old, new)))  # noqa: B023
    for number, axis in list(_axes(reduction.program)):
        whole = reduction.program
        shape = whole.leaves[number].shape
        if len(shape) > axis and shape[axis] > SHORT:
            shrunk(
                shape[axis],
                lambda new: _of_length(reduction, _with_axis(whole, number, axis, new)),  # noqa: B023
            )


def _accepts(reduction: Reduction, candidate: pr.Program | None) -> bool:
    return candidate is not None and reduction.accepts(candidate)


def _of_length(reduction: Reduction, candidate: pr.Program | None) -> bool:
    """Whether a program keeps the finding, with its own numbers or with rising or falling ones.

    What is lost at the end of an array may be the largest number there.
    """
    if candidate is None or reduction.accepts(candidate):
        return candidate is not None
    return any(reduction.accepts(other) for other in with_other_numbers(candidate))


def with_other_numbers(program: pr.Program) -> Iterator[pr.Program]:
    """Yield the program with other numbers in its patterns: of another period, rising, falling."""
    if not any(isinstance(leaf.values, Pattern) for leaf in program.leaves):
        return
    for make in _NUMBERS:
        leaves = tuple(
            replace(x, values=make(len(x.values))) if isinstance(x.values, Pattern) else x
            for x in program.leaves
        )
        yield replace(program, leaves=leaves)


def _rising(n: int) -> Pattern:
    return Pattern(n, period=max(n, 1), low=1, over=64)


def _falling(n: int) -> Pattern:
    return Pattern(n, max(n, 1) - 1, max(n, 2) - 1, max(n, 1), 1, 64)


_NUMBERS: tuple[Callable[[int], Pattern], ...] = (
    lambda n: Pattern(n, period=31, over=16),
    _rising,
    _falling,
)


def shrunk(n: int, keeps: Callable[[int], bool]) -> int:
    """Return the smallest length that ``keeps``, as far as bisecting finds it; ``n`` keeps."""
    failed = 0
    for tried in _tried(n):
        if keeps(tried):
            n = tried
            break
        failed = tried
    while n - failed > 1:
        middle = (n + failed) // 2
        if keeps(middle):
            n = middle
        else:
            failed = middle
    return n


def _tried(n: int) -> list[int]:
    """The lengths below ``n`` that are tried before bisecting, the smallest first."""
    powers = [2**k + 1 for k in range(1, n.bit_length())]
    lengths = {1, 2, *powers, n // 4, n // 2, *(n * a // b for a, b in _SHARES)}
    return sorted(m for m in lengths if 0 < m < n)


def _lengths(program: pr.Program) -> set[int]:
    return {n for leaf in program.leaves for n in leaf.shape if n > SHORT}


def _axes(program: pr.Program) -> Iterator[tuple[int, int]]:
    for number, leaf in enumerate(program.leaves):
        yield from ((number, axis) for axis, n in enumerate(leaf.shape) if n > SHORT)


def with_length(program: pr.Program, old: int, new: int) -> pr.Program | None:
    """Return the program with ``new`` for each length ``old`` of a leaf; None if none fits."""
    shapes = [tuple(new if n == old else n for n in leaf.shape) for leaf in program.leaves]
    return with_shapes(program, shapes)


def _with_axis(program: pr.Program, number: int, axis: int, new: int) -> pr.Program | None:
    shapes = [leaf.shape for leaf in program.leaves]
    shapes[number] = replaced(shapes[number], axis, new)
    return with_shapes(program, shapes)


def with_shapes(program: pr.Program, shapes: list[Shape]) -> pr.Program | None:
    """Return the program with leaves of these shapes, and attributes that follow them."""
    leaves = tuple(
        replace(leaf, shape=shape, values=resized(leaf.values, size(shape), _FILLER))
        for leaf, shape in zip(program.leaves, shapes, strict=True)
    )
    marked = with_wrong_shapes_marked(program)
    infos = [leaf.info() for leaf in leaves]
    statements = list(marked.statements)
    for number, s in enumerate(statements):
        try:
            if isinstance(s, pr.Apply):
                s = statements[number] = _following(program, s, [infos[i].shape for i in s.inputs])
            infos += s.outputs(infos)
        except (pr.ProgramError, IndexError):
            break  # attributes of another kind may fit, and later statements follow them
    return repaired(pr.Program(leaves, tuple(statements)))


def _following(program: pr.Program, s: pr.Apply, shapes: list[Shape]) -> pr.Apply:
    """Return an operation with attributes that are for the new shapes what its own were."""
    old, new = tuple(program.infos[i].shape for i in s.inputs), tuple(shapes)
    if old == new:
        return s
    before = attribute_choices(s.op, old)
    after = attribute_choices(s.op, new)
    position = before.index(s.attrs) if s.attrs in before else len(after)
    fits = position < len(after) and output_shapes(s.op, new, after[position]) is not None
    return replace(s, attrs=after[position]) if fits else s


def shrink_runs(reduction: Reduction) -> None:
    """Drop many statements at once, ever fewer, as long as there are many."""
    length = len(reduction.program.statements) // 2
    while length and len(reduction.program.statements) > _FEW:
        end = len(reduction.program.statements)
        while end > 0:
            candidate = _without(reduction.program, max(0, end - length), end)
            if not _accepts(reduction, candidate):
                end -= length
            else:
                end = min(end - length, len(reduction.program.statements))
        length //= 2


def _without(program: pr.Program, first: int, end: int) -> pr.Program | None:
    """Return the program without some statements: a value becomes the first that it was made of."""
    numbers = list(range(len(program.leaves)))
    kept: list[pr.Statement] = []
    count = len(numbers)
    for k, s in enumerate(with_wrong_shapes_marked(program).statements):
        defined = program.defined[k]
        if first <= k < end:
            if defined and not s.operands():
                return None
            numbers += [numbers[s.operands()[0]] for _ in defined]
            continue
        kept.append(renumbered(s, numbers.__getitem__))
        numbers += range(count, count + len(defined))
        count += len(defined)
    return repaired(pr.Program(program.leaves, tuple(kept)))
