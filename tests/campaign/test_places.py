"""Exceptions are told apart by where the engine raises, and not by what they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import parity
from parity.campaign.campaign import Outcome
from parity.campaign.corpus import Corpus
from parity.campaign.records import checked_finding, identity, names
from parity.campaign.storage import open_store
from parity.diagnose.defects.engine import TapeEngine
from parity.diagnose.shrink import reduced
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from tests.helpers.campaigns import Inline, run
from tests.helpers.programs import TORCH


def _in_mul(t: Any) -> None:
    raise ValueError(f"mul of {np.shape(t.data)} {t.data}")


def _in_exp(t: Any) -> None:
    raise ValueError(f"exp of {np.shape(t.data)} {t.data}")


class RaisesInTwo(TapeEngine):
    """Raises in ``mul`` of equal operands, and in each ``exp``."""

    name = "raises-in-two"

    def __init__(self) -> None:
        super().__init__()
        mul, exp = self.ops["mul"], self.ops["exp"]
        self.ops = {
            **self.ops,
            "mul": lambda a, b: _in_mul(a) if a is b else mul(a, b),
            "exp": lambda a: _in_exp(a) if np.size(a.data) else exp(a),
        }


SPEC = f"{__name__}:RaisesInTwo"


def _places(findings: Any) -> list[str]:
    return sorted(f["place"].partition(":")[0] for f in findings)


def test_check_reports_each_place_once() -> None:
    result = parity.check(RaisesInTwo, examples=200)
    raised = [f for f in result.findings if f.finding.kind == "exception"]
    assert len({f.finding.place for f in raised}) == len(raised) == 2
    assert sum(cause.programs for cause in result.causes) == result.failing > 10
    texts = sorted(str(f.program) for f in raised)
    assert "exp(x0)" in texts[0]
    assert "mul(x0, x0)" in texts[1]


def test_a_finding_keeps_its_place_while_it_is_reduced() -> None:
    program = program_from_text("x0 = leaf([1.0, 2.0])\nx1 = mul(x0, x0)\nx2 = exp(x1)")
    engine = RaisesInTwo()
    finding = check_program(program, engine, TORCH)
    assert finding is not None
    small, again = reduced(program, finding, engine, TORCH)
    assert again.place == finding.place
    assert "mul(x0, x0)" in str(small)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("campaign")


@pytest.fixture(scope="module")
def campaign(folder: Path) -> Iterator[Outcome]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("parity.campaign.shard.run_probes", lambda engine: iter(()))
        yield run("c", 100, SPEC, executor=Inline(), size=50)


def test_a_campaign_records_each_place_once(campaign: Outcome, folder: Path) -> None:
    found = [f for _, f in campaign.findings if f["kind"] == "exception"]
    assert _places(found) == ["ValueError (test_places.py"] * 2
    assert len(found) == len({f["place"] for f in found})
    assert len(campaign.causes()) == len(campaign.findings)
    corpus = Corpus(open_store(str(folder / "c")))
    assert {f"exception {f['place']}" for f in found} <= corpus.groups_before(10**6)


def test_a_place_is_an_identity_and_files_without_one_are_read(campaign: Outcome) -> None:
    finding = next(f for _, f in campaign.findings if f["kind"] == "exception")
    other = next(f for _, f in campaign.findings if f["place"] not in ("", finding["place"]))
    again = {**finding, "program": other["program"], "engine": "ValueError: else"}
    assert identity(again) == identity(finding)
    assert names(again) == names(finding)
    assert identity({**finding, "place": other["place"]}) != identity(finding)
    old = {key: value for key, value in finding.items() if key != "place"}
    assert checked_finding(old) == old
    assert identity(old) != identity({**old, "program": other["program"]})
