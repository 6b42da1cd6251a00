"""Engines that are not deterministic, and those that keep state: what is said of each."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.baseline import Baseline, BaselineEntry
from parity.campaign.flaky import KEPT, RUNS, FlakyPrograms, Repetition, reduced_flaky
from parity.campaign.hypothesis_search import run_property
from parity.campaign.records import checked_finding
from parity.campaign.replay import minimized, occurs
from parity.campaign.result import finding_json
from parity.campaign.search import STATE, search
from parity.campaign.summary import markdown, text
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.defects.flaky import EveryFiftiethBackward, OneBackwardInAHundred
from parity.diagnose.defects.traversal import Overwrite
from parity.diagnose.reproducer import script
from parity.diagnose.triage import Triage
from parity.engines.base import Engine
from parity.engines.isolation.isolated import IsolatedRunner
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program, check_programs
from parity.oracle.finding import Finding, Kind
from parity.oracle.stability import SAMPLED, Stability
from tests.helpers.campaigns import run
from tests.helpers.programs import DEZERO, TORCH, sample

PROGRAM = program_from_text("x0 = leaf(3.0)\nx1 = neg(x0)\nbackward(x1)")
FIRST = program_from_text("x0 = leaf(3.0)\nbackward(x0)\nzero_grad(x0)")
FIFTIETH = "parity.diagnose.defects.flaky:EveryFiftiethBackward"


@pytest.fixture(autouse=True)
def short_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.oracle.probes.DEEP", 1000)
    monkeypatch.setattr("parity.oracle.probes.WIDE", 100)


class Scripted(TapeEngine):
    """Wrong in those backwards, by number from 0, for which ``wrong`` is true."""

    def __init__(self, wrong: Callable[[int], bool] = lambda number: False) -> None:
        super().__init__()
        self.wrong, self.backwards = wrong, 0

    def finish(self, grads: Any) -> None:
        number, self.backwards = self.backwards, self.backwards + 1
        if self.wrong(number):
            grads = {t: g + 1 for t, g in grads.items()}
        super().finish(grads)


class Poisoned(TapeEngine):
    """Wrong in the first backward of the program after one that zeroed a gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.zeroed = self.poisoned = False
        self._owns_buffer = True  # else the harness runs a backward after the first zero

    def zero_grad(self, t: Any) -> None:
        super().zero_grad(t)
        self.zeroed = True

    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        self.poisoned, self.zeroed = self.poisoned or self.zeroed, False
        return super().leaf(array, requires_grad)

    def finish(self, grads: Any) -> None:
        if self.poisoned:
            self.poisoned = False
            grads = {t: g + 1 for t, g in grads.items()}
        super().finish(grads)


def _judged(engine: Engine) -> Finding:
    finding = check_program(PROGRAM, engine, TORCH)
    assert finding is not None
    return Repetition(engine, TORCH).judged(PROGRAM, finding)


def test_what_comes_each_time_is_an_ordinary_finding() -> None:
    judged = _judged(Scripted(lambda number: True))
    assert (judged.kind, judged.repeats) == (Kind.GRADIENT, None)


def test_an_engine_that_wears_out_is_not_flaky() -> None:
    finding = check_program(PROGRAM, Scripted(lambda number: True), TORCH)
    assert finding is not None
    repetition = Repetition(Scripted(lambda number: number > 4), TORCH)
    assert repetition.judged(PROGRAM, finding) is finding
    repetition = Repetition(Scripted(lambda number: number > 4), TORCH)
    assert repetition.settled((PROGRAM, finding), (FIRST, finding)) is finding


def test_what_comes_in_some_runs_is_flaky() -> None:
    judged = _judged(Scripted(lambda number: number % 7 == 0))
    assert judged.kind is Kind.FLAKY
    assert judged.observed is Kind.GRADIENT
    assert str(judged) == "flaky: differs in 2 of 20 runs: a gradient differs"
    assert (judged.engine, judged.reference) == (0.0, -1.0)


def test_what_does_not_come_again_is_flaky() -> None:
    judged = _judged(Scripted(lambda number: number == 0))
    assert judged.says.startswith("differs in 1 of 221 runs")


def test_a_rare_fault_is_not_taken_for_state() -> None:
    """It agrees 20 times, and differs again later."""
    judged = _judged(Scripted(lambda number: number % 50 == 0))
    assert judged.says.startswith("differs in 4 of 220 runs")


def test_what_comes_after_another_program_each_time_is_state() -> None:
    engine = Poisoned()
    repetition = Repetition(engine, TORCH)
    assert check_program(FIRST, engine, TORCH) is None
    repetition.ran(FIRST, None)
    finding = check_program(PROGRAM, engine, TORCH)
    assert finding is not None
    judged = repetition.judged(PROGRAM, finding)
    assert (judged.kind, judged.what) == (Kind.LEAK, KEPT)
    assert repetition.disturbed == 1


def test_a_search_reports_state_and_nothing_else() -> None:
    result = search(Poisoned(), TORCH, 60, 0)
    assert [(r.finding.kind, r.probe) for r in result.findings] == [(Kind.LEAK, STATE)]


def test_a_program_that_ends_the_process_does_not_run_again() -> None:
    engine = Scripted()
    crash = Finding(Kind.CRASH, 0, "exception", 0, "it crashed", "no exception")
    assert Repetition(engine, TORCH).judged(PROGRAM, crash) is crash
    assert engine.backwards == 0


def test_later_flaky_programs_of_a_kind_run_again_until_they_agree() -> None:
    engine = Scripted(lambda number: number % 2 == 0)
    repetition = Repetition(engine, TORCH, (1, 0))
    finding = check_program(PROGRAM, engine, TORCH)
    assert finding is not None
    assert repetition.judged(PROGRAM, finding).kind is Kind.FLAKY
    before = engine.backwards
    assert repetition.judged(PROGRAM, finding).kind is Kind.FLAKY
    assert engine.backwards - before <= 2
    assert before > RUNS


def test_a_reduced_program_that_differs_in_some_runs_is_flaky() -> None:
    engine = Scripted(lambda number: number % 3 == 0)
    finding = check_program(PROGRAM, engine, TORCH)
    assert finding is not None
    settled = Repetition(engine, TORCH).settled((PROGRAM, finding), (FIRST, finding))
    assert settled.kind is Kind.FLAKY
    steady = Finding(Kind.GRADIENT, 0, "grad", 0, 1.0, 2.0)
    assert Repetition(TapeEngine(), TORCH).settled((PROGRAM, finding), (FIRST, steady)) is steady


def test_a_flaky_program_is_reduced() -> None:
    engine = Scripted(lambda number: number % 4 == 0)
    judged = _judged(engine)
    small, finding = reduced_flaky(PROGRAM, judged, engine, TORCH)
    assert str(small) == "x0 = leaf(3.0)\nbackward(x0)"
    assert finding.kind is Kind.FLAKY


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cls", [EveryFiftiethBackward, OneBackwardInAHundred])
def test_a_search_finds_it(cls: type[Engine], seed: int) -> None:
    result = search(cls(), TORCH, 500, seed)
    assert {r.finding.kind for r in result.findings} == {Kind.FLAKY}
    assert (result.verdict, result.ill_conditioned, result.disturbed) == ("findings", 0, 0)
    programs = sum(r.programs for r in result.findings if r.number >= 0)  # the others are of probes
    assert programs == result.failing > 2
    data = json.loads(json.dumps(result.to_json()))
    for one in data["findings"]:
        assert one["wrong"] == "engine" or one["program_number"] < 0
        assert one["repeats"]["differ"] < one["repeats"]["runs"]
        assert one["repeats"]["says"] in str(result)
    assert str(result.stability) in str(result)


def test_a_program_whose_arithmetic_is_exact_is_never_ill_conditioned() -> None:
    """Random faults, each of which the engine does not show again when it is asked."""
    generator = random.Random(1)
    result = search(Scripted(lambda number: generator.random() < 0.2), TORCH, 200, 0)
    assert result.ill_conditioned == 0
    assert Kind.FLAKY in {r.finding.kind for r in result.findings}
    assert Kind.LEAK not in {r.finding.kind for r in result.findings}


def test_an_ordinary_fault_of_a_flaky_engine_is_found_as_well() -> None:
    class Both(EveryFiftiethBackward, Overwrite):
        name = "both"

    kinds = {r.finding.kind for r in search(Both(), TORCH, 300, 0).findings}
    assert kinds >= {Kind.FLAKY, Kind.GRADIENT}


def test_isolated_engines_are_flaky_as_well() -> None:
    runner = IsolatedRunner(FIFTIETH)
    try:
        result = search(runner, TORCH, 300, 1)
    finally:
        runner.close()
    assert {r.finding.kind for r in result.findings} == {Kind.FLAKY}


# The pytest suite.


@pytest.mark.parametrize("rate", [0.03, 0.5, 0.98])
def test_hypothesis_does_not_complain_of_a_flaky_engine(rate: float) -> None:
    generator = random.Random(2)
    engine = Scripted(lambda number: generator.random() < rate)
    decoder = Decoder.of(PROFILES["gradients"], engine)
    outcome = run_property(decoder, engine, TORCH, 80, 0)
    kinds = {r.finding.kind for r in outcome.reported}
    assert kinds
    assert Kind.LEAK not in kinds
    assert outcome.tally.ill_conditioned == 0


def test_a_fault_that_is_gone_when_hypothesis_asks_again_is_reported() -> None:
    engine = Scripted(lambda number: number < 40)
    decoder = Decoder.of(PROFILES["gradients"], engine)
    assert run_property(decoder, engine, TORCH, 40, 0).reported


# Baselines, campaigns, replay, scripts.


def test_an_entry_of_a_baseline_accepts_flaky_programs() -> None:
    smallest = EveryFiftiethBackward.smallest
    entry = BaselineEntry("flaky", "it counts", "https://example.org/1", smallest)
    result = search(EveryFiftiethBackward(), TORCH, 300, 0, baseline=Baseline((entry,)))
    assert result.ok
    assert result.known[entry] > 0
    assert not entry.occurs(TapeEngine(), TORCH)


def test_a_campaign_has_one_flaky_finding_for_each_kind_of_difference(tmp_path: Path) -> None:
    outcome = run(str(tmp_path / "c"), 600, FIFTIETH, size=200)
    repeats = [finding["repeats"] for _, finding in outcome.findings]
    assert {finding["kind"] for _, finding in outcome.findings} == {"flaky"}
    kinds = [one["kind"] for one in repeats]
    assert len(set(kinds)) == len(kinds)
    assert outcome.total.ill_conditioned == 0
    assert sum(finding["count"] for _, finding in outcome.findings) > len(kinds)
    for page in (text(outcome, "c"), markdown(outcome, "c")):
        assert "stability: " in page
        assert repeats[0]["says"] in page
    assert outcome.to_json()["stability"]["programs"] > 10


def test_a_campaign_reports_state_with_the_programs_before(tmp_path: Path) -> None:
    outcome = run(str(tmp_path / "c"), 60, f"{__name__}:Poisoned", size=60)
    ((_, finding),) = outcome.findings
    assert (finding["kind"], outcome.total.ill_conditioned) == ("leak", 0)
    assert checked_finding(json.loads(json.dumps(finding)))["before"]
    now = occurs(finding, Poisoned(), TORCH)
    assert now is not None
    assert now.kind is Kind.LEAK
    assert occurs(finding, TapeEngine(), TORCH) is None


def _flaky_finding() -> dict[str, Any]:
    engine = Scripted(lambda number: number % 7 == 0)
    programs = FlakyPrograms(engine, TORCH)
    programs.add(PROGRAM, _judged(engine), 3)
    ((reported, _),) = programs.reports()
    return checked_finding(json.loads(json.dumps(finding_json(reported, None, 0))))


def test_a_flaky_finding_is_fixed_only_if_no_run_of_many_differs() -> None:
    finding = _flaky_finding()
    now = occurs(finding, Scripted(lambda number: number == 60), TORCH)
    assert now is not None
    assert now.kind is Kind.FLAKY
    right = Scripted()
    assert occurs(finding, right, TORCH) is None
    assert right.backwards >= RUNS


def test_minimize_keeps_a_flaky_finding() -> None:
    engine = Scripted(lambda number: number % 7 == 0)
    small = minimized(_flaky_finding(), Triage(engine, TORCH))
    assert small is not None
    assert small[0]["kind"] == "flaky"


def test_the_script_says_in_how_many_runs_it_differs(tmp_path: Path) -> None:
    engine = EveryFiftiethBackward()
    case = EveryFiftiethBackward.smallest
    finding = next(f for _ in range(99) if (f := check_program(case, engine, TORCH)) is not None)
    file = tmp_path / "flaky.py"
    file.write_text(script(case, finding.flaky(1, 21), engine, file.name))
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "4 of 210 runs differ" in done.stdout


# Stability.


def test_stability_is_counted_on_a_sample() -> None:
    cases = sample("gradients", 4 * SAMPLED, DEZERO)
    stability = Stability()
    checked = list(check_programs(cases, DEZERO, TORCH, stability=stability))
    assert [program for program, _ in checked] == cases
    assert stability.to_json() == {"programs": 4, "same": 4, "share": 1.0}
    half = Scripted(lambda number: number % 2 == 0)
    stability = Stability(sampled=1)
    list(check_programs([PROGRAM] * 20, half, TORCH, stability=stability))
    assert (stability.programs, stability.same) == (20, 0)


def test_a_stability_below_100_percent_is_not_rounded_up() -> None:
    assert str(Stability(100_000, 99_999)).startswith("stability: 99.9% of 100,000 programs")
