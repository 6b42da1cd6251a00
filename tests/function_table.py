"""Runs ``gradcheck``, ``gradgradcheck`` and ``check_function`` on wrong and right functions.

``python -m tests.function_table`` from the root of the repository writes the table of
docs/functions.md, in about half a minute.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import parity
from parity._util.markdown import table
from parity._util.process import fuzzing_runtime
from tests.helpers.wrong_functions import RIGHT, WRONG, Example

PAGE = Path(__file__).resolve().parents[1] / "docs" / "functions.md"
START, END = "<!-- measured -->\n", "<!-- end -->\n"
HEAD = ("function", "what is wrong with it", "gradcheck", "gradgradcheck", "check_function")
PASSES, FOUND = "passes", "**found**"


def answer_of(check: Callable[..., Any], example: Example) -> str:
    """Return what a check of PyTorch says at smooth inputs, with its defaults."""
    random = torch.Generator().manual_seed(0)
    xs = [torch.randn(s, generator=random, dtype=torch.float64) for s in example.shapes]
    try:
        with fuzzing_runtime():
            check(example.f, [x.requires_grad_() for x in xs])
    except Exception as error:
        return "refused" if "once_differentiable" in str(error) else FOUND
    return PASSES


def row_of(example: Example) -> list[str]:
    """Return the row of a function."""
    result = parity.check_function(example.f, *example.shapes)
    said = "; ".join(finding.says for finding in result.findings) or PASSES
    checks = torch.autograd.gradcheck, torch.autograd.gradgradcheck
    answers = (answer_of(check, example) for check in checks)
    return [f"`{example.name}`", example.fault or "nothing", *answers, said]


def markdown() -> str:
    """Return the table of all functions."""
    return "\n".join(table(HEAD, [row_of(example) for example in (*WRONG, *RIGHT)]))


def main() -> None:
    """Write the table into the page."""
    text = PAGE.read_text()
    pattern = re.escape(START) + ".*?" + re.escape(END)
    PAGE.write_text(
        re.sub(pattern, lambda _: f"{START}\n{markdown()}\n{END}", text, flags=re.DOTALL)
    )


if __name__ == "__main__":
    main()
