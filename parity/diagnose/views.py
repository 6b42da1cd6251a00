"""Conditions of cells in which arrays are views (``parity.diagnose.moved_cells``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: In words, by name.
VIEWS = {
    "transposed-gradient": "where its gradient is a transpose",
    "reversed-gradient": "where its gradient is reversed, with negative strides",
    "broadcast-gradient": "where its gradient is a broadcast",
    "transposed-operands": "where operands are given as transposes",
}


def moved(name: str) -> Callable[[Any], bool]:
    """Return whether a setting (``parity.diagnose.conditions``) is one of this condition."""
    return lambda setting: bool(setting.moved == name)
