"""Attribute kinds: which values an attribute of an operation may have.

Programs are read from files as well, so every attribute is checked before an
operation sees it. A row of the table of operations names the kind of each of its
attributes; a kind that is missing here is made in place, next to its row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from parity.language.indexing import (
    index_items,
    lengths_of,
    numbers_of,
    real_index,
)
from parity.language.shapes import Attrs, ShapeError

#: The longest axis of an array.
LONGEST = 1_000_000


@dataclass(frozen=True)
class AttributeKind:
    """A kind of values that attributes of operations have.

    >>> EVEN = AttributeKind(lambda v: is_integer(v) and v % 2 == 0)
    >>> EVEN.check(4), EVEN.check(3), EVEN.check("4")
    (True, False, False)
    """

    #: Whether a value is of the kind. It gets data from a file: numbers, strings,
    #: booleans, None, and tuples of these in place of lists.
    check: Callable[[Any], bool]
    #: The value as a function of an engine takes it, where that is no plain data:
    #: an index with slices, for example.
    to_python: Callable[[Any], Any] = lambda value: value


def is_number(value: Any) -> bool:
    return isinstance(value, float) or is_integer(value)


def is_integer(value: Any) -> bool:
    """Whether a value is an integer of 64 bits, as every engine can take it."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def tuple_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(map(check, value))


is_integers = tuple_of(is_integer)


def is_length(value: Any) -> bool:
    return is_integer(value) and 0 <= value <= LONGEST


def is_lengths(value: Any) -> bool:
    """Whether a value is a shape, and small enough for the memory of any machine."""
    return tuple_of(is_length)(value) and len(value) <= 8


def literal(value: Any) -> str:
    """Return the value of an attribute, as engines get it, as an expression with NumPy.

    >>> literal((slice(1, None), np.array([True, False])))
    '(slice(1, None, None), np.array([True, False]))'
    """
    if isinstance(value, tuple):
        parts = list(map(literal, value))
        return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
    if not isinstance(value, np.ndarray):
        return repr(value)
    dtype = "" if value.size else f", '{value.dtype.name}'"
    return f"np.array({value.tolist()!r}{dtype})"


def as_number(value: Any) -> float:
    """A number of a file, in which strings stand for those that JSON lacks."""
    if isinstance(value, str):
        return _NOT_FINITE[value] if value in _NOT_FINITE else _refuse(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return _refuse(value)
    number = float(value)
    return number if math.isfinite(number) else _refuse(value)


def as_attributes(value: Any) -> Attrs:
    """Attributes of a file, a list of names with values; tuples take the place of lists."""
    attrs = _as_attribute(value)
    if not isinstance(value, list) or not all(map(_is_attr, attrs)):
        _refuse(value)
    return tuple(sorted(attrs))


def as_plain(value: Any) -> Any:
    """A value of a file; tuples take the place of lists, numbers that of "nan" and "inf"."""
    return _as_attribute(value)


_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def _as_attribute(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(map(_as_attribute, value))
    if isinstance(value, str):
        return _NOT_FINITE.get(value, value)
    return value if isinstance(value, (int, float, type(None))) else _refuse(value)


def _refuse(value: Any) -> NoReturn:
    raise ValueError(f"{type(value).__name__} is of another form")


def _is_attr(pair: Any) -> bool:
    return isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)


def _is_axes(value: Any) -> bool:
    return is_integers(value) and len(set(value)) == len(value)


def _is_nested(value: Any) -> bool:
    return is_integer(value) or (isinstance(value, tuple) and all(map(_is_nested, value)))


def _is_index(value: Any) -> bool:
    items = index_items(value)
    return all(map(_is_index_item, items)) and items.count("...") <= 1


def _is_index_item(item: Any) -> bool:
    if not isinstance(item, tuple):
        return is_integer(item) or item in ("newaxis", "...")
    return bool(item) and item[0] in _ITEMS and _ITEMS[item[0]](item[1:])


def _is_slice(bounds: tuple[Any, ...]) -> bool:
    return len(bounds) == 3 and all(map(_or_none(is_integer), bounds)) and (bounds[2] or 1) > 0


def _is_array(check: Callable[[Any], bool]) -> Callable[[tuple[Any, ...]], bool]:
    """Return a check for one item: nested tuples of some numbers whose rows have one length."""

    def is_array(rest: tuple[Any, ...]) -> bool:
        if len(rest) != 1 or not isinstance(rest[0], tuple):
            return False
        try:
            lengths_of(rest[0])
        except ShapeError:
            return False
        return all(map(check, numbers_of(rest[0])))

    return is_array


#: The items of an index with arguments, and what these may be.
_ITEMS: dict[str, Callable[[tuple[Any, ...]], bool]] = {
    "slice": _is_slice,
    "list": lambda rest: len(rest) == 1 and is_integers(rest[0]),
    "array": _is_array(is_integer),
    "mask": _is_array(is_flag),
}


def _as_booleans(value: tuple[bool, ...]) -> Any:
    """An array that cannot be changed, as several calls of operations get the same."""
    array = np.array(value, bool)
    array.flags.writeable = False
    return array


INTEGER = AttributeKind(is_integer)
NUMBER = AttributeKind(is_number)
OPTIONAL_INTEGER = AttributeKind(_or_none(is_integer))
OPTIONAL_NUMBER = AttributeKind(_or_none(is_number))
FLAG = AttributeKind(is_flag)
FLAGS = AttributeKind(tuple_of(is_flag), _as_booleans)
TEXT = AttributeKind(lambda value: isinstance(value, str))
AXIS = AttributeKind(is_integer)
#: Distinct axes.
AXES = AttributeKind(_is_axes)
#: An axis, distinct axes, or None for all.
REDUCED_AXES = AttributeKind(_or_none(lambda value: is_integer(value) or _is_axes(value)))
INTEGERS = AttributeKind(is_integers)
#: An integer, or nested tuples of integers.
NESTED_INTEGERS = AttributeKind(_is_nested)
PAIRS = AttributeKind(tuple_of(lambda pair: is_integers(pair) and len(pair) == 2))
LENGTHS = AttributeKind(is_lengths)
#: ``parity.language.indexing`` says how an index is written as data.
INDEX = AttributeKind(_is_index, real_index)


def are_valid(kinds: Mapping[str, AttributeKind], attrs: Attrs) -> bool:
    """Whether the attributes are all known, and their values of their kinds."""
    return all(name in kinds and kinds[name].check(value) for name, value in attrs)
