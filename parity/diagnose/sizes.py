"""From which size on a fault shows, in words: elements, length of an axis, dimensions, uses.

A reduced program is run with the sizes next to its own. The vocabulary is closed: ``WORDS``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from parity.diagnose.repair import repaired, with_wrong_shapes_marked
from parity.diagnose.shrink_sizes import SHORT, shrunk, with_length, with_other_numbers, with_shapes
from parity.language import program as pr
from parity.language.shapes import Shape, size

#: What is said of a size.
WORDS: dict[str, str] = {
    "elements": "from {} elements on",
    "axis": "from length {} of an axis on",
    "multiple": "where the length of an axis is no multiple of {}",
    "lengths": "for some lengths of an axis, the smallest of which is {}",
    "dimensions": "from {} dimensions on",
    "uses": "from the {} use of a value on",
    "exact-uses": "where a value is used {} times",
    "depth": "from {} operations in a row on",
}
#: Sizes up to these are usual, and nothing is said of them.
_DIMENSIONS, _USES, _DEPTH = 3, 6, 12
#: Blocks of elements that code works in.
_BLOCKS = (2, 4, 8, 16, 32, 64, 128, 256)
#: How many lengths from the shortest on are tried, and which multiples of it.
_NEXT, _TIMES = 17, (2, 3)

Keeps = Callable[[pr.Program], bool]


def size_condition(program: pr.Program, keeps: Keeps) -> str:
    """Return from which size on a fault shows; "" if the reduced program has usual sizes.

    ``keeps`` tells whether another program shows the fault.
    """
    longest = max((n for leaf in program.leaves for n in leaf.shape), default=0)
    if _uses(program)[1] > _USES:
        return _condition_of_uses(program, keeps)
    if len(program.statements) > _DEPTH:
        return WORDS["depth"].format(sum(isinstance(s, pr.Apply) for s in program.statements))
    if max(len(leaf.shape) for leaf in program.leaves) > _DIMENSIONS:
        return WORDS["dimensions"].format(max(len(leaf.shape) for leaf in program.leaves))
    elements = max(size(info.shape) for info in program.infos)
    if longest > SHORT or elements > 3 * SHORT:
        return _condition_of_lengths(program, longest, elements, keeps)
    return ""


def _kept(candidate: pr.Program | None, keeps: Keeps) -> bool:
    return candidate is not None and keeps(candidate)


def _shows(candidate: pr.Program | None, keeps: Keeps) -> bool:
    """Whether a program shows the fault, with its own numbers or with others, which differ more."""
    if candidate is None or keeps(candidate):
        return candidate is not None
    return any(map(keeps, with_other_numbers(candidate)))


def _condition_of_lengths(program: pr.Program, longest: int, elements: int, keeps: Keeps) -> str:
    flat, n = _flat(program, elements, keeps)
    if flat is None:
        if longest <= SHORT:
            return ""
        flat, n = program, longest
    several = {m: with_length(flat, n, m) for m in (*range(n, n + _NEXT), *(t * n for t in _TIMES))}
    tried = [m for m, candidate in several.items() if _is_like(candidate, flat)]
    found = [m for m in tried if m == n or _shows(several[m], keeps)]
    if len(found) == len(tried):
        by_elements = flat is not program or all(len(leaf.shape) < 2 for leaf in flat.leaves)
        kind = "elements" if by_elements and _folded(flat, n, keeps) else "axis"
        return WORDS[kind].format(n)
    return _condition_of_remainders(n, tried, found)


def _is_like(candidate: pr.Program | None, program: pr.Program) -> bool:
    """Whether a program of another size exists, and has attributes of the same sort."""
    if candidate is None:
        return False
    pairs = zip(candidate.statements, program.statements, strict=True)
    return all(type(a) is type(b) for a, b in pairs)


def _flat(program: pr.Program, elements: int, keeps: Keeps) -> tuple[pr.Program | None, int]:
    """Return the program on vectors that are as short as may be, and their length."""
    if all(leaf.shape in ((), (1,)) or len(leaf.shape) == 1 for leaf in program.leaves):
        longest = max(n for leaf in program.leaves for n in leaf.shape or (1,))
        return program, longest
    vectors = with_shapes(program, [(elements,)] * len(program.leaves))
    if vectors is None or not keeps(vectors):
        return None, 0
    n = shrunk(elements, lambda m: _kept(with_length(vectors, elements, m), keeps))
    return with_length(vectors, elements, n), n


def _folded(flat: pr.Program, n: int, keeps: Keeps) -> bool:
    """Return whether two rows with together as many elements show the fault as well."""
    shapes: list[Shape] = [
        (2, (n + 1) // 2) if leaf.shape == (n,) else leaf.shape for leaf in flat.leaves
    ]
    return _kept(with_shapes(flat, shapes), keeps)


def _condition_of_remainders(n: int, tried: list[int], found: list[int]) -> str:
    """Return what the lengths have in common that show a fault, of those that were tried."""
    for block in _BLOCKS:
        if all((m in found) == (m % block != 0) for m in tried):
            return WORDS["multiple"].format(block)
    return WORDS["lengths"].format(n)


def _uses(program: pr.Program) -> tuple[int, int]:
    """Return the value with the most uses, and how many it has."""
    uses = Counter(i for s in program.statements if isinstance(s, pr.Apply) for i in s.inputs)
    return max(uses.items(), key=lambda item: item[1], default=(0, 0))


def _condition_of_uses(program: pr.Program, keeps: Keeps) -> str:
    value, count = _uses(program)
    more, further = program, True
    for _ in range(2):
        longer = _with_another_use(more, value)
        if longer is None or not keeps(longer):
            further = False
            break
        more = longer
    return WORDS["uses"].format(_ordinal(count)) if further else WORDS["exact-uses"].format(count)


def _with_another_use(program: pr.Program, value: int) -> pr.Program | None:
    """Return the program with the last operation on a value applied once more, to its result."""
    program = with_wrong_shapes_marked(program)
    for number in reversed(range(len(program.statements))):
        s = program.statements[number]
        if not isinstance(s, pr.Apply) or value not in s.inputs:
            continue
        if len(s.inputs) > 2:
            changed: pr.Statement = replace(s, inputs=(*s.inputs, value))
            statements = list(program.statements)
            statements[number] = changed
            return _repaired(program, statements)
        (out,) = program.defined[number][:1]
        numbers = {i: i + (i >= out) for i in range(len(program.infos))}
        place = s.inputs.index(value)
        again = replace(s, inputs=tuple(value if k == place else out for k in range(len(s.inputs))))
        rest = [one.renumbered(numbers.__getitem__) for one in program.statements[number + 1 :]]
        return _repaired(program, [*program.statements[: number + 1], again, *rest])
    return None


def _repaired(program: pr.Program, statements: list[pr.Statement]) -> pr.Program | None:
    return repaired(replace(program, statements=tuple(statements)))


def _ordinal(n: int) -> str:
    last = {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{'th' if n % 100 in (11, 12, 13) else last}"
