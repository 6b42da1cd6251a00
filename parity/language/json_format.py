"""Programs from JSON data: every field is checked, nothing is executed."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from typing import Any

from parity.language import program as pr
from parity.language.attributes import is_flag, is_integer, is_integers, is_lengths, tuple_of

#: The version of the JSON form.
FORMAT_VERSION = 1


def program_to_json(program: pr.Program) -> dict[str, Any]:
    """Plain data for ``json.dumps``: numbers that JSON lacks become strings."""
    return {
        "format": FORMAT_VERSION,
        "leaves": [_plain(dataclasses.asdict(leaf)) for leaf in program.leaves],
        "statements": [
            {"do": s.keyword} | _plain(dataclasses.asdict(s)) for s in program.statements
        ],
    }


def dumps(program: pr.Program) -> str:
    """The JSON text of a program, the same for equal programs."""
    return json.dumps(program_to_json(program), sort_keys=True, allow_nan=False)


def program_from_json(data: Any) -> pr.Program:
    """Return the validated program of ``program_to_json``. Raises ProgramError if it is invalid."""
    if not isinstance(data, dict) or not {"format", "leaves", "statements"} <= set(data):
        expected = 'an object with "format", "leaves" and "statements"'
        raise pr.ProgramError(f"not a program: expected {expected}")
    if not is_integer(data["format"]) or data["format"] != FORMAT_VERSION:
        raise pr.ProgramError(f"program format {data['format']!r} is not {FORMAT_VERSION}")
    for name in ("leaves", "statements"):
        if not isinstance(data[name], list):
            raise pr.ProgramError(f'not a program: "{name}" is not a list')
    program = pr.Program(
        tuple(_record(pr.Leaf, leaf, f"leaf {i}") for i, leaf in enumerate(data["leaves"])),
        tuple(_statement(s, f"statement {i}") for i, s in enumerate(data["statements"])),
    )
    program.validate()
    return program


def _statement(data: Any, where: str) -> Any:
    if not isinstance(data, dict) or "do" not in data:
        raise pr.ProgramError(f'{where}: expected an object with "do"')
    fields = dict(data)
    keyword = fields.pop("do")
    if not isinstance(keyword, str) or keyword not in pr.STATEMENTS:
        raise pr.ProgramError(f"{where}: {keyword!r} is none of {', '.join(pr.STATEMENTS)}")
    return _record(pr.STATEMENTS[keyword], fields, f"{where} ({keyword})")


def _record(cls: type[Any], data: Any, where: str) -> Any:
    """A dataclass from an object with its fields."""
    if not isinstance(data, dict):
        raise pr.ProgramError(f"{where}: expected an object, not {data!r}")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for name in data:
        if name not in fields:
            raise pr.ProgramError(f"{where}: there is no field {name!r}")
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in data:
            raise pr.ProgramError(f"{where}: the field {name!r} is missing")
    return cls(**{name: _field(name, value, where) for name, value in data.items()})


def _field(name: str, value: Any, where: str) -> Any:
    convert, check, says = FIELDS[name]
    try:
        if name == "gradient":
            return None if value is None else _record(pr.Constant, value, f"{where}: gradient")
        result = convert(value)
        if check(result):
            return result
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass
    raise pr.ProgramError(f"{where}: {name} {value!r:.60} is not {says}")


def _frozen(value: Any) -> Any:
    """Lists as tuples, and numbers for the strings that stand for those that JSON lacks."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        raise TypeError("an object")
    return float(value) if value in ("nan", "inf", "-inf") else value


def _numbers(value: Any) -> tuple[float, ...]:
    """Numbers as floats: 1 and 1.0 are the same value."""
    if not isinstance(value, list):
        raise TypeError("no list")
    frozen = _frozen(value)
    if any(isinstance(v, (bool, str)) for v in frozen):
        raise TypeError("no numbers")
    return tuple(map(float, frozen))


def _is_attr(pair: Any) -> bool:
    return isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], str)


def _same(value: Any) -> Any:
    return value


#: By name, how a field is converted, checked, and what it must be.
FIELDS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], bool], str]] = {
    "shape": (_frozen, is_lengths, "a list of lengths"),
    "values": (_numbers, lambda v: True, "a list of numbers"),
    "dtype": (_same, lambda v: isinstance(v, str), "a dtype"),
    "requires_grad": (_same, is_flag, "true or false"),
    "op": (_same, lambda v: isinstance(v, str), "the name of an operation"),
    "inputs": (_frozen, lambda v: isinstance(v, tuple), "a list of values"),
    "attrs": (_frozen, tuple_of(_is_attr), "a list of names with values"),
    "no_grad": (_same, is_flag, "true or false"),
    "value": (_same, is_integer, "the number of a value"),
    "leaf": (_same, is_integer, "the number of a leaf"),
    "leaves": (_frozen, is_integers, "a list of leaves"),
    "gradient": (_same, lambda v: True, "an array or null"),
    "retain_graph": (_same, is_flag, "true or false"),
    "create_graph": (_same, is_flag, "true or false"),
}


def _plain(value: Any) -> Any:
    """Data as JSON has it."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
