"""Programs with statements of the tape: what they reach, and that right engines agree on them."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from parity.diagnose.defects.engine import TapeEngine
from parity.engines.base import Engine
from parity.engines.load import load_engine
from parity.generate.coverage import Coverage
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import sweep
from parity.language import program as pr
from parity.oracle.exactness import is_exact
from tests.helpers.programs import DEZERO, TORCH, check, sample

TAPE = PROFILES["tape"]

#: In how many of 300 programs a statement, or what is special about it, has to be.
LEAST = {
    "hook": 120,
    "hook record": 40,
    "hook double": 40,
    "hook shift": 40,
    "remove": 30,
    "retain_grad": 50,
    "set_grad": 80,
    "backward_many": 80,
    "backward_many inputs": 30,
    "grad": 50,
    "grad create_graph": 10,
    "grad allow_unused": 15,
}


@pytest.mark.parametrize("feature", LEAST)
def test_the_profile_reaches(feature: str) -> None:
    coverage = Coverage.of(DEZERO)
    programs: Counter[str] = Counter()
    for case in sample("tape", 300):
        before = coverage.counts["tape"].copy()
        coverage.add(case)
        programs.update(" ".join(cell) for cell in coverage.counts["tape"] - before)
    assert programs[feature] >= LEAST[feature]
    assert coverage.missed("tape") == []


def test_a_third_derivative_is_reached() -> None:
    orders = [sum(map(pr.records, case.statements)) for case in sample("tape", 600)]
    assert sum(n >= 2 for n in orders) >= 5


def test_many_programs_are_exact() -> None:
    assert sum(map(is_exact, sample("tape", 100))) >= 30


@pytest.mark.parametrize("engine", [DEZERO, TORCH, TapeEngine(), load_engine("exact")])
def test_right_engines_agree(engine: Engine) -> None:
    number = 60 if engine.name == "exact" else 300
    able = TORCH if engine.name == "exact" else engine  # it has hooks, which end its runs
    cases = itertools.islice(sweep(Decoder.of(TAPE, able), "agree"), number)
    found = [str(case) for case in cases if check(case, engine) is not None]
    assert found == []


def test_an_engine_without_the_methods_gets_none_of_the_statements() -> None:
    decoder = Decoder.of(TAPE, load_engine("torch.func"))
    cases = list(itertools.islice(sweep(decoder, 0), 100))
    found = {type(s) for case in cases for s in case.statements}
    assert found.isdisjoint(pr.TAPE_STATEMENTS.values())
    assert set(decoder.untested) >= {
        *("hook", "retain_grad", "set_grad", "backward_many", "grad_of_values"),
    }
