"""The tutorial: each change in it has the effect that it names."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import parity

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def blocks() -> Iterator[tuple[str, str]]:
    """Yield the language and the text of each fenced block of the page."""
    for fence in (ROOT / "docs" / "tutorial.md").read_text("utf-8").split("```")[1::2]:
        language, _, text = fence.partition("\n")
        yield language, text


def put(source: str, new: str) -> str:
    """Replace the function of the same name in ``source``, or add it before ``as_array``."""
    name = re.search(r"def (\w+)\(", new)[1]  # type: ignore[index]
    methods = new.startswith("    ")
    found = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
        and node.name == name
        and (node.col_offset > 0) == methods
    ]
    lines = source.splitlines(keepends=True)
    if not found:
        return source.replace("def as_array", f"{new}\n\ndef as_array", 1)
    old = found[0]
    return "".join([*lines[: old.lineno - 1], new, *lines[old.end_lineno :]])


def test_each_step_mends_what_it_says(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(ROOT / "examples" / "step14", folder)
    engine, adapter = folder / "step14.py", folder / "adapter.py"
    report = ""
    for language, text in blocks():
        if language == "python":
            file = adapter if "t: Variable" in text else engine
            file.write_text(put(file.read_text("utf-8"), text), "utf-8")
            report = ""
        elif text.startswith(("parity", "cp")):
            continue
        else:
            report = report or str(parity.check(f"{adapter}:Step14", examples=300))
            shown = re.sub(r"torch \S+\)", "torch)", text)
            assert shown.strip() in re.sub(r"torch \S+\)", "torch)", report)
