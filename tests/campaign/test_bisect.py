"""``parity bisect``: revisions in a worktree of their own, and the repository stays as it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from parity.campaign.bisect import BAD, GOOD, SKIP, Repository, Trial, _path, bisect
from parity.campaign.errors import CampaignError
from parity.cli.main import main
from parity.diagnose.defects.engine import TapeEngine
from parity.engines.limits import Limits
from parity.engines.runner import LocalRunner
from parity.language.json_format import program_to_json
from parity.language.text_format import program_from_text
from parity.oracle.finding import Finding, Kind
from tests.campaign.test_records import FINDING
from tests.helpers.campaigns import TWICE
from tests.helpers.programs import TORCH

ENGINE = (
    "from parity.diagnose.defects.{} import {} as Base\n\nclass Mine(Base):\n    name = 'mine'\n"
)
RIGHT = ENGINE.format("engine", "TapeEngine")
WRONG = ENGINE.format("traversal", "Overwrite")


def git(folder: Path, *arguments: str) -> str:
    names = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    me = ("-c", "user.name=me", "-c", "user.email=me@localhost")
    command = ["git", *me, *arguments]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **names}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes a repository with a commit for each text of ``adapter.py``, tagged r0, r1, ..."""

    def made(*texts: str) -> Path:
        folder = tmp_path / "repo"
        folder.mkdir()
        git(folder, "init", "-q")
        for number, text in enumerate(texts):
            (folder / "adapter.py").write_text(text)
            git(folder, "add", ".")
            git(folder, "commit", "-q", "--allow-empty", "-m", f"change {number}")
            git(folder, "tag", f"r{number}")
        (folder / "adapter.py").write_text("not committed")
        monkeypatch.chdir(folder)
        return folder

    return made


def state(folder: Path) -> tuple[str, ...]:
    """What must not change: files, the branch, and the list of worktrees."""
    return (
        (folder / "adapter.py").read_text(),
        git(folder, "status", "--porcelain", "--branch"),
        git(folder, "worktree", "list"),
        git(folder, "rev-parse", "HEAD"),
    )


@dataclass
class Marked(Trial):
    """Says of a revision what the first word of its file is."""

    finding: dict[str, Any] = field(default_factory=dict)
    engine: str = ""
    reference: str = ""
    limits: Limits = field(default_factory=Limits)
    top: Path = Path()

    def run(self, tree: Path) -> tuple[str, str]:
        word = (tree / "adapter.py").read_text().split()[0]
        return word, "no reason" if word == SKIP else ""


def found(folder: Path, good: str, bad: str) -> tuple[list[str], list[str]]:
    """The subjects of the first bad revision, or of several, and of the steps."""
    result = bisect(Repository(folder), Marked(), good, bad, lambda text: None)
    return [one.subject for one in result.left], [one.subject for one in result.steps]


def test_the_first_bad_revision_is_found_in_few_steps(history: Callable[..., Path]) -> None:
    folder = history(*(f"{GOOD if n < 11 else BAD} {n}" for n in range(32)))
    before = state(folder)
    left, steps = found(folder, "r0", "r31")
    assert left == ["change 11"]
    assert steps[:2] == ["change 0", "change 31"]
    assert len(steps) <= 8
    assert state(folder) == before


def test_revisions_that_cannot_be_tried_are_skipped(history: Callable[..., Path]) -> None:
    words = [GOOD, GOOD, SKIP, SKIP, GOOD, SKIP, BAD, BAD]
    folder = history(*(f"{word} {n}" for n, word in enumerate(words)))
    assert found(folder, "r0", "r7")[0] == ["change 6", "change 5"]
    assert found(folder, "r1", "r6")[0] == ["change 6", "change 5"]


def test_merged_branches_are_searched(history: Callable[..., Path]) -> None:
    folder = history(*(f"{GOOD} {n}" for n in range(3)))
    git(folder, "checkout", "-q", "-f", "-b", "side", "r1")
    for n, word in enumerate((GOOD, BAD, BAD)):
        (folder / "adapter.py").write_text(f"{word} side {n}")
        git(folder, "commit", "-q", "-a", "-m", f"side {n}")
    git(folder, "checkout", "-q", "-f", "-")
    git(folder, "merge", "-q", "-X", "theirs", "-m", "merged", "side")
    assert found(folder, "r0", "HEAD")[0] == ["side 1"]


@pytest.mark.parametrize(
    ("good", "bad", "line"),
    [
        ("r1", "r1", "--good r1 is no ancestor of --bad r1"),
        ("r2", "r0", "--good r2 is no ancestor of --bad r0"),
        ("--all", "r1", "--good '--all' is no revision of"),
        ("", "r1", "--good '' is no revision of"),
        ("r0", "nowhere", "--bad 'nowhere' is no revision of"),
        ("r0", "r1", "--bad r1 is not bad: the finding does not occur there"),
        ("r2", "r3", "--good r2 is not good: the finding occurs there"),
        ("r4", "r5", "--good r4 is not good: no reason"),
    ],
)
def test_ends_that_are_not_as_said_are_one_line(
    good: str, bad: str, line: str, history: Callable[..., Path]
) -> None:
    folder = history(*(f"{w} {n}" for n, w in enumerate((GOOD, GOOD, BAD, BAD, SKIP, BAD))))
    before = state(folder)
    with pytest.raises(CampaignError) as caught:
        found(folder, good, bad)
    assert str(caught.value).startswith(line)
    assert state(folder) == before


def test_what_is_no_repository_and_no_git_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CampaignError, match="is in no git repository: name one with --repo"):
        Repository(tmp_path)
    with pytest.raises(CampaignError, match="is no folder"):
        Repository(tmp_path / "nowhere")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CampaignError, match="needs git, which is not installed"):
        Repository(tmp_path)


def test_ctrl_c_leaves_no_worktree(history: Callable[..., Path]) -> None:
    folder = history(f"{GOOD} 0", f"{GOOD} 1", f"{BAD} 2")
    before = state(folder)
    seen = []

    def pressed(text: str) -> None:
        seen.append(text)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bisect(Repository(folder), Marked(), "r0", "r2", pressed)
    assert state(folder) == before


def test_hooks_of_the_repository_do_not_run(history: Callable[..., Path]) -> None:
    folder = history(f"{GOOD} 0", f"{BAD} 1")
    hook = folder / ".git/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {folder}/ran\n")
    hook.chmod(0o755)
    assert found(folder, "r0", "r1")[0] == ["change 1"]
    assert not (folder / "ran").exists()


def test_the_worktree_takes_the_place_of_the_repository_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, tree = tmp_path / "repo", tmp_path / "tree"
    packages = top / ".venv/lib/site-packages"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "prefix", str(top / ".venv"))
    before = [str(top / "src"), "/usr/lib", str(packages), str(top)]
    monkeypatch.setattr(sys, "path", list(before))
    with _path(top, tree):
        inside = list(sys.path)
    assert inside == [str(tree), str(tree / "src"), "/usr/lib", str(packages), str(tree)]
    assert sys.path == before


def test_an_adapter_is_that_of_the_revision_unless_it_lies_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top, tree = tmp_path / "repo", tmp_path / "tree"
    (top / "sub").mkdir(parents=True)
    (tmp_path / "own.py").touch()

    def spec(engine: str) -> str:
        return Marked(engine=engine, top=top).spec(tree)

    monkeypatch.chdir(tmp_path)
    assert spec("repo/sub/a.py:Mine") == f"{tree}/sub/a.py:Mine"
    assert spec("sub/a.py:Mine") == f"{tree}/sub/a.py:Mine"
    assert spec("own.py:Mine") == "own.py:Mine"
    assert spec("package.module:Mine") == "package.module:Mine"
    monkeypatch.chdir(top / "sub")
    assert spec("a.py:Mine") == f"{tree}/sub/a.py:Mine"


RAISES = {**FINDING, "kind": "exception", "engine": "ValueError: no 3 (a.py:7)"}


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        (None, GOOD),
        (Finding(Kind.EXCEPTION, 0, "exception", 0, "ValueError: no 4 (a.py:9)", ""), BAD),
        (Finding(Kind.EXCEPTION, 0, "exception", 0, "TypeError: no 3 (a.py:7)", ""), SKIP),
        (Finding(Kind.GRADIENT, 0, "grad", 0, None, None), SKIP),
    ],
)
def test_the_same_fault_is_of_one_kind_and_type(
    now: Finding | None, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = LocalRunner(TapeEngine()), TORCH
    monkeypatch.setattr("parity.campaign.bisect.open_engines", lambda *arguments, **more: pair)
    monkeypatch.setattr("parity.campaign.bisect.occurs", lambda *arguments: now)
    trial = Trial(RAISES, "a.py:Mine", "torch", Limits(), tmp_path)
    assert trial.run(tmp_path)[0] == verdict


@pytest.mark.slow
def test_the_command_runs_the_engine_of_each_revision(
    history: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = history(RIGHT, f"{RIGHT}\n", "(", f"{RIGHT}\n\n", WRONG)
    before = state(folder)
    file = tmp_path / "finding.json"
    program = program_to_json(program_from_text(TWICE))
    file.write_text(json.dumps({**FINDING, "program": program}))
    path = list(sys.path)
    command = ["bisect", str(file), "--engine", "adapter.py:Mine", "--good", "r0", "--bad", "r4"]
    assert main([*command, "--json", str(tmp_path / "result.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    verdicts = [line.split()[0] for line in lines[:-1]]
    assert verdicts[:3] == ["good", "bad", "skip"]
    assert set(verdicts[3:]) == {"good"}
    assert "(engine file 'adapter.py' cannot be loaded: SyntaxError" in lines[2]
    bad = git(folder, "rev-parse", "r4")
    assert lines[-1] == f"first bad revision: {bad} change 4"
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["first_bad"]["revision"] == bad
    assert [one["subject"] for one in result["candidates"]] == ["change 4"]
    assert main([*command[:-3], "r0", "--bad", "r0"]) == 2
    assert state(folder) == before
    assert sys.path == path
