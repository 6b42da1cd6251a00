"""Options that several commands have: folders that cannot be written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity._util.errors import UsageError
from parity.cli.main import main
from parity.cli.options import check_folder


def test_a_folder_that_is_made_later_may_be_missing(tmp_path: Path) -> None:
    check_folder("--findings", tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_is_no_folder(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--findings .*: .*file is a file, not a folder"):
        check_folder("--findings", tmp_path / "file" / below)


@pytest.mark.parametrize(
    "command",
    [("check", "--engine", "dezero", "--findings"), ("survey", "dezero", "--scripts")],
    ids=lambda c: c[0],
)
def test_it_is_said_before_anything_runs(
    tmp_path: Path,
    command: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("parity.campaign.search.search", None)
    monkeypatch.setattr("parity.campaign.survey.survey", None)
    (tmp_path / "file").touch()
    assert main([*command, str(tmp_path / "file")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
