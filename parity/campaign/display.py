"""The display while a campaign runs: a live table with rich, or lines of text."""

from __future__ import annotations

import time
from typing import Any, TextIO

from parity.campaign.campaign import Display, Status
from parity.campaign.errors import CampaignError, optional
from parity.campaign.records import FindingData

#: Seconds between two lines if the output is no terminal.
EVERY = 5.0


def display_for(stream: TextIO) -> Display:
    """A live table for a terminal if rich is installed, lines otherwise."""
    if not stream.isatty():
        return Lines(stream)
    try:
        return Live(stream)
    except CampaignError:
        return Lines(stream)


class Lines(Display):
    """Prints a line every few seconds."""

    def __init__(self, stream: TextIO, every: float = EVERY) -> None:
        self.stream = stream
        self.every = every
        self._last = time.monotonic()

    def update(self, status: Status) -> None:
        now = time.monotonic()
        if now - self._last >= self.every:
            self._last = now
            self.note("; ".join(f"{name}: {text}" for name, text in rows(status)))

    def found(self, finding: FindingData) -> None:
        self.note(f"found: {headline(finding)}")

    def note(self, text: str) -> None:
        print(f"parity: {text}", file=self.stream, flush=True)


class Live(Display):
    """A table that is redrawn in place, and lines above it."""

    def __init__(self, stream: TextIO) -> None:
        console = optional("rich.console", "cli", "the live display")
        self._table = optional("rich.table", "cli", "the live display").Table
        self._console = console.Console(file=stream)
        live = optional("rich.live", "cli", "the live display").Live
        self._live: Any = live(console=self._console, refresh_per_second=5, transient=True)

    def start(self) -> None:
        self._live.start()

    def update(self, status: Status) -> None:
        table = self._table(show_header=False, box=None)
        for name, text in rows(status):
            table.add_row(f"[bold]{name}", text)
        self._live.update(table)

    def found(self, finding: FindingData) -> None:
        self._console.print(f"found: {headline(finding)}", style="red", markup=False)

    def note(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def end(self) -> None:
        self._live.stop()


def rows(status: Status) -> list[tuple[str, str]]:
    """The rows of the table: names and texts."""
    kinds = ", ".join(f"{kind} {n}" for kind, n in sorted(status.findings.items()))
    share = 100 * status.reached / max(status.reachable, 1)
    result = [
        ("programs", f"{status.programs:,} ({status.rate:,.0f} per second)"),
        ("findings", kinds or "none"),
        ("coverage", f"{status.reached} of {status.reachable} features ({share:.0f}%)"),
        ("workers", f"{status.workers}, {status.shards} shards running"),
        ("time", clock(status.seconds)),
    ]
    if status.left is not None:
        result.append(("left", clock(status.left)))
    if status.stopping:
        result.append(("stopping", "Ctrl-C again quits at once"))
    return result


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def headline(finding: FindingData) -> str:
    """A finding in one line."""
    text = "; ".join(finding["text"].splitlines())
    return f"{finding['kind']}: {text}"
