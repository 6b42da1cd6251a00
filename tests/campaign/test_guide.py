"""The guide of a campaign: what it keeps, and what it sees of the engine."""

from __future__ import annotations

import importlib
import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.campaign import guide as guide_module
from parity.campaign import line_coverage as lines_module
from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.guide import Guide, Novelty, SeenFeatures
from parity.campaign.line_coverage import Lines, lines_of, source_paths
from parity.campaign.mutate import Mutator
from parity.engines.base import Engine
from parity.engines.runner import LocalRunner
from parity.generate.coverage import reached
from parity.generate.profiles import PROFILES
from parity.generate.schedule import rotation
from parity.language import program as pr
from tests.helpers.programs import DEZERO, apply, leaf, program, searched, write_module

READER = Reader(DEZERO)
X = leaf(3.0)


class Absent(LocalRunner):
    """An engine that is in another process, as far as a guide can see."""

    def __init__(self) -> None:
        super().__init__(DEZERO)

    @property
    def local_engine(self) -> None:  # type: ignore[override]
        return None


@pytest.fixture
def guide() -> Any:
    """Guides that see no lines: what they keep is the same with every Python."""

    def made(seed: str = "1", kept: Any = (), **options: Any) -> Guide:
        return Guide(Absent(), READER, seed, kept, **options)

    return made


def given(guide: Guide, n: int) -> list[tuple[FuzzInput, pr.Program]]:
    drawn = []
    for case, program_of_it in guide.inputs(n):
        drawn.append((case, program_of_it))
        guide.observe(case, program_of_it)
    return drawn


# What is drawn.


def test_without_mutations_the_programs_are_those_of_a_search(guide: Any) -> None:
    drawn = given(guide("5", share=0.0), 60)
    expected = itertools.islice(searched(DEZERO, 5, rotation(DEZERO)), 60)
    assert [p for _, p in drawn] == list(expected)
    assert [READER.program(case) for case, _ in drawn] == [p for _, p in drawn]


def test_the_same_seed_gives_the_same_cases_and_another_seed_others(guide: Any) -> None:
    first, again, other = (guide(seed) for seed in ("1", "1", "2"))
    cases = given(first, 150)
    assert given(again, 150) == cases
    assert again.kept == first.kept
    assert given(other, 150) != cases


def test_the_share_of_changed_copies_and_the_rest_in_turn(guide: Any) -> None:
    blind = [case for case, _ in given(guide("3", share=0.0), 200)]
    mixed = [case for case, _ in given(guide("3", share=0.5), 200)]
    drawn_blind = [case for case in mixed if case in set(blind)]
    assert drawn_blind == blind[: len(drawn_blind)]
    assert 75 < len(drawn_blind) < 125


def test_nothing_is_changed_before_something_is_kept(guide: Any) -> None:
    (first, _), *_ = given(guide("3", share=1.0), 1)
    assert first == given(guide("3", share=0.0), 1)[0][0]


def test_one_in_eight_is_a_changed_copy_unless_told(guide: Any) -> None:
    first = guide("3")
    given(first, 50)
    drawn = {case for case, _ in guide("4", first.kept).inputs(400)}
    blind = {case for case, _ in guide("4", share=0.0).inputs(400)}
    assert 30 < len(drawn - blind) < 70


def test_copies_are_of_all_kept_cases_and_of_the_profiles_in_turn(
    guide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: list[tuple[FuzzInput, list[FuzzInput]]] = []

    def mutated(self: Mutator, case: FuzzInput, others: Any) -> FuzzInput:
        changed.append((case, others))
        return case

    monkeypatch.setattr(Mutator, "mutated", mutated)
    one = guide(share=1.0)
    profiles = rotation(DEZERO)
    kept = {n: [FuzzInput(n, bytes([i]) * PROFILES[n].size) for i in range(3)] for n in profiles}
    one.by_profile.update(kept)
    for _ in range(20 * len(profiles)):
        one._next()
    assert [case.profile for case, _ in changed] == 20 * list(profiles)
    assert all(others == kept[case.profile] for case, others in changed)
    assert {case for case, _ in changed} == {case for several in kept.values() for case in several}


# What is kept.


def test_kept_are_the_programs_with_a_feature_that_none_before_had(guide: Any) -> None:
    seen: set[Any] = set()
    expected = []
    one = guide("4")
    for case, drawn in one.inputs(200):
        one.observe(case, drawn)
        if not set(reached(drawn)) <= seen:
            expected.append(case)
        seen |= set(reached(drawn))
    assert one.kept == expected
    assert 0 < len(expected) < 200


def test_kept_cases_are_changed_and_not_kept_again(guide: Any) -> None:
    first = guide("6")
    given(first, 100)
    second = guide("6", first.kept, share=1.0)
    drawn = [case for case, _ in given(second, 100)]
    parents = {case.profile for case in first.kept}
    assert {case.profile for case in drawn} <= parents
    assert not set(second.kept) & set(first.kept)
    known = set().union(*(set(reached(READER.program(case))) for case in first.kept))
    assert all(not set(reached(READER.program(case))) <= known for case in second.kept)


def test_kept_cases_that_do_nothing_new_are_not_changed(guide: Any) -> None:
    first = guide("7", share=0.0)
    given(first, 50)
    twice = [*first.kept, *(case for case, _ in given(guide("7", share=0.0), 50))]
    useful, novelty = SeenFeatures(Absent(), READER).of(twice)
    assert useful == first.kept
    changed = guide("7", twice).by_profile
    assert changed == {
        n: [c for c in useful if c.profile == n] for n in {c.profile for c in useful}
    }
    assert novelty.seen == set().union(*(set(reached(READER.program(case))) for case in twice))


def test_kept_cases_are_all_looked_at(guide: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = guide("7", share=0.0)
    given(first, 50)
    monkeypatch.setattr(guide_module, "QUIET", 0)
    assert SeenFeatures(Absent(), READER).of(first.kept)[0] == first.kept


def test_what_is_seen_of_a_list_depends_on_the_list_alone(guide: Any) -> None:
    cases = [case for case, _ in given(guide("9", share=0.0), 60)]
    seen = SeenFeatures(Absent(), READER)
    read, said = [], []
    seen.reader = Reader(DEZERO)
    program_of = seen.reader.program
    seen.reader.program = lambda case: (read.append(case), program_of(case))[1]  # type: ignore
    for part in (cases[:20], cases[:40], cases, cases[10:30]):
        useful, novelty = seen.of(part)
        fresh_useful, fresh = SeenFeatures(Absent(), READER).of(part)
        said.append((useful, novelty.seen, fresh_useful, fresh.seen))
    assert all(one[:2] == one[2:] for one in said)
    assert read == cases + cases[10:30]


def test_what_a_guide_sees_is_not_known_to_the_next(guide: Any) -> None:
    seen = SeenFeatures(Absent(), READER)
    first, second = (guide("7", seen=seen, share=0.0) for _ in range(2))
    given(first, 50)
    given(second, 50)
    assert first.kept == second.kept != []


def test_guides_share_what_is_seen(guide: Any) -> None:
    first = guide("7", share=0.0)
    given(first, 50)
    seen = SeenFeatures(Absent(), READER)
    guide("8", first.kept, seen=seen)
    assert seen.inputs == first.kept != []


def test_a_rejected_case_is_neither_kept_nor_changed(guide: Any) -> None:
    one, other = guide("8", share=0.0), guide("8", share=0.0)
    (case, drawn), *_ = given(one, 2)
    assert one.kept[0] == case
    other.reject(case)
    other.observe(case, drawn)
    assert other.kept == []
    assert other.by_profile[case.profile] == []
    # What it does is known: others that do the same would fail as well.
    assert other.novelty.seen >= set(reached(drawn))


# When programs are looked at.


def test_all_programs_are_looked_at_until_nothing_is_new_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guide_module, "QUIET", 3)
    looked: list[int] = []
    one = program([X], apply("neg", 0))
    for number in range(1, 25):
        monkeypatch.setattr(
            guide_module, "reached", lambda _, n=number: (looked.append(n), reached(one))[1]
        )
        if number == 1:
            novelty = Novelty((), Lines())
        assert novelty.is_new(one) == (number == 1)
    assert looked == [1, 2, 3, 4, 8, 16, 24]


def test_who_knows_something_looks_at_one_in_some_until_it_is_new() -> None:
    one, other = program([X], apply("neg", 0)), program([X], apply("exp", 0))
    novelty = Novelty(reached(one), Lines())
    assert [novelty.is_new(other) for _ in range(10)] == [False] * 7 + [True] + [False] * 2
    assert novelty.quiet == 2


# Lines.

BRANCHING = """
    from beside import slope

    from parity.diagnose.defects.engine import TapeEngine


    class Branching(TapeEngine):
        name = "branching"

        def value(self, t):
            if t.data.size and t.data.max() > 100:
                return slope(t.data)
            return t.data
"""
BESIDE = """
    def slope(x):
        return x
"""


@pytest.fixture
def branching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """An engine in files of its own with a line that only values above 100 reach."""
    write_module(tmp_path, "branching.py", BRANCHING)
    write_module(tmp_path, "beside.py", BESIDE)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("branching", "beside"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    engine: Engine = importlib.import_module("branching").Branching()
    return engine


def square(value: float) -> pr.Program:
    return program([leaf(value)], apply("square", 0), pr.Backward(1))


def test_lines_that_were_not_reached_before_are_fresh(branching: Engine) -> None:
    lines = lines_of(branching)
    cases = (square(3.0), square(4.0), square(30.0), square(31.0))
    said = [lines.adds(case, True) for case in cases]
    assert said == [True, False, True, False]
    files = {Path(file).name for file, _ in lines.seen}
    assert {"branching.py", "beside.py"} <= files
    assert not any(name in file for file, _ in lines.seen for name in ("numpy", "execute.py"))


def test_a_program_with_no_new_feature_is_kept_for_its_lines(
    branching: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines_module, "_SAMPLE", 1)
    novelty = Novelty((), lines_of(branching))
    said = [novelty.is_new(case) for case in (square(3.0), square(4.0), square(30.0))]
    assert set(reached(square(3.0))) == set(reached(square(30.0)))
    assert said == [True, False, True]


def test_lines_that_kept_cases_reach_are_known(branching: Engine) -> None:
    reader = Reader(branching)
    case = next(case for case, _ in Guide(branching, reader, "1").inputs(1))
    seen = SeenFeatures(branching, reader)
    for _ in range(2):  # what one guide sees, the next does not know
        _, novelty = seen.of([case])
        assert novelty.lines.adds(reader.program(case), True) is False
        assert novelty.lines.adds(square(30.0), True) is True


def test_kept_cases_are_useful_for_their_lines_alone(branching: Engine) -> None:
    programs = [square(3.0), square(4.0), square(30.0)]
    cases = [FuzzInput("general", bytes([n]) * PROFILES["general"].size) for n in range(3)]
    reader = Reader(branching)
    reader.program = dict(zip(cases, programs, strict=True)).__getitem__  # type: ignore
    useful, novelty = SeenFeatures(branching, reader).of(cases)
    assert useful == [cases[0], cases[2]]
    assert novelty.lines.adds(square(31.0), True) is False


def test_a_tracer_is_left_as_it_was(branching: Engine) -> None:
    def tracer(*event: Any) -> None:
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        given(Guide(branching, Reader(branching), "1"), 3)
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)


def test_places_are_the_adapter_and_the_package_of_the_engine() -> None:
    import dezero
    import parity.engines.adapters.dezero

    package = str(Path(dezero.__file__).parent)
    assert set(source_paths(DEZERO)) == {package + "/", parity.engines.adapters.dezero.__file__}
    assert not any(np.__file__.startswith(prefix) for prefix in source_paths(DEZERO))


def test_lines_of_an_engine_in_another_process_are_not_seen() -> None:
    lines = lines_of(Absent())
    assert type(lines) is Lines
    assert lines.adds(square(3.0), True) is False
