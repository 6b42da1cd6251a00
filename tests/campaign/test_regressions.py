"""A finding that was promoted is a test of ``pytest --pyargs parity`` in its project."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from parity.campaign.paths import REGRESSIONS
from parity.campaign.regressions import RegressionError, read_regression, regression_files
from parity.cli.main import main
from tests.helpers.campaigns import OVERWRITE, environment, run

MODULE = "parity.suite.test_regressions"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))


def _pytest(*arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs", MODULE]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment())
    return done.returncode, done.stdout + done.stderr


def _promoted(*arguments: str) -> None:
    run("c", 20)
    (file,) = Path("c/findings").iterdir()
    assert main(["promote", str(file), *arguments]) == 0


def test_a_promoted_finding_is_a_test() -> None:
    Path("pytest.ini").touch()
    _promoted()
    (file,) = REGRESSIONS.iterdir()
    status, out = _pytest("--engine", OVERWRITE, "-v")
    assert status == 1
    assert f"test_regression[{file.stem}] FAILED" in out
    assert "gradient: a reused variable's gradient is overwritten instead of summed" in out
    assert "how to mend it: " in out
    status, out = _pytest("--engine", "dezero")
    assert status == 0
    assert "1 passed" in out


def test_a_project_has_its_own_folder_and_bad_files_fail() -> None:
    Path("pytest.ini").write_text("[pytest]\nparity_regressions = tests/old\n")
    _promoted("-o", "tests/old")
    Path("tests/old/bad.json").write_text("{")
    status, out = _pytest("-v")
    assert status == 1
    assert "test_regression[bad] FAILED" in out
    assert "tests/old/bad.json: it is no JSON: " in out
    assert "1 failed, 1 passed" in out


def test_a_folder_that_is_set_must_be_there() -> None:
    Path("pytest.ini").write_text("[pytest]\nparity_regressions = gone\n")
    status, out = _pytest()
    assert status == 1
    assert "gone cannot be read: " in out


def test_without_a_folder_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert regression_files(tmp_path, None) == []
    assert regression_files(tmp_path, "gone") == [tmp_path / "gone"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([], "it is [], not an object"),
        ({"kind": "gradient"}, "program is missing; parity promote writes such files"),
        ({"kind": "x", "program": {}}, "kind is 'x', not one of value, "),
        ({"kind": "gradient", "program": {}}, "bad.json: not a program"),
    ],
)
def test_what_is_no_regression(data: object, reason: str) -> None:
    Path("bad.json").write_text(json.dumps(data))
    with pytest.raises(RegressionError) as caught:
        read_regression(Path("bad.json"))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
