"""The notebook of the examples: its cells run in order and show what is stored in it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / "examples" / "notebook.ipynb"
pytestmark = pytest.mark.slow


def shown(source: str, space: dict[str, Any]) -> Any:
    """Run a cell; return the value of its last expression, None if it ends otherwise."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), space)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), "cell", "eval"), space)


def comparable(text: str) -> str:
    return re.sub(r"torch [\d.]+|[\d.]+ s$| {2,}|depth \d+", "", text, flags=re.MULTILINE)


def test_the_cells_show_what_is_stored() -> None:
    space: dict[str, Any] = {}
    seen = 0
    for cell in json.loads(FILE.read_text("utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        value = shown("".join(cell["source"]), space)
        for output in cell["outputs"]:
            assert comparable(str(value)) == comparable("".join(output["data"]["text/plain"]))
            assert value._repr_html_()
            seen += 1
    assert seen == 4
    assert [str(report.finding.kind) for report in space["result"].findings] == ["depth"]
