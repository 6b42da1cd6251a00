"""What a check shows while it runs: on a terminal, and in a pipe."""

from __future__ import annotations

import io
import sys

import pytest

from parity.cli.live import Live
from parity.language.text_format import program_from_text

PROGRAM = program_from_text("x0 = leaf(3.0)\nx1 = neg(x0)")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def no_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("rich", "rich.console", "rich.status"):
        monkeypatch.setitem(sys.modules, name, None)


def news(live: Live) -> None:
    """Tell what a run with two faults tells."""
    live.fault("`neg` is wrong", PROGRAM, certain=False)
    live.stage("")
    for number in range(1, 200):
        live.ran(number)
    live.fault("`neg` is wrong", PROGRAM)
    live.stage("the tape")
    live.fault("a leak", None)
    live.end()


def test_a_pipe_gets_one_line() -> None:
    stream = io.StringIO()
    news(Live(stream, 200))
    line = "parity: first fault: `neg` is wrong: x0 = leaf(3.0); x1 = neg(x0)\n"
    assert stream.getvalue() == line


@pytest.mark.usefixtures("no_rich")
def test_a_terminal_gets_each_fault_once() -> None:
    stream = Terminal()
    news(Live(stream, 200))
    assert [line for line in stream.getvalue().splitlines() if "fault" in line] == [
        "parity: first fault: `neg` is wrong: x0 = leaf(3.0); x1 = neg(x0)",
        "parity: fault 2: a leak",
    ]


@pytest.mark.usefixtures("no_rich")
def test_a_terminal_gets_plain_lines_without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.cli.live._PLAIN", 0.0)
    stream = Terminal()
    live = Live(stream, 200)
    live.stage("")
    live.ran(150)
    (line,) = stream.getvalue().splitlines()
    assert line.startswith("parity: 150 of 200 programs, ")
    assert line.endswith(" left, 0 faults")


def test_rich_redraws_a_line() -> None:
    pytest.importorskip("rich")
    stream = Terminal()
    live = Live(stream, 200)
    live.stage("")
    live.ran(150)
    live.stage("probes")
    live.fault("[bold]`neg`[/bold] is wrong", PROGRAM)
    live.end()
    assert "150 of 200 programs, " in stream.getvalue()
    assert "fault 1: [bold]`neg`[/bold] is wrong" in stream.getvalue()


def test_time_left_counts_random_programs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    live = Live(io.StringIO(), examples=100)
    live.stage("")
    live.ran(10)
    now = 1.0
    live.stage("the tape")
    now = 51.0
    live.stage("")
    assert live.line() == "10 of 100 programs, 10 per second, 0:09 left, 0 faults"
    timed = Live(io.StringIO(), seconds=90.0)
    timed.stage("")
    now = 71.0
    timed.ran(40)
    assert timed.line() == "40 programs, 2 per second, 1:10 left, 0 faults"


def test_a_stream_that_is_closed_ends_nothing() -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    news(Live(Closed(), 200))
