"""The status file: what it says while a campaign runs, and at each kind of end."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.campaign import Display
from parity.campaign.errors import CampaignError
from parity.campaign.monitor import EVERY, EVERY_REMOTE, StatusFile
from parity.campaign.storage import Folder, open_store
from parity.cli.main import main
from tests.helpers.campaigns import OVERWRITE, Inline, run


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))
    monkeypatch.setattr("parity.campaign.monitor.EVERY", 0.0)


def _status(file: str = "c/status.json") -> dict[str, Any]:
    data: dict[str, Any] = json.loads(Path(file).read_text())
    return data


class Watches(Display):
    """Reads the file at each update."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def update(self, status: Any) -> None:
        self.seen.append(_status())


def test_it_says_how_far_a_campaign_is() -> None:
    display = Watches()
    run("c", 20, display=display)
    assert {one["state"] for one in display.seen} == {"running"}
    assert [one["programs"] for one in display.seen] == [10, 20]
    last = _status()
    assert last["state"] == "finished"
    assert last["findings"] == sum(last["findings_by_kind"].values()) == 1
    assert last["last_new_coverage"]["program"] in (10, 20)
    assert last["last_new_coverage"]["seconds"] >= 0
    assert last["workers"] == 1
    assert last["rate"] > 0
    assert last["elapsed"] > 0
    assert "stability" in last
    datetime.strptime(last["updated_at"], "%Y-%m-%dT%H:%M:%SZ")
    run("c", 20)  # nothing is left to do
    again = _status()
    assert (again["state"], again["programs"]) == ("finished", 20)
    assert again["last_new_coverage"] == {"seconds": None, "program": None}


class Interrupts(Inline):
    def answers(self, seconds: float) -> Any:
        raise KeyboardInterrupt


class Breaks(Inline):
    def answers(self, seconds: float) -> Any:
        raise CampaignError("broken")


@pytest.mark.parametrize("executor", [Interrupts, Breaks])
def test_a_campaign_that_ends_otherwise_is_interrupted(executor: type[Inline]) -> None:
    with pytest.raises((KeyboardInterrupt, CampaignError)):
        run("c", 20, executor=executor())
    assert _status()["state"] == "interrupted"


def test_a_status_that_cannot_be_written_is_told_once_and_ends_nothing() -> None:
    notes: list[str] = []
    file = StatusFile(Folder(Path("c")), notes.append, Path("nowhere.json"))
    Path("nowhere.json").mkdir()
    from parity.campaign.campaign import Campaign, Plan
    from parity.campaign.corpus import Corpus
    from parity.engines.open import open_engines

    pair = open_engines(OVERWRITE, check=False)
    plan = Plan(OVERWRITE, "torch", "0", 10, programs=10)
    Campaign(plan, Corpus(open_store("c")), Inline(), pair, None, file).run()
    (note,) = notes
    assert note.startswith("no status is written: folder . cannot be written: ")


def test_remote_storage_is_written_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert StatusFile(open_store("memory://status"), print).every == EVERY_REMOTE
    assert StatusFile(open_store("c"), print).every == EVERY < EVERY_REMOTE
    local = StatusFile(open_store("memory://status"), print, Path("s.json"))
    assert (local.every, local.name) == (EVERY, "s.json")


def test_a_file_that_cannot_be_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["fuzz", "--engine", OVERWRITE, "--programs", "1", "--status", "nowhere/s.json"]
    assert main(command) == 2
    assert "--status nowhere/s.json: there is no folder nowhere" in capsys.readouterr().err
