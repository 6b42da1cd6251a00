"""The commands on campaigns: statuses, files, lines, and what they say of bad input."""

from __future__ import annotations

import argparse
import io
import json
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.hypothesis_search import run_property
from parity.campaign.monitor import Status
from parity.campaign.summary import Lines, Live, display_for
from parity.cli.main import main
from parity.cli.options import duration
from parity.engines.open import open_engines
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.oracle.finding import KINDS, Finding
from parity.oracle.verdict import ENGINE, Verdict
from tests.helpers.campaigns import OVERWRITE, TWICE, Inline, run, start

pytestmark = pytest.mark.slow

FUZZ = ("fuzz", "--engine", OVERWRITE, "--shard", "10")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder of its own; shards run in this process, without the probes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))
    monkeypatch.setattr("parity.campaign.executors.Processes", lambda count: Inline())
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_findings_end_with_status_1_and_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    status = main([*FUZZ, "--programs", "40", "--json", "r.json", "--summary", "s.md"])
    assert status == 1
    out, err = capsys.readouterr()
    assert "verdict: findings: 1 finding of 1 cause; " in out
    assert f"parity: found: gradient: {'; '.join(TWICE.splitlines())}" in err
    result = json.loads(Path("r.json").read_text())
    (finding,) = result["findings"]
    assert (result["verdict"], result["programs"], finding["text"]) == ("findings", 40, TWICE)
    assert "`gradient`" in Path("s.md").read_text()
    assert Path("parity-corpus", "findings", f"{finding['name']}.json").is_file()
    assert not Path("parity-corpus/lock.json").exists()


def test_parity_ends_with_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "--engine", "dezero", "--programs", "20", "--seed", "7"]) == 0
    assert "seed 7" in capsys.readouterr().out
    assert main(["fuzz", "--engine", "dezero", "--programs", "40"]) == 0
    assert "40 programs, 20 of them in earlier runs, seed 7" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--time", "5x"), "'5x' is no time above 0 like 30s, 10m or 2h"),
        (("--time", "0"), "'0' is no time above 0"),
        (("--programs", "x"), "'x' is not a number, 1 or more"),
        (("--programs", "1", "--time", "1s"), "not allowed with argument"),
        (("--workers", "0"), "'0' is not a number, 1 or more"),
        (("--json", "no/r.json"), "--json no/r.json: there is no folder no"),
        (("--summary", "."), "--summary . is a folder"),
        (("--database", "http://x"), "database 'http://x' is no address like redis://"),
        (("--scheduler", "tcp://x", "--workers", "2"), "--workers is for this machine"),
        (("--database", "redis://[::1"), "database redis://[::1 cannot be used"),
        (("--scheduler", "nowhere"), "--scheduler 'nowhere' is no address like tcp://"),
        (("--corpus", "file"), "corpus file cannot be written"),
        (("--corpus", ""), "corpus '' has no name"),
        (("--corpus", "://a"), "corpus '://a' has no name"),
    ],
)
def test_bad_input_is_one_line(
    arguments: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("")
    assert main([*FUZZ, *arguments]) == 2
    err = capsys.readouterr().err
    assert line in err
    assert len(err.splitlines()) == 1
    assert not Path("parity-corpus").exists()


def test_no_program_is_no_parity(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*FUZZ, "--time", "0.000001s"]) == 2
    assert "no program was run, so nothing is known: give --time more" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("1.5m", 90), ("12", 12)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-1s", "1 m", "10M", "nan", "1e3", "0s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time above 0"):
        duration(text)


STATUS = Status(1200, 400.0, Counter(gradient=2), 100, 400, 2, 2, 3.0, 60.0, False)


def test_without_a_terminal_there_are_lines() -> None:
    stream = io.StringIO()
    display = display_for(stream)
    assert isinstance(display, Lines)
    Lines(stream, every=0).update(STATUS)
    assert stream.getvalue() == (
        "parity: programs: 1,200 (400 per second); findings: gradient 2; "
        "coverage: 100 of 400 features (25%); workers: 2, 2 shards running; "
        "time: 0:00:03; left: 0:01:00\n"
    )
    display.update(STATUS)
    assert len(stream.getvalue().splitlines()) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_a_live_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    display = display_for(stream)
    assert isinstance(display, Live)
    display.start()
    display.update(STATUS)
    display.found({"kind": "gradient", "text": TWICE})
    display.note("a [note]")
    display.end()
    shown = stream.getvalue()
    for part in ("1,200", "gradient 2", "found: gradient: x0", "a [note]"):
        assert part in shown


def test_a_terminal_without_rich_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert isinstance(display_for(Terminal()), Lines)


def test_ctrl_c_ends_a_process_with_the_summary() -> None:
    process = start(*FUZZ, "--workers", "1", cwd=Path.cwd())
    while not Path("parity-corpus/shards/0.json").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130, err
    assert "interrupted: the same command continues from here" in out
    assert "Traceback" not in err


def _first(profile: str, monkeypatch: pytest.MonkeyPatch, **database: Any) -> Any:
    """The first program that the test of a profile runs, and what it finds."""
    engine, reference = open_engines(OVERWRITE, check=False)
    seen = []

    def noted(programs: Any, *pair: Any) -> Any:
        for program in programs:
            seen.append(program)
            yield (
                program,
                None if len(seen) > 1 else Finding(KINDS["gradient"], 0, "", 0, None, None),
            )

    with monkeypatch.context() as patch:
        patch.setattr("parity.campaign.hypothesis_search.check_programs", noted)
        patch.setattr(
            "parity.campaign.hypothesis_search.Repetition.judged",
            lambda self, program, finding: finding,
        )
        patch.setattr(
            "parity.campaign.hypothesis_search.adjudicate", lambda *finding: Verdict(ENGINE)
        )
        patch.setattr(
            "parity.campaign.hypothesis_search.Triage.reduced", lambda _, *finding: finding
        )
        patch.setattr("parity.campaign.hypothesis_search.judge_finding", lambda *finding: None)
        run_property(Decoder.of(PROFILES[profile], engine), engine, reference, 8, 5, **database)
    return seen[0]


def test_hypothesis_replays_what_was_found_first(monkeypatch: pytest.MonkeyPatch) -> None:
    ((_, finding),) = run("c", 10).findings
    case = finding["case"]
    engine, _ = open_engines(OVERWRITE, check=False)
    decoder = Decoder.of(PROFILES[case["profile"]], engine)
    program = decoder.decode(bytes.fromhex(case["data"]))
    assert _first(case["profile"], monkeypatch) == program
    shutil.rmtree(".hypothesis")
    assert _first(case["profile"], monkeypatch) != program


def test_examples_are_shared_through_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    import fakeredis
    import redis

    server = fakeredis.FakeServer()
    monkeypatch.setattr(redis.Redis, "from_url", lambda url: fakeredis.FakeRedis(server=server))
    url = "redis://localhost:6379"
    ((_, finding),) = run("c", 10, database=url).findings
    assert not Path(".hypothesis").exists()
    case = finding["case"]
    engine, _ = open_engines(OVERWRITE, check=False)
    decoder = Decoder.of(PROFILES[case["profile"]], engine)
    program = decoder.decode(bytes.fromhex(case["data"]))
    assert _first(case["profile"], monkeypatch, database=url) == program
    server.connected = False
    assert main([*FUZZ, "--database", url]) == 2


def test_without_redis_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    assert main([*FUZZ, "--database", "redis://localhost"]) == 2
    assert "needs redis, not installed here: pip install 'dezero-parity[distributed]'" in (
        capsys.readouterr().err
    )
