"""Foreign text: shown on a terminal, in CI logs, in Markdown, in scripts and as names of files."""

from __future__ import annotations

import ast
import html
import re
from pathlib import PureWindowsPath

import pytest

from parity._util import escape
from parity._util.errors import UsageError
from parity._util.markdown import table
from tests.helpers.hostile_text import HOSTILE, harmful

EACH = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)


@EACH
def test_a_line_does_nothing_and_stays_one(text: str) -> None:
    line = escape.one_line(text)
    assert not harmful(line)
    assert "\n" not in line
    assert len(line) <= escape.LONGEST
    assert escape.one_line(line) == line
    assert str(UsageError(text)) == line


@EACH
def test_several_lines_do_nothing(text: str) -> None:
    shown = escape.printable(f"first\n{text}")
    assert not harmful(shown)
    assert len(shown) <= escape.LONGEST_TEXT
    assert escape.printable(shown) == shown


def test_what_is_hidden_is_shown() -> None:
    assert escape.one_line("\x1b[1m\u202e\u200b\ud800\U000e0041\n\tä") == (
        r"\x1b[1m\u202e\u200b\ud800\U000e0041\n\tä"
    )
    assert escape.one_line("::error::a") == r"\x3a:error::a"
    assert escape.one_line("std::vector C:\\new") == "std::vector C:\\new"
    assert escape.printable("a\n ::error::b\nc") == "a\n \\x3a:error::b\nc"


def test_the_length_of_what_is_cut_is_said() -> None:
    line = escape.one_line("ä" * 5_000_000)
    assert len(line) == escape.LONGEST
    assert line.endswith("ää... (5000000 characters)")
    assert escape.one_line("ä" * escape.LONGEST) == "ä" * escape.LONGEST


class Raises(Exception):  # noqa: N818 - its name is shown
    def __str__(self) -> str:
        raise SystemExit(0)


class Odd(str):
    __slots__ = ()

    def __str__(self) -> str:
        return Odd("\x1b")


@pytest.mark.parametrize(
    ("error", "message", "described"),
    [
        (ValueError("a\nb"), r"a\nb", r"ValueError: a\nb"),
        (ValueError(), "ValueError", "ValueError"),
        (Raises(), "(its text cannot be shown: SystemExit)", None),
        (type("a\x1b", (Exception,), {})("b"), "b", r"a\x1b: b"),
        (ValueError(Odd("a")), r"\x1b", r"ValueError: \x1b"),
    ],
)
def test_exceptions(error: Exception, message: str, described: str | None) -> None:
    assert escape.one_line(error) == message
    assert escape.described(error) == (described or f"Raises: {message}")


_TAGS = {"p", "ul", "li", "h3", "code", "pre", "table", "thead", "tbody", "tr", "th", "td"}


@EACH
def test_markdown_shows_text_as_it_is(text: str) -> None:
    renderer = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    line, several = escape.one_line(text), escape.printable(text)
    cells = table(["a", "b"], [[escape.markdown(text), escape.code(text)]])
    pages = {
        escape.markdown(text): line,
        f"- {escape.markdown(text)}": line,
        f"### a {escape.markdown(text)}": line,
        escape.code(text): line,
        "\n".join(cells): line,
        "\n".join(["", *escape.block(text)]): several,
    }
    for page, expected in pages.items():
        rendered = renderer.render(page).replace("<!-- -->", "")
        assert set(re.findall(r"</?(\w+)", rendered)) <= _TAGS
        words = html.unescape(re.sub(r"<[^>]*>", "", rendered))
        assert expected.strip() in words


def test_markdown_makes_no_link_or_mention() -> None:
    assert escape.markdown("a_b*c [d](e) <i> & `f`") == r"a\_b\*c \[d\](e) &lt;i&gt; &amp; \`f\`"
    assert escape.markdown("@who #12 GH-3 https://a.b") == (
        "@<!-- -->who #<!-- -->12 GH-<!-- -->3 https://<!-- -->a.b"
    )


@EACH
def test_a_docstring_says_the_text(text: str) -> None:
    line = escape.one_line(text)
    source = f'"""{escape.docstring(line)}"""'
    assert ast.literal_eval(source) == line


@EACH
def test_names_of_files_are_plain(text: str) -> None:
    name = escape.file_name(text)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,80}", name)
    assert not name.endswith(".")
    assert not PureWindowsPath(name).is_reserved()


def test_names_of_files_differ() -> None:
    assert escape.file_name("dezero-1.2_a") == "dezero-1.2_a"
    assert escape.file_name("test_all[dezero]") == "test_all-dezero"
    for name in ("con", "NUL.txt", "com1"):
        assert escape.file_name(name) == f"_{name}"
    several = ["", "..", "a/b", "a\\b", "é", "è", "a\nb", "x" * 200, "x" * 201]
    assert len(set(map(escape.file_name, several))) == len(several)


def test_a_password_in_an_address_is_not_shown() -> None:
    assert escape.without_password("redis://user:secret@host:1/0") == "redis://user:***@host:1/0"
    assert escape.without_password("redis://:a/b@host") == "redis://:***@host"
    assert escape.without_password("redis://host:6379") == "redis://host:6379"
