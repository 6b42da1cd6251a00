"""Codec of the messages between parity and its worker processes.

A message is a JSON head, followed by the raw bytes of arrays. A reply is a trace or plain data:
JSON-like values and NumPy arrays. Reading a message never executes code (there is no pickle).
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import struct
from typing import Any, BinaryIO

import numpy as np

from parity.engines.trace import Failure, Observation, RemoteFailure, Trace
from parity.language import program as pr

_LENGTHS = struct.Struct(">II")

Message = tuple[Any, bytes]


def write(stream: BinaryIO, head: Any, data: bytes = b"") -> int:
    """Write a message and return its size in bytes."""
    text = json.dumps(head, separators=(",", ":")).encode()
    message = _LENGTHS.pack(len(text), len(data)) + text + data
    stream.write(message)
    stream.flush()
    return len(message)


def read(stream: BinaryIO) -> Message | None:
    """Read the next message; None at the end of the stream or where a message is cut off.

    Raises ValueError for bytes that are no message: the engine wrote to the pipe.
    """
    start = stream.read(_LENGTHS.size)
    if len(start) < _LENGTHS.size:
        return None
    text, data = _LENGTHS.unpack(start)
    body = stream.read(text + data)
    if len(body) < text + data:
        return None
    try:
        return json.loads(body[:text]), body[text:]
    except ValueError as error:
        raise ValueError(f"not a message: {error}") from error


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


def read_trace(message: Message) -> Trace:
    """Decode the message of ``trace_message``."""
    (observed, forms, failed, left_reals), data = message
    arrays = unpack((forms, data))
    observations = [
        Observation(n, what, i, a) for (n, what, i), a in zip(observed, arrays, strict=True)
    ]
    failure = failed and Failure(failed[0], RemoteFailure(*failed[1:]))
    return Trace(observations, failure, left_reals)


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
    """Decode the message of ``pack``."""
    stream = io.BytesIO(message[1])

    def value(head: Any) -> Any:
        if isinstance(head, list):
            return [value(v) for v in head]
        if not isinstance(head, dict):
            return head
        if _ARRAY not in head:
            return {key: value(v) for key, v in head.items()}
        dtype, shape = np.dtype(head[_ARRAY][0]), head[_ARRAY][1]
        data = stream.read(dtype.itemsize * math.prod(shape))
        return np.frombuffer(data, dtype).reshape(shape)

    return value(message[0])
