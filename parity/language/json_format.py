"""Programs from JSON data: every field is checked, nothing is executed."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Annotated, Any, TypeVar

from parity._util.decode import Check, Decoder, FormatError, shown
from parity.language import program as pr

T = TypeVar("T")

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


@dataclasses.dataclass(frozen=True)
class _Form:
    """The fields of a program in JSON."""

    format: Annotated[int, Check(str(FORMAT_VERSION), FORMAT_VERSION.__eq__)]
    leaves: list[Any]
    statements: list[Any]


def program_from_json(data: Any) -> pr.Program:
    """Return the validated program of ``program_to_json``. Raises ProgramError if it is invalid."""
    form = _decoded(_Form, data, "not a program")
    leaves = tuple(_decoded(pr.Leaf, leaf, f"leaf {i}") for i, leaf in enumerate(form.leaves))
    statements = (statement_from_json(s, f"statement {i}") for i, s in enumerate(form.statements))
    program = pr.Program(leaves, tuple(statements))
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
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
