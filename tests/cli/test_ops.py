"""``parity ops``: the table, the causes, JSON and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parity.cli.main import main

TIES = "parity.diagnose.defects.operations:MaximumTies"
INDEX = "parity.diagnose.defects.operations:RepeatedIndexOverwritten"


def _ops(*arguments: str) -> int:
    return main(["ops", *arguments])


def test_parity_ends_with_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ops("dezero", "--ops", "add,exp") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "every operation alone" in lines[0]
    assert lines[2].split() == ["operation", "right", "wrong", "raises", "not", "there"]
    assert lines[-1] == "verdict: parity: no difference in 2 operations"


def test_a_wrong_operation_ends_with_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "ops.json"
    assert _ops(INDEX, "--no-isolate", "--ops", "get_item,add", "--json", str(file)) == 1
    out = capsys.readouterr().out
    assert "gradient: the gradient of `get_item` is wrong where an index repeats" in out
    assert "instead: np.add.at(gx, index, gy)" in out
    assert out.splitlines()[-1] == "verdict: findings: 1 cause"
    data = json.loads(file.read_text())
    (cause,) = data["causes"]
    assert (cause["name"], cause["where"]) == ("get_item", "where an index repeats")
    counts = data["operations"]["get_item"]
    assert counts["wrong"] == counts["conditions"]["repeated-index"]["wrong"] > 0
    assert data["operations"]["add"]["wrong"] == 0


def test_an_isolated_engine(capsys: pytest.CaptureFixture[str]) -> None:
    assert _ops(TIES, "--isolate", "--ops", "maximum") == 1
    out = capsys.readouterr().out
    assert 'if that is meant, the adapter says so: quirks = {"maximum-ties-both"}' in out


@pytest.mark.parametrize("arguments", [("nothing",), ("dezero", "--ops", "nothing")])
def test_what_cannot_run_ends_with_two(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ops(*arguments) == 2
    assert capsys.readouterr().err.startswith("parity: error: ")
