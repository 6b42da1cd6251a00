"""docs/architecture.md: its session prints what it says, and imports go in its direction."""

from __future__ import annotations

import ast
import doctest
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.output import without_version

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
TEXT = PAGE.read_text()


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, or of none."""
    fences = TEXT.split("```")[1::2]
    return [f.partition("\n")[2] for f in fences if f.partition("\n")[0] == language]


def layers() -> list[set[str]]:
    """The packages on each line of the diagram, from the top."""
    diagram = next(block for block in blocks("") if block.startswith("cli "))
    # Names stand in the first two columns, before the descriptions.
    return [set(line[:27].split()) for line in diagram.splitlines()]


def packages() -> set[str]:
    """The sub-packages of parity."""
    return {file.parent.name for file in (ROOT / "parity").glob("*/__init__.py")}


def imports(package: str) -> Iterator[tuple[Path, str]]:
    """The sub-packages that each module of a package imports, by module."""
    for file in (ROOT / "parity" / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                first, _, rest = name.partition(".")
                if first == "parity" and rest:
                    yield file, rest.partition(".")[0]


def test_the_session_prints_what_it_says() -> None:
    session = "\n".join(blocks("python"))
    test = doctest.DocTestParser().get_doctest(session, {}, "architecture", str(PAGE), 0)
    assert len(test.examples) > 10
    assert doctest.DocTestRunner().run(test).failed == 0


def test_the_command_prints_the_report(tmp_path: Path) -> None:
    shown = next(block for block in blocks("") if block.startswith("$ "))
    command, _, report = shown.partition("\n")
    arguments = command.split()[2:]
    run = subprocess.run(
        [sys.executable, "-m", "parity", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 1, run.stderr
    assert without_version(report) in without_version(run.stdout)


def test_the_diagram_and_the_table_have_every_package() -> None:
    assert set.union(*layers()) == packages()
    rows = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    assert rows == packages() - {"_util"}


@pytest.mark.parametrize("package", sorted(packages()))
def test_a_package_imports_only_those_below_it(package: str) -> None:
    order = layers()
    own = next(i for i, layer in enumerate(order) if package in layer)
    allowed = {package}.union(*order[own + 1 :])
    wrong = {(str(file), name) for file, name in imports(package) if name in packages() - allowed}
    assert wrong == set()


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:parity|tests|docs)/[\w./]+)`", TEXT)
    named += [f"docs/{name}" for name in re.findall(r"\]\((\w+\.md)\)", TEXT)]
    named += [
        f"parity/{package}/{file}"
        for package, files in re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", TEXT, re.MULTILINE)
        for file in re.findall(r"`([\w/]+\.py)`", files)
    ]
    assert len(named) > 30
    assert [name for name in named if not (ROOT / name).exists()] == []
