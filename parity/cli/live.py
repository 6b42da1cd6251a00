"""What ``parity check`` shows while it runs: progress, and each fault as soon as it is known."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import Any, TextIO

from parity._util.escape import one_line
from parity.campaign.watch import Watch
from parity.language.program import Program
from parity.oracle.verdict import plural

#: Seconds between two updates of a line that is redrawn, and between two plain lines.
_REDRAWN, _PLAIN = 0.2, 5.0
_LONGEST = 300


@dataclass
class Live(Watch):
    """Writes to a terminal: faults as lines, and below them a line that ``rich`` redraws.

    Without ``rich`` a plain line comes every few seconds. In a pipe there is one line at most: the
    first fault.

    ``examples``, ``seconds``: the budget of the run, in programs or in time.
    """

    stream: TextIO
    examples: int | None = None
    seconds: float | None = None
    what: str = ""
    programs: int = 0
    faults: int = 0
    first: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        self._terminal = self.stream.isatty()
        self._drawn: Any = None
        self._loaded = False
        self._last = self._since = self._started = time.perf_counter()
        self._others = 0.0  # seconds in which no random programs ran

    def stage(self, what: str) -> None:
        now = time.perf_counter()
        if not self.programs:
            self._started = now
        elif self.what:
            self._others += now - self._since
        self.what, self._since = what, now
        self._update(at_once=True)

    def ran(self, programs: int) -> None:
        self.programs = programs
        self._update()

    def fault(self, sentence: str, program: Program | None, certain: bool = True) -> None:
        told = sentence, str(program or "")
        self.faults += certain
        if told == self.first or not (self._terminal or self.first is None):
            return
        name = f"fault {self.faults}" if certain else "first fault"
        code = f": {'; '.join(told[1].splitlines())}" if told[1] else ""
        self.first = self.first or told
        self._print(f"{name}: {one_line(sentence + code, _LONGEST)}")

    def end(self) -> None:
        """Remove the line that is redrawn."""
        if self._drawn is not None:
            self._drawn.stop()
            self._drawn = None
        self._terminal = False

    def line(self) -> str:
        """Return programs, rate, time left and faults so far, in one line.

        >>> import io
        >>> Live(io.StringIO(), examples=2000).line()
        '0 of 2,000 programs, 0 faults'
        """
        total = f" of {self.examples:,}" if self.examples else ""
        now = time.perf_counter()
        others = self._others + (now - self._since if self.what else 0.0)
        rate = self.programs / max(now - self._started - others, 1e-3)
        parts = [f"{self.programs:,}{total} programs"]
        if self.programs:
            left = self.seconds - (now - self._started) if self.seconds is not None else 0.0
            if self.examples is not None:
                left = (self.examples - self.programs) / rate
            parts += [f"{rate:,.0f} per second", f"{_clock(left)} left"]
        parts += [plural(self.faults, "fault"), self.what]
        return ", ".join(filter(None, parts))

    def _update(self, at_once: bool = False) -> None:
        if not self._terminal or not self.programs:
            return
        if not self._loaded:  # rich takes time to load, and a first fault does not wait for it
            self._loaded, self._drawn = True, _status(self.stream)
        now = time.perf_counter()
        drawn = self._drawn is not None
        if (at_once and drawn) or now - self._last >= (_REDRAWN if drawn else _PLAIN):
            self._last = now
            if drawn:
                self._drawn.update(self.line())
            else:
                self._print(self.line())

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # the report is as good without it
            if self._drawn is not None:
                self._drawn.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                print(f"parity: {text}", file=self.stream, flush=True)


def _status(stream: TextIO) -> Any:
    """Return a started line of ``rich`` that can be updated; None if it is not installed."""
    try:
        from rich.console import Console
        from rich.status import Status
    except ImportError:
        return None
    console = Console(file=stream, highlight=False)
    status = Status("", console=console, spinner="line", refresh_per_second=4)
    status.start()
    return status


def _clock(seconds: float) -> str:
    left = max(round(seconds), 0)
    return f"{left // 60}:{left % 60:02}"
