"""Numbers and lists as text, the same in tables, sentences and plots; and groups of cases."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")
_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B"))


def significant(value: float, digits: int = 3) -> str:
    """``value`` with ``digits`` significant digits and without an exponent: 1,230 or 0.0123."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = int(f"{rounded:e}".partition("e")[2])
    return f"{rounded:,.{max(0, digits - 1 - exponent)}f}"


def plain(value: float) -> str:
    """A tick label: 0.01, 1, 10,000."""
    return f"{value:,.12g}" if value < 1e12 else f"{value:.3g}"


def size(count: float, number: Callable[[float], str] = significant) -> str:
    """Bytes with a decimal unit."""
    unit, name = next((one for one in _UNITS if abs(count) >= one[0]), _UNITS[-1])
    return f"{number(count / unit)} {name}"


def round_size(count: float) -> str:
    """A tick label of bytes: 10 kB."""
    return size(count, plain)


def moment(text: str) -> str:
    """A date of ISO 8601 without seconds, with its time zone; other text as it is."""
    try:
        when = datetime.datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{when:%Y-%m-%d %H:%M} {when.tzname() or ''}".rstrip()


def day(text: str) -> str:
    """The date of ISO 8601; other text as it is."""
    try:
        return f"{datetime.datetime.fromisoformat(text):%Y-%m-%d}"
    except ValueError:
        return text


def percent(share: float) -> str:
    """A share, from 0 to 1, in percent."""
    return f"{100 * share:.0f} %"


def counted(number: int, one: str) -> str:
    """``1 engine``, ``2 engines``, ``1,000 engines``."""
    return f"{number:,} {one if number == 1 else f'{one}s'}"


def listed(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Lists of items with the same key, in the order of their first items."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return list(groups.values())
