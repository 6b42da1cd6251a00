"""Codec of the messages between parity and its worker processes.

A message is a JSON head, followed by the raw bytes of arrays. A reply is a trace or plain data:
JSON-like values and NumPy arrays. Reading a message never executes code (there is no pickle).
Answers come from a process in which an engine runs, so nothing in them is taken for granted.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from parity.engines.trace import (
    STOPPED,
    UNSUPPORTED,
    Failure,
    Observation,
    RemoteFailure,
    Trace,
)
from parity.language import program as pr

#: Of a message: the mark of the process, the number of the message, and the sizes of its two parts.
_START = struct.Struct(">16sQQQ")
#: Bytes that the two parts of an answer may have, that of an engine and that of parity itself. A
#: larger one is not read.
OF_ENGINE, OF_PARITY = (2**22, 2**25), (2**28, 2**28)
#: Characters of a text of an engine that are kept.
_TEXT = 2000
#: Kinds of failures in traces.
_KINDS = frozenset({"exception", "depth", UNSUPPORTED}) | STOPPED

Message = tuple[Any, bytes]


class MalformedError(ValueError):
    """Bytes that are no message of the other process: the engine wrote to the pipe."""


class TooLargeError(MalformedError):
    """A message that is larger than an answer may be."""


def frame(mark: bytes, number: int, head: Any, data: bytes = b"") -> bytes:
    """Encode a message. ``mark`` tells the messages of a process from what else is written."""
    text = json.dumps(head, separators=(",", ":")).encode()
    return b"".join((_START.pack(mark, number, len(text), len(data)), text, data))


def fits(message: bytes) -> bool:
    """Return whether a message may be sent as an answer."""
    _, _, text, data = _START.unpack_from(message)
    return bool(text <= OF_ENGINE[0] and data <= OF_ENGINE[1])


def read_first(stream: BinaryIO) -> tuple[bytes, Message | None]:
    """Read the first message of parity, and return the mark of the others with it."""
    start = stream.read(_START.size)
    if len(start) < _START.size:
        return b"", None
    mark, _, text, data = _START.unpack(start)
    return mark, _body(stream, text, data)


def read(
    stream: BinaryIO, mark: bytes, number: int, most: tuple[int, int] = OF_PARITY
) -> Message | None:
    """Read the next message; None at the end of the stream or where a message is cut off.

    Raises MalformedError unless it has this mark and number, and parts of at most these sizes.
    """
    start = stream.read(_START.size)
    if len(start) < _START.size:
        return None
    found, n, text, data = _START.unpack(start)
    if found != mark or n != number:
        raise MalformedError("bytes that are no answer")
    if text > most[0] or data > most[1]:
        raise TooLargeError(f"an answer of {text + data:,} bytes")
    return _body(stream, text, data)


def _body(stream: BinaryIO, text: int, data: int) -> Message | None:
    body = stream.read(text + data)
    if len(body) < text + data:
        return None
    try:
        return json.loads(body[:text]), body[text:]
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not a message: {type(error).__name__}") from error


def program_head(program: pr.Program) -> list[Any]:
    """Encode a program, which the sender has validated, as lists for ``read_program``."""
    leaves = [(x.shape, x.values, x.dtype, x.requires_grad) for x in program.leaves]
    return [leaves, list(map(_statement_head, program.statements))]


def _statement_head(statement: pr.Statement) -> list[Any]:
    values = [getattr(statement, name) for name in _FIELDS[type(statement)]]
    constants = [
        {"constant": (v.shape, v.values, v.dtype)} if isinstance(v, pr.Constant) else v
        for v in values
    ]
    return [statement.keyword, *constants]


_FIELDS = {cls: [f.name for f in dataclasses.fields(cls)] for cls in pr.STATEMENTS.values()}


def read_program(head: Any) -> pr.Program:
    """Decode the lists of ``program_head``."""
    leaves, statements = _frozen(head)
    return pr.Program(
        tuple(pr.Leaf(*leaf) for leaf in leaves),
        tuple(pr.STATEMENTS[keyword](*fields) for keyword, *fields in statements),
    )


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    return pr.Constant(*map(_frozen, value["constant"])) if isinstance(value, dict) else value


def trace_message(trace: Trace) -> Message:
    """Encode a trace as a head and bytes, which ``read_trace`` decodes."""
    failure = trace.failure
    failed = failure and (failure.statement, failure.kind, failure.text(), failure.location())
    forms, data = pack([o.array for o in trace.observations])
    return [[o[:3] for o in trace.observations], forms, failed, trace.left_reals], data


def read_trace(message: Message) -> tuple[Trace, float]:
    """Decode the message of ``trace_message``, and the seconds that were added to it.

    Raises MalformedError if it is not one: an engine may change what its process does.
    """
    try:
        ((observed, forms, failed, left_reals), took), data = message
        arrays = unpack((forms, data))
        observations = [
            Observation(_int(n), _str(what), _int(i), a if a is None else _array(a))
            for (n, what, i), a in zip(observed, arrays, strict=True)
        ]
        failure = failed if failed is None else _failure(*failed)
        return Trace(observations, failure, bool(left_reals)), _seconds(took)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedError("an answer that is no trace") from error


def _failure(statement: Any, kind: Any, text: Any, location: Any) -> Failure:
    if kind not in _KINDS:
        raise ValueError(kind)
    return Failure(_int(statement), RemoteFailure(kind, _str(text)[:_TEXT], _str(location)[:_TEXT]))


def _int(value: Any) -> int:
    if type(value) is not int or not -1 <= value < 2**31:
        raise ValueError("no number")
    return value


def _str(value: Any) -> str:
    if type(value) is not str:
        raise ValueError("no text")
    return value


def _array(value: Any) -> NDArray[Any]:
    if type(value) is not np.ndarray:
        raise ValueError("no array")
    return value


def _seconds(value: Any) -> float:
    if type(value) is not float or not 0 <= value < float("inf"):
        raise ValueError("no time")
    return value


#: Key of the JSON object that stands for an array in the head.
_ARRAY = "__array__"


def pack(data: Any) -> Message:
    """Encode JSON-like values and arrays as a head and bytes, which ``unpack`` decodes.

    Tuples become lists.
    """
    parts: list[bytes] = []

    def head(value: Any) -> Any:
        if isinstance(value, (np.ndarray, np.generic)):
            parts.append(value.tobytes())
            return {_ARRAY: (value.dtype.str, value.shape)}
        if isinstance(value, dict):
            return {key: head(v) for key, v in value.items()}
        return [head(v) for v in value] if isinstance(value, (list, tuple)) else value

    return head(data), b"".join(parts)


def unpack(message: Message) -> Any:
    """Decode the message of ``pack``. Raises MalformedError if it is not one."""
    stream = io.BytesIO(message[1])

    def value(head: Any) -> Any:
        if isinstance(head, list):
            return [value(v) for v in head]
        if not isinstance(head, dict):
            return head
        if _ARRAY not in head:
            return {key: value(v) for key, v in head.items()}
        form, shape = head[_ARRAY]
        if not re.fullmatch(r"[<>|=][fiub]\d\d?", form) or min(map(_int, shape), default=0) < 0:
            raise ValueError("no array of numbers")
        dtype = np.dtype(form)
        data = stream.read(dtype.itemsize * math.prod(shape))
        return np.frombuffer(data, dtype).reshape(shape)

    try:
        return value(message[0])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MalformedError("an answer of another form") from error
