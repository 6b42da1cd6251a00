"""Programs from JSON data: every field is checked, nothing is executed."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Annotated, Any, TypeVar

from parity._util.decode import Check, Decoder, FormatError, one_of, shown
from parity.language import program as pr

T = TypeVar("T")

#: The version of the JSON form.
FORMAT_VERSION = 1


def program_to_json(program: pr.Program) -> dict[str, Any]:
    """Plain data for ``json.dumps``: numbers that JSON lacks become strings."""
    data = {
        "format": FORMAT_VERSION,
        **({"unread": program.unread} if program.unread else {}),
        "leaves": _leaves_to_json(program.leaves),
        "statements": [_statement_to_json(s) for s in program.statements],
    }
    return data | {"calls": list(map(_leaves_to_json, program.calls))} if program.calls else data


def _leaves_to_json(leaves: tuple[pr.Leaf, ...]) -> list[Any]:
    return [_plain(dataclasses.asdict(leaf)) for leaf in leaves]


def _statement_to_json(statement: pr.Statement) -> dict[str, Any]:
    """The fields of a statement, without a form that it does not have."""
    fields = {"do": statement.keyword} | _plain(dataclasses.asdict(statement))
    return fields if fields.get("form", True) else {k: v for k, v in fields.items() if k != "form"}


def dumps(program: pr.Program) -> str:
    """The JSON text of a program, the same for equal programs."""
    return json.dumps(program_to_json(program), sort_keys=True, allow_nan=False)


@dataclasses.dataclass(frozen=True)
class _Form:
    """The fields of a program in JSON."""

    format: Annotated[int, Check(str(FORMAT_VERSION), FORMAT_VERSION.__eq__)]
    leaves: list[Any]
    statements: list[Any]
    unread: Annotated[str, one_of(pr.UNREAD)] = ""
    calls: list[list[Any]] = dataclasses.field(default_factory=list)


def program_from_json(data: Any) -> pr.Program:
    """Return the validated program of ``program_to_json``. Raises ProgramError if it is invalid."""
    form = _decoded(_Form, data, "not a program")
    leaves = tuple(_decoded(pr.Leaf, leaf, f"leaf {i}") for i, leaf in enumerate(form.leaves))
    statements = (statement_from_json(s, f"statement {i}") for i, s in enumerate(form.statements))
    calls = (
        tuple(_decoded(pr.Leaf, leaf, f"leaf {i} of call {n}") for i, leaf in enumerate(call))
        for n, call in enumerate(form.calls)
    )
    program = pr.Program(leaves, tuple(statements), form.unread, tuple(calls))
    program.validate()
    return program


def leaf_from_json(data: Any) -> pr.Leaf:
    """Return a leaf, whose shape fits its values. Raises ProgramError if a field is wrong."""
    return _decoded(pr.Leaf, data, "leaf")


def statement_from_json(data: Any, where: str) -> pr.Statement:
    """Return a statement. Raises ProgramError, which begins with ``where``, if a field is wrong."""
    if not isinstance(data, dict) or "do" not in data:
        raise pr.ProgramError(f'{where}: expected an object with "do"')
    fields = dict(data)
    keyword = fields.pop("do")
    if not isinstance(keyword, str) or keyword not in pr.STATEMENTS:
        raise pr.ProgramError(f"{where}: {shown(keyword)} is none of {', '.join(pr.STATEMENTS)}")
    statement: pr.Statement = _decoded(pr.STATEMENTS[keyword], fields, f"{where} ({keyword})")
    return statement


def _decoded(kind: type[T], data: Any, where: str) -> T:
    try:
        return _DECODER.decode(kind, data)
    except FormatError as error:
        raise pr.ProgramError(f"{where}: {error}") from None


_DECODER = Decoder(known=True)


def _plain(value: Any) -> Any:
    """Data as JSON has it."""
    if isinstance(value, dict):  # the usual layout goes without saying
        return {k: _plain(v) for k, v in value.items() if (k, v) != ("layout", "C")}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
