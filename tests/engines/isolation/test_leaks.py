"""Engines that keep something between programs: one finding that says so, and no others by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.baseline import propose
from parity.campaign.result import SearchResult
from parity.campaign.search import STATE, search
from parity.diagnose.shrink import reduced
from parity.engines.isolation.isolated import IsolatedRunner
from parity.language.text_format import program_from_text
from parity.oracle.check import check_program
from tests.helpers.programs import TORCH

ENGINES = Path(__file__).parents[2] / "helpers" / "isolated_engines.py"
OPS = ("neg", "add")
NEG = program_from_text("x0 = leaf(3.0)\nx1 = neg(x0)")
#: Differs alone; where other programs ran before, a part of it does as well.
TWICE = program_from_text("""
    x0 = leaf(3.0)
    x1 = neg(x0)
    x2 = add(x1, x1)
    x3 = add(x2, x2)
    backward(x3)
""")

Start = Callable[[str], IsolatedRunner]


@pytest.fixture
def isolated() -> Iterator[Start]:
    running: list[IsolatedRunner] = []

    def start(name: str) -> IsolatedRunner:
        running.append(IsolatedRunner(f"{ENGINES}:{name}"))
        return running[-1]

    yield start
    for engine in running:
        engine.close()


def _worn(engine: Any) -> Any:
    for _ in range(5):
        engine.run(NEG)
    return engine


def _search(engine: IsolatedRunner) -> SearchResult:
    return search(engine, TORCH, 24, 0, OPS)


def test_what_comes_only_after_others_is_one_finding(isolated: Start) -> None:
    result = _search(isolated("WearsOut"))
    assert [(r.finding.kind, r.probe) for r in result.findings] == [("leak", STATE)]
    assert result.disturbed > 0
    assert f"{result.disturbed} programs" in str(result.findings[0].finding.engine)
    assert result.failing == 0


def test_it_does_not_hide_what_is_wrong_alone(
    isolated: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parity.campaign.search.REDUCED", 1)
    result = _search(isolated("WearsOutAndOverwrites"))
    assert {r.finding.kind for r in result.findings} >= {"leak", "gradient"}


def test_the_smallest_program_differs_alone(isolated: Start) -> None:
    engine = _worn(isolated("LosesInNegAndSendsAgain"))
    with engine.fresh_process():
        finding = check_program(TWICE, engine, TORCH)
    assert finding is not None
    small, found = reduced(TWICE, finding, engine, TORCH)
    assert found.kind == finding.kind == "gradient"
    with engine.fresh_process():
        again = check_program(small, engine, TORCH)
    assert again is not None
    assert again.kind == "gradient"


def test_no_list_accepts_it(isolated: Start, tmp_path: Path) -> None:
    result = _search(isolated("WearsOut"))
    assert (
        propose(
            tmp_path / "known.toml",
            [(r.finding.kind, r.program, r.probe_name) for r in result.findings],
        )
        == 0
    )


def test_alone_is_a_new_process_each_time(isolated: Start) -> None:
    engine = _worn(isolated("WearsOut"))
    assert check_program(NEG, engine, TORCH) is not None
    with engine.fresh_process():
        for _ in range(6):
            assert check_program(NEG, engine, TORCH) is None
