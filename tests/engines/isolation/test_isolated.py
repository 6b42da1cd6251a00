"""Engines in a process of their own: what ends it is a finding, and the run goes on."""

from __future__ import annotations

import io
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.campaign.result import SearchResult
from parity.campaign.search import search
from parity.cli.main import main
from parity.diagnose.reproducer import script
from parity.diagnose.shrink import reduced
from parity.engines.base import abilities
from parity.engines.execute import execute
from parity.engines.isolation import codec
from parity.engines.isolation.isolated import IsolatedRunner
from parity.engines.isolation.process import Forked, Source, Spawned
from parity.engines.isolation.worker import limits_memory
from parity.engines.limits import Limits
from parity.engines.open import open_engines
from parity.engines.sources import adapter_of
from parity.engines.trace import Failure, RemoteFailure, Trace
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import stream
from parity.language import program as pr
from parity.oracle.compare import compare
from parity.oracle.probes import PROBES
from parity.oracle.training import TrainingRun
from tests.helpers.isolated_engines import Overwrite, Raises
from tests.helpers.programs import (
    DEZERO,
    TORCH,
    apply,
    check,
    constant,
    leaf,
    program,
    sample,
    searched,
)
from tests.helpers.programs import write_module as write

pytestmark = pytest.mark.slow

ENGINES = Path(__file__).parents[2] / "helpers" / "isolated_engines.py"
LIMITS = Limits(seconds=1.0, megabytes=100)
OPS = ("neg", "add", "mul", "sum")
#: What each engine's only finding is, and how it ended.
ENDS = {
    "Aborts": ("crash", "the process was ended by SIGABRT"),
    "Exits": ("crash", "SystemExit: 3 (isolated_engines.py:57)"),
    "ExitsAtOnce": ("crash", "the process exited with status 0"),
    "Closes": ("crash", None),
    "Loops": ("time", "no end after 1 s"),
    "Grows": ("memory", "MemoryError"),
}
NEG = "x0 = leaf(3.0)\nx1 = neg(x0)"


Start = Callable[..., IsolatedRunner]


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    """Where the processes of all tests come from: it imports what is slow once."""
    source = Forked()
    yield source
    source.close()


@pytest.fixture
def isolated(source: Source) -> Iterator[Start]:
    """Starts an engine of ``ENGINES``; one at a time."""
    running: list[IsolatedRunner] = []

    def start(name: str, limits: Limits = LIMITS) -> IsolatedRunner:
        spec = name if name == "dezero" else f"{ENGINES}:{name}"
        running.append(IsolatedRunner(spec, limits, source))
        return running[-1]

    yield start
    for engine in running:
        engine.close()


def _search(engine: Any, examples: int = 60, folder: Path | None = None) -> SearchResult:
    return search(engine, TORCH, examples, 0, OPS, folder)


def _same(a: Trace, b: Trace) -> None:
    assert len(a.observations) == len(b.observations)
    for x, y in zip(a.observations, b.observations, strict=True):
        assert x[:3] == y[:3]
        assert (x.array is None) == (y.array is None)
        if x.array is not None and y.array is not None:
            assert (x.array.dtype, x.array.shape) == (y.array.dtype, y.array.shape)
            assert x.array.tobytes() == y.array.tobytes()
    failures = [
        (t.failure.statement, t.failure.kind, t.failure.text()) for t in (a, b) if t.failure
    ]
    assert len(failures) in (0, 2)
    assert failures[:1] == failures[1:]


# The wire.


@pytest.mark.parametrize("profile", PROFILES)
def test_programs_come_back_equal(profile: str) -> None:

    for case in sample(profile, 30):
        text = json.dumps(codec.program_head(case))
        assert codec.read_program(json.loads(text)) == case


def test_numbers_that_json_lacks_and_gradients_come_back() -> None:

    case = program(
        [leaf([float("inf"), -0.0, 1e-310], "float32")],
        apply("neg", 0),
        pr.Backward(1, constant([float("nan"), 1.0, -float("inf")], "float32"), True),
    )
    again = codec.read_program(json.loads(json.dumps(codec.program_head(case))))
    assert repr(again) == repr(case)


MARK = bytes(range(16))


@pytest.mark.parametrize("kind", ["crash", "depth", "exception"])
def test_a_trace_comes_back_with_its_failure(kind: str) -> None:
    trace = execute(sample("general", 1)[0], DEZERO)
    trace.failure = Failure(2, RemoteFailure(kind, "words"))
    head, data = codec.trace_message(trace)
    stream = io.BytesIO(codec.frame(MARK, 3, (head, 0.5), data))
    message = codec.read(stream, MARK, 3)
    assert message is not None
    again, took = codec.read_trace(message)
    assert took == 0.5
    _same(again, trace)


def test_a_message_that_is_cut_off_is_none() -> None:
    data = codec.frame(MARK, 0, ["head"], b"data")
    for size in range(len(data)):
        assert codec.read(io.BytesIO(data[:size]), MARK, 0) is None


# An engine that comes back.


@pytest.fixture
def overwrite(isolated: Start) -> IsolatedRunner:
    return isolated("Overwrite")


def test_an_isolated_engine_says_of_itself_what_its_class_says(overwrite: IsolatedRunner) -> None:
    here = Overwrite()
    for name in ("name", "version", "dtypes", "max_ndim", "bitwise", "quirks"):
        assert getattr(overwrite, name) == getattr(here, name)
    assert list(overwrite.ops) == list(here.ops)
    assert overwrite.abilities == abilities(here)


def test_the_engine_is_not_imported_here(isolated: Start) -> None:
    engine = isolated("Writes")
    module = adapter_of(engine).module
    assert module.startswith("parity_engine_")
    assert module not in sys.modules


def test_traces_are_the_same_as_without_isolation(overwrite: IsolatedRunner) -> None:
    here = Overwrite()
    for case in itertools.islice(searched(here, 3), 150):
        _same(overwrite.run(case), execute(case, here))


def test_programs_that_ran_ahead_give_their_own_traces(overwrite: IsolatedRunner) -> None:
    cases = list(itertools.islice(searched(Overwrite(), 4), 100))
    seen = []
    for number, ((case, trace),) in enumerate(overwrite.run_many(cases)):
        seen.append(case)
        if number % 7 == 3:  # others come between
            _same(overwrite.run(cases[0]), execute(cases[0], Overwrite()))
        assert trace is not None
        _same(trace, execute(case, Overwrite()))
    assert seen == cases


def test_the_same_seed_gives_the_same_findings(overwrite: IsolatedRunner) -> None:
    here, there = (search(e, TORCH, 120, 2).to_json() for e in (Overwrite(), overwrite))
    assert here["findings"]
    here.pop("seconds")
    there.pop("seconds")
    assert here == there


def test_an_exception_is_told_in_the_same_words(isolated: Start) -> None:
    engine = isolated("Raises")
    case = program([leaf(3.0)], apply("neg", 0))
    _same(engine.run(case), execute(case, Raises()))


def test_what_an_engine_writes_goes_nowhere(
    isolated: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    engine = isolated("Writes")
    result = _search(engine)
    assert not result.findings
    assert capfd.readouterr() == ("", "")


def test_training_runs_are_the_same(isolated: Start) -> None:
    engine = isolated("dezero")
    run = TrainingRun((2, 3), "tanh", "adam", 0.1, ("none", "zero"), 5)
    there = engine.call("parity.oracle.training:trace_of", asdict(run))
    for a, b in zip(there, run.trace(DEZERO), strict=True):
        assert np.array_equal(a, b)


# Engines that do not.


@pytest.mark.parametrize("name", ENDS)
def test_what_ends_the_process_is_a_finding_and_the_run_goes_on(
    isolated: Start, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, says = ENDS[name]
    cases: list[pr.Program] = []

    def noted(*arguments: Any) -> Iterator[pr.Program]:
        for case in stream(*arguments):
            cases.append(case)
            yield case

    monkeypatch.setattr("parity.campaign.search.stream", noted)
    engine = isolated(name)
    result = _search(engine)
    assert result.programs == 60
    (reported,) = result.findings
    assert reported.program is not None
    if name == "Closes":  # it may still come to the next statement
        assert str(reported.program).startswith(NEG)
    else:
        assert (str(reported.program), reported.finding.statement) == (NEG, 0)
    assert reported.finding.kind == kind
    assert reported.wrong == "engine"
    assert says is None or reported.finding.engine == says
    assert reported.cause is not None
    assert reported.cause.name == "neg"
    with_neg = sum(
        any(isinstance(s, pr.Apply) and s.op == "neg" for s in case.statements) for case in cases
    )
    assert 1 < result.failing == with_neg < 60


def test_the_number_of_the_statement_is_that_which_ended_the_process(isolated: Start) -> None:
    engine = isolated("Aborts")
    case = program([leaf(3.0)], apply("mul", 0, 0), pr.Backward(1), apply("neg", 0))
    finding = check(case, engine)
    assert finding is not None
    assert (finding.kind, finding.statement) == ("crash", 2)


def test_a_crash_is_a_finding_where_the_reference_raises_as_well(isolated: Start) -> None:
    engine = isolated("Aborts")
    crashed = engine.run(program([leaf(3.0)], apply("neg", 0)))
    raised = Trace([], Failure(0, ValueError("no")))

    finding = compare(program([leaf(3.0)], apply("neg", 0)), crashed, raised)
    assert finding is not None
    assert finding.kind == "crash"


def test_an_engine_that_ends_its_parent_is_a_finding_and_another_is_started() -> None:
    engine = IsolatedRunner(f"{ENGINES}:Kills", LIMITS)
    finding = check(program([leaf(3.0)], apply("neg", 0)), engine)
    assert finding is not None
    assert (finding.kind, finding.engine) == ("crash", "it closed the pipe of parity")
    assert check(program([leaf(3.0)], apply("mul", 0, 0)), engine) is None
    engine.close()


def test_what_did_not_end_in_a_hurry_gets_the_whole_time(isolated: Start) -> None:
    engine = isolated("Loops")
    case = program([leaf(3.0)], apply("add", 0, 0), apply("neg", 1), pr.Backward(2))
    for _ in range(2):  # the second time the engine is known to hang
        finding = check(case, engine)
        assert finding is not None
    assert finding.engine == "no end after 0.25 s"
    small, again = reduced(case, finding, engine, TORCH)
    assert (str(small), again.engine) == (NEG, "no end after 1 s")


def test_a_probe_that_ends_the_process_is_a_finding(isolated: Start) -> None:
    engine = isolated("ExitsInProbe")
    deep = next(p for p in PROBES if p.name == "deep-chain")
    found = deep.first(engine)
    assert found is not None
    assert (found.kind, found.engine) == ("crash", "the process exited with status 4")
    assert check(program([leaf(3.0)], apply("neg", 0)), engine) is None


@pytest.mark.parametrize("name", ["AbortsInBackward", "LoopsInBackward"])
def test_a_backward_that_never_comes_back_is_a_finding(isolated: Start, name: str) -> None:
    engine = isolated(name)
    assert "buffer" not in Decoder.of(PROFILES["aliasing"], engine).abilities
    finding = check(program([leaf(3.0)], apply("neg", 0), pr.Backward(1)), engine)
    assert finding is not None
    assert finding.statement == 1
    assert finding.kind == ("crash" if name.startswith("Aborts") else "time")


def test_without_fork_it_is_the_same() -> None:
    engine = IsolatedRunner(f"{ENGINES}:Aborts", LIMITS, Spawned())
    case = program([leaf(3.0)], apply("neg", 0))
    assert [check(case, engine).kind for _ in range(2)] == ["crash"] * 2  # type: ignore[union-attr]
    assert check(program([leaf(3.0)], apply("mul", 0, 0)), engine) is None
    engine.close()


@pytest.mark.parametrize("name", ["Aborts", "Loops", "Grows"])
def test_the_script_of_such_a_finding_shows_it(isolated: Start, name: str, tmp_path: Path) -> None:
    engine = isolated(name, Limits(0.5, 300))
    case = program([leaf(3.0)], apply("neg", 0), pr.Backward(1))
    finding = check(case, engine)
    assert finding is not None
    text = script(case, finding, engine, "finding.py")
    for said, status in ((text, 1), (text.replace("a: (act(), own(a))[1]", "a: own(a)"), 0)):
        if finding.kind == "time":  # the engine that hangs is not waited for as long here
            said = said.replace("SECONDS, MEGABYTES = 20.5", "SECONDS, MEGABYTES = 12")
        write(tmp_path, "finding.py", said)
        done = subprocess.run(
            [sys.executable, "finding.py"], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == status, done.stdout + done.stderr
    assert "they agree" in done.stdout


# Which engines are isolated, and the command line.


def test_engines_are_isolated_unless_they_are_built_in() -> None:
    module = "parity.diagnose.defects.traversal:Overwrite"
    for engine, isolate, expected in (
        (f"{ENGINES}:Overwrite", None, True),
        (module, None, True),
        (module, False, False),
        ("dezero", None, False),
    ):
        tested, _ = open_engines(engine, "torch", isolate)
        assert tested.isolated is expected
        tested.close()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os\nos.abort()", "os.abort() was called"),
        ("import os\nos._exit(0)", "os._exit(0) was called"),
        ("import os, signal\nsignal.raise_signal(signal.SIGKILL)", "the process was killed"),
        ("def", "SyntaxError"),
        ("", "has no class 'Mine'"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_one_line_and_status_two(
    text: str, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, "mine.py", text)
    assert main(["check", "--engine", f"{file}:Mine"]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert words in err


@pytest.mark.parametrize(
    "arguments", [["--time-limit", "0"], ["--time-limit", "x"], ["--memory-limit", "0"]]
)
def test_limits_are_positive(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--engine", "dezero", *arguments]) == 2
    assert arguments[0] in capsys.readouterr().err


def test_the_command_reports_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--examples", "40", "--ops", ",".join(OPS), "--json", "result.json"]
    limits = ["--time-limit", "0.5", "--memory-limit", "300"]
    assert main(["check", "--engine", f"{ENGINES}:Aborts", *arguments, *limits]) == 1
    out, err = capfd.readouterr()
    assert "crash: `neg` ends the process" in out
    assert re.search(r"\n  no exception +the process was ended by SIGABRT\n", out)
    assert len(err.splitlines()) == 1  # the first fault
    result = json.loads(Path("result.json").read_text())
    assert (result["programs"], result["findings"][0]["kind"]) == (40, "crash")
    assert Path(result["findings"][0]["script"]).is_file()


def test_memory_that_cannot_be_limited_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("parity.engines.isolation.worker.limits_memory", lambda: False)
    arguments = ["--examples", "5", "--ops", "add", "--engine", f"{ENGINES}:Writes"]
    assert main(["check", *arguments]) == 0
    assert capfd.readouterr().err == "parity: memory is not limited on this system\n"
    assert limits_memory() is Path("/proc/self/statm").exists()
