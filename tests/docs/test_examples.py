"""The examples: the commands of examples/README.md end as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.output import without_version

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "examples" / "README.md"
#: Enough for all the findings that are expected; the page has more.
FEW = 60


def blocks() -> list[str]:
    """The fenced blocks of the page."""
    return README.read_text("utf-8").split("```")[1::2]


def commands() -> dict[str, list[str]]:
    """The arguments of each ``parity check`` on the page, by the engine's class."""
    found = [block.split() for block in blocks() if block.strip().startswith("parity check")]
    return {line[3].rpartition(":")[2]: line[1:] for line in found}


def check(engine: str, findings: Path) -> tuple[int, str]:
    """Status and output of the command for an engine, with few programs."""
    arguments = commands()[engine]
    arguments[arguments.index("--examples") + 1] = str(FEW)
    run = subprocess.run(
        [sys.executable, "-m", "parity", *arguments, "--findings", str(findings)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return run.returncode, run.stdout + run.stderr


def kinds(output: str) -> set[str]:
    """The kinds of the findings in a report."""
    return set(re.findall(r"^([a-z-]+): (?!no difference).*\n    ", output, re.MULTILINE))


def shown() -> list[str]:
    """The findings that the page shows, each as a paragraph; what follows is cut on the page."""
    report = next(block for block in blocks() if "\ngradient:" in block)
    return report.split("[...]")[1].strip().split("\n\n")


def comparable(text: str) -> str:
    """A report without what depends on PyTorch's version and on the number of programs."""
    text = re.sub(r"\n  explains .* programs that differ", "", text)
    return without_version(text)


def test_the_page_has_a_command_for_each_example() -> None:
    assert commands().keys() == {"Mine", "Step14"}
    folders = {path.parent.name for path in README.parent.glob("*/adapter.py")}
    assert folders == {"scalar_engine", "step14"}


def test_the_scalar_engine_has_no_finding(tmp_path: Path) -> None:
    status, output = check("Mine", tmp_path)
    assert status == 0, output
    assert f"verdict: parity: no difference in {FEW} programs" in output
    assert kinds(output) == set()


def test_the_engine_of_step_14_has_the_findings_that_the_page_shows(tmp_path: Path) -> None:
    status, output = check("Step14", tmp_path)
    assert status == 1, output
    assert kinds(output) == {"exception", "gradient", "accumulation"}
    assert len(shown()) == 3
    for finding in shown():
        assert comparable(finding) in comparable(output)
    for name in ("exception-1.py", "gradient-1.py", "accumulation-1.py"):
        assert (tmp_path / name).is_file()


@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_scalar_engine_has_no_finding_with_other_programs(tmp_path: Path, seed: str) -> None:
    arguments = [*commands()["Mine"], "--seed", seed, "--findings", str(tmp_path)]
    run = subprocess.run(
        [sys.executable, "-m", "parity", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr
