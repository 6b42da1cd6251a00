"""Codec of the messages between parity and its worker processes.

A message is a JSON head, followed by the raw bytes of arrays. A reply is a trace or plain data:
JSON-like values and NumPy arrays. Reading a message never executes code (there is no pickle).
"""

from __future__ import annotations

import dataclasses
import json
import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from parity.engines.trace import Failure, Observation, RemoteFailure, Trace
from parity.language import program as pr

_LENGTHS = struct.Struct(">II")

Message = tuple[Any, bytes]


class WireError(Exception):
    """The bytes are not a message: the engine wrote to the pipe, or closed it half-way."""


def write(stream: BinaryIO, head: Any, data: bytes = b"") -> int:
    """Write a message and return its size in bytes."""
    text = json.dumps(head, separators=(",", ":")).encode()
    message = _LENGTHS.pack(len(text), len(data)) + text + data
    stream.write(message)
    stream.flush()
    return len(message)


def read(stream: BinaryIO) -> Message | None:
    """Read the next message; None at the end of the stream or where a message is cut off."""
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
        raise WireError(f"not a message: {error}") from error


# Programs. The sender has validated them.


def program_head(program: pr.Program) -> list[Any]:
    """Encode a program as lists, which ``read_program`` decodes."""
    leaves = [(x.shape, x.values, x.dtype, x.requires_grad) for x in program.leaves]
    return [leaves, [(s.keyword, *map(_short, _fields(s))) for s in program.statements]]


def read_program(head: Any) -> pr.Program:
    """Decode the lists of ``program_head``."""
    leaves, statements = head
    return pr.Program(
        tuple(pr.Leaf(tuple(s), tuple(v), dtype, grad) for s, v, dtype, grad in leaves),
        tuple(_statement(*s) for s in statements),
    )


def _fields(statement: pr.Statement) -> list[Any]:
    return [getattr(statement, name) for name in _NAMES[type(statement)]]


_NAMES = {cls: [f.name for f in dataclasses.fields(cls)] for cls in pr.STATEMENTS.values()}


def _short(value: Any) -> Any:
    if isinstance(value, pr.Constant):
        return {"constant": (value.shape, value.values, value.dtype)}
    return value


def _statement(keyword: str, *fields: Any) -> Any:
    return pr.STATEMENTS[keyword](*map(_frozen, fields))


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return pr.Constant(*map(_frozen, value["constant"]))
    return value


# Traces.


def trace_message(trace: Trace) -> tuple[Any, bytes]:
    """Encode a trace as a head and bytes, which ``read_trace`` decodes."""
    arrays = [o.array for o in trace.observations]
    observed = [(*o[:3], _dtype_and_shape(o.array)) for o in trace.observations]
    failure = trace.failure
    failed = failure and (failure.statement, failure.kind, failure.text(), failure.location())
    return [observed, failed, trace.left_reals], _joined(arrays)


def read_trace(message: Message) -> Trace:
    """Decode the message of ``trace_message``."""
    (observed, failed, left_reals), data = message
    arrays = _Arrays(data)
    observations = [Observation(n, what, i, arrays.next(form)) for n, what, i, form in observed]
    failure = failed and Failure(failed[0], RemoteFailure(*failed[1:]))
    return Trace(observations, failure, left_reals)


# Plain data.

#: Key of the JSON object that stands for an array in the head.
_ARRAY = "__array__"


def pack(data: Any) -> tuple[Any, bytes]:
    """Encode JSON-like values and arrays as a head and bytes, which ``unpack`` decodes.

    Tuples become lists.
    """
    arrays: list[NDArray[Any]] = []

    def head(value: Any) -> Any:
        if isinstance(value, (np.ndarray, np.generic)):
            arrays.append(np.asarray(value))
            return {_ARRAY: _dtype_and_shape(arrays[-1])}
        if isinstance(value, dict):
            return {key: head(v) for key, v in value.items()}
        return [head(v) for v in value] if isinstance(value, (list, tuple)) else value

    return head(data), _joined(arrays)


def unpack(message: Message) -> Any:
    """Decode the message of ``pack``."""
    arrays = _Arrays(message[1])

    def value(head: Any) -> Any:
        if isinstance(head, list):
            return [value(v) for v in head]
        if not isinstance(head, dict):
            return head
        if _ARRAY in head:
            return arrays.next(head[_ARRAY])
        return {key: value(v) for key, v in head.items()}

    return value(message[0])


def _dtype_and_shape(array: NDArray[Any] | None) -> Any:
    return None if array is None else (array.dtype.str, array.shape)


def _joined(arrays: list[Any]) -> bytes:
    return b"".join(a.tobytes() for a in arrays if a is not None)


class _Arrays:
    """Reads one array after another from bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def next(self, form: Any) -> NDArray[Any] | None:
        if form is None:
            return None
        dtype, shape = np.dtype(form[0]), tuple(form[1])
        count = 1
        for n in shape:
            count *= n
        array = np.frombuffer(self.data, dtype, count, self.position).reshape(shape)
        self.position += array.nbytes
        return array
