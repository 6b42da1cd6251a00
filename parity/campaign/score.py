"""Measures how soon known defects are found: every defect, with many seeds.

A trial is one defect with one seed: run programs until the first finding, reduce its
program and diagnose it. The engine has another name, so that only its behaviour counts.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from parity._util.decode import decode, encode
from parity._util.markdown import table
from parity._util.process import fuzzing_runtime
from parity.campaign.finish import add_cause
from parity.campaign.flaky import KEPT, Repetition, reduced_flaky
from parity.campaign.result import Report
from parity.campaign.search import run_probes
from parity.diagnose.causes import Cause
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.base import Defect
from parity.diagnose.triage import Triage
from parity.engines.adapters.torch import Torch
from parity.engines.base import Engine
from parity.engines.isolation.pool import WorkerPool
from parity.engines.isolation.process import End
from parity.engines.runner import AnyEngine
from parity.generate.schedule import decoders_of, stream
from parity.oracle.check import check_program
from parity.oracle.finding import Kind

T = TypeVar("T")


@dataclass(frozen=True)
class Trial:
    """The result for one defect and one seed; seconds are CPU time, as the machine may be busy."""

    defect: str
    seed: int
    #: The number of programs up to the first finding, None if only the ``probe`` or nothing did.
    programs: int | None = None
    probe: str = ""
    #: The size of the reduced program.
    statements: int | None = None
    #: The defects that the diagnosis names.
    named: tuple[str, ...] = ()
    reduction_seconds: float = 0.0
    diagnosis_seconds: float = 0.0

    @property
    def found(self) -> bool:
        return self.programs is not None or bool(self.probe)

    @property
    def diagnosed(self) -> bool:
        """Whether the diagnosis names the defect, alone or with indistinguishable ones."""
        return self.defect in self.named


def run_trial(
    name: str, seed: int, examples: int, defects: Mapping[str, type[Defect]] = DEFECTS
) -> Trial:
    """Run programs on one defect until it is found, at most ``examples``, and diagnose it."""
    engine: AnyEngine = type("Hidden", (defects[name],), {"name": "hidden"})()
    reference = Torch()
    with fuzzing_runtime():
        reported = _first(engine, reference, seed, examples) or next(run_probes(engine), None)
        if reported is None:
            return Trial(name, seed)
        started, blamed = time.process_time(), tuple[Cause, ...]()
        triage = Triage(engine, reference)
        if reported.program is not None:
            shown = reported.program, reported.finding
            blamed = triage.blame(*shown)
        between = time.process_time()
        if blamed:
            shown_by = (c.witness for c in blamed if c.witness is not None)
            reported.program = min(shown_by, key=lambda p: len(p.statements))
        elif reported.program is not None:
            flaky = reported.finding.kind is Kind.FLAKY
            small = reduced_flaky(*shown, engine, reference) if flaky else triage.reduced(*shown)
            reported.program, reported.finding = small
        if not blamed:
            add_cause(reported, triage)
            blamed = (reported.cause,) if reported.cause else ()
        ended = time.process_time()
    program = reported.program
    return Trial(
        name,
        seed,
        reported.number if program else None,
        reported.probe,
        len(program.statements) if program else None,
        tuple(dict.fromkeys(name for cause in blamed for name in names_of(cause))),
        ended - between,
        between - started,
    )


def names_of(cause: Cause) -> list[str]:
    """Return the name of a cause, and those of the defects that cannot be told from it."""
    others = (d.name for d in DEFECTS.values() if d.description in cause.alternatives)
    return [cause.name, *others]


def _first(engine: AnyEngine, reference: Engine, seed: int, examples: int) -> Report | None:
    """Return the first failing program with its finding and its number, from 1."""
    programs = itertools.islice(stream(decoders_of(engine), seed), examples)
    repetition = Repetition(engine, reference)
    for number, program in enumerate(programs, 1):
        finding = check_program(program, engine, reference)
        if finding is not None:
            judged = repetition.judged(program, finding)
            return Report(finding if judged.what == KEPT else judged, program, number)
        repetition.ran(program, finding)
    return None


@dataclass
class Score:
    """The trials of a run; fewer than ``planned`` if it was interrupted."""

    seeds: int
    examples: int
    planned: int
    smallest: dict[str, int | None]
    trials: list[Trial] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        return len(self.trials) == self.planned

    @property
    def all_found(self) -> bool:
        return self.complete and all(trial.found for trial in self.trials)

    def by_defect(self) -> dict[str, list[Trial]]:
        """Return the trials of each defect that has any, ordered by seed."""
        groups = {name: [t for t in self.trials if t.defect == name] for name in self.smallest}
        return {k: sorted(v, key=lambda t: t.seed) for k, v in groups.items() if v}

    def to_json(self) -> dict[str, Any]:
        return {
            "seeds": self.seeds,
            "examples": self.examples,
            "complete": self.complete,
            "seconds": round(self.seconds, 3),
            "defects": [self._defect(*group) for group in self.by_defect().items()],
        }

    def _defect(self, name: str, trials: list[Trial]) -> dict[str, Any]:
        counts = [t.programs for t in trials if t.programs is not None]
        return {
            "defect": name,
            "found": sum(t.found for t in trials),
            "of": len(trials),
            "programs_median": float(statistics.median(counts)) if counts else None,
            "programs_worst": max(counts, default=None),
            "statements": [t.statements for t in trials],
            "smallest": self.smallest[name],
            "diagnosed": sum(t.diagnosed for t in trials),
            "trials": [asdict(t) for t in trials],
        }


def score(
    seeds: int,
    examples: int,
    defects: Mapping[str, type[Defect]] = DEFECTS,
    jobs: int = 1,
    after: Callable[[Trial], None] = lambda trial: None,
) -> Score:
    """Run every defect with seeds 0 to ``seeds - 1``; ``after`` is called with each trial.

    Ctrl-C, or a worker that is killed, ends the run with the trials so far. With several
    ``jobs``, ``defects`` must be from ``parity.diagnose.defects``, as workers load them by name.
    """
    tasks = [(name, seed) for seed in range(seeds) for name in defects]
    smallest = {
        name: None if cls.smallest is None else len(cls.smallest.statements)
        for name, cls in defects.items()
    }
    result = Score(seeds, examples, len(tasks), smallest)
    started = time.perf_counter()
    try:
        for trial in (
            in_processes(Trial, "parity.campaign.score:encoded_trial", tasks, examples, jobs)
            if jobs > 1
            else (run_trial(name, seed, examples, defects) for name, seed in tasks)
        ):
            result.trials.append(trial)
            after(trial)
    except KeyboardInterrupt:
        pass  # what was measured is kept, and ``complete`` says that it is not all
    result.seconds = time.perf_counter() - started
    return result


def in_processes(
    result: type[T], function: str, tasks: Sequence[tuple[Any, ...]], examples: int, jobs: int
) -> Iterator[T]:
    """Yield the results of ``jobs`` processes as they end; stop if a process is killed.

    ``function`` is "module:name"; it gets a task and ``examples``, and returns the plain data of a
    ``result``.
    """
    pool = WorkerPool(jobs)
    pool.start()
    try:
        for task in tasks:
            pool.submit(task, function, *task, examples)
        ended = 0
        while ended < len(tasks):
            for _, data in pool.results():
                if isinstance(data, End):
                    return
                ended += 1
                yield decode(result, data)
    finally:
        pool.close()


def encoded_trial(name: str, seed: int, examples: int) -> dict[str, Any]:
    """Run a trial in a worker process: ``run_trial`` with plain data."""
    trial: dict[str, Any] = encode(run_trial(name, seed, examples))
    return trial


def markdown(result: Score) -> str:
    header = "defect", "found", "programs, median", "worst", "statements", "smallest", "diagnosis"
    defects = result.to_json()["defects"]
    lines = table(header, map(_row, defects), "lrrrrrr")
    if not result.complete:
        done = f"{len(result.trials)} of {result.planned} trials"
        lines += ["", f"**Interrupted: {done} were measured.**"]
    return "\n".join([*lines, "", *(f"- {line}" for line in _summary(result, defects))])


def _row(defect: dict[str, Any]) -> tuple[object, ...]:
    median, worst = "", ""
    probes = sorted({t["probe"] for t in defect["trials"] if t["probe"]})
    if defect["programs_median"] is not None:
        median, worst = f"{defect['programs_median']:g}", defect["programs_worst"]
    elif probes:
        median = f"probe: {', '.join(probes)}"
    sizes = sorted({n for n in defect["statements"] if n is not None})
    return (
        f"`{defect['defect']}`",
        f"{defect['found']} of {defect['of']}",
        median,
        worst,
        " to ".join(map(str, dict.fromkeys((sizes[0], sizes[-1])))) if sizes else "",
        "" if defect["smallest"] is None else defect["smallest"],
        f"{defect['diagnosed']} of {defect['found']}",
    )


def _summary(result: Score, defects: list[dict[str, Any]]) -> list[str]:
    found = [t for t in result.trials if t.found]
    always = sum(one["found"] == one["of"] for one in defects)
    seeds = f"of {result.seeds}" if result.complete else "so far"
    lines = [f"{always} of {len(defects)} defects found with every seed {seeds}"]
    medians = {d["defect"]: m for d in defects if (m := d["programs_median"]) is not None}
    if medians:
        worst = max(medians, key=lambda name: medians[name])
        middle = statistics.median(medians.values())
        lines.append(
            f"programs until found: the median is {middle:g} for the median defect, "
            f"{medians[worst]:g} for `{worst}`; the budget is {result.examples}"
        )
    longer = [
        t.statements - size
        for t in found
        if t.statements is not None and (size := result.smallest[t.defect]) is not None
    ]
    if longer:
        lines.append(
            f"reduced programs as small as the smallest: {share([n <= 0 for n in longer])}; "
            f"at most one statement longer: {share([n <= 1 for n in longer])}"
        )
    if found:
        lines += [
            f"named by the diagnosis: {share([t.diagnosed for t in found])}; "
            f"named alone: {share([t.named == (t.defect,) for t in found])}",
            f"slowest reduction {max(t.reduction_seconds for t in found):.2f} s, "
            f"slowest diagnosis {max(t.diagnosis_seconds for t in found):.2f} s",
        ]
    return lines


def share(flags: list[bool]) -> str:
    """Return how many flags are set, as "3 of 4 (75.0%)"."""
    return f"{sum(flags)} of {len(flags)} ({100 * sum(flags) / len(flags):.1f}%)"
