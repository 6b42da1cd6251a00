"""Reads JSON and TOML that anyone may have written: bounded in size, depth and time.

``read_bytes`` raises OSError, ``parse_json`` and ``parse_toml`` raise ValueError; messages are one
short line that says what is wrong and how to mend it.
"""

from __future__ import annotations

import errno
import json
import re
import stat
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parity._util.decode import shown
from parity._util.escape import one_line

#: Bytes of a file, values in it, and how deep they may be nested.
LARGEST, MOST_VALUES, DEEPEST = 2**24, 2**20, 100
_BEFORE_VALUES = (b"[", b"{", b",")
_DOTTED = re.compile(r"(?:\.[^\n.,=\[\]{}]*){8}")
_TOML_STRING = re.compile(
    r"\'\'\'.*?\'\'\'|\"\"\"(?:\\.|[^\\])*?\"\"\"|'[^'\n]*'|\"(?:\\.|[^\"\\\n])*\"|#[^\n]*",
    re.DOTALL,
)
_HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def read_bytes(file: Path, largest: int = LARGEST) -> bytes:
    """Read a regular file of at most ``largest`` bytes; nothing else is opened."""
    try:
        found = file.stat()
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error)) from None
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, "it is a folder")
    if not stat.S_ISREG(found.st_mode):  # opening a pipe waits for a writer
        raise OSError(errno.EINVAL, "it is no regular file")
    data = b""
    if found.st_size <= largest:
        with file.open("rb") as stream:
            data = stream.read(largest + 1)  # files of the system have size 0
    if max(found.st_size, len(data)) > largest:
        raise OSError(errno.EFBIG, too_large(found.st_size, largest))
    return data


def too_large(size: int, largest: int = LARGEST) -> str:
    return f"it has {size:,} bytes, and at most {largest:,} are read"


def parse_json(data: bytes) -> Any:
    """The JSON of a file; numbers are finite, and keys are there once."""
    text = _text(data)
    if sum(map(data.count, _BEFORE_VALUES)) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES:,} values")
    result = _parsed("JSON", _JSON.decode, text)
    if _HALF_A_PAIR.search(data):
        try:
            json.dumps(result, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it has half of a surrogate pair, which is no text") from None
    return result


def parse_toml(data: bytes) -> Any:
    """The TOML of a file; its keys have few parts, as many take the parser very long."""
    text = _text(data)
    if _DOTTED.search(_TOML_STRING.sub("s", text)):
        raise ValueError("it has a key of more than 8 parts between dots")
    return _parsed("TOML", tomllib.loads, text)


def _parsed(form: str, parse: Callable[[str], Any], text: str) -> Any:
    try:
        result = parse(text)
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from None
    except ValueError as error:
        raise ValueError(f"it is no {form}: {one_line(error)}") from None
    level = [result]
    for _ in range(DEEPEST):
        level = [v for one in level if isinstance(one, (dict, list)) for v in _inside(one)]
        if not level:
            return result
    raise ValueError(f"it is nested more than {DEEPEST} deep")


def _inside(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise ValueError(
            f"it is no text in UTF-8 (byte {byte:#04x} at {error.start}): save it as UTF-8"
        ) from None


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{shown(text)[1:-1]} is beyond all floats")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {shown(twice)} is there twice")
    return result


_JSON = json.JSONDecoder(parse_constant=_constant, parse_float=_float, object_pairs_hook=_object)
