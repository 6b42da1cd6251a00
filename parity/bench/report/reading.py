"""Dataclasses from JSON by their annotations: every field is checked, nothing is executed."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

T = TypeVar("T")
#: A float above 0: what is drawn on a log axis.
Positive = Annotated[float, "above 0"]
#: Names are shown in tables and plots; a longer one is no name.
LONGEST = 300


class FormatError(ValueError):
    """Names the field that is wrong and what was expected there."""


def read(kind: type[T], value: object, where: str) -> T:
    """``value`` as a dataclass ``kind``; ``where`` is its place in the file, for the message.

    A field that the class does not have is left out: later versions may have more.
    """
    result: T = _read(kind, value, where)
    return result


def _read(kind: Any, value: object, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, where)
    origin = typing.get_origin(kind)
    return (_GENERIC[origin] if origin else _SCALAR[kind])(kind, value, where)


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _dataclass(kind: Any, value: object, where: str) -> Any:
    given = _mapping(value, where)
    hints = _hints(kind)
    arguments = {}
    for field in dataclasses.fields(kind):
        place = f"{where}.{field.name}" if where else field.name
        if field.name in given:
            arguments[field.name] = _read(hints[field.name], given[field.name], place)
        elif _is_required(field):
            raise FormatError(f"{place} is missing")
    return kind(**arguments)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    return value


def _tuple(kind: Any, value: object, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(where, "a list", value)
    element = typing.get_args(kind)[0]
    return tuple(_read(element, v, f"{where}[{i}]") for i, v in enumerate(value))


def _dict(kind: Any, value: object, where: str) -> dict[str, Any]:
    element = typing.get_args(kind)[1]
    return {
        _clean(name): _read(element, v, f"{where}.{_clean(name)}")
        for name, v in _mapping(value, where).items()
    }


def _union(kind: Any, value: object, where: str) -> Any:
    """The first of the types that fits."""
    errors = []
    for one in typing.get_args(kind):
        try:
            return _read(one, value, where)
        except FormatError as error:
            errors.append(error)
    raise errors[0]


def _annotated(kind: Any, value: object, where: str) -> float:
    number = _float(float, value, where)
    if not number > 0:
        raise _wrong(where, "a number above 0", value)
    return number


def _float(kind: Any, value: object, where: str) -> float:
    # A whole number beyond all floats would end in an error of its own.
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
        raise _wrong(where, "a number", value)
    return float(value)


def _int(kind: Any, value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**18:
        raise _wrong(where, "a whole number, 0 or more", value)
    return value


def _str(kind: Any, value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, "text", value)
    return _clean(value)


def _bool(kind: Any, value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(where, "true or false", value)
    return value


def _none(kind: Any, value: object, where: str) -> None:
    if value is not None:
        raise _wrong(where, "null", value)


def _clean(text: str) -> str:
    """Without what XML cannot hold and a terminal would obey; one line of bounded length."""
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def shown(value: object) -> str:
    """What stands in a file, short enough for a message of one line."""
    text = _clean(repr(value))
    return text if len(text) <= 40 else text[:39] + "…"


def _wrong(where: str, expected: str, value: object) -> FormatError:
    return FormatError(f"{where} is {shown(value)}, not {expected}")


_GENERIC: dict[Any, Callable[[Any, object, str], Any]] = {
    tuple: _tuple,
    dict: _dict,
    Annotated: _annotated,
    types.UnionType: _union,
}
_SCALAR: dict[Any, Callable[[Any, object, str], Any]] = {
    float: _float,
    int: _int,
    str: _str,
    bool: _bool,
    types.NoneType: _none,
}
