"""What the tests of campaigns share: short campaigns in this process, and what they left."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parity.campaign.campaign import Campaign, Display, Outcome, Plan
from parity.campaign.corpus import Corpus
from parity.campaign.executors import Executor
from parity.campaign.shard import Answer, Task, run_shard
from parity.campaign.storage import Store, open_store
from parity.engines.open import open_engines

OVERWRITE = "parity.diagnose.defects.traversal:Overwrite"
#: The same defect on few operations: the first finding costs less.
FEW_OVERWRITE = "tests.helpers.few_operations:Overwrite"
TWICE = "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)"


class Notes(Display):
    """Keeps what a campaign says."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.findings: list[dict[str, Any]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def found(self, finding: dict[str, Any]) -> None:
        self.findings.append(finding)


class Inline:
    """Runs one task at a time in this process."""

    def __init__(self) -> None:
        self._waiting: list[Task] = []
        self._stopped = False
        self.workers = 1

    def start(self, note: Callable[[str], None]) -> None:
        pass

    @property
    def running(self) -> int:
        return len(self._waiting)

    @property
    def free(self) -> int:
        return 1 - len(self._waiting)

    def submit(self, task: Task) -> None:
        self._waiting.append(task)

    def answers(self, seconds: float) -> list[Answer]:
        return [run_shard(self._waiting.pop(), lambda: self._stopped)] if self._waiting else []

    def stop(self) -> None:
        self._stopped = True

    def close(self) -> None:
        pass


def run(
    where: str | Store,
    programs: int = 40,
    engine: str = OVERWRITE,
    executor: Executor | None = None,
    display: Display | None = None,
    **plan: Any,
) -> Outcome:
    """A campaign on a corpus in shards of ten programs."""
    store = open_store(where) if isinstance(where, str) else where
    settings = {"seed": "0", "size": 10, "programs": programs, **plan}
    pair = open_engines(engine, check=False)
    corpus = Corpus(store, display.note if display else lambda text: None)
    plan_ = Plan(engine, "torch", **settings)
    return Campaign(plan_, corpus, executor or Inline(), pair, display).run()


def left(folder: Path) -> dict[str, Any]:
    """What a corpus comes to, without times."""
    corpus = Corpus(open_store(str(folder)))
    total = corpus.total().to_json()
    del total["seconds"]
    kept = sorted(corpus.kept.values())
    return {"total": total, "findings": corpus.reported(), "kept": kept}


def environment() -> dict[str, str]:
    """That of a process which finds this project, and no database of a CI run."""
    place = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (place, known)))}


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    """The command ``parity`` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "parity.cli.main", *arguments],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
