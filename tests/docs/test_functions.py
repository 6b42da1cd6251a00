"""docs/functions.md: its table is that of the script, and it names every check."""

from __future__ import annotations

import re

import pytest

import parity
from parity._util.markdown import table
from tests.function_table import END, FOUND, HEAD, PAGE, PASSES, START, row_of
from tests.helpers.wrong_functions import RIGHT, WRONG, Example, Square

TEXT = PAGE.read_text()
SHOWN = TEXT.partition(START)[2].partition(END)[0]
EXAMPLES = (*WRONG, *RIGHT)


@pytest.mark.parametrize("example", EXAMPLES, ids=[e.name for e in EXAMPLES])
def test_a_row_is_what_the_script_says(example: Example) -> None:
    *_, row = table(HEAD, [row_of(example)])
    assert row in SHOWN.splitlines()


def test_the_table_has_all_functions_in_order() -> None:
    assert re.findall(r"^\| `(\w+)`", SHOWN, re.MULTILINE) == [e.name for e in EXAMPLES]
    found = [row.count(FOUND) for row in SHOWN.splitlines()[2:]]
    assert found.count(0) > len(WRONG) / 2  # gradcheck finds less than half of them
    assert sum(row.endswith(f"| {PASSES} |") for row in SHOWN.splitlines()) == len(RIGHT)


def test_every_check_is_on_the_page() -> None:
    listed = TEXT.partition("## What it checks")[2].partition("Inputs grow")[0]
    names = {
        n for row in re.findall(r"^\| ([\w ,]+) \|", listed, re.MULTILINE) for n in row.split(", ")
    }
    ran = set(parity.check_function(Square.apply, (2,)).checked)
    assert names == ran | {"check", "compile"}
