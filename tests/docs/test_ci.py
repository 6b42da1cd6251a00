"""The recipes of docs/ci.md: every command runs, with short budgets, and ends as it says."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
#: What is run in place of what the page says: installing is what this environment has done, and
#: budgets are short. All that is not in this table runs as it stands. Each must be on the page.
SHORT = {
    'pip install "dezero-parity @ git+https://example.org/dezero-parity" -e .': "true",
    "--time 30m": "--programs 400",
    "--workers 4": "--workers 1",
    "--parity-programs 24000": "--parity-programs 200",
    "--examples 2000": "--examples 200",
}
#: With few operations, since each is run alone where something is found.
ENGINE = """
    from parity.diagnose.defects.engine import TapeEngine
    from parity.diagnose.defects.traversal import Overwrite

    class Mine({base}):
        name = "mine"

        def __init__(self):
            super().__init__()
            self.ops = {{name: self.ops[name] for name in ("add", "mul", "sum")}}
"""
RIGHT = ENGINE.format(base="TapeEngine")
#: Finds itself with the first programs.
WRONG = ENGINE.format(base="Overwrite")
#: Commands as files on the path: those of the package under test, not of another installation.
MODULES = {"parity": "parity.cli.main", "pytest": "pytest -p no:cacheprovider"}


@dataclass(frozen=True)
class Step:
    """A script that one shell runs."""

    name: str
    text: str


@dataclass
class Job:
    """Scripts that run one after the other in a folder."""

    name: str
    steps: list[Step] = field(default_factory=list)
    #: What is uploaded or kept at the end.
    paths: list[str] = field(default_factory=list)


def blocks() -> list[Any]:
    """The YAML of the page, parsed."""
    fences = PAGE.read_text().split("\n```yaml\n")[1:]
    return [yaml.safe_load(fence.partition("\n```")[0]) for fence in fences]


def github(name: str, job: dict[str, Any]) -> Job:
    """A job of GitHub Actions: each step is a shell of its own."""
    result = Job(name)
    for step in job["steps"]:
        if "run" in step:
            result.steps.append(Step(step["name"], step["run"]))
        result.paths += str(step.get("with", {}).get("path", "")).split()
    return result


def gitlab(name: str, job: dict[str, Any]) -> Job:
    """A job of GitLab: one shell runs all lines."""
    artifacts = job.get("artifacts", {})
    paths = [*artifacts.get("paths", []), *artifacts.get("reports", {}).values()]
    paths += job.get("cache", {}).get("paths", [])
    return Job(name, [Step(name, "\n".join(job["script"]))], paths)


def jobs() -> Iterator[Job]:
    """All jobs of the page."""
    for block in blocks():
        if "jobs" in block:
            yield from (github(f"github-{name}", job) for name, job in block["jobs"].items())
        elif "script" in block:
            yield gitlab("script", block)
        else:
            found = {n: job for n, job in block.items() if isinstance(job, dict)}
            yield from (gitlab(f"gitlab-{name}", job) for name, job in found.items())


JOBS = list(jobs())


def shortened(text: str) -> str:
    """The script with the replacements of the table."""
    for long, short in SHORT.items():
        text = text.replace(long, short)
    return text


class Runner:
    """A machine of a CI service: a clone with an origin, and the commands on the path."""

    def __init__(self, folder: Path, engine: str) -> None:
        self.folder = folder / "clone"
        self.folder.mkdir()
        (self.folder / "adapter.py").write_text(textwrap.dedent(engine))
        (self.folder / ".gitignore").write_text("__pycache__/\n")
        commands = folder / "bin"
        commands.mkdir()
        for name, module in MODULES.items():
            file = commands / name
            file.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
            file.chmod(file.stat().st_mode | stat.S_IXUSR)
        self.summary = folder / "step-summary.md"
        self.environment = {
            **os.environ,
            "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(PAGE.parents[1]), *sys.path]),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "CI": "true",
        }
        self.shell(
            "git init -q --bare ../origin.git; git init -q; git add .;"
            " git -c user.name=me -c user.email=me@localhost commit -q -m start;"
            " git remote add origin ../origin.git"
        )

    def shell(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a script as the services do: bash that stops at the first failure."""
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )

    def run(self, job: Job) -> dict[str, int]:
        """The exit status of each step; none after one that was not to fail is run."""
        statuses = {}
        for step in job.steps:
            done = self.shell(shortened(step.text))
            statuses[step.name] = done.returncode
            output = done.stdout + done.stderr
            assert done.returncode in ((0, 1) if last(job, step) else (0,)), (step.name, output)
            assert "Traceback" not in done.stderr, output
        return statuses


def last(job: Job, step: Step) -> bool:
    """Whether it is the step that tells of findings."""
    return step is job.steps[-1]


def named(name: str) -> Job:
    return next(job for job in JOBS if job.name == name)


#: Folders that are there only if something was found.
FINDINGS = {"findings", "parity-regressions"}
#: Every job, and both ends of those that differ in what they do then; the jobs of GitHub also run
#: with findings below.
RUNS = [
    ("github-gate", RIGHT, 0),
    ("github-campaign", RIGHT, 0),
    ("gitlab-gate", WRONG, 1),
    ("gitlab-campaign", WRONG, 1),
    ("script", RIGHT, 0),
]


@pytest.mark.parametrize(
    ("name", "engine", "status"), RUNS, ids=[f"{name}-{status}" for name, _, status in RUNS]
)
def test_the_commands_of_a_job_run_and_its_last_step_tells_of_findings(
    name: str, engine: str, status: int, tmp_path: Path
) -> None:
    runner, job = Runner(tmp_path, engine), named(name)
    *before, end = runner.run(job).values()
    assert end == status
    assert not any(before)
    missing = {path for path in job.paths if not (runner.folder / path).exists()}
    # Without findings there is nothing to promote.
    assert {Path(path).name for path in missing} <= (set() if status else FINDINGS)


def test_all_jobs_of_the_page_are_run() -> None:
    assert {job.name for job in JOBS} == {name for name, _, _ in RUNS}


def test_findings_are_pushed_fail_the_gate_and_a_second_night_goes_on(tmp_path: Path) -> None:
    runner, job = Runner(tmp_path, WRONG), named("github-campaign")
    assert list(runner.run(job).values())[-1] == 1
    pushed = "git --git-dir ../origin.git ls-tree -r --name-only parity/findings"
    first = runner.shell(pushed).stdout.split()
    assert any(name.startswith("parity-regressions/") for name in first)
    assert "adapter.py" in first
    assert "findings" in runner.summary.read_text()
    gate = shortened(named("github-gate").steps[-1].text) + " -k regression"
    failed = runner.shell(gate)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    (runner.folder / "adapter.py").write_text(textwrap.dedent(RIGHT))
    mended = runner.shell(gate)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    replay = runner.shell(job.steps[1].text)
    assert (replay.returncode, "fixed" in replay.stdout) == (0, True), replay.stdout


def test_every_replacement_is_of_something_on_the_page() -> None:
    text = "\n".join(step.text for job in JOBS for step in job.steps)
    assert [long for long in SHORT if long not in text] == []


def test_every_job_ends_by_itself_and_campaigns_do_not_meet() -> None:
    github_blocks = [block for block in blocks() if "jobs" in block]
    assert len(github_blocks) == 2
    for block in github_blocks:
        assert "permissions" in block
        assert all("timeout-minutes" in job for job in block["jobs"].values())
        steps = [step for job in block["jobs"].values() for step in job["steps"]]
        assert all(
            step["uses"].partition("@")[2].startswith("v") for step in steps if "uses" in step
        )
    nightly = github_blocks[1]
    # YAML 1.1 reads the key `on` as true.
    assert "schedule" in nightly[True]
    assert "concurrency" in nightly
    lab = next(block for block in blocks() if "campaign" in block)
    assert "resource_group" in lab["campaign"]
    assert all("timeout" in lab[name] for name in ("gate", "campaign"))
