"""Attribute kinds: which values an attribute of an operation may have.

Programs are read from files as well, so every attribute is checked before an
operation sees it. A row of the table of operations names the kind of each of its
attributes; a kind that is missing here is made in place, next to its row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from parity.language.shapes import Attrs, real_index


def _unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class AttributeKind:
    """A kind of values that attributes of operations have.

    Attributes
    ----------
    name
        What the kind is called.
    check
        Whether a value is of the kind. It gets data from a file: numbers, strings,
        booleans, None, and tuples of these in place of lists.
    description
        Completes "expected ..." for a person.
    to_python
        The value as a function of an engine takes it, where that is no plain data:
        an index with slices, for example.

    Examples
    --------
    >>> EVEN = AttributeKind("even", lambda v: is_integer(v) and v % 2 == 0, "an even integer")
    >>> EVEN.check(4), EVEN.check(3), EVEN.check("4")
    (True, False, False)
    """

    name: str
    check: Callable[[Any], bool]
    description: str
    to_python: Callable[[Any], Any] = _unchanged


def is_number(value: Any) -> bool:
    """Whether a value is a float or an integer, but no boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_integer(value: Any) -> bool:
    """Whether a value is an integer, but no boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_flag(value: Any) -> bool:
    """Whether a value is a boolean."""
    return isinstance(value, bool)


def is_integers(value: Any) -> bool:
    """Whether a value is a tuple of integers."""
    return isinstance(value, tuple) and all(map(is_integer, value))


def is_lengths(value: Any) -> bool:
    """Whether a value is a shape, and small enough for the memory of any machine."""
    return is_integers(value) and all(0 <= n <= 10_000 for n in value) and len(value) <= 8


def _is_axes(value: Any) -> bool:
    return is_integers(value) and len(set(value)) == len(value)


def _is_reduced_axes(value: Any) -> bool:
    return value is None or is_integer(value) or _is_axes(value)


def _is_optional_number(value: Any) -> bool:
    return value is None or is_number(value)


def _is_flags(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(is_flag, value))


def _is_pairs(value: Any) -> bool:
    return isinstance(value, tuple) and all(is_integers(pair) and len(pair) == 2 for pair in value)


def _is_nested(value: Any) -> bool:
    return is_integer(value) or (isinstance(value, tuple) and all(map(_is_nested, value)))


def _is_index(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_is_index_item, value)) and value.count("...") <= 1


def _is_index_item(item: Any) -> bool:
    if isinstance(item, tuple) and item and item[0] == "slice":
        bounds = item[1:]
        is_slice = len(bounds) == 3 and all(n is None or is_integer(n) for n in bounds)
        return is_slice and (bounds[2] or 1) > 0
    if isinstance(item, tuple) and item and item[0] == "list":
        return len(item) == 2 and is_integers(item[1])
    return is_integer(item) or item in ("newaxis", "...")


INTEGER = AttributeKind("integer", is_integer, "an integer")
NUMBER = AttributeKind("number", is_number, "a number")
OPTIONAL_NUMBER = AttributeKind("optional number", _is_optional_number, "a number or None")
FLAG = AttributeKind("flag", is_flag, "True or False")
FLAGS = AttributeKind("flags", _is_flags, "a tuple of True and False")
TEXT = AttributeKind("text", lambda value: isinstance(value, str), "a string")
AXIS = AttributeKind("axis", is_integer, "the number of an axis")
AXES = AttributeKind("axes", _is_axes, "a tuple of distinct axes")
REDUCED_AXES = AttributeKind(
    "reduced axes", _is_reduced_axes, "an axis, a tuple of distinct axes, or None for all"
)
INTEGERS = AttributeKind("integers", is_integers, "a tuple of integers")
NESTED_INTEGERS = AttributeKind("nested integers", _is_nested, "integers in nested tuples")
PAIRS = AttributeKind("pairs", _is_pairs, "a tuple of pairs of integers")
LENGTHS = AttributeKind("lengths", is_lengths, "a tuple of up to 8 lengths")
#: ``parity.language.shapes.Index`` says how an index is written as data.
INDEX = AttributeKind("index", _is_index, "an index as data", real_index)


def wrong_attribute(kinds: Mapping[str, AttributeKind], attrs: Attrs) -> str | None:
    """The first attribute that is unknown, or whose value is not of its kind, in words.

    Parameters
    ----------
    kinds
        The kind of each attribute of the operation, by name.
    attrs
        The attributes of one application of it.

    Returns
    -------
    str or None
        None if all attributes are as they should be.

    Examples
    --------
    >>> wrong_attribute({"axis": AXIS}, (("axis", 0.5),))
    'axis=0.5 is not the number of an axis'
    >>> wrong_attribute({"axis": AXIS}, (("axis", 0),)) is None
    True
    """
    for name, value in attrs:
        if name not in kinds:
            return f"there is no attribute {name}"
        if not kinds[name].check(value):
            return f"{name}={value!r} is not {kinds[name].description}"
    return None
