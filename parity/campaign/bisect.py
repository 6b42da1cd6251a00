"""``parity bisect``: the first revision of an engine on which a finding occurs.

Revisions are checked out into a temporary ``git worktree``: the files of the repository stay as
they are, also those that are not committed. Git chooses the next revision, so that merges count.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from parity._util.escape import one_line
from parity._util.process import fuzzing_runtime
from parity.campaign.errors import CampaignError
from parity.campaign.records import FindingData
from parity.campaign.replay import occurs
from parity.engines.limits import Limits
from parity.engines.load import EngineError
from parity.engines.open import open_engines
from parity.engines.runner import EngineStopped, Runner
from parity.engines.trace import AdapterError
from parity.language.json_format import program_from_json
from parity.oracle.finding import Kind

GOOD, BAD, SKIP = "good", "bad", "skip"
#: Variables of git that name another repository, as in a hook.
_FOREIGN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")


@dataclass(frozen=True)
class Step:
    """A revision that was tried: ``good``, ``bad``, or ``skip`` with the reason."""

    revision: str
    subject: str
    verdict: str
    reason: str = ""

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.verdict:4} {self.revision[:12]} {self.subject}{reason}"


@dataclass
class Bisection:
    """The revisions that were tried, and what is left: one, or those that git cannot tell apart."""

    steps: list[Step] = field(default_factory=list)
    left: list[Step] = field(default_factory=list)

    @property
    def first(self) -> Step | None:
        return self.left[0] if len(self.left) == 1 else None

    def to_json(self) -> dict[str, Any]:
        return {
            "first_bad": asdict(self.first) if self.first else None,
            "candidates": [asdict(one) for one in self.left],
            "steps": [asdict(one) for one in self.steps],
        }


class Repository:
    """A git repository, of which only the list of worktrees is changed, and changed back."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("git") is None:
            raise CampaignError("bisecting needs git, which is not installed or not on the path")
        if not folder.is_dir():
            raise CampaignError(f"--repo {folder} is no folder")
        self.folder = folder
        top = self._git("rev-parse", "--show-toplevel", check=False).rstrip("\n")
        if not top:
            raise CampaignError(f"{folder} is in no git repository: name one with --repo")
        self.folder = Path(top).resolve()

    def _git(self, *arguments: str, check: bool = True, at: Path | None = None) -> str:
        """Run git; its hooks would work on what the user has checked out."""
        done = subprocess.run(
            ["git", "-c", f"core.hooksPath={os.devnull}", *arguments],
            cwd=at or self.folder,
            env={k: v for k, v in os.environ.items() if k not in _FOREIGN},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace",
            start_new_session=True,  # Ctrl-C is for parity, which cleans up with git
        )
        if done.returncode and check:
            raise CampaignError(f"git {arguments[0]} failed: {' '.join(done.stderr.split())}")
        return "" if done.returncode else done.stdout

    def commit(self, option: str, revision: str) -> str:
        """The hash of a revision. Raises CampaignError if there is none."""
        found = ""
        if revision and not revision.startswith("-"):
            name = f"{revision}^{{commit}}"
            found = self._git("rev-parse", "--verify", "--quiet", name, check=False).strip()
        if not found:
            raise CampaignError(f"{option} {revision!r} is no revision of {self.folder}")
        return found

    def subject(self, revision: str) -> str:
        return one_line(self._git("log", "-1", "--format=%s", revision, "--").strip())

    def is_ancestor(self, good: str, bad: str) -> bool:
        base = self._git("merge-base", good, bad, check=False).strip()
        return base == good and good != bad

    def candidates(self, good: list[str], bad: str) -> list[str]:
        """What may be the first bad revision, without ``bad``, the best one to try next first."""
        limits = [f"^{one}" for one in good]
        lines = self._git("rev-list", "--bisect-all", bad, *limits, "--").splitlines()
        return [name for line in lines if (name := line.split()[0]) != bad]

    @contextlib.contextmanager
    def worktree(self) -> Iterator[Path]:
        """A folder for ``check_out``, which is removed at the end, also after Ctrl-C."""
        folder = Path(tempfile.mkdtemp(prefix="parity-bisect-")).resolve()
        try:
            yield folder / "tree"
        finally:
            self._remove(folder / "tree")
            shutil.rmtree(folder, ignore_errors=True)

    def check_out(self, revision: str, tree: Path) -> None:
        """Check a revision out into a new folder: no compiled file of another one is left."""
        self._remove(tree)
        self._git("worktree", "add", "--quiet", "--detach", str(tree), revision)

    def _remove(self, tree: Path) -> None:
        """Remove a worktree, also one that an interrupted git has left locked and incomplete."""
        self._git("worktree", "remove", "--force", "--force", str(tree), check=False)
        if str(tree) in self._git("worktree", "list", "--porcelain", check=False):
            self._git("worktree", "unlock", str(tree), check=False)
            shutil.rmtree(tree, ignore_errors=True)
            self._git("worktree", "prune", check=False)


@dataclass
class Trial:
    """Runs a finding on the engine of a checked-out revision, in a process of its own."""

    finding: FindingData
    engine: str
    reference: str
    limits: Limits
    #: The folder of the repository, whose place the worktree takes on the path.
    top: Path

    def run(self, tree: Path) -> tuple[str, str]:
        """``GOOD``, ``BAD``, or ``SKIP`` and the reason."""
        try:
            with _path(self.top, tree), fuzzing_runtime():
                runner, reference = open_engines(
                    self.spec(tree), self.reference, True, self.limits, check=False
                )
                with contextlib.closing(runner):
                    if not self._applies(runner):
                        return SKIP, "the engine lacks what the program needs"
                    now = occurs(self.finding, runner, reference)
        except (AdapterError, EngineError, EngineStopped) as error:
            return SKIP, one_line(error).replace(f"{tree}{os.sep}", "")
        if now is None:
            return GOOD, ""
        same = _fault(now.kind, now.engine) == _fault(self.finding["kind"], self.finding["engine"])
        return (BAD, "") if same else (SKIP, f"it shows another difference: {now.kind}")

    def spec(self, tree: Path) -> str:
        """The engine in the worktree, if it is given by a file in the repository."""
        source, colon, name = self.engine.rpartition(":")
        if not source.endswith(".py"):
            return self.engine
        file, other = Path(source).resolve(), (self.top / source).resolve()
        if not file.is_relative_to(self.top):
            if (file.is_file() and not other.is_file()) or not other.is_relative_to(self.top):
                return self.engine  # an adapter that lies elsewhere and imports the engine
            file = other
        return f"{tree / file.relative_to(self.top)}{colon}{name}"

    def _applies(self, runner: Runner) -> bool:
        probe = bool(self.finding["probe"])
        return probe or runner.supports(program_from_json(self.finding["program"]))


def _fault(kind: str, engine: Any) -> tuple[str, str]:
    """What stays the same in all revisions: not the line of an exception, but its type."""
    return kind, str(engine).partition(":")[0] if kind == Kind.EXCEPTION else ""


@contextlib.contextmanager
def _path(top: Path, tree: Path) -> Iterator[None]:
    """Python's path with the worktree first, and in place of the repository."""
    before = list(sys.path)
    own = Path(__file__).resolve().parents[2]
    pythons = [p for p in map(Path, (sys.prefix, sys.base_prefix)) if p.is_relative_to(top)]
    mapped = [str(tree)]
    for entry in before:
        folder = Path(entry).resolve()
        inside = folder.is_relative_to(top) and not any(map(folder.is_relative_to, pythons))
        mapped.append(str(tree / folder.relative_to(top)) if inside else entry)
        if inside and folder == own:
            mapped.append(entry)  # parity itself, also where it is part of the repository
    sys.path[:] = mapped
    try:
        yield
    finally:
        sys.path[:] = before


def bisect(
    repository: Repository, trial: Trial, good: str, bad: str, show: Callable[[str], None]
) -> Bisection:
    """Find the first bad revision; ``show`` is called with each step.

    Raises CampaignError if ``good`` is not good, ``bad`` is not bad, or not after ``good``.
    """
    first, last = repository.commit("--good", good), repository.commit("--bad", bad)
    if not repository.is_ancestor(first, last):
        raise CampaignError(f"--good {good} is no ancestor of --bad {bad}: nothing lies between")
    result = Bisection()
    with repository.worktree() as tree:

        def tried(revision: str) -> Step:
            repository.check_out(revision, tree)
            step = Step(revision, repository.subject(revision), *trial.run(tree))
            result.steps.append(step)
            show(str(step))
            return step

        for option, name, revision, wanted in (
            ("--good", good, first, GOOD),
            ("--bad", bad, last, BAD),
        ):
            step = tried(revision)
            if step.verdict != wanted:
                raise CampaignError(f"{option} {name} is not {wanted}: {_said(step)}")
        result.left = _search(repository, tried, first, last)
    return result


def _said(step: Step) -> str:
    texts = {GOOD: "the finding does not occur there", BAD: "the finding occurs there"}
    return texts.get(step.verdict, step.reason)


def _search(
    repository: Repository, tried: Callable[[str], Step], good: str, bad: str
) -> list[Step]:
    """The first bad revision; or, after revisions that cannot be tried, all that it may be."""
    goods, skipped = [good], dict[str, Step]()
    last = Step(bad, repository.subject(bad), BAD)
    while True:
        left = repository.candidates(goods, last.revision)
        untried = [name for name in left if name not in skipped]
        if not untried:
            return [last, *(skipped[name] for name in left)]
        step = tried(untried[0])
        if step.verdict == GOOD:
            goods.append(step.revision)
        elif step.verdict == BAD:
            last = step
        else:
            skipped[step.revision] = step
