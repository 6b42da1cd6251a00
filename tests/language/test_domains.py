"""Domains: what is drawn lies in them, smooth and on the coarse grid."""

from __future__ import annotations

import numpy as np
import pytest

from parity.language.domains import DOMAINS, DomainError, domains_of

SQUARE = ((1, 1), (2, 2), (3, 3), (2, 3, 3))
MATRICES = ((2, 3), (3, 2), (2, 3, 2))
ANY = ((3,), (2, 3), (1,), (2, 1, 3))
SHAPES = {
    **dict.fromkeys(DOMAINS, ((), (0,), (0, 3), *ANY)),
    **dict.fromkeys("MDL", SQUARE),
    "F": (*SQUARE, *MATRICES),
    "S": ANY,
    "V": ((), (0, 3), *ANY),
}


@pytest.mark.parametrize("grid", [False, True], ids=["smooth", "grid"])
@pytest.mark.parametrize("letter", DOMAINS)
def test_what_is_drawn_is_of_the_domain(letter: str, grid: bool) -> None:
    for shape in SHAPES[letter]:
        for seed in range(10):
            array = DOMAINS[letter].draw(np.random.default_rng(seed), shape, grid)
            assert (array.shape, array.dtype) == (shape, np.float64)
            assert np.isfinite(array).all()
            assert DOMAINS[letter].contains(array), array


def test_the_same_numbers_come_from_the_same_source() -> None:
    for domain in DOMAINS.values():
        one, other = (domain.draw(np.random.default_rng(3), (3, 3), True) for _ in range(2))
        assert np.array_equal(one, other)


@pytest.mark.parametrize("letter", sorted(set(DOMAINS) - set("FMDLS")))
def test_smooth_numbers_are_distinct(letter: str) -> None:
    array = DOMAINS[letter].draw(np.random.default_rng(0), (4, 5), False)
    assert len(np.unique(array)) == 20


def test_the_grid_has_ties_and_zeros_where_the_domain_has_them() -> None:
    drawn = [DOMAINS["R"].draw(np.random.default_rng(seed), (3, 3), True) for seed in range(20)]
    assert any((array == 0).any() for array in drawn)
    assert any(len(np.unique(array)) == 1 for array in drawn)
    assert all(np.array_equal(4 * array, np.round(4 * array)) for array in drawn)
    without = [DOMAINS["Z"].draw(np.random.default_rng(seed), (3, 3), True) for seed in range(20)]
    assert not any((array == 0).any() for array in without)


@pytest.mark.parametrize(
    ("letter", "outside"),
    [
        ("P", [1.0, 0.05]),
        ("P", [np.nan]),
        ("N", [-1e-9]),
        ("Z", [1.0, 0.0]),
        ("U", [0.9]),
        ("Q", [0.0]),
        ("G", [1.0]),
        ("M", [[1.0, 1.0], [1.0, 1.0]]),
        ("M", [[3.0, 1.0]]),
        ("D", [[-3.0, 1.0], [1.0, 3.0]]),
        ("L", [[3.0, 1.0], [1.0, 3.0]]),
        ("L", [[3.0, 0.0], [1.0, -3.0]]),
        ("F", [[1.0, 2.0], [2.0, 4.0]]),
        ("F", [[1.0, 0.0], [0.0, 1.0]]),
        ("X", [1.0, 2.0, 1.0]),
        ("S", [0.5, 0.6]),
        ("S", 1.0),
        ("C", [2.0, 2.0]),
        ("V", [[1.0, 0.0], [0.0, 0.0]]),
    ],
)
def test_numbers_outside_are_told(letter: str, outside: object) -> None:
    assert not DOMAINS[letter].contains(np.array(outside))


@pytest.mark.parametrize(
    ("letter", "shape"), [("M", ()), ("M", (2,)), ("D", (2, 3)), ("L", (3, 2)), ("F", (3,))]
)
def test_a_shape_that_a_domain_does_not_have_is_refused(
    letter: str, shape: tuple[int, ...]
) -> None:
    with pytest.raises(DomainError, match="no numbers of shape"):
        DOMAINS[letter].draw(np.random.default_rng(0), shape, False)


@pytest.mark.parametrize(
    ("text", "operands"), [("", 1), ("r", 1), ("R, ?", 2), ("R,", 2), ("RP", 2), ("R, R, R", 2)]
)
def test_texts_that_name_no_domains_are_refused(text: str, operands: int) -> None:
    with pytest.raises(DomainError):
        domains_of(text, operands)


def test_one_letter_stands_for_all() -> None:
    assert domains_of("P", 3) == (DOMAINS["P"],) * 3
    assert domains_of("R, P", 3) == (DOMAINS["R"], DOMAINS["P"], DOMAINS["P"])
