"""Measures what the harness withstands, and writes docs/reliability.md.

``python -m tests.reliability [-o FILE] [--kills N] [--only WORD]`` from the root of the repository.
Each row of the table counts tests: one test is one hostile engine, file, text, signal or moment.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch

from parity import __version__
from parity._util.markdown import table
from tests.helpers.killed_campaign import compare

ROOT = Path(__file__).resolve().parents[1]


#: Programs of a campaign that is killed.
PROGRAMS = 260


@dataclass(frozen=True)
class Row:
    """A row of the table: what is tried, what must come of it, and the tests that try it."""

    tried: str
    holds: str
    modules: tuple[str, ...]


ROWS = (
    Row(
        "engines that exit, crash, flood or forge what parity reads, hang, or change their process",
        "a finding, or one line and status 2; never status 0, a traceback or no end",
        ("tests/engines/test_hostile.py",),
    ),
    Row(
        "engines that differ now and then",
        "a finding of kind `flaky`, never rounding",
        ("tests/campaign/test_flaky.py",),
    ),
    Row(
        "damaged, hostile and huge files: findings, baselines, corpora, regressions, results",
        "it works, or one line and status 2",
        ("tests/cli/test_hostile_files.py",),
    ),
    Row(
        "texts of engines and files that act on terminals, CI logs, Markdown, HTML or file names",
        "they are shown, and do nothing",
        (
            "tests/_util/test_escape.py",
            "tests/campaign/test_hostile_output.py",
            "tests/cli/test_hostile_engine.py",
        ),
    ),
    Row(
        "signals, closed outputs and full disks, in each command",
        "findings, JSON and summary are written, the lock is freed; else one line and status 2",
        ("tests/cli/test_signals.py", "tests/cli/test_output.py"),
    ),
    Row(
        "machines that share a corpus, stand still, end, and take over a lock",
        "never two owners, and never none for longer than the stated time",
        ("tests/campaign/test_lock.py",),
    ),
    Row(
        "projects whose options, conftest or folders have names of the plugin",
        "their runs are as without it",
        ("tests/testing/test_coexistence.py",),
    ),
)


def measured(row: Row) -> tuple[int, int]:
    """Run the tests of a row; return how many ran and how many passed."""
    with tempfile.TemporaryDirectory(prefix="parity-") as folder:
        report = Path(folder, "report.xml")
        options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command = [sys.executable, "-m", "pytest", *options, *row.modules]
        subprocess.run(command, cwd=ROOT, check=False)
        suite = ElementTree.parse(report).find("testsuite")
    assert suite is not None
    tests, skipped, *wrong = (
        int(suite.get(name, 0)) for name in ("tests", "skipped", "failures", "errors")
    )
    return tests - skipped, tests - skipped - sum(wrong)


def kills(number: int) -> tuple[int, int]:
    """Kill campaigns at least so often; return how often, and how often without a difference."""
    done = held = seed = 0
    while done < number:
        count, same = compare(PROGRAMS, str(seed), number - done)
        done, held, seed = done + count, held + count * same, seed + 1
    return done, held


_PAGE = """\
# Reliability

What was tried to get a false verdict, a traceback, an endless run or a damaged corpus out of
parity, and how often it held. `python -m tests.reliability` makes this page. Each thing tried is a
test, so the gate tries it again for each change.

{table}

Measured with {versions}.
"""


def page(rows: Sequence[tuple[str, int, int, str]]) -> str:
    """Return the Markdown page of the measured rows."""
    versions = (
        f"parity {__version__}, Python {platform.python_version()}, PyTorch {torch.__version__}, "
        f"NumPy {np.__version__}, {platform.system()}, {time.strftime('%Y-%m-%d')}"
    )
    lines = table(["tried", "number", "held", "what must come of it"], rows, "lrrl")
    return _PAGE.format(table="\n".join(lines), versions=versions)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the rows and write the page after each; return 1 if something did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "reliability.md")
    parser.add_argument("--kills", type=int, default=10, help="of a campaign, at random moments")
    parser.add_argument("--only", default="", help="measure only rows that contain this word")
    options = parser.parse_args(arguments)
    trials = [(row.tried, partial(measured, row), row.holds) for row in ROWS]
    trials.append(
        (
            "moments at which a campaign is killed, and goes on",
            partial(kills, options.kills),
            "the corpus of an undisturbed campaign",
        )
    )
    rows: list[tuple[str, int, int, str]] = []
    for tried, measure, holds in trials:
        if options.only in tried:
            rows.append((tried, *measure(), holds))
            options.output.write_text(page(rows), encoding="utf-8")
    return 0 if all(number == held for _, number, held, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
