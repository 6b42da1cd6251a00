"""Plain data (what JSON holds) into dataclasses by their annotations, and back.

Every field is checked, and nothing is executed. Annotations may be dataclasses, ``tuple``,
``list``, ``frozenset``, ``dict``, ``Counter``, unions, ``Literal``, ``float``, ``int``, ``bool``,
``str``, ``bytes`` (hexadecimal digits in files), ``None`` and ``Any``, each also in ``Annotated``
with a ``Check``, or with a ``Convert`` that makes the value instead. A field that has another name
in files gives it in its metadata:
``field(metadata={"key": "says"})``.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import reprlib
import sys
import types
import typing
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union

T = TypeVar("T")
_SHORT, _BITS = 40, 2000
#: Shows neither long nor deep values as a whole.
_BRIEF = reprlib.Repr()
_BRIEF.maxlong = _BRIEF.maxstring = _BRIEF.maxother = 2 * _BITS


class FormatError(ValueError):
    """Data are not as expected; one line names the field, what is there and what is expected."""

    def __init__(self, message: str, where: str, expected: str = "") -> None:
        super().__init__(message)
        self.where = where  # the path of the field, like ``times[0].nodes``
        self.expected = expected  # "" where the field is missing or unknown


@dataclasses.dataclass(frozen=True)
class Check:
    """A condition on a decoded value: ``Annotated[int, Check("an even number", is_even)]``."""

    expected: str
    holds: Callable[[Any], bool]


@dataclasses.dataclass(frozen=True)
class Convert:
    """How a value is made of plain data: ``Annotated[Fraction, Convert("a fraction", Fraction)]``.

    ``make`` raises TypeError or ValueError for data that are no such value.
    """

    expected: str
    make: Callable[[Any], Any]


def one_of(values: Iterable[str]) -> Check:
    known = tuple(values)
    return Check(f"one of {', '.join(known)}", known.__contains__)


#: A whole number from 0 on, small enough for every format that stores it in 64 bits.
Count = Annotated[int, Check("a whole number, 0 or more", lambda n: 0 <= n < 10**18)]


def decode(kind: type[T], value: object, where: str = "") -> T:
    """Make ``kind`` of plain data; fields that ``kind`` does not have are left out.

    Parameters
    ----------
    kind
        A dataclass, or any annotation named above.
    value
        What ``json.loads`` returned, or a part of it.
    where
        Path of ``value`` in its file, for messages.

    Raises
    ------
    FormatError
        If a field is missing or holds something else.

    Examples
    --------
    >>> @dataclasses.dataclass
    ... class Point:
    ...     x: int
    >>> decode(Point, {"x": 1})
    Point(x=1)
    >>> decode(Point, {"x": "1"}, "points[0]")
    Traceback (most recent call last):
    parity._util.decode.FormatError: points[0].x is '1', not a whole number
    """
    return Decoder().decode(kind, value, where)


def encode(value: Any) -> Any:
    """Plain data of dataclasses, the inverse of ``decode``; counters are sorted by name."""
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {_key(field): encode(getattr(value, field.name)) for field in fields}
    return _ENCODERS.get(type(value), lambda plain: plain)(value)


def _key(field: dataclasses.Field[Any]) -> str:
    """The name of a field in files."""
    return str(field.metadata.get("key", field.name))


def _valid(text: str) -> str:
    text.encode()  # JSON can hold half of a surrogate pair, which nothing can print
    return text


@dataclasses.dataclass(frozen=True)
class Decoder:
    """Settings of ``decode``."""

    #: Applied to every string and key; a ValueError means that the string cannot be used.
    text: Callable[[str], str] = _valid
    #: Whether an unknown field is an error.
    known: bool = False
    #: Whether a missing field that has a default is an error.
    all: bool = False

    def decode(self, kind: type[T], value: object, where: str = "") -> T:
        result: T = self._decode(kind, value, where)
        return result

    def _decode(self, kind: Any, value: object, where: str) -> Any:
        if dataclasses.is_dataclass(kind):
            return self._dataclass(kind, value, where)
        read = _GENERIC.get(typing.get_origin(kind)) or _SCALAR[kind]
        return read(self, kind, value, where)

    def _dataclass(self, kind: Any, value: object, where: str) -> Any:
        given = _mapping(value, where)
        for key in given.keys() - _fields(kind).keys() if self.known else ():
            names = ", ".join(_fields(kind))
            raise FormatError(
                f"{where or 'it'} has an unknown field {shown(key)}; there are {names}", where
            )
        arguments = {}
        for key, (field, hint) in _fields(kind).items():
            path = f"{where}.{key}" if where else key
            if key in given:
                arguments[field.name] = self._decode(hint, given[key], path)
            elif self.all or field.default is field.default_factory is dataclasses.MISSING:
                raise FormatError(f"{path} is missing", path)
        try:
            return kind(**arguments)
        except FormatError:
            raise
        except ValueError as error:  # of __post_init__, which knows what fields have to do together
            raise FormatError(f"{where}: {error}" if where else str(error), where) from None

    def _tuple(self, kind: Any, value: object, where: str) -> tuple[Any, ...]:
        elements = typing.get_args(kind)
        if elements[-1] is ...:
            return tuple(self._list(elements[:1], value, where))
        if isinstance(value, list) and len(value) != len(elements):
            raise _wrong(where, f"a list of {len(elements)}", value)
        return tuple(self._list(elements, value, where))

    def _list(self, elements: tuple[Any, ...], value: object, where: str) -> list[Any]:
        """A list of any length of one kind of elements, or of one kind for each element."""
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        pairs = enumerate(zip(itertools.cycle(elements), value, strict=False))
        return [self._decode(element, v, f"{where}[{i}]") for i, (element, v) in pairs]

    def _dict(self, kind: Any, value: object, where: str) -> dict[str, Any]:
        element = typing.get_args(kind)[1]
        return {
            self._str(str, name, f"the name {shown(name)} in {where}"): self._decode(
                element, v, f"{where}.{_name(name)}"
            )
            for name, v in _mapping(value, where).items()
        }

    def _union(self, kind: Any, value: object, where: str) -> Any:
        """The first of the types that fits; else the error of the one that fits best."""
        errors = []
        for option in typing.get_args(kind):
            try:
                return self._decode(option, value, where)
            except FormatError as error:
                errors.append(error)
        for one in errors:
            if one.where != where or not one.expected:
                raise one
        raise _wrong(where, " or ".join(one.expected for one in errors), value)

    def _annotated(self, kind: Any, value: object, where: str) -> Any:
        base, *checks = typing.get_args(kind)
        if isinstance(checks[0], Convert):
            return self._converted(checks[0], value, where)
        result = self._decode(base, value, where)
        for check in checks:
            if not check.holds(result):
                raise _wrong(where, check.expected, value)
        return result

    def _converted(self, convert: Convert, value: object, where: str) -> Any:
        try:
            return convert.make(value)
        except (TypeError, ValueError, OverflowError):
            raise _wrong(where, convert.expected, value) from None

    def _literal(self, kind: Any, value: object, where: str) -> Any:
        for one in typing.get_args(kind):
            if type(value) is type(one) and value == one:
                return one
        raise _wrong(where, " or ".join(map(repr, typing.get_args(kind))), value)

    def _float(self, kind: Any, value: object, where: str) -> float:
        # Compared as it is: converting a whole number beyond all floats raises OverflowError.
        largest = sys.float_info.max
        if type(value) is bool or not isinstance(value, int | float) or not abs(value) <= largest:
            raise _wrong(where, "a number", value)
        return float(value)

    def _str(self, kind: Any, value: object, where: str) -> str:
        if not isinstance(value, str):
            raise _wrong(where, "text", value)
        try:
            return self.text(value)
        except ValueError:
            raise _wrong(where, "text that can be printed", value) from None

    def _bytes(self, kind: Any, value: object, where: str) -> bytes:
        try:
            return bytes.fromhex(self._str(str, value, where))
        except ValueError:
            raise _wrong(where, "hexadecimal digits", value) from None

    def _plain(self, kind: Any, value: object, where: str) -> Any:
        """A value of a type that JSON has; bool is not taken for int."""
        if type(value) is not kind:
            raise _wrong(where, _EXPECTED[kind], value)
        return value


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[dataclasses.Field[Any], Any]]:
    """The fields of a dataclass with their annotations, by their names in files."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {_key(field): (field, hints[field.name]) for field in dataclasses.fields(kind)}


def _mapping(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise _wrong(where, "an object", value)
    return value


def _name(name: str) -> str:
    """A name as a part of a path."""
    return name if name.isprintable() and len(name) <= _SHORT else shown(name)


def shown(value: object) -> str:
    """A value of a file, short enough for a message of one line."""
    if isinstance(value, (str, bytes)):
        text = repr(value[: _SHORT + 1])
    elif isinstance(value, int) and value.bit_length() > _BITS:
        return f"a number of {value.bit_length()} bits"
    elif isinstance(value, dict):  # the first keys of many, as repr sorts them
        text = _BRIEF.repr(dict(itertools.islice(value.items(), _BRIEF.maxdict + 1)))
    else:
        text = _BRIEF.repr(value)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 1]}…"


def _wrong(where: str, expected: str, value: object) -> FormatError:
    return FormatError(f"{where or 'it'} is {shown(value)}, not {expected}", where, expected)


_GENERIC: dict[Any, Callable[[Decoder, Any, object, str], Any]] = {
    tuple: Decoder._tuple,
    list: lambda self, kind, *given: self._list(typing.get_args(kind), *given),
    frozenset: lambda self, kind, *given: frozenset(self._list(typing.get_args(kind), *given)),
    dict: Decoder._dict,
    Counter: lambda self, kind, *given: Counter(self._dict(dict[str, Count], *given)),
    Annotated: Decoder._annotated,
    Literal: Decoder._literal,
    types.UnionType: Decoder._union,
    Union: Decoder._union,
}
_SCALAR: dict[Any, Callable[[Decoder, Any, object, str], Any]] = {
    float: Decoder._float,
    str: Decoder._str,
    bytes: Decoder._bytes,
    Any: lambda self, kind, value, where: value,
    **dict.fromkeys((int, bool, types.NoneType), Decoder._plain),
}
_EXPECTED = {int: "a whole number", bool: "true or false", types.NoneType: "null"}
_ENCODERS: dict[type, Callable[[Any], Any]] = {
    bytes: bytes.hex,
    tuple: lambda values: [encode(one) for one in values],
    list: lambda values: [encode(one) for one in values],
    frozenset: sorted,
    dict: lambda values: {name: encode(one) for name, one in values.items()},
    Counter: lambda counts: dict(sorted(counts.items())),
}
