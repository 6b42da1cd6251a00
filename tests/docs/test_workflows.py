"""The workflows and hooks of this repository: valid, and every command that they run exists."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.commands import PROJECT, commands_of, without_command

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = {
    file.name: yaml.safe_load(file.read_text())
    for file in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
JOBS = [(name, job) for name, flow in WORKFLOWS.items() for job in flow["jobs"].values()]
#: YAML 1.1 reads the key `on` as true.
ON: Any = True


def scripts(job: dict[str, Any]) -> Iterator[str]:
    """What the steps of a job run."""
    yield from (step["run"] for step in job["steps"] if "run" in step)


def test_the_gate_and_the_nightly_campaign_are_there() -> None:
    assert set(WORKFLOWS) == {"gate.yml", "nightly.yml"}
    assert {"push", "pull_request"} <= set(WORKFLOWS["gate.yml"][ON])
    assert "schedule" in WORKFLOWS["nightly.yml"][ON]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_command_exists(name: str) -> None:
    found = [script for flow, job in JOBS if flow == name for script in scripts(job)]
    assert sum(len(commands_of(script)) for script in found) >= 3
    assert [line for script in found for line in without_command(script)] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflows_may_only_read_and_end_by_themselves(name: str) -> None:
    flow = WORKFLOWS[name]
    assert flow["permissions"] == {"contents": "read"}
    assert "concurrency" in flow
    for job in flow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        assert "permissions" not in job
        actions = [step["uses"] for step in job["steps"] if "uses" in step]
        assert all(re.fullmatch(r"actions/[\w/-]+@v\d+", action) for action in actions)


def test_every_python_that_the_project_supports_is_tested() -> None:
    jobs = WORKFLOWS["gate.yml"]["jobs"]
    setup = [step.get("with", {}).get("python-version") for step in jobs["gate"]["steps"]]
    tested = {*filter(None, setup), *jobs["tests"]["strategy"]["matrix"]["python-version"]}
    prefix = "Programming Language :: Python :: 3."
    versions = [c for c in PROJECT["project"]["classifiers"] if c.startswith(prefix)]
    assert tested == {c.removeprefix("Programming Language :: Python :: ") for c in versions}


def test_what_the_campaign_writes_is_kept() -> None:
    (job,) = WORKFLOWS["nightly.yml"]["jobs"].values()
    text = "\n".join(scripts(job))
    written = re.findall(r"--(?:corpus|summary|json) (\S+)", text)
    kept = {
        path
        for step in job["steps"]
        if "uses" in step
        for path in str(step.get("with", {}).get("path", "")).split()
    }
    assert len(written) == 3
    assert set(written) <= kept


def test_hooks_are_local_and_their_commands_exist() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert all(repo["repo"] == "local" for repo in hooks["repos"])
    entries = [hook["entry"] for repo in hooks["repos"] for hook in repo["hooks"]]
    assert len(entries) == 3
    assert without_command("\n".join(entries)) == []


def test_the_gate_checks_the_imports() -> None:
    steps = (ROOT / ".ci" / "run").read_text().splitlines()
    assert {
        "pytest -n auto",
        "ruff check .",
        "ruff format --check .",
        "mypy",
        "lint-imports",
    } <= set(steps)


def test_templates_are_part_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for package, patterns in project["tool"]["setuptools"]["package-data"].items():
        for pattern in patterns:
            assert list((ROOT / package).glob(pattern)), f"{package}: {pattern}"


@pytest.mark.parametrize(
    "script",
    [
        "parity chek --engine dezero",
        "parity check --enginee dezero",
        "pytest --no-such-option",
        "pip install -e '.[tests]'",
        ".ci/no-such-file",
        "if true; then\n  parity fuzz --hours 3 || test $? -eq 1\nfi",
    ],
)
def test_a_command_that_does_not_exist_is_named(script: str) -> None:
    assert len(without_command(script)) == 1
