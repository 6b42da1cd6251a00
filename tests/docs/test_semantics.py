"""docs/semantics.md: each numbered statement holds, has an example, and is there to be cited."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "semantics.md"
#: Where comments cite the page.
CODE = ("dezero", "parity", "tests")

_HEADING = re.compile(r"^(?:## (\d+)|### (\d+\.\d+)) (.+)$", re.MULTILINE)
_NUMBER = r"\d+(?:\.\d+)?"
#: "semantics.md 9", "semantics.md 5.3, 11.2", "semantics.md sections 1, 4 and 15"; a line may end
#: inside, and then a comment goes on with "#" or "#:".
_CITATION = re.compile(
    rf"semantics\.md(?:\s+#:?)?\s+(?:sections?\s+)?({_NUMBER}(?:(?:,|\s+and|\s+to)\s+{_NUMBER})*)"
)


@dataclass(frozen=True)
class Statement:
    """A numbered statement: what follows its heading."""

    number: str
    text: str
    line: int


def read(page: str) -> tuple[str, dict[str, str], dict[str, Statement]]:
    """What all examples start with; the sections; the statements, each by number."""
    headings = list(_HEADING.finditer(page))
    sections: dict[str, str] = {}
    statements: dict[str, Statement] = {}
    ends = [heading.start() for heading in headings[1:]] + [len(page)]
    for heading, end in zip(headings, ends, strict=True):
        section, number, title = heading.groups()
        known = sections if section else statements
        assert (section or number) not in known, f"{section or number} is there twice"
        if section:
            sections[section] = title
        else:
            line = page.count("\n", 0, heading.end())
            statements[number] = Statement(number, page[heading.end() : end], line)
    return page[: headings[0].start()], sections, statements


def parsed(text: str, globs: dict[str, Any], name: str, line: int = 0) -> doctest.DocTest:
    """The examples in a piece of the page."""
    return doctest.DocTestParser().get_doctest(text, globs, name, str(PAGE), line)


def cited(source: str) -> list[str]:
    """The numbers of sections and statements that a source cites."""
    return [n for match in _CITATION.findall(source) for n in re.findall(_NUMBER, match)]


START, SECTIONS, STATEMENTS = read(PAGE.read_text("utf-8"))


@pytest.fixture(autouse=True)
def modes_as_before() -> Iterator[None]:
    """Modes of PyTorch are those of the process: what an example changes, it changes back."""
    yield
    left = torch.is_grad_enabled(), torch.is_warn_always_enabled()
    torch.set_grad_enabled(True)
    torch.set_warn_always(False)
    assert left == (True, False)


@pytest.mark.parametrize("number", STATEMENTS)
def test_a_statement_holds(number: str) -> None:
    statement = STATEMENTS[number]
    globs: dict[str, Any] = {}
    output: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    start = parsed(START, globs, "definitions")
    runner.run(start, out=output.append, clear_globs=False)
    test = parsed(statement.text, {}, f"semantics.md {number}", statement.line)
    test.globs = start.globs  # get_doctest would copy them
    runner.run(test, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)


def test_every_statement_has_an_example_that_shows_something() -> None:
    examples = {n: parsed(s.text, {}, n).examples for n, s in STATEMENTS.items()}
    shows = [n for n, found in examples.items() if any(example.want for example in found)]
    assert shows == list(STATEMENTS)


def test_every_number_is_followed_by_the_next() -> None:
    counts = dict.fromkeys(SECTIONS, 0)
    for number in STATEMENTS:
        section, _, last = number.partition(".")
        counts[section] += 1
        assert int(last) == counts[section], number
    assert list(counts) == [str(i) for i in range(1, len(counts) + 1)]
    assert all(counts.values())


def test_what_the_code_cites_is_on_the_page() -> None:
    citations = [
        (path.relative_to(ROOT).as_posix(), number)
        for folder in CODE
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number in cited(path.read_text("utf-8"))
    ]
    assert len(citations) > 20  # else they are written in a form that is not found
    known = SECTIONS.keys() | STATEMENTS.keys()
    assert [(path, number) for path, number in citations if number not in known] == []


@pytest.mark.parametrize(
    ("after", "numbers"),
    [
        (" 9).", ["9"]),
        (" 9.3.", ["9.3"]),
        (" 1.2, 4.2, 4.4)", ["1.2", "4.2", "4.4"]),
        (" sections 1, 4 and 15.", ["1", "4", "15"]),
        (" 5 to 7).", ["5", "7"]),
        ("\n    6.2) twice", ["6.2"]),
        ("\n    # 6.2), 3 times", ["6.2"]),
        (".", []),
    ],
)
def test_a_citation_is_recognized(after: str, numbers: list[str]) -> None:
    assert cited("docs/semantics" + ".md" + after) == numbers
