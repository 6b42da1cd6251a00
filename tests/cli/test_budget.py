"""When a check ends, on how many processes it runs, and how its report is ordered."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity._util.style import COLOURED
from parity.campaign import jobs as jobs_module
from parity.campaign.jobs import Jobs, Setting
from parity.campaign.report import by_harm
from parity.campaign.result import Report, SearchResult
from parity.campaign.search import search
from parity.cli.main import main
from parity.diagnose.causes import Category, Cause
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.traversal import Overwrite
from parity.engines.isolation.process import End
from parity.engines.limits import Limits
from parity.engines.runner import as_runner
from parity.generate.schedule import decoders_of, stream
from parity.language.text_format import program_from_text
from parity.oracle.check import check_programs
from parity.oracle.finding import Finding, Kind
from parity.oracle.stability import Stability
from tests.helpers.output import without_version
from tests.helpers.programs import TORCH

OVERWRITE = "parity.diagnose.defects.traversal:Overwrite"
OPS = ("add", "mul", "neg", "maximum")


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)


class Several(Overwrite):
    """A wrong gradient, an operation that raises, and a wrong value."""

    name = "several"

    def __init__(self) -> None:
        super().__init__()

        def raises(*_: Any) -> None:
            raise ValueError("no")

        self.ops = {**self.ops, "neg": raises, "mul": self.ops["add"]}  # type: ignore[misc]


# When it ends.


def test_the_first_fault_ends_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--engine", OVERWRITE, "--no-isolate", "--ops", ",".join(OPS), "--json", "a.json"]
    assert main(["check", *arguments, "-x", "--examples", "500"]) == 1
    out, _ = capsys.readouterr()
    result = json.loads(Path("a.json").read_text())
    assert out.startswith("1 fault: 1 wrong gradient\n")
    assert len(result["findings"]) == 1
    assert result["findings"][0]["text"] == "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)"
    assert result["programs"] < 100
    assert out.splitlines()[-1].startswith("verdict: findings: 1 finding; 1 of ")


@pytest.mark.slow
def test_the_first_fault_is_one_of_several() -> None:
    every = search(Several(), TORCH, 60, ops=OPS)
    first = search(Several(), TORCH, 60, ops=OPS, first=True)
    assert len(every.findings) > 1 == len(first.findings)
    assert first.programs < every.programs


def test_no_program_starts_after_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = itertools.count()
    monkeypatch.setattr("parity.campaign.search.time.perf_counter", lambda: float(next(seconds)))
    result = search(TapeEngine(), TORCH, None, ops=OPS, seconds=10.0)
    assert 0 < result.programs <= 10
    assert (result.ok, result.interrupted) == (True, False)


@pytest.mark.parametrize(
    "arguments",
    [["--time", "3x"], ["--time", "0"], ["--time", "5", "--examples", "3"], ["--jobs", "0"]],
)
def test_a_bad_budget_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--engine", "dezero", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert arguments[0] in err


# On how many processes it runs.


class Here:
    """A pool that calls functions in this process; ``ends``: jobs whose worker ends."""

    def __init__(self, count: int, ends: tuple[int, ...] = ()) -> None:
        self.done: list[tuple[Any, Any]] = []
        self.ends = ends

    def start(self) -> None: ...
    def close(self) -> None: ...

    def submit(self, key: int, function: str, *data: Any) -> None:
        plain = json.loads(json.dumps(data))
        answer = End("crash", "") if key in self.ends else jobs_module.check_chunk(*plain)
        self.done.insert(0, (key, answer))  # the last ones first

    def results(self, seconds: float) -> list[tuple[Any, Any]]:
        done, self.done = self.done, []
        return done


@pytest.mark.parametrize("ends", [(), (1,)])
def test_programs_and_findings_are_the_same_for_any_number_of_processes(
    ends: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "WorkerPool", lambda count: Here(count, ends))
    sides = as_runner(Overwrite()), TORCH
    programs = list(itertools.islice(stream(decoders_of(sides[0], OPS), 3), 300))
    alone, together = Stability(), Stability()
    expected = list(check_programs(programs, *sides, stability=alone))
    jobs_module._checker.cache_clear()
    jobs = Jobs(3, Setting(OVERWRITE, "torch", False, Limits(), 3, OPS))
    found = list(jobs.checked(sides, 300, Counter(), together))
    assert [(p, f and f.kind) for p, f in found] == [(p, f and f.kind) for p, f in expected]
    assert together.to_json() == alone.to_json()
    assert any(f for _, f in found)


@pytest.mark.slow
def test_processes_check_programs() -> None:
    setting = Setting(OVERWRITE, "torch", False, Limits(), 0, OPS)
    several = search(Overwrite(), TORCH, 150, ops=OPS, jobs=Jobs(1, setting))
    alone = search(Overwrite(), TORCH, 150, ops=OPS)
    assert {**several.to_json(), "seconds": 0} == {**alone.to_json(), "seconds": 0}


# The order and the words of the report.


def _report(category: Category, kind: Kind, quirk: str = "") -> Report:
    finding = Finding(kind, 0, "grad", 0, np.array(1.0), np.array([2.0, 3.0]))
    cause = Cause(category, str(kind), f"says {kind}", finding=finding, quirk=quirk)
    program = program_from_text("x0 = leaf(3.0)\nx1 = neg(x0)")
    return Report(finding, program, 0, cause=cause)


def _result(*findings: Report) -> SearchResult:
    return SearchResult(as_runner(TapeEngine()), TORCH, 0, findings=list(findings))


def test_the_report_has_the_worst_first_and_conventions_last() -> None:
    findings = [
        _report(Category.CONVENTION, Kind.GRADIENT, "keeps-graphs"),
        _report(Category.RESOURCES, Kind.LEAK),
        _report(Category.RESOURCES, Kind.DEPTH),
        _report(Category.CRASH, Kind.EXCEPTION),
        _report(Category.CRASH, Kind.CRASH),
        _report(Category.GRADIENT, Kind.MISSING_GRADIENT),
        _report(Category.GRADIENT, Kind.GRADIENT),
    ]
    result = _result(*sorted(findings, key=by_harm))
    first, *lines = result.text().splitlines()
    assert first == (
        "6 faults: 2 wrong gradients, 1 crash, 1 exception, 1 failure on deep graphs, 1 leak; "
        "1 difference by convention"
    )
    kinds = [line.partition(": says ")[0] for line in lines if ": says " in line]
    assert kinds[2:] == ["crash", "exception", "depth", "leak", "gradient"]
    heading = lines.index("Differences by convention, no faults if they are meant:")
    assert lines[heading + 2] == "gradient: says gradient"
    assert any('quirks = {"keeps-graphs"}' in line for line in lines[heading:])
    assert not any("quirks = " in line for line in lines[:heading])


def test_both_results_are_side_by_side_where_there_is_room() -> None:
    report = _report(Category.GRADIENT, Kind.GRADIENT)
    lines = without_version(report.text(as_runner(TapeEngine()), TORCH)).splitlines()
    assert lines[3:5] == ["  expected (torch)  actual (small 1)", "  [2. 3.]  1.0"]
    report.finding = replace(report.finding, engine="ValueError: " + "no" * 50)
    lines = without_version(report.text(as_runner(TapeEngine()), TORCH)).splitlines()
    assert lines[3:5] == [
        "  expected (torch): [2. 3.]",
        "  actual (small 1): ValueError: " + "no" * 50,
    ]


def test_colours_are_for_terminals_only() -> None:
    result = _result(_report(Category.GRADIENT, Kind.GRADIENT))
    assert "\x1b" not in result.text()
    assert result.text(COLOURED).startswith("\x1b[1;31m1 fault: 1 wrong gradient\x1b[0m\n")


def test_what_was_not_tested_is_a_count() -> None:
    result = _result()
    line = "not tested, since the engine lacks it: 1 operation or ability (--verbose lists them)"
    result.untested = ("exp",)
    assert line in result.text().splitlines()
    assert "not tested, since the engine lacks it: 1 operation or ability: exp" in result.text(
        verbose=True
    )
