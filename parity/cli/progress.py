"""A bar on a terminal for commands that take minutes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TextIO

_WIDTH = 24


@dataclass
class Progress:
    """A line on ``stream`` with a bar, counts and the time that is left; nothing if it is piped."""

    total: int
    stream: TextIO
    done: int = 0
    started: float = field(default_factory=time.perf_counter)

    def step(self, what: str) -> None:
        """One more is done; ``what`` says which."""
        self.done += 1
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K{self.line(time.perf_counter() - self.started, what)}")
            self.stream.flush()

    def line(self, seconds: float, what: str) -> str:
        """The text after ``seconds``."""
        filled = _WIDTH * self.done // max(self.total, 1)
        left = round(seconds / self.done * (self.total - self.done)) if self.done else 0
        bar = "#" * filled + "." * (_WIDTH - filled)
        return f"[{bar}] {self.done} of {self.total}, {left // 60}:{left % 60:02} left  {what}"

    def end(self) -> None:
        """Remove the line."""
        if self.stream.isatty():
            self.stream.write("\r\x1b[K")
            self.stream.flush()
