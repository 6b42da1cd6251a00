"""Limits of an engine that runs in a process of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What an engine in a process of its own may use for one program."""

    #: Wall-clock time.
    seconds: float = 10.0
    #: Memory beyond what the process has after the engine was loaded.
    megabytes: int = 2048
