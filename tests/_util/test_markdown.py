"""Tables in Markdown: alignment, and cells that cannot end a row or a column."""

from __future__ import annotations

from parity._util.markdown import table


def test_a_table_is_aligned_by_letters() -> None:
    assert table(("a", "b", "c", "d"), [("x", 1, "", None)], "lrc") == [
        "| a | b | c | d |",
        "|---|---:|:---:|---|",
        "| x | 1 |  | None |",
    ]


def test_pipes_and_line_breaks_stay_in_their_cell() -> None:
    (_, _, row) = table(("a", "b", "c"), [("x|y\nz", r"p\|q", r"v\\|w")])
    assert row == r"| x\|y z | p\|q | v\\\|w |"
