"""Named kinds of attributes: values that depend on the shapes of the operands, by a name.

A row of the table of operations lists the choices of an attribute, or names a kind of this table:
``attributes={"axis": "AXIS", "reduction": ("mean", "sum")}``. A kind gives the choices for operands
of given shapes, the simplest first. Values are plain data; an engine gets indices, masks and
weights as arrays.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.language.attributes import FLAG, AttributeKind, is_flag, is_integer, is_number
from parity.language.shapes import Shape, size

#: Arrays of indices, labels or flags that are tried beside the first, simple ones.
_DRAWN = 3
#: How many numbers a plain value may have in all, how large one may be, how long a text.
_MOST, _LARGEST, _LONGEST_TEXT = 4096, 10**6, 64


@dataclass(frozen=True)
class NamedKind:
    """The choices of an attribute for shapes of operands, and how its values are checked."""

    words: str
    choices: Callable[[tuple[Shape, ...]], Sequence[Any]]
    kind: AttributeKind


def is_plain(value: Any) -> bool:
    """Return whether a value is plain data: numbers, text, None and nested tuples of these."""
    try:
        return _count(value) <= _MOST
    except TypeError:
        return False


def _count(value: Any) -> int:
    """Return how many numbers a value has. Raises TypeError for what is no plain data."""
    if isinstance(value, tuple):
        return 1 + sum(map(_count, value))
    if isinstance(value, str) and len(value) <= _LONGEST_TEXT:
        return 1
    if value is None or isinstance(value, (bool, float)):
        return 1
    if is_integer(value) and abs(value) <= _LARGEST:
        return 1
    raise TypeError(f"{value!r} is no plain data")


#: The kind of an attribute whose choices a row lists.
PLAIN = AttributeKind(is_plain)


def _axes_from_both_ends(shapes: tuple[Shape, ...]) -> list[int]:
    n = len(shapes[0])
    return [*range(n), *range(-1, -n - 1, -1)]


def _reduced_axes(shapes: tuple[Shape, ...]) -> list[Any]:
    pairs = itertools.combinations(range(len(shapes[0])), 2)
    return [None, *_axes_from_both_ends(shapes), *pairs]


def nested(array: Any) -> Any:
    """Return an array as nested tuples."""
    listed = array.tolist()
    return _tuples(listed)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _read_only(dtype: type[Any]) -> Callable[[Any], Any]:
    """Return a function that makes an array that cannot be changed: several calls share it."""

    def array(value: Any) -> Any:
        made = np.array(value, dtype)
        made.flags.writeable = False
        return made

    return array


def _all_are(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def valid(value: Any) -> bool:
        if isinstance(value, tuple):
            return all(map(valid, value))
        return check(value)

    return lambda value: is_plain(value) and valid(value)


def _of_shape(
    shape_of: Callable[[tuple[Shape, ...]], Shape],
    value: Callable[[tuple[Shape, ...], int, random.Random], Any],
) -> Callable[[tuple[Shape, ...]], list[Any]]:
    """Return choices that are arrays: ``value(shapes, place, source)`` gives each element.

    The first choices come from a source that always gives the lowest number, then from one that
    counts up; the further ones are random, and the same for the same shapes.
    """

    def choices(shapes: tuple[Shape, ...]) -> list[Any]:
        shape = shape_of(shapes)
        sources = [_Counting(0), _Counting(1), *(random.Random(k) for k in range(_DRAWN))]
        found = []
        for source in sources:
            flat = [value(shapes, i, source) for i in range(size(shape))]
            array = np.array(flat, object).reshape(shape)
            found.append(nested(array))
        return list(dict.fromkeys(found))

    return choices


class _Counting(random.Random):
    """A source that is not random: ``randrange(n)`` counts up in steps, from 0 on."""

    def __init__(self, step: int) -> None:
        super().__init__(0)
        self.step, self.next = step, 0

    def randrange(self, *args: Any) -> int:
        found, self.next = self.next % args[0], self.next + self.step
        return int(found)


def _rows(shapes: tuple[Shape, ...]) -> list[Any]:
    """Return lists of indices into the first axis: with repeats, and counted from the back."""
    n = shapes[0][0]
    found = [(0,), (n - 1, 0), (0, 0), (n - 1, 0, n - 1), (-1, 0), (0, n - 1, 0, 0)]
    return list(dict.fromkeys(found))


def _distinct_rows(shapes: tuple[Shape, ...]) -> list[Any]:
    n = shapes[0][0]
    found = [(0,), (n - 1,), tuple(range(min(n, 3))), tuple(reversed(range(min(n, 3))))]
    return list(dict.fromkeys(found))


def _columns(shapes: tuple[Shape, ...]) -> Shape:
    """Return the shape of an index along axis 1: that of the second operand, if there is one."""
    return shapes[1] if len(shapes) > 1 else (shapes[0][0], 2)


def _groups(shapes: tuple[Shape, ...]) -> list[Any]:
    n = shapes[0][0]
    found = [(0,) * n, tuple(range(n)), tuple(i // 2 for i in range(n))]
    return list(dict.fromkeys(found))


def _unsorted_groups(shapes: tuple[Shape, ...]) -> list[Any]:
    """Return the number of a group for each row, from 0 on without gaps, in any order."""
    n = shapes[0][0]
    found = [tuple(reversed(range(n))), (0,) * n, tuple(i % 2 for i in range(n))]
    return list(dict.fromkeys(found))


def _distinct_columns(shapes: tuple[Shape, ...]) -> list[Any]:
    """Return indices along axis 1, of which those in a row differ: each row is turned."""
    (rows, columns), n = _columns(shapes), shapes[0][1]
    if columns > n:
        return []
    found = [
        tuple(tuple((step * i + sign * j) % n for j in range(columns)) for i in range(rows))
        for step, sign in ((0, 1), (1, 1), (0, -1), (2, -1))
    ]
    return list(dict.fromkeys(found))


_INDICES = AttributeKind(_all_are(is_integer), _read_only(np.int64))
_BOOLEANS = AttributeKind(_all_are(is_flag), _read_only(np.bool_))
_NUMBERS = AttributeKind(_all_are(is_number), _read_only(np.float64))


def _row_count(shapes: tuple[Shape, ...]) -> Shape:
    return shapes[0][:1]


#: The kinds by name.
NAMED_KINDS: dict[str, NamedKind] = {
    "FLAG": NamedKind("true or false", lambda shapes: (False, True), FLAG),
    "AXIS": NamedKind("an axis of the first operand", _axes_from_both_ends, PLAIN),
    "AXES": NamedKind("an axis, two of them, or None for all", _reduced_axes, PLAIN),
    "SHIFT": NamedKind("by how much elements move", lambda shapes: (1, -1, 2, 0), PLAIN),
    "LENGTH": NamedKind(
        "a length of the last axis, or None for its own",
        lambda shapes: [None, *dict.fromkeys(max(1, shapes[0][-1] + k) for k in (-1, 2, 1))],
        PLAIN,
    ),
    "MASK": NamedKind(
        "booleans in the shape of the first operand",
        _of_shape(lambda shapes: shapes[0], lambda shapes, i, source: source.randrange(2) == 0),
        _BOOLEANS,
    ),
    "ROWS": NamedKind("indices into the first axis, also repeated", _rows, _INDICES),
    "DISTINCT_ROWS": NamedKind("distinct indices into the first axis", _distinct_rows, _INDICES),
    "COLUMNS": NamedKind(
        "an array of indices into axis 1, in the shape of the second operand",
        _of_shape(_columns, lambda shapes, i, source: source.randrange(shapes[0][1])),
        _INDICES,
    ),
    "DISTINCT_COLUMNS": NamedKind(
        "an array of indices into axis 1, as COLUMNS, and no two in a row are equal",
        _distinct_columns,
        _INDICES,
    ),
    "LABELS": NamedKind(
        "a class for each row: an index into axis 1",
        _of_shape(_row_count, lambda shapes, i, source: source.randrange(shapes[0][1])),
        _INDICES,
    ),
    "LABELS_OR_IGNORED": NamedKind(
        "a class for each row, or -100 for a row that is left out; the first row never is",
        _of_shape(
            _row_count,
            lambda shapes, i, source: (
                source.randrange(shapes[0][1]) if i == 0 or source.randrange(3) else -100
            ),
        ),
        _INDICES,
    ),
    "SIGNS": NamedKind(
        "1 or -1 for each row",
        _of_shape(_row_count, lambda shapes, i, source: 1 - 2 * source.randrange(2)),
        _INDICES,
    ),
    "GROUPS": NamedKind(
        "the number of a group for each row, in ascending order", _groups, _INDICES
    ),
    "UNSORTED_GROUPS": NamedKind(
        "the number of a group for each row, in any order", _unsorted_groups, _INDICES
    ),
    "COUNTS": NamedKind(
        "how often each row comes",
        _of_shape(_row_count, lambda shapes, i, source: (1, 2, 0, 3)[source.randrange(4)]),
        _INDICES,
    ),
    "WEIGHTS": NamedKind(
        "a positive number for each class, of which axis 1 has one each",
        _of_shape(
            lambda shapes: shapes[0][1:2],
            lambda shapes, i, source: (1.0, 0.5, 2.0, 3.0)[source.randrange(4)],
        ),
        _NUMBERS,
    ),
}


def kinds_of(attributes: Mapping[str, Any]) -> dict[str, AttributeKind]:
    """Return how the attributes of a row are checked and passed."""
    return {
        name: NAMED_KINDS[choices].kind if isinstance(choices, str) else PLAIN
        for name, choices in attributes.items()
    }


def combinations_of(
    attributes: Mapping[str, Any], shapes: tuple[Shape, ...], most: int = 48
) -> list[dict[str, Any]]:
    """Return combinations of the choices of attributes for operands of these shapes.

    The first has the first choice of each attribute. Of more than ``most`` combinations some are
    left out, so that each choice of each attribute still comes.

    Examples
    --------
    >>> combinations_of({"axis": "AXIS", "descending": "FLAG"}, ((3,),))[:2]
    [{'axis': 0, 'descending': False}, {'axis': 0, 'descending': True}]
    """
    try:
        choices = [
            list(NAMED_KINDS[c].choices(shapes) if isinstance(c, str) else c)
            for c in attributes.values()
        ]
    except (IndexError, ValueError, ZeroDivisionError):  # too few axes, or one of length 0
        return []
    total = int(np.prod([len(c) for c in choices], dtype=np.int64)) if choices else 1
    if total <= most:
        chosen: list[tuple[Any, ...]] = list(itertools.product(*choices))
    else:  # each attribute goes through its choices at its own pace
        source = random.Random(0)
        chosen = [tuple(c[k % len(c)] for c in choices) for k in range(max(map(len, choices)))]
        chosen += [tuple(map(source.choice, choices)) for _ in range(most - len(chosen))]
    return [dict(zip(attributes, values, strict=True)) for values in dict.fromkeys(chosen)]
