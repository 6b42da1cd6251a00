"""What is made of a verdict: findings, counts and texts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from parity.campaign.finish import judge_finding
from parity.campaign.search import search
from parity.cli.main import main
from parity.diagnose.defects.traversal import Overwrite
from parity.engines.adapters.torch import AsIs
from parity.language import program as pr
from parity.oracle.check import check_program
from parity.oracle.finding import KINDS, Finding
from parity.oracle.verdict import ILL_CONDITIONED, Verdict
from tests.helpers.programs import (
    DEZERO,
    REUSED,
    SHARED,
    TORCH,
    apply,
    leaf,
    program,
)


def test_a_search_says_which_side_is_wrong(tmp_path: Path) -> None:
    result = search(Overwrite(), TORCH, 40, 7)
    assert result.findings
    assert {r.wrong for r in result.findings if r.program} == {"engine"}
    data = result.to_json()
    assert {f["wrong"] for f in data["findings"] if f["statements"]} == {"engine"}
    assert data["ill_conditioned"] == 0


def test_a_finding_that_rounding_decides_is_none() -> None:
    case = program([leaf(0.7)], apply("exp", 0), pr.Backward(1))
    finding = Finding(KINDS["gradient"], 1, "grad", 0, np.array(1.0), np.array(0.0))
    assert judge_finding((case, finding), (case, finding), DEZERO, TORCH, 3) is None
    finding = check_program(REUSED, Overwrite(), TORCH)
    assert finding is not None
    reported = judge_finding((REUSED, finding), (REUSED, finding), Overwrite(), TORCH, 3)
    assert reported is not None
    assert (reported.wrong, reported.number) == ("engine", 3)


def test_a_fault_is_not_lost_because_rounding_decides_where_it_was_reduced() -> None:
    case = program([leaf(0.7)], apply("exp", 0), pr.Backward(1))
    nothing = Finding(KINDS["gradient"], 1, "grad", 0, np.array(1.0), np.array(0.0))
    finding = check_program(REUSED, Overwrite(), TORCH)
    assert finding is not None
    reported = judge_finding((case, nothing), (REUSED, finding), Overwrite(), TORCH, 3)
    assert reported is not None
    assert (reported.program, reported.finding, reported.wrong) == (REUSED, finding, "engine")


@pytest.mark.parametrize(
    ("small", "whole", "reported"),
    [
        ("engine", ILL_CONDITIONED, "small"),
        (None, ILL_CONDITIONED, None),
        (None, "engine", "small"),
        (ILL_CONDITIONED, "engine", "whole"),
        (ILL_CONDITIONED, None, "whole"),
        (ILL_CONDITIONED, ILL_CONDITIONED, None),
    ],
)
def test_what_is_reported_of_a_reduced_and_a_whole_program(
    small: str | None, whole: str | None, reported: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = program([leaf(0.7)], apply("exp", 0), pr.Backward(1))
    programs = {"small": case, "whole": REUSED, None: None}
    verdicts = {case: Verdict(small), REUSED: Verdict(whole)}
    monkeypatch.setattr("parity.campaign.finish.adjudicate", lambda p, *arguments: verdicts[p])
    finding = Finding(KINDS["gradient"], 1, "grad", 0, np.array(1.0), np.array(0.0))
    one = judge_finding((case, finding), (REUSED, finding), DEZERO, TORCH, 3)
    assert (one.program if one else None) == programs[reported]
    assert one is None or one.wrong == verdicts[one.program].wrong


def test_a_search_counts_what_it_dropped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    undecided = Verdict(ILL_CONDITIONED, "for the test")
    monkeypatch.setattr("parity.campaign.finish.adjudicate", lambda *arguments: undecided)
    spec = "parity.diagnose.defects.traversal:Overwrite"
    arguments = ["check", "--engine", spec, "--examples", "30", "--seed", "7"]
    assert main([*arguments, "--json", "result.json"]) == 0
    data = json.loads(Path("result.json").read_text())
    assert (data["verdict"], data["findings"]) == ("parity", [])
    assert data["ill_conditioned"] > 0
    out = capsys.readouterr().out
    assert f"{data['ill_conditioned']} differences are no findings: rounding or a convention" in out


def test_the_text_of_a_finding_says_if_the_reference_is_wrong() -> None:
    wrong = {}
    for engine, reference in ((DEZERO, AsIs()), (AsIs(), DEZERO)):
        finding = check_program(SHARED, engine, reference)
        assert finding is not None
        reported = judge_finding((SHARED, finding), (SHARED, finding), engine, reference, 0)
        assert reported is not None
        lines = reported.text(engine, reference).splitlines()
        wrong[reported.wrong] = [line for line in lines if "exact evaluation" in line]
    assert wrong == {
        "reference": ["  by an exact evaluation it is torch that is wrong"],
        "engine": [],
    }
