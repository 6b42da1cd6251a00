"""What the profiles of large arrays and large graphs reach."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from parity.generate.profiles import PROFILES
from parity.generate.schedule import ROTATION, in_turn, rotation
from parity.language import program as pr
from parity.language.patterns import Pattern
from parity.language.shapes import size
from parity.language.table import with_rules
from tests.helpers.programs import DEZERO, TORCH, check, sample


def _elements(case: pr.Program) -> int:
    return max(size(info.shape) for info in case.infos)


def _uses(case: pr.Program) -> int:
    uses = Counter(i for s in case.statements if isinstance(s, pr.Apply) for i in s.inputs)
    return max(uses.values(), default=0)


@pytest.mark.parametrize("above", [16, 64, 128, 256, 1000])
def test_large_programs_have_arrays_above(above: int) -> None:
    cases = sample("large", 300)
    assert sum(_elements(case) > above for case in cases) >= 40
    assert max(map(_elements, cases)) <= PROFILES["large"].max_size


def test_large_programs_have_up_to_five_dimensions_and_all_operations() -> None:
    cases = sample("large", 1000)
    assert {len(leaf.shape) for case in cases for leaf in case.leaves} == set(range(6))
    used = Counter(s.op for case in cases for s in case.statements if isinstance(s, pr.Apply))
    assert set(with_rules()) <= used.keys()


@pytest.mark.parametrize("name", ["large", "scale"])
def test_arrays_of_large_programs_are_patterns_that_are_not_uniform(name: str) -> None:
    for case in sample(name, 60):
        for leaf in case.leaves:
            assert isinstance(leaf.values, Pattern) == (size(leaf.shape) > 24)
        gradients = [s.gradient for s in case.statements if isinstance(s, pr.Backward)]
        for constant in (*case.leaves, *filter(None, gradients)):
            assert size(constant.shape) <= 24 or len(set(constant.distinct())) > 1
        assert len(str(case)) < 4000


def test_scale_programs_have_indices_beyond_16_bits() -> None:
    cases = sample("scale", 40)
    assert sum(_elements(case) > 32768 for case in cases) >= 25


@pytest.mark.parametrize("uses", [2, 8, 16, 17, 32, 33, 64])
def test_wide_programs_use_a_value(uses: int) -> None:
    assert sum(_uses(case) >= uses for case in sample("wide", 300)) >= 3


def test_long_programs_have_hundreds_of_statements_and_loops() -> None:
    cases = sample("long", 60)
    assert sum(len(case.statements) > 150 for case in cases) >= 3
    passes = [sum(isinstance(s, pr.Backward) for s in case.statements) for case in cases]
    assert sum(n >= 10 for n in passes) >= 10


def test_rare_profiles_have_few_turns() -> None:
    names = rotation(DEZERO)
    turns = itertools.islice(in_turn([PROFILES[name] for name in names]), 2000)
    counts = Counter(names[i] for i in turns)
    assert set(counts) == {*ROTATION, "bits"}
    assert 5 <= counts["long"] < counts["scale"] <= 20
    assert 250 <= counts["large"] <= 330


def test_alone_a_rare_profile_has_every_turn() -> None:
    assert list(itertools.islice(in_turn([PROFILES["scale"]]), 3)) == [0, 0, 0]


@pytest.mark.parametrize("name", ["large", "wide", "long", "scale"])
@pytest.mark.parametrize("engine", [DEZERO, TORCH], ids=["dezero", "torch"])
def test_right_engines_have_no_finding(name: str, engine: object) -> None:
    for case in sample(name, 12, engine):  # type: ignore[arg-type]
        assert check(case, engine) is None  # type: ignore[arg-type]
