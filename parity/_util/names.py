"""What a user may have meant by a name that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar

from parity._util.errors import UsageError

T = TypeVar("T")

#: How much less like a name another one may be than the one that is most like it, of 1.
_MARGIN = 0.1


def near(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return the known names that are most like ``name``; capitals and ``_`` for ``-`` are alike.

    Examples
    --------
    >>> near("Keeps_Graph", ["keeps-graphs", "max-ties-first"])
    ['keeps-graphs']
    """
    plain: dict[str, list[str]] = {}
    for one in known:
        plain.setdefault(_plain(one), []).append(one)
    meant = _plain(name)
    keys = difflib.get_close_matches(meant, plain, most)
    ratios = [difflib.SequenceMatcher(None, key, meant).ratio() for key in keys]
    close = [k for k, ratio in zip(keys, ratios, strict=True) if ratio > max(ratios) - _MARGIN]
    return [one for key in close for one in plain[key]][:most]


def did_you_mean(name: str, known: Iterable[str], most: int = 3) -> str:
    """Return the question that a message asks before it says which names there are, or "".

    Examples
    --------
    >>> did_you_mean("ad", ["add", "mul"])
    'did you mean add? '
    """
    close = near(name, known, most)
    return f"did you mean {' or '.join(close)}? " if close else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")


def named(name: str, known: Mapping[str, T], what: str) -> T:
    """Return what has this name. Raises UsageError with the names that are like it, or all.

    Examples
    --------
    >>> named("ad", {"add": 1, "mul": 2}, "operation")
    Traceback (most recent call last):
    ...
    parity._util.errors.UsageError: there is no operation 'ad': did you mean add?
    """
    if name not in known:
        hint = did_you_mean(name, known).rstrip() or f"there are {', '.join(known)}"
        raise UsageError(f"there is no {what} {name!r}: {hint}")
    return known[name]
