"""Compare two revisions of dezero in one interleaved run.

Each revision has its own process, with the workloads of this revision and its own ``dezero`` first
on ``sys.path``. They run in turns of base, new, new, base, so that disturbances and drift affect
both alike; ratios are of neighbouring measurements.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parity._util.errors import UsageError
from parity.bench import statistics
from parity.bench.client import Worker, WorkerError
from parity.bench.measure import TimedCase
from parity.bench.workload import Shape, Workload

#: Shapes that are compared, in float32; with larger ones the time is that of NumPy.
_SHAPES: tuple[Shape, ...] = ((), (4, 4), (64, 64))
_QUICK_SHAPES: tuple[Shape, ...] = ((), (64, 64))
#: Turns of base, new, new, base; each turn gives two ratios. Seconds of one measurement.
_TURNS, _QUICK_TURNS, _SLICE = 20, 8, 0.02
#: Seconds after which a revision that does not answer has failed.
_LIMIT = 120.0
#: Lets glibc keep freed memory, as ``dezero.allocator`` does, which older revisions lack.
_KEEP = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30)}


@dataclass
class Comparison:
    """The rows measured so far; ``ratio`` is the new time divided by the base's."""

    base: str
    commit: str
    limit: float
    rows: list[dict[str, Any]] = field(default_factory=list)
    complete: bool = False

    @property
    def slower(self) -> list[dict[str, Any]]:
        return [r for r in self.rows if r["ratio"] is not None and r["low"] > self.limit]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": "parity-bench-revisions",
            "format_version": 1,
            **{name: getattr(self, name) for name in ("base", "commit", "limit", "complete")},
            "slower": len(self.slower),
            "rows": self.rows,
        }


@dataclass(frozen=True)
class Sources:
    """Folders with the two packages ``dezero``, and the commit of the base."""

    base: str
    new: str
    commit: str


@contextmanager
def checked_out(revision: str, folder: Path) -> Iterator[Sources]:
    """Check out the base in a temporary worktree; the new sources are the working tree.

    Raises UsageError if ``folder`` is in no repository, or if there is no such revision, or no
    dezero in one of them.
    """
    outside = f"--base: {folder} is not in a git checkout: run it in one"
    top = Path(_git(folder, outside, "rev-parse", "--show-toplevel"))
    unknown = f"--base {revision!r} is not a revision of {top}: see git log"
    commit = _git(top, unknown, "rev-parse", "--verify", "--quiet", "--end-of-options",
                  f"{revision}^{{commit}}")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="parity-bench-") as name:
        new = _only_dezero(top, name, "the working tree")
        tree = Path(name, "base")
        failed = f"--base {revision}: git cannot check it out"
        _git(top, failed, "worktree", "add", "--detach", "--quiet", str(tree), commit)
        try:
            yield Sources(_only_dezero(tree, name, f"revision {revision}"), new, commit)
        finally:
            _git(top, failed, "worktree", "remove", "--force", str(tree))


def _git(folder: Path, wrong: str, *arguments: str) -> str:
    """The output of git. Raises UsageError with the message ``wrong`` if it fails."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as error:
        raise UsageError("--base needs git, which is not installed here") from error
    if done.returncode:
        raise UsageError(wrong)
    return done.stdout.strip()


def _only_dezero(tree: Path, folder: str, what: str) -> str:
    """A folder with only the dezero of ``tree``, so that parity is imported from here."""
    if not (tree / "dezero" / "__init__.py").is_file():
        raise UsageError(f"--base: {what} has no package dezero: choose a revision with one")
    only = tempfile.mkdtemp(dir=folder)
    Path(only, "dezero").symlink_to(tree / "dezero", target_is_directory=True)
    return only


def compare(
    sources: Sources,
    workloads: tuple[Workload, ...],
    comparison: Comparison,
    quick: bool,
    step: Callable[[str], None],
    show: Callable[[dict[str, Any]], None],
) -> None:
    """Measure every case, and add a row for each to ``comparison``.

    A case above the limit is measured again with twice as many turns, and only that counts: a few
    of a hundred 95 % intervals miss the true value by chance. Raises WorkerError if a process
    cannot be started.
    """
    turns = _QUICK_TURNS if quick else _TURNS
    with (
        Worker(first=(sources.base,), extra=_KEEP) as base,
        Worker(first=(sources.new,), extra=_KEEP) as new,
    ):
        for case in cases(workloads, quick):
            row = _row(base, new, case, turns)
            if row["ratio"] is not None and row["low"] > comparison.limit:
                row = _row(base, new, case, 2 * turns)
            comparison.rows.append(row)
            step(f"{case.workload.name} {case.shape}")
            show(row)
    comparison.complete = True


def cases(workloads: tuple[Workload, ...], quick: bool) -> list[TimedCase]:
    shapes = _QUICK_SHAPES if quick else _SHAPES
    return [TimedCase(w, shape, "float32") for w in workloads for shape in w.shapes(shapes)]


def _row(base: Worker, new: Worker, case: TimedCase, turns: int) -> dict[str, Any]:
    task = case.to_json()
    row: dict[str, Any] = {**task, "ratio": None, "reason": None}
    longest = 1e-6
    for worker, who in ((base, "base"), (new, "new")):
        try:
            answer = worker.ask({"do": "agrees", **task}, _LIMIT)
        except WorkerError as error:
            answer = {"reason": str(error)}
        if answer["reason"]:
            return {**row, "reason": f"{who}: {answer['reason']}"}
        longest = max(longest, answer["seconds"])
    once = {"do": "repeat", **task, "times": max(1, round(_SLICE / longest))}
    before, after = [], []
    for _ in range(turns):
        turn = [worker.ask(once, _LIMIT)["seconds"] for worker in (base, new, new, base)]
        before += [turn[0], turn[3]]
        after += [turn[1], turn[2]]
    found = statistics.ratio(after, before, seed=0)
    return {
        **row,
        **found.to_json("ratio"),
        "base_ms": statistics.significant(statistics.median(before, 0).value * 1e3),
        "new_ms": statistics.significant(statistics.median(after, 0).value * 1e3),
        "noisy": found.noisy,
    }


def line(row: dict[str, Any], limit: float) -> str:
    """A row as a line of the table."""
    start = f"{row['workload']:15}{tuple(row['shape'])!s:11}"
    if row["ratio"] is None:
        return f"{start}  not measured: {row['reason']}"
    interval = f"({row['low']:.3f} to {row['high']:.3f})"
    noisy = "  too noisy to tell" if row["noisy"] and row["low"] <= limit else ""
    slower = f"  above {limit:g}" if row["low"] > limit else ""
    times = f"{row['base_ms']:9.3g} ms ->{row['new_ms']:9.3g} ms"
    return f"{start}{times}   {row['ratio']:.3f} {interval}{slower}{noisy}"
