"""The score: trials, the table, the bar, and what is left of an interrupted run."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.score import Score, Trial, markdown, names_of, run_trial, score
from parity.cli.main import main
from parity.cli.options import DEFAULT_EXAMPLES
from parity.cli.progress import Progress
from parity.diagnose.causes import Category, Cause
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.base import Defect

FEW = {name: DEFECTS[name] for name in ("overwrite", "zero-clears")}


class Right(Defect):
    name = "right"
    description = "nothing is wrong"


class Deep(Defect):
    name = "deep"
    description = "a long chain is too much"
    probe = "deep-chain"

    def order(self, root: Any, grads: Any) -> Any:
        nodes = list(super().order(root, grads))
        if len(nodes) > 500:
            raise RecursionError
        return iter(nodes)


# A trial.


def test_a_trial_finds_reduces_and_names() -> None:
    trial = run_trial("overwrite", 0, DEFAULT_EXAMPLES)
    assert (trial.defect, trial.seed, trial.found) == ("overwrite", 0, True)
    assert trial.programs is not None
    assert 1 <= trial.programs <= DEFAULT_EXAMPLES
    assert trial.statements == 2
    assert trial.diagnosed
    assert 0 < trial.reduction_seconds < 2
    assert 0 < trial.diagnosis_seconds < 20  # all operations are measured first


def test_what_cannot_be_told_from_a_cause_is_named_as_well() -> None:
    others = (DEFECTS["zero-clears"].description,)
    cause = Cause(Category.GRADIENT, "overwrite", "it overwrites", alternatives=others)
    assert names_of(cause) == ["overwrite", "zero-clears"]


def test_a_trial_counts_the_programs_that_a_check_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trial = run_trial("zero-clears", 3, DEFAULT_EXAMPLES)
    assert trial.programs is not None
    engine = "parity.diagnose.defects.clearing:ZeroClears"
    for examples, status in ((trial.programs - 1, 0), (trial.programs, 1)):
        command = ["check", "--engine", engine, "--seed", "3", "--examples", str(examples)]
        assert main(command) == status


def test_the_same_trial_comes_out_the_same() -> None:
    first, second = (run_trial("zero-clears", 1, 200) for _ in range(2))
    assert first.programs == second.programs
    assert first.named == second.named


def test_what_only_a_probe_shows_is_found_by_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    trial = run_trial("deep", 0, 5, {"deep": Deep})
    assert trial.found
    assert trial.programs is None
    assert trial.statements is None
    assert trial.probe == "a chain of 100,000 nodes"


@pytest.mark.parametrize("name", ["no-grad-not-restored", "nested-no-grad", "nested-no-grad-kept"])
def test_a_probe_that_spoils_the_engine_is_diagnosed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    assert run_trial(name, 0, 3).named == (name,)


def test_what_is_right_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parity.oracle.probes.DEEP", 2000)
    trial = run_trial("right", 0, 40, {"right": Right})
    assert (trial.found, trial.diagnosed, trial.programs) == (False, False, None)


# A run.


def test_a_run_has_a_trial_for_each_defect_and_seed() -> None:
    seen: list[Trial] = []
    result = score(2, 500, FEW, after=seen.append)
    assert [(t.seed, t.defect) for t in result.trials] == [
        (seed, name) for seed in (0, 1) for name in FEW
    ]
    assert seen == result.trials
    assert result.complete
    assert result.all_found


def test_several_processes_measure_the_same() -> None:
    alone, together = score(2, 500, FEW), score(2, 500, FEW, jobs=2)

    def counted(result: Score) -> list[tuple[Any, ...]]:
        trials = [t for group in result.by_defect().values() for t in group]
        return [(t.defect, t.seed, t.programs, t.statements, t.named) for t in trials]

    assert counted(alone) == counted(together)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_keeps_what_was_measured(jobs: int) -> None:
    done: list[Trial] = []

    def interrupt_after_two(trial: Trial) -> None:
        done.append(trial)
        if len(done) == 2:
            raise KeyboardInterrupt

    result = score(5, 500, FEW, jobs, after=interrupt_after_two)
    assert len(result.trials) == 2
    assert not result.complete
    assert not result.all_found
    assert "**Interrupted: 2 of 10 trials were measured.**" in markdown(result)
    assert result.to_json()["complete"] is False


# The table.

TRIALS = [
    Trial("a", 0, 10, statements=2, named=("a",), reduction_seconds=0.5, diagnosis_seconds=0.1),
    Trial("a", 1, 30, statements=3, named=("a", "b"), diagnosis_seconds=0.3),
    Trial("a", 2, 20, statements=4, named=("b",)),
    Trial("b", 0, 7, statements=5, named=()),
    Trial("b", 1),
    Trial("b", 2, 9, statements=5, named=("b",)),
    *(Trial("c", seed, probe="a long chain", named=("c",)) for seed in range(3)),
]
SCORE = Score(3, 2000, 9, {"a": 2, "b": 5, "c": None}, TRIALS, 1.25)


def test_the_table_is_markdown() -> None:
    lines = markdown(SCORE).splitlines()
    assert lines == [
        "| defect | found | programs, median | worst | statements | smallest | diagnosis |",
        "|---|---:|---:|---:|---:|---:|---:|",
        "| `a` | 3 of 3 | 20 | 30 | 2 to 4 | 2 | 2 of 3 |",
        "| `b` | 2 of 3 | 8 | 9 | 5 | 5 | 1 of 2 |",
        "| `c` | 3 of 3 | probe: a long chain |  |  |  | 3 of 3 |",
        "",
        "- 2 of 3 defects found with every seed of 3",
        "- programs until found: the median is 14 for the median defect, 20 for `a`; "
        "the budget is 2000",
        "- reduced programs as small as the smallest: 3 of 5 (60.0%); "
        "at most one statement longer: 4 of 5 (80.0%)",
        "- named by the diagnosis: 6 of 8 (75.0%); named alone: 5 of 8 (62.5%)",
        "- slowest reduction 0.50 s, slowest diagnosis 0.30 s",
    ]


def test_the_table_without_a_trial() -> None:
    lines = markdown(Score(3, 2000, 9, {"a": 2})).splitlines()
    assert lines[3] == "**Interrupted: 0 of 9 trials were measured.**"
    assert lines[-1] == "- 0 of 0 defects found with every seed so far"


def test_the_json_has_every_trial() -> None:
    data = json.loads(json.dumps(SCORE.to_json(), allow_nan=False))
    assert {k: data[k] for k in ("seeds", "examples", "complete", "seconds")} == {
        "seeds": 3,
        "examples": 2000,
        "complete": True,
        "seconds": 1.25,
    }
    a, b, c = data["defects"]
    assert len(a.pop("trials")) == 3
    assert a == {
        "defect": "a",
        "found": 3,
        "of": 3,
        "programs_median": 20.0,
        "programs_worst": 30,
        "statements": [2, 3, 4],
        "smallest": 2,
        "diagnosed": 2,
    }
    assert (b["found"], b["of"], b["statements"]) == (2, 3, [5, None, 5])
    assert (c["programs_median"], c["programs_worst"], c["smallest"]) == (None, None, None)
    assert c["trials"][0]["probe"] == "a long chain"


# The bar.


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_shows_how_far_and_how_long() -> None:
    progress = Progress(8, Terminal(), done=2)
    assert progress.line(30.0, "overwrite") == (
        "[######..................] 2 of 8, 1:30 left  overwrite"
    )
    assert Progress(8, Terminal()).line(0.0, "x").startswith("[........................] 0 of 8")


def test_the_bar_is_for_terminals_only() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        progress = Progress(2, stream)
        progress.step("one")
        progress.step("two")
        progress.end()
    assert pipe.getvalue() == ""
    assert "[############............] 1 of 2, " in terminal.getvalue()
    assert "2 of 2, 0:00 left  two" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")


# The command.


def test_the_command_prints_the_table_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "score.json"
    command = ["score", "--seeds", "1", "--defects", "zero-clears, overwrite", "--json", str(file)]
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[2].startswith("| `zero-clears` | 1 of 1 | ")
    assert out.splitlines()[3].startswith("| `overwrite` | 1 of 1 | ")
    data = json.loads(file.read_text())
    assert [d["defect"] for d in data["defects"]] == ["zero-clears", "overwrite"]
    assert (data["seeds"], data["examples"]) == (1, DEFAULT_EXAMPLES)


@pytest.mark.parametrize(
    ("trials", "status"),
    [
        ([Trial("overwrite", 0, 3), Trial("overwrite", 1, 4)], 0),
        ([Trial("overwrite", 0, 3), Trial("overwrite", 1)], 1),
        ([Trial("overwrite", 0, 3)], 130),
    ],
    ids=["found", "missed", "interrupted"],
)
def test_the_exit_status(trials: list[Trial], status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = Score(2, 9, 2, {"overwrite": 2}, trials)
    monkeypatch.setattr("parity.campaign.score.score", lambda *arguments: planned)
    assert main(["score"]) == status


def test_the_bar_goes_to_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert main(["score", "--seeds", "1", "--defects", "overwrite"]) == 0
    assert "1 of 1, 0:00 left  overwrite" in terminal.getvalue()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--seeds", "0"], "'0'"),
        (["--seeds", "many"], "'many'"),
        (["--jobs", "0"], "'0'"),
        (["--defects", "overwrite,frob"], "'frob'"),
        (["--defects", ","], "--defects"),
        (["--json", "missing/score.json"], "missing"),
        (["--json", "folder"], "folder"),
        (["--no-such-option"], "--no-such-option"),
    ],
)
def test_cannot_run_is_one_line_and_status_two(
    arguments: list[str],
    word: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    assert main(["score", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert word in err
