"""The progress bar of commands that take minutes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TextIO

from parity._util.escape import one_line

_WIDTH = 24


@dataclass
class Progress:
    """A progress bar with counts and the time left; prints nothing unless on a terminal."""

    total: int
    stream: TextIO
    done: int = 0
    started: float = field(default_factory=time.perf_counter)

    def step(self, what: str) -> None:
        """Count a finished step, named ``what``, and redraw the bar."""
        self.done += 1
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K{self.line(time.perf_counter() - self.started, what)}")
            self.stream.flush()

    def line(self, seconds: float, what: str) -> str:
        """Return the text of the bar after ``seconds``."""
        filled = _WIDTH * self.done // max(self.total, 1)
        left = round(seconds / self.done * (self.total - self.done)) if self.done else 0
        bar = "#" * filled + "." * (_WIDTH - filled)
        what = one_line(what, 100)
        return f"[{bar}] {self.done} of {self.total}, {left // 60}:{left % 60:02} left  {what}"

    def end(self) -> None:
        if self.stream.isatty():
            self.stream.write("\r\x1b[K")
            self.stream.flush()
