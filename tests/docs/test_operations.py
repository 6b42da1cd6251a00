"""docs/operations.md: it is what the table of operations gives."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import parity.language.page
from parity.language.page import page
from parity.language.table import OPS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def test_the_page_is_made_from_the_table_as_it_is() -> None:
    assert PAGE.read_text() == page(), "python -m parity.language.page > docs/operations.md"


def test_each_operation_stands_there_once() -> None:
    names = re.findall(r"^\| `(\w+)` \| ", page().partition("## Domains")[0], re.MULTILINE)
    assert sorted(names) == sorted(set(names))
    assert set(names) <= OPS.keys()  # tests may have added operations
    ruled = names.index("softmax_cross_entropy") + 1
    assert all(OPS[name].has_rules for name in names[:ruled])
    assert not any(OPS[name].has_rules for name in names[ruled:])


def test_a_row_in_words() -> None:
    (row,) = re.findall(r"^\| `std` .*$", page(), re.MULTILINE)
    assert "| `M N` | numbers that differ along each axis |" in row
    assert "`axis` an axis, two of them, or None for all; `keepdims` true or false" in row
    assert row.endswith("`correction` 0, 1 | constants |")
    (row,) = re.findall(r"^\| `div` .*$", page(), re.MULTILINE)
    assert row == "| `div` | `a / b` | `*s, ~s` | `b` not 0 |  |  |"


def test_the_examples_of_the_module() -> None:
    result = doctest.testmod(parity.language.page)
    assert result.attempted
    assert not result.failed
