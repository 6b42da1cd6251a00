"""Programs read back from their text, ``str(program)``.

A line is read into the data that ``json_format`` has for it, and is checked there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from parity._util.decode import shown
from parity.language import program as pr
from parity.language.json_format import leaf_from_json, statement_from_json
from parity.language.shapes import size

#: Characters and commas of a text, and how deep its lists may be nested.
LONGEST, MOST_COMMAS, DEEPEST = 2**22, 2**17, pr.MOST_DIMENSIONS
_UNDER_NO_GRAD = re.compile(r"#\s*under no_grad\s*$")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+](?:inf|nan))(?!\w)"
    r"|(?P<name>[A-Za-z_]\w*)|'(?P<single>[^'\\]*)'|\"(?P<double>[^\"\\]*)\""
    r"|(?P<mark>[][(),=])|(?P<comment>#.*))\s*"
)
#: Statements that are written as ``keyword(arguments)``.
_EVENTS = {k: cls for k, cls in pr.STATEMENTS.items() if cls not in (pr.Apply, pr.Drop)}
_CONSTANTS = {"None": None, "True": True, "False": False, "nan": math.nan, "inf": math.inf}
_DTYPES = ("float32", "float64")


def program_from_text(text: str) -> pr.Program:
    """The validated program of its text, indented or not; nothing is executed.

    ProgramError says which line makes no sense.
    """
    if len(text) > LONGEST:
        raise pr.ProgramError(f"{len(text):,} characters, and at most {LONGEST:,} are read")
    if text.count(",") > MOST_COMMAS:
        raise pr.ProgramError(f"more than {MOST_COMMAS:,} numbers")
    if text.count("\n") > 4 * pr.MOST_STATEMENTS:
        raise pr.ProgramError(f"more than {4 * pr.MOST_STATEMENTS:,} lines")
    reader = _Reader()
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    for number, line in ((n, one) for n, one in lines if one):
        try:
            reader.line(line)
        except ValueError as error:
            where = f"line {number}, {shown(line)}"
            raise pr.ProgramError(f"{where}, is no statement: {error}") from None
    program = pr.Program(tuple(reader.leaves), tuple(reader.statements))
    program.validate()
    return program


@dataclass(frozen=True)
class _Name:
    """A name that stands for a value."""

    text: str


@dataclass(frozen=True)
class _Zeros:
    """The array ``zeros(shape)``."""

    shape: tuple[int, ...]


@dataclass
class _Call:
    """``function(arguments, name=value)``."""

    function: str
    arguments: list[Any] = field(default_factory=list)
    named: dict[str, Any] = field(default_factory=dict)


class _Line:
    """The parts of a line; ValueError says where it makes no sense."""

    def __init__(self, text: str) -> None:
        self._tokens = self._split(text)
        self._place = 0
        self._next()

    def _split(self, text: str) -> Iterator[tuple[str, str]]:
        while self._place < len(text):
            match = _TOKEN.match(text, self._place)
            if match is None:
                rest = shown(text[self._place : self._place + 20])
                raise ValueError(f"{rest} at column {self._place + 1}")
            self._place = match.end()
            kind = match.lastgroup or ""
            if kind != "comment":
                yield kind, match[kind]

    def _next(self) -> tuple[str, str]:
        """The current token, after which the following one is current."""
        now = getattr(self, "token", ("", ""))
        self.token = next(self._tokens, ("end", "the end"))
        return now

    def accept(self, text: str) -> bool:
        """Whether the current token is this name or mark, which is then behind."""
        found = self.token in (("mark", text), ("name", text))
        if found:
            self._next()
        return found

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise ValueError(f"expected {text!r}, not {shown(self.token[1])}")

    def name(self) -> str:
        if self.token[0] != "name":
            raise ValueError(f"expected a name, not {shown(self.token[1])}")
        return self._next()[1]

    def names(self) -> list[str]:
        """Names between commas, in parentheses or not."""
        inside = self.accept("(")
        found = [self.name()]
        while self.accept(","):
            found.append(self.name())
        if inside:
            self.expect(")")
        return found

    def end(self) -> None:
        if self.token[0] != "end":
            raise ValueError(f"expected the end of the line, not {shown(self.token[1])}")

    def call(self, function: str) -> _Call:
        """The arguments of a call, up to the end of the line."""
        self.expect("(")
        call = _Call(function)
        while not self.accept(")"):
            value = self.value()
            if isinstance(value, _Name) and value.text in _DTYPES:
                self._put(call, "dtype", value.text)
            elif isinstance(value, _Name) and self.accept("="):
                self._put(call, value.text, self.value())
            else:
                call.arguments.append(value)
            if self.token != ("mark", ")"):
                self.expect(",")
        self.end()
        return call

    @staticmethod
    def _put(call: _Call, name: str, value: Any) -> None:
        if name in call.named:
            raise ValueError(f"{shown(name)} is there twice")
        call.named[name] = value

    def value(self, depth: int = 0) -> Any:
        """A number, a text, a name, an array, a list or a tuple."""
        if depth > DEEPEST:
            raise ValueError(f"lists are nested more than {DEEPEST} deep")
        kind, text = self._next()
        if kind == "number":
            return _number(text)
        if kind in ("single", "double"):
            return text
        if kind == "name":
            if text == "zeros":
                return _Zeros(tuple(self._values("(", ")", depth)))
            return _CONSTANTS[text] if text in _CONSTANTS else _Name(text)
        if (kind, text) == ("mark", "["):
            return self._values("", "]", depth)
        if (kind, text) == ("mark", "("):
            found = self._values("", ")", depth)
            return found[0] if len(found) == 1 and not self._comma else tuple(found)
        raise ValueError(f"expected a value, not {shown(text)}")

    def _values(self, opening: str, closing: str, depth: int) -> list[Any]:
        if opening:
            self.expect(opening)
        found: list[Any] = []
        comma = True
        while not self.accept(closing):
            if not comma:
                self.expect(",")
            found.append(self.value(depth + 1))
            comma = self.accept(",")
        self._comma = comma
        return found


def _number(text: str) -> int | float:
    if text.lstrip("+-").isdigit() and len(text) < 20:
        return int(text)
    number = float(text)
    if math.isinf(number) and "inf" not in text:
        raise ValueError(f"{shown(text)} is beyond all floats")
    return number


class _Reader:
    """Leaves and statements, and the names of values."""

    def __init__(self) -> None:
        self.leaves: list[pr.Leaf] = []
        self.statements: list[pr.Statement] = []
        self.numbers: dict[str, int] = {}
        self._inference: pr.State | None = None

    def line(self, text: str) -> None:
        """Read a line. Raises ValueError, of which ProgramError is one, if it makes no sense."""
        line = _Line(text)
        names = line.names()
        if names == ["del"]:
            value = self.number(_Name(line.name()))
            line.end()
            return self._add([], {"do": "drop", "value": value})
        if line.accept("="):
            function = line.name()
        elif len(names) > 1 or line.token != ("mark", "("):
            raise ValueError("expected a call")
        else:
            function, names = names[0], []
        call = line.call(function)
        if function == "leaf":
            return self._add_leaf(names, call)
        fields = self._fields(call)
        if _UNDER_NO_GRAD.search(text):
            fields["no_grad"] = True
        self._add(names, fields)
        return None

    def _add_leaf(self, names: list[str], call: _Call) -> None:
        if self._inference is not None:
            raise ValueError("leaves come before statements")
        (array,) = _arguments(call, 1)
        self.leaves.append(leaf_from_json({**_array(array), **call.named}))
        self._bind(names, 1)

    def _add(self, names: list[str], fields: dict[str, Any]) -> None:
        statement = statement_from_json(fields, "it")
        if self._inference is None:
            self._inference = pr.State.of(self.leaves)
        self._bind(names, len(self._inference.add(statement)))
        self.statements.append(statement)

    def _bind(self, names: list[str], count: int) -> None:
        """Give new values their names."""
        if len(names) != count:
            raise ValueError(f"it defines {count} values, and {len(names)} names are given")
        for name in names:
            if name in self.numbers:
                raise ValueError(f"there is a value {shown(name)} already")
            self.numbers[name] = len(self.numbers)

    def number(self, value: Any) -> int:
        """Return the number of the value with this name."""
        if not isinstance(value, _Name):
            raise ValueError(f"expected a name, not {shown(value)}")
        if value.text not in self.numbers:
            raise ValueError(f"there is no value {value.text[:40]} yet")
        return self.numbers[value.text]

    def _fields(self, call: _Call) -> dict[str, Any]:
        """Return the fields of the statement that a call stands for: an event or an operation."""
        if call.function == pr.Backward.keyword:
            return self._backward(call)
        kind = _EVENTS.get(call.function)
        return self._apply(call) if kind is None else self._event(kind, call)

    def _apply(self, call: _Call) -> dict[str, Any]:
        attrs = [[name, _data(value)] for name, value in sorted(call.named.items())]
        inputs = list(map(self.number, call.arguments))
        return {"do": "apply", "op": call.function, "inputs": inputs, "attrs": attrs}

    def _backward(self, call: _Call) -> dict[str, Any]:
        (root,) = _arguments(call, 1)
        fields = {"do": "backward", "value": self.number(root), **call.named}
        if "gradient" in fields:
            dtype = {"dtype": fields.pop("dtype")} if "dtype" in fields else {}
            fields["gradient"] = {**_array(fields["gradient"]), **dtype}
        return fields

    def _event(self, kind: type[pr.Statement], call: _Call) -> dict[str, Any]:
        """Return the fields of a statement whose arguments are values or leaves."""
        name = kind.positional
        if get_type_hints(kind).get(name) is int:
            numbers: Any = self.number(_arguments(call, 1)[0])
        else:
            numbers = list(map(self.number, call.arguments if name else _arguments(call, 0)))
        return {"do": kind.keyword, **({name: numbers} if name else {}), **call.named}


def _arguments(call: _Call, count: int) -> list[Any]:
    if len(call.arguments) != count:
        given = len(call.arguments)
        raise ValueError(f"{call.function} takes {count} arguments without a name, not {given}")
    return call.arguments


def _data(value: Any) -> Any:
    """A value of a text as JSON has it."""
    if isinstance(value, (list, tuple)):
        return list(map(_data, value))
    if isinstance(value, (_Name, _Zeros)):
        raise ValueError(f"expected a value, not {shown(getattr(value, 'text', 'zeros'))}")
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _array(value: Any) -> dict[str, Any]:
    """Shape and values of nested lists, or of ``zeros(shape)``, which tells an empty shape."""
    if isinstance(value, _Zeros):
        shape = _data(value.shape)
        lengths = leaf_from_json({"shape": shape, "values": []}).shape
        pr.check_shape(lengths)
        return {"shape": shape, "values": [0.0] * size(lengths)}
    shape, level = [], [value]
    while level and all(isinstance(one, list) for one in level):
        if len({len(one) for one in level}) > 1:
            raise ValueError("rows of an array have different lengths")
        shape.append(len(level[0]))
        level = [inner for one in level for inner in one]
    return {"shape": shape, "values": _data(level)}
