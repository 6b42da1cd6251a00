"""At which inputs a function runs."""

from __future__ import annotations

import numpy as np
import pytest

from parity.function.cases import Case, cases_of


def test_sizes_grow_and_zeros_ties_and_negative_numbers_are_there() -> None:
    cases = cases_of([(3, 4), (4,)], [None, None], "R", seed=0)
    shapes = list(dict.fromkeys(case.shapes for case in cases))
    assert shapes[:4] == [((n, n), (n,)) for n in (1, 2, 3)] + [((3, 4), (4,))]
    assert ((17, 4), (4,)) in shapes
    assert ((3, 33), (33,)) in shapes
    assert shapes[-1] == ((0, 4), (4,))
    special = [case.arrays[0] for case in cases if case.special]
    assert any((a == 0).all() for a in special)
    assert any((a == 1).all() and a.size > 1 for a in special)
    assert any((a < 0).all() for a in special)


def test_all_numbers_are_in_the_domain() -> None:
    for case in cases_of([(3,), (3,)], [None, None], "P, Z", seed=0):
        assert (case.arrays[0] >= 0.1).all()
        assert (case.arrays[1] != 0).all()


def test_the_seed_decides_the_numbers() -> None:
    one, again, other = (cases_of([(3,)], [None], "R", seed) for seed in (0, 0, 1))
    numbers = [[c.arrays[0].tolist() for c in cases] for cases in (one, again, other)]
    assert numbers[0] == numbers[1] != numbers[2]


def test_given_numbers_are_a_case_and_integers_fix_the_sizes() -> None:
    given = np.array([0.125, 7.0])
    cases = cases_of([(2,)], [given], "R", seed=0)
    assert any((c.arrays[0] == given).all() for c in cases if c.shapes == ((2,),))
    index = np.array([1, 0])
    fixed = cases_of([(2,), (2,)], [None, index], "R", seed=0)
    assert {c.shapes for c in fixed} == {((2,), (2,))}
    assert all(c.arrays[1] is index for c in fixed)


@pytest.mark.parametrize(
    ("numbers", "generic"), [([1.0, 2.0], True), ([1.0, -1.0], False), ([0.0, 2.0], False)]
)
def test_which_inputs_have_no_ties_and_kinks(numbers: list[float], generic: bool) -> None:
    assert Case((np.array(numbers),)).is_generic is generic
