"""Programs with blocks, changes in place and functions of the user: valid, varied, and right."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cache

import pytest

from parity.diagnose.defects.engine import TapeEngine
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.generate.coverage import Coverage
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import ROTATION, sweep
from parity.language import program as pr
from parity.language.in_place import IN_PLACE
from parity.language.user import USER_FUNCTIONS
from parity.oracle.check import check_programs
from tests.helpers.programs import DEZERO, TORCH

KINDS = ("blocks", "in-place", "user-functions")


@cache
def programs(profile: str, count: int = 400) -> list[pr.Program]:
    decoder = Decoder.of(PROFILES[profile], TORCH)
    return list(itertools.islice(sweep(decoder, "further"), count))


class OneBlock(TapeEngine):
    """An engine without ``enable_grad``, after which no mode can be restored."""

    enable_grad = Engine.enable_grad


class FewChanges(TapeEngine):
    """An engine that adds in place, and has no functions of the user."""

    function = Engine.function

    def __init__(self) -> None:
        super().__init__()
        self.inplace = {"add_": self.inplace["add_"]}


@pytest.mark.parametrize("profile", KINDS)
def test_programs_are_valid_and_in_the_rotation(profile: str) -> None:
    assert profile in ROTATION
    for case in programs(profile):
        case.validate()


@pytest.mark.parametrize("engine", [DEZERO, TORCH, TapeEngine()], ids=["dezero", "torch", "tape"])
@pytest.mark.parametrize("profile", KINDS)
def test_right_engines_have_no_finding(profile: str, engine: Engine) -> None:
    found = [(str(p), f) for p, f in check_programs(programs(profile)[:200], engine, TORCH)]
    assert [text for text, finding in found if finding is not None] == []


def test_everything_that_is_possible_is_reached() -> None:
    coverage = Coverage.of(TORCH)
    for profile in KINDS:
        for case in programs(profile):
            coverage.add(case)
    assert coverage.missed("further") == []


def test_operations_come_right_after_the_end_of_blocks() -> None:
    after = Counter(
        type(second)
        for case in programs("blocks")
        for first, second in itertools.pairwise(case.statements)
        if isinstance(first, pr.Leave)
    )
    assert after[pr.Apply] > sum(after.values()) / 2


def test_leaves_change_under_no_grad_only_but_for_one_in_many() -> None:
    refused = 0
    for case in programs("in-place"):
        recording = []
        modes: list[str] = []
        for s in case.statements:
            if isinstance(s, pr.Enter):
                modes.append(s.mode)
            elif isinstance(s, pr.Leave):
                modes.pop()
            elif isinstance(s, pr.InPlace) and s.target < len(case.leaves):
                recording += [s] if not modes or modes[-1] != "no_grad" else []
        assert len(recording) <= 1
        refused += len(recording)
    assert 0 < refused < 40


def test_some_programs_end_with_what_pytorch_refuses_and_only_there() -> None:
    failures = [(p, execute(p, TORCH).failure) for p in programs("in-place")]
    raised = [(p, f) for p, f in failures if f is not None]
    assert 10 < len(raised) < 100
    assert all(f.statement == len(p.statements) - 1 for p, f in raised)


@pytest.mark.parametrize("profile", ["blocks", "user-functions"])
def test_nothing_raises(profile: str) -> None:
    assert [str(p) for p in programs(profile) if execute(p, TORCH).failure is not None] == []


def test_an_engine_without_enable_grad_gets_plain_blocks() -> None:
    decoder = Decoder.of(PROFILES["blocks"], OneBlock())
    assert "enable_grad" in decoder.untested
    entered = 0
    for case in itertools.islice(sweep(decoder, 0), 200):
        kinds = [s for s in case.statements if isinstance(s, (pr.Enter, pr.Leave))]
        assert not any(getattr(s, "raises", False) for s in kinds)
        depth = 0
        for s in kinds:
            depth += 1 if isinstance(s, pr.Enter) else -1
            assert depth <= 1
        entered += bool(kinds)
    assert entered > 100


def test_an_engine_gets_the_changes_that_it_has() -> None:
    decoder = Decoder.of(PROFILES["in-place"], FewChanges())
    assert set(decoder.untested) >= IN_PLACE.keys() - {"add_"}
    used = {
        s.op
        for case in itertools.islice(sweep(decoder, 0), 100)
        for s in case.statements
        if isinstance(s, pr.InPlace)
    }
    assert used == {"add_"}
    assert "function" in Decoder.of(PROFILES["user-functions"], FewChanges()).untested


def test_functions_of_the_user_are_called_more_than_once_and_all_of_them() -> None:
    calls = [
        Counter(s.function for s in p.statements if isinstance(s, pr.User))
        for p in programs("user-functions")
    ]
    assert {name for one in calls for name in one} == USER_FUNCTIONS.keys()
    assert sum(max(one.values(), default=0) > 1 for one in calls) > 100
