"""SIGTERM and SIGHUP end a command as Ctrl-C does: what was found is reported and written."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.campaign import Status
from parity.campaign.summary import Lines
from parity.cli.main import main
from parity.oracle.check import check_program, check_programs
from tests.helpers.campaigns import FEW_OVERWRITE, Inline, environment, run, start

#: The exit status of each signal and what is said of it.
SIGNALS = {
    "SIGINT": (130, "parity: interrupted"),
    "SIGTERM": (143, "parity: interrupted by SIGTERM"),
    "SIGHUP": (129, "parity: interrupted by SIGHUP"),
}
of_each_signal = pytest.mark.parametrize("name", SIGNALS)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))
    before = [signal.getsignal(getattr(signal, name)) for name in SIGNALS]
    yield
    assert [signal.getsignal(getattr(signal, name)) for name in SIGNALS] == before


def _send(name: str) -> None:
    os.kill(os.getpid(), getattr(signal, name))


def _at(number: int, call: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Call ``call`` before a program of the next run."""

    def calling(*arguments: Any, **options: Any) -> Iterator[Any]:
        for i, found in enumerate(check_programs(*arguments, **options)):
            if i == number:
                call()
            yield found

    monkeypatch.setattr("parity.campaign.search.check_programs", calling)


@of_each_signal
def test_check(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _at(100, lambda: _send(name), monkeypatch)
    status = main(
        [
            "check",
            "--engine",
            FEW_OVERWRITE,
            "--no-isolate",
            "--examples",
            "200",
            "--json",
            "r.json",
        ]
    )
    out, err = capsys.readouterr()
    assert (status, err.splitlines()[-1]) == SIGNALS[name]
    assert "verdict: interrupted: " in out
    assert json.loads(Path("r.json").read_text())["programs"] == 100


@of_each_signal
def test_a_second_signal_ends_at_once(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def twice() -> None:
        _send("SIGTERM")
        _send(name)

    _at(10, twice, monkeypatch)
    assert main(["check", "--engine", FEW_OVERWRITE, "--no-isolate", "--examples", "200"]) == 143
    assert capsys.readouterr().out == ""


class Sends(Lines):
    """Sends a signal when so many programs are recorded."""

    name = ""

    def update(self, status: Status) -> None:
        if status.programs >= 20 and self.name:
            _send(self.name)
            self.name = ""


@of_each_signal
def test_fuzz(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("parity.campaign.executors.Processes", lambda count: Inline())
    monkeypatch.setattr("parity.campaign.summary.display_for", Sends)
    monkeypatch.setattr(Sends, "name", name)
    fuzz = [
        "fuzz",
        "--engine",
        FEW_OVERWRITE,
        "--no-isolate",
        "--shard",
        "10",
        "--programs",
        "200",
        "--json",
        "r.json",
    ]
    status = main([*fuzz, "--summary", "s.md"])
    out, err = capsys.readouterr()
    assert (status, err.splitlines()[-1]) == SIGNALS[name]
    assert "interrupted: the same command continues from here" in out
    result = json.loads(Path("r.json").read_text())
    assert result["interrupted"]
    assert 20 <= result["programs"] < 200
    assert "interrupted" in Path("s.md").read_text()
    assert not Path("parity-corpus/lock.json").exists()


@pytest.fixture
def corpus(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus with a finding that is there twice."""
    run("c", 20, FEW_OVERWRITE, isolate=False)
    (file,) = Path("c/findings").iterdir()
    Path("c/findings/other.json").write_bytes(file.read_bytes())
    return Path("c")


def _at_second_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[None] = []

    def calling(*arguments: Any) -> Any:
        calls.append(None)
        if len(calls) == 2:
            _send(name)
        return check_program(*arguments)

    monkeypatch.setattr("parity.campaign.replay.check_program", calling)


@of_each_signal
def test_replay(
    name: str, corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _at_second_run(name, monkeypatch)
    status = main(["replay", "c", "--engine", "dezero", "--forget-fixed"])
    out, err = capsys.readouterr()
    assert (status, err.splitlines()[-1]) == SIGNALS[name]
    assert "verdict: interrupted: 1 fixed, 0 fail; 0 kept cases" in out
    assert len(list(Path("c/findings").iterdir())) == len(list(Path("c/fixed").iterdir())) == 1
    assert not Path("c/lock.json").exists()


def test_minimize(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _at_second_run("SIGTERM", monkeypatch)
    status = main(["minimize", "c", "--engine", FEW_OVERWRITE, "--no-isolate"])
    assert (status, capsys.readouterr().err.splitlines()[-1]) == SIGNALS["SIGTERM"]
    assert len(list(Path("c/findings").iterdir())) == 2
    assert not Path("c/lock.json").exists()


def test_survey(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _at(50, lambda: _send("SIGTERM"), monkeypatch)
    command = [
        "survey",
        FEW_OVERWRITE,
        "dezero",
        "--no-isolate",
        "--examples",
        "90",
        "--json",
        "r.json",
        "-o",
        "s.md",
    ]
    status = main(command)
    assert (status, capsys.readouterr().err.splitlines()[-1]) == SIGNALS["SIGTERM"]
    (engine,) = json.loads(Path("r.json").read_text())["engines"]
    assert engine["programs"] == 50
    assert engine["findings"]
    assert "**Interrupted: engines, seeds or programs are missing.**" in Path("s.md").read_text()


def test_score(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("parity.cli.progress.Progress.step", lambda self, what: _send("SIGTERM"))
    status = main(["score", "--defects", "overwrite", "--seeds", "3", "--json", "r.json"])
    out, err = capsys.readouterr()
    assert (status, err.splitlines()[-1]) == SIGNALS["SIGTERM"]
    assert "**Interrupted: 1 of 3 trials were measured.**" in out
    assert len(json.loads(Path("r.json").read_text())["defects"]) == 1


def test_bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("parity.bench.session.Session.start", lambda self: None)
    monkeypatch.setattr("parity.bench.session.Session.run", lambda self: _send("SIGTERM"))
    unfinished = {"complete": False, "times": []}
    monkeypatch.setattr("parity.bench.session.Session.end", lambda self: unfinished)
    status = main(["bench", "--quick", "--workloads", "chain", "--json", "r.json"])
    out, err = capsys.readouterr()
    assert (status, err.splitlines()[-1]) == SIGNALS["SIGTERM"]
    assert "interrupted: 0 of" in out
    assert json.loads(Path("r.json").read_text()) == unfinished


def test_a_signal_while_results_are_written_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.campaign.result.SearchResult.to_json", lambda self: _send("SIGHUP"))
    assert main(["check", "--engine", "dezero", "--examples", "5", "--json", "r.json"]) == 129
    assert Path("r.json").read_text() == "null\n"


def test_a_signal_that_is_ignored_from_the_start_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after ``nohup``."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        _at(10, lambda: _send("SIGHUP"), monkeypatch)
        assert main(["check", "--engine", "dezero", "--examples", "20"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


# Processes.

HANGS = """
import os, pathlib, sys, time
from parity.diagnose.defects.engine import TapeEngine

class Hangs(TapeEngine):
    name = "hangs"

    def backward(self, *arguments, **flags):
        if sys.argv[0].endswith("worker.py"):
            pathlib.Path("hangs").write_text(str(os.getpid()))
            time.sleep(1000)
        super().backward(*arguments, **flags)
"""


def _gone(pid: int) -> bool:
    """Wait until a process has ended."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        while "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
            time.sleep(0.02)
    return True


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize(
    ("command", "name"),
    [("check", "SIGKILL"), ("fuzz", "SIGKILL"), ("fuzz", "SIGTERM"), ("pytest", "SIGTERM")],
)
def test_no_worker_is_left(command: str, name: str) -> None:
    """Also where the engine hangs and the process that started the worker cannot end it."""
    Path("engine.py").write_text(HANGS)
    engine = ("--engine", "engine.py:Hangs", "--time-limit", "900")
    if command == "pytest":
        place = str(Path(__file__).resolve().parents[2] / "parity" / "suite")
        options = ("-p", "no:cacheprovider", "--parity-engine", "engine.py:Hangs", "-q", place)
        process: Any = subprocess.Popen(
            [sys.executable, "-m", "pytest", *options],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    else:
        fuzz = ("--workers", "1", "--no-isolate") if command == "fuzz" else ()
        process = start(command, *engine, *fuzz, cwd=Path.cwd())
    while not Path("hangs").exists() or not Path("hangs").read_text():
        assert process.poll() is None, process.communicate()
    process.send_signal(getattr(signal, name))
    if (command, name) == ("fuzz", "SIGTERM"):
        while "stopping" not in process.stderr.readline():
            assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGTERM)
    assert _gone(int(Path("hangs").read_text()))
    process.communicate()
