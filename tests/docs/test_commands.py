"""Every command that the pages show exists with its options, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.commands import without_command

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    file.relative_to(ROOT).as_posix()
    for file in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
)


def commands_on(page: str) -> list[str]:
    """The commands in code of a page; what is optional in them counts as given."""
    text = (ROOT / page).read_text()
    fences = [block.partition("\n")[2] for block in text.split("```")[1::2]]
    lines = [line for block in fences for line in block.splitlines()]
    inline = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    found = [line.removeprefix("$ ") for line in lines]
    found += [" ".join(code.split()) for code in inline]
    commands = [line for line in found if re.match(r"(parity [a-z]|pytest |pip install )", line)]
    # "[--json FILE]" is an option; "[ENGINE...]" and '.[test]' are not.
    return [re.sub(r"(?<![\w.])\[|\](?!')|\|", " ", line) for line in commands]


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_exists(page: str) -> None:
    assert without_command("\n".join(commands_on(page))) == []


def test_commands_are_found_on_the_pages() -> None:
    assert len(commands_on("docs/commands.md")) > 15
    assert len(commands_on("README.md")) > 5
    assert len(commands_on("CONTRIBUTING.md")) > 5


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_to_one(page: str) -> None:
    # Code such as `ops["sum"](x)` looks like a link and is none.
    text = re.sub(r"```.*?```|`[^`]*`", "", (ROOT / page).read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#:]+)(?:#[\w-]+)?\)", text)
    place = (ROOT / page).parent
    assert [link for link in links if not (place / link).exists()] == []


@pytest.mark.parametrize("page", ["docs/reports.md", "CONTRIBUTING.md", "docs/score.md"])
def test_every_path_that_a_page_names_is_there(page: str) -> None:
    named = re.findall(r"`((?:parity|tests|dezero|docs)/[\w./]*)`", (ROOT / page).read_text())
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_two_commands_of_the_readme_stay() -> None:
    text = (ROOT / "README.md").read_text()
    for command in ("pip install -e . && pytest parity/", "pip install -e '.[test]' && pytest"):
        assert f"\n```\n{command}\n```\n" in text
