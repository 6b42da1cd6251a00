"""Tables in Markdown: alignment, and cells that cannot end a row or a column."""

from __future__ import annotations

from parity._util.markdown import escape, table


def test_a_table_is_aligned_by_letters() -> None:
    assert table(("a", "b", "c", "d"), [("x", 1, "", None)], "lrc") == [
        "| a | b | c | d |",
        "|---|---:|:---:|---|",
        "| x | 1 |  | None |",
    ]


def test_pipes_and_line_breaks_stay_in_their_cell() -> None:
    (_, _, row) = table(("a", "b"), [("x|y\nz", escape("p|q"))])
    assert row == r"| x\|y z | p\|q |"


def test_escaped_text_is_shown_as_it_is() -> None:
    assert escape("a_b*c [d](e) <i> & `f`") == r"a\_b\*c \[d\](e) &lt;i&gt; &amp; \`f\`"
    assert escape("@who #12 https://a.b") == ("@<!-- -->who #<!-- -->12 https://<!-- -->a.b")
