"""The survey: findings of one cause once, confirmed by their scripts, on one page."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.search import search
from parity.campaign.survey import Surveyed, markdown, named_number, survey
from parity.cli.main import main
from parity.engines.limits import Limits
from parity.engines.open import open_engines
from tests.helpers.campaigns import FEW_OVERWRITE
from tests.helpers.programs import write_module

OVERWRITE = FEW_OVERWRITE


@pytest.fixture(scope="module")
def surveyed(tmp_path_factory: pytest.TempPathFactory) -> list[Surveyed]:
    folder = tmp_path_factory.mktemp("survey")
    flaky = write_module(
        folder,
        "flaky.py",
        """
        import sys

        from parity.diagnose.defects.engine import TapeEngine


        class Flaky(TapeEngine):
            # Wrong where the harness runs it, right in a script in the folder named so.
            name = "flaky"

            def __init__(self):
                super().__init__()
                add, one = self.ops["add"], self.ops["add_scalar"]
                if "flaky" not in sys.argv[0]:
                    wrong = lambda a, b: one(add(a, b), c=1.0 if a is b else 0.0)
                    few = {name: self.ops[name] for name in ("add_scalar", "mul", "neg")}
                    self.ops = {**few, "add": wrong}
        """,
    )
    return survey([OVERWRITE, f"{flaky}:Flaky", "no-such"], 80, 2, folder)


def test_findings_of_one_cause_are_one(surveyed: list[Surveyed]) -> None:
    (entry,) = surveyed[0].entries
    engine, reference = open_engines(OVERWRITE, isolate=False)
    several = [
        r.finding.kind for seed in (0, 1) for r in search(engine, reference, 80, seed).findings
    ]
    assert len(several) > 1
    assert entry.kinds == sorted(set(several))
    assert entry.seeds == [0, 1]
    assert entry.reported.program is not None
    assert len(entry.reported.program.statements) == 2


def test_a_finding_is_confirmed_by_its_script(surveyed: list[Surveyed]) -> None:
    (entry,) = surveyed[0].entries
    assert entry.confirmed
    assert Path(entry.reported.script).is_file()


def test_a_finding_that_its_script_does_not_show_is_not_confirmed(surveyed: list[Surveyed]) -> None:
    assert surveyed[1].entries
    assert not any(entry.confirmed for entry in surveyed[1].entries)


def test_an_engine_that_cannot_be_loaded_is_listed(surveyed: list[Surveyed]) -> None:
    assert surveyed[2].engine is None
    assert "'no-such' is not known" in surveyed[2].error


def test_the_page_has_a_table_and_every_engine(surveyed: list[Surveyed]) -> None:
    page = markdown(surveyed, datetime.date(2026, 1, 2), "parity survey")
    assert "Made by `parity survey` on 2026-01-02 (Python " in page
    header, _, overwrite, _, missing = (line for line in page.splitlines() if line[:1] == "|")
    columns = [cell.strip() for cell in header.split("|")]
    cells = dict(zip(columns, (cell.strip() for cell in overwrite.split("|")), strict=True))
    assert cells["engine"] == "overwrite 1"
    assert cells["programs"] == "160"
    assert cells["causes"] == "1"
    assert cells["gradient"] == "1"
    assert missing.startswith("| no-such | not run |")
    assert "x1 = add(x0, x0)" in page
    assert "- third opinion: overwrite is wrong; its script shows it" in page
    assert "- how to mend it: " in page


def test_the_command_writes_page_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["survey", OVERWRITE, "--examples", "60", "--seeds", "1"]
    assert main([*arguments, "-o", "page.md", "--json", "page.json"]) == 0
    assert capsys.readouterr().out == "verdict: findings: 1 finding on 1 engine\n"
    assert "overwrite 1" in (tmp_path / "page.md").read_text()
    (one,) = json.loads((tmp_path / "page.json").read_text())["engines"]
    assert one["findings"][0]["confirmed"] is True
    assert main([*arguments, "-o", "missing/page.md"]) == 2
    assert capsys.readouterr().err == (
        "parity: error: -o missing/page.md: there is no folder missing\n"
    )


def test_an_engine_that_cannot_run_ends_with_status_2_after_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_module(tmp_path, "shares.py", SHARES)
    assert main(["survey", "shares.py:Shares", OVERWRITE + "@40", "--seeds", "1"]) == 2
    page, line = capsys.readouterr()
    assert "| overwrite 1 | 40 |" in page
    assert "Not run: adapter of 'shares'" in page
    assert line.startswith("parity: error: adapter of 'shares': ")
    assert line.count("\n") == 1


def test_a_number_of_examples_for_one_engine() -> None:
    assert named_number("jax@200") == ("jax", 200)
    for spec in ("jax", "jax@", "jax@x", "jax@0", "a@b/file.py:X"):
        assert named_number(spec) == (spec, None)


SHARES = """
    from parity.diagnose.defects.engine import TapeEngine, Tensor


    class Shares(TapeEngine):
        # Does not copy what it gets.
        name = "shares"

        def leaf(self, array, requires_grad=True):
            return Tensor(self, array, requires_grad)
"""

KILLS = """
    import os
    from parity.diagnose.defects.engine import TapeEngine


    class Kills(TapeEngine):
        name = "kills"
        def __init__(self):
            super().__init__()
            self.ops = {"add": self.ops["add"]}

        def backward(self, t, gradient=None, **flags):
            os._exit(3)
"""


def test_an_engine_given_by_file_is_isolated(tmp_path: Path) -> None:
    file = write_module(tmp_path, "kills.py", KILLS)
    (one,) = survey([f"{file}:Kills"], 6, 1, tmp_path)
    assert one.engine is not None
    assert one.engine.isolated
    assert [entry.kinds for entry in one.entries] == [["crash"]]


def test_isolation_and_its_limits_are_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked: list[tuple[bool | None, Limits]] = []

    def noted(*arguments: Any) -> list[Surveyed]:
        asked.append(arguments[-3:-1])
        return []

    monkeypatch.setattr("parity.campaign.survey.survey", noted)
    assert main(["survey", OVERWRITE]) == 0
    assert main(["survey", OVERWRITE, "--isolate", "--time-limit", "3", "--memory-limit", "9"]) == 0
    assert asked == [(None, Limits()), (True, Limits(3.0, 9))]
