"""Every name has a sentence, and what an explanation shows is right."""

from __future__ import annotations

import json

import pytest

import parity
from parity._util.errors import UsageError
from parity.cli.lookup import CATEGORIES as LISTED
from parity.diagnose.defects import DEFECTS
from parity.diagnose.lookup import CATEGORIES, Explanation, explain
from parity.engines.builtin import BUILT_IN
from parity.engines.execute import execute
from parity.engines.quirks.table import QUIRKS, with_quirks
from parity.language.table import OPS
from parity.language.text_format import program_from_text
from parity.oracle.side_by_side import side_by_side
from tests.helpers.programs import TORCH

SMALL = [what for what in CATEGORIES if what != "ops"]
NAMES = [(what, name) for what in SMALL for name in CATEGORIES[what].sentences()]


def _one(what: str, name: str) -> Explanation:
    return CATEGORIES[what].explain(name)


def test_the_command_lists_the_same_categories() -> None:
    assert tuple(CATEGORIES) == LISTED


@pytest.mark.parametrize("what", CATEGORIES)
def test_every_name_has_a_sentence(what: str) -> None:
    sentences = CATEGORIES[what].sentences()
    assert len(sentences) > 5
    for name, sentence in sentences.items():
        assert name
        assert len(sentence) > 3
        assert not sentence.endswith((".", ";"))
        assert sentence == " ".join(sentence.split())


def test_every_built_in_engine_is_described() -> None:
    assert set(CATEGORIES["engines"].sentences()) == set(BUILT_IN)


@pytest.mark.parametrize(("what", "name"), NAMES, ids=[f"{w}-{n}" for w, n in NAMES])
def test_every_name_is_explained(what: str, name: str) -> None:
    found = _one(what, name)
    assert found.sentence == CATEGORIES[what].sentences()[name]
    assert str(found).startswith(f"{name} ({CATEGORIES[what].singular}): {found.sentence}")
    assert found.facts
    assert all(heading and text for heading, text in found.facts)
    assert found._repr_html_()
    json.dumps(found.to_json())


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_has_code_a_mend_and_an_example_that_differs(name: str) -> None:
    found = _one("defects", name)
    assert {"typical code", "how to mend it"} <= dict(found.facts).keys()
    assert found.example
    shows = DEFECTS[name].smallest is not None and not DEFECTS[name].flaky
    assert (found.numbers is not None) is shows
    assert found.numbers is None or any(row.differs for row in found.numbers.rows)


@pytest.mark.parametrize("name", [name for name in QUIRKS if QUIRKS[name].example])
def test_the_example_of_a_quirk_differs_and_has_pytorchs_numbers(name: str) -> None:
    found = _one("quirks", name)
    assert found.numbers is not None
    assert any(row.differs for row in found.numbers.rows)
    program = program_from_text(found.example)
    sides = execute(program, with_quirks(TORCH, frozenset({name}))), execute(program, TORCH)
    measured = side_by_side(program, ("with the quirk", "PyTorch"), *sides)
    # Exact numbers have no negative zero, and other messages of exceptions.
    shown, expected = (
        [(row.engine.replace("-0.0", "0.0"), row.reference) for row in rows if row.name != "raises"]
        for rows in (found.numbers.rows, measured.rows)
    )
    assert shown == expected


def test_only_a_quirk_that_no_program_shows_has_no_example() -> None:
    assert [name for name in QUIRKS if not QUIRKS[name].example] == ["keeps-intermediate-grads"]


@pytest.mark.parametrize("name", ["add", "max", "split", "where", "cumprod", "lstm_cell"])
def test_an_operation_has_an_example_and_a_line_for_an_adapter(name: str) -> None:
    found = _one("ops", name)
    assert f'"{name}": lambda' in dict(found.facts)["in an adapter"]
    assert found.numbers is not None
    assert {f"attribute {key}" for key in OPS[name].kinds} <= dict(found.facts).keys()
    assert program_from_text(found.example).statements


def test_what_has_several_meanings_is_explained_in_each() -> None:
    found = explain("accumulation")
    assert [one.category for one in found] == ["profile", "finding kind"]
    assert str(found).count("accumulation (") == 2
    assert "<hr>" in found._repr_html_()


def test_the_right_and_the_wrong_numbers_stand_side_by_side() -> None:
    text = str(parity.explain("overwrite"))
    assert "      x0.grad         1.0    2.0      <- differs\n" in text
    assert "how to mend it: x.grad = gx if x.grad is None else x.grad + gx" in text


def test_an_unknown_name_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"'overwrit': did you mean overwrite\?$"):
        parity.explain("overwrit")
