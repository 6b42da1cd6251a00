"""What the attributes of operations may be: programs come from files as well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parity.language.shapes import Attrs


def number(v: Any) -> bool:
    return isinstance(v, (int, float)) and not isinstance(v, bool)


def integer(v: Any) -> bool:
    return isinstance(v, int) and not isinstance(v, bool)


def flag(v: Any) -> bool:
    return isinstance(v, bool)


def integers(v: Any) -> bool:
    return isinstance(v, tuple) and all(map(integer, v))


def lengths(v: Any) -> bool:
    """A shape; so long that no program asks for more memory than there is."""
    return integers(v) and all(0 <= n <= 10_000 for n in v) and len(v) <= 8


def _axis(v: Any) -> bool:
    return v is None or integer(v) or (integers(v) and len(set(v)) == len(v))


def _optional_number(v: Any) -> bool:
    return v is None or number(v)


def _flags(v: Any) -> bool:
    return isinstance(v, tuple) and all(map(flag, v))


def _pairs(v: Any) -> bool:
    return isinstance(v, tuple) and all(integers(pair) and len(pair) == 2 for pair in v)


def _nested(v: Any) -> bool:
    return integer(v) or (isinstance(v, tuple) and all(map(_nested, v)))


def _index(v: Any) -> bool:
    return isinstance(v, tuple) and all(map(_index_item, v)) and v.count("...") <= 1


def _index_item(v: Any) -> bool:
    if isinstance(v, tuple) and v and v[0] == "slice":
        return len(v) == 4 and all(n is None or integer(n) for n in v[1:]) and (v[3] or 1) > 0
    if isinstance(v, tuple) and v and v[0] == "list":
        return len(v) == 2 and integers(v[1])
    return integer(v) or v in ("newaxis", "...")


#: The check of each attribute by its name.
CHECKS: dict[str, Callable[[Any], bool]] = {
    "axes": integers,
    "axis": _axis,
    "c": number,
    "condition": _flags,
    "correction": integer,
    "destination": integer,
    "exponent": number,
    "index": _index,
    "indices": _nested,
    "keepdims": flag,
    "pad_width": _pairs,
    "shape": lengths,
    "sizes": lengths,
    "slope": number,
    "source": integer,
    "subscripts": lambda v: isinstance(v, str),
    "t": integers,
    "x_max": _optional_number,
    "x_min": _optional_number,
}


def wrong_attribute(attrs: Attrs) -> str | None:
    """The first attribute whose value is not of its kind, as text, or None."""
    for name, value in attrs:
        if not CHECKS[name](value):
            return f"{name}={value!r}"
    return None
