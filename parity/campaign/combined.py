"""Measures how engines with several faults at once are explained: ``parity score --combined``.

Each engine is checked as ``parity check`` does it, and its causes are held against the faults that
were put into it. Which faults a cause is about is decided by its witness: those without which the
engine behaves otherwise there (``parity.campaign.faulty``).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from parity._util.decode import encode
from parity._util.markdown import table
from parity.campaign.faulty import Fault, FaultyEngine, faulty_engine
from parity.campaign.operation_faults import OperationFault
from parity.campaign.result import Report, SearchResult
from parity.campaign.score import in_processes, share
from parity.campaign.search import search
from parity.diagnose.causes import Category, Cause
from parity.engines.adapters.dezero import Dezero
from parity.engines.adapters.torch import Torch
from parity.engines.base import Engine
from parity.language.program import Program
from parity.oracle.finding import Kind
from parity.oracle.verdict import REFERENCE

#: An engine with so many faults is timed against DeZero.
_TIMED = 5


@dataclass(frozen=True)
class FaultResult:
    """What a check says of one fault of an engine."""

    name: str
    #: "tape", or the kind of an operation's fault.
    kind: str
    description: str
    #: Whether it matters to a program of the report.
    shown: bool
    #: How many causes name it, and whether one of these has the category expected.
    causes: int
    categorized: bool

    @property
    def named(self) -> bool:
        return self.causes > 0


@dataclass(frozen=True)
class CauseResult:
    """A cause of a report: what it says, and whether it is about a fault."""

    name: str
    where: str
    category: str
    witness: str
    #: The indices of the faults that matter to its witness, and of those that it names.
    about: tuple[int, ...]
    names: tuple[int, ...]
    #: Whether the engine is right on the witness, or no fault matters there.
    invented: bool


@dataclass(frozen=True)
class EngineResult:
    """One engine; seconds are CPU time, as the machine may be busy."""

    number: int
    faults: tuple[FaultResult, ...]
    causes: tuple[CauseResult, ...]
    programs: int
    failing: int
    seconds: float
    #: Of the same check of DeZero, if it was timed.
    dezero_seconds: float | None = None


# One engine.


@dataclass(frozen=True)
class _Said:
    """A cause as far as it is measured: the names that it gives, and the program that shows it."""

    name: str
    where: str
    category: Category
    program: Program | None
    #: Names and sentences of what it cannot be told from.
    others: tuple[str, ...] = ()

    @staticmethod
    def of_cause(cause: Cause) -> _Said:
        return _Said(cause.name, cause.where, cause.category, cause.witness, cause.alternatives)

    def is_about(self, fault: Fault) -> bool:
        """Return whether it names a fault, or says that it cannot be told from it."""
        return fault.name == self.name or any(
            other == fault.name or f"`{fault.name}`" in other or fault.description in other
            for other in self.others
        )


def _program_of(reported: Report) -> Program | None:
    """Return the program that shows a finding by itself each time it runs, if there is one."""
    alone = not reported.before and reported.finding.kind is not Kind.FLAKY
    return reported.program if alone and reported.wrong != REFERENCE else None


def _said(result: SearchResult) -> list[_Said]:
    return [_Said.of_cause(cause) for cause in result.causes]


def run_engine(seed: int, number: int, examples: int) -> EngineResult:
    """Check the engine ``number`` of a seed on so many programs."""
    faulty = faulty_engine(seed, number)
    result, seconds = _timed(faulty.engine(), examples, number)
    timed = len(faulty.faults) == _TIMED
    dezero = _timed(Dezero(), examples, number)[1] if timed else None
    said = _said(result)
    causes = tuple(_cause_result(one, faulty) for one in said)
    shown: set[int] = {i for cause in causes for i in cause.about}
    for program in filter(None, map(_program_of, result.findings)):
        shown |= faulty.matters(program)
    faults = tuple(
        _fault_result(fault, index in shown, [c for c in causes if index in c.names])
        for index, fault in enumerate(faulty.faults)
    )
    return EngineResult(number, faults, causes, result.programs, result.failing, seconds, dezero)


def _timed(engine: Engine, examples: int, seed: int) -> tuple[SearchResult, float]:
    started = time.process_time()
    result = search(engine, Torch(), examples, seed)
    return result, time.process_time() - started


def _cause_result(said: _Said, faulty: FaultyEngine) -> CauseResult:
    program = said.program
    about = tuple(sorted(faulty.matters(program))) if program is not None else ()
    names = tuple(
        index
        for index, fault in enumerate(faulty.faults)
        if said.is_about(fault) and (program is None or index in about)
    )
    invented = program is not None and not (about and faulty.is_wrong(program))
    witness = "" if program is None else str(program)
    return CauseResult(said.name, said.where, str(said.category), witness, about, names, invented)


def _fault_result(fault: Fault, shown: bool, causes: list[CauseResult]) -> FaultResult:
    kind = fault.kind.says if isinstance(fault, OperationFault) else "tape"
    expected = getattr(fault, "category", None)  # not all defects have one
    categorized = any(expected in (None, cause.category) for cause in causes)
    return FaultResult(fault.name, kind, fault.description, shown, len(causes), categorized)


# All engines.


@dataclass
class CombinedScore:
    """The engines of a run; fewer than ``planned`` if it was interrupted."""

    seed: int
    examples: int
    planned: int
    engines: list[EngineResult] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        return len(self.engines) == self.planned

    @property
    def all_shown(self) -> bool:
        return self.complete and all(f.shown for f in self.faults()) and not self.invented()

    def faults(self) -> list[FaultResult]:
        return [fault for engine in self.engines for fault in engine.faults]

    def causes(self) -> list[CauseResult]:
        return [cause for engine in self.engines for cause in engine.causes]

    def invented(self) -> list[CauseResult]:
        return [cause for cause in self.causes() if cause.invented]

    def slowdowns(self) -> list[float]:
        """Return the times of the timed checks, divided by those of the same checks of DeZero."""
        return [e.seconds / e.dezero_seconds for e in self.engines if e.dezero_seconds]

    def to_json(self) -> dict[str, Any]:
        faults, causes = self.faults(), self.causes()
        return {
            "seed": self.seed,
            "examples": self.examples,
            "complete": self.complete,
            "seconds": round(self.seconds, 3),
            "faults": len(faults),
            "shown": sum(f.shown for f in faults),
            "named": sum(f.named for f in faults),
            "categorized": sum(f.categorized for f in faults),
            "doubled": sum(f.causes > 1 for f in faults),
            "causes": len(causes),
            "misnamed": sum(not c.names and not c.invented for c in causes),
            "invented": len(self.invented()),
            "slowdowns": self.slowdowns(),
            "engines": [asdict(engine) for engine in self.engines],
        }


def combined_score(
    engines: int,
    examples: int,
    seed: int = 0,
    jobs: int = 1,
    after: Callable[[EngineResult], None] = lambda result: None,
) -> CombinedScore:
    """Check the engines 0 to ``engines - 1`` of a seed; ``after`` is called with each result.

    Ctrl-C, or a worker that is killed, ends the run with the engines so far.
    """
    result = CombinedScore(seed, examples, engines)
    started = time.perf_counter()
    try:
        for one in _results(engines, examples, seed, jobs):
            result.engines.append(one)
            after(one)
    except KeyboardInterrupt:
        pass  # what was measured is kept, and ``complete`` says that it is not all
    result.engines.sort(key=lambda one: one.number)
    result.seconds = time.perf_counter() - started
    return result


def _results(engines: int, examples: int, seed: int, jobs: int) -> Iterator[EngineResult]:
    tasks = [(seed, number) for number in range(engines)]
    if jobs > 1:
        function = "parity.campaign.combined:encoded_engine"
        yield from in_processes(EngineResult, function, tasks, examples, jobs)
    else:
        yield from (run_engine(*task, examples) for task in tasks)


def encoded_engine(seed: int, number: int, examples: int) -> dict[str, Any]:
    """Check an engine in a worker process: ``run_engine`` with plain data."""
    result: dict[str, Any] = encode(run_engine(seed, number, examples))
    return result


# The report.


def markdown(result: CombinedScore) -> str:
    """Return the tables of faults by name, those of operations by kind, and what they add up to."""
    faults = result.faults()
    groups: dict[str, list[FaultResult]] = {}
    for fault in sorted(faults, key=lambda f: (f.kind != "tape", f.kind, f.name)):
        groups.setdefault(f"`{fault.name}`" if fault.kind == "tape" else fault.kind, []).append(
            fault
        )
    header = "fault", "drawn", "shown", "named", "named twice or more"
    lines = table(header, (_row(*group) for group in groups.items()), "lrrrr")
    if not result.complete:
        done = f"{len(result.engines)} of {result.planned} engines"
        lines += ["", f"**Interrupted: {done} were measured.**"]
    return "\n".join([*lines, "", *(f"- {line}" for line in _summary(result))])


def _row(name: str, faults: list[FaultResult]) -> tuple[object, ...]:
    return (
        name,
        len(faults),
        sum(f.shown for f in faults),
        sum(f.named for f in faults),
        sum(f.causes > 1 for f in faults),
    )


def _summary(result: CombinedScore) -> list[str]:
    faults, causes = result.faults(), result.causes()
    if not faults:
        return ["nothing was measured"]
    misnamed = sum(not c.names and not c.invented for c in causes)
    seconds = [engine.seconds for engine in result.engines]
    lines = [
        f"{len(result.engines)} engines with {len(faults)} faults, "
        f"{result.examples} programs each, seed {result.seed}",
        f"shown: {share([f.shown for f in faults])}; named: {share([f.named for f in faults])}; "
        f"with the category expected: {share([f.categorized for f in faults])}",
        f"causes a fault: {len(causes) / len(faults):.2f}; "
        f"faults with several causes: {sum(f.causes > 1 for f in faults)}; "
        f"causes that name no fault which matters to their witness: {misnamed}; "
        f"invented: {len(result.invented())}",
        f"processor time of a check: median {statistics.median(seconds):.1f} s, "
        f"worst {max(seconds):.1f} s",
    ]
    if slowdowns := result.slowdowns():
        lines.append(
            f"with {_TIMED} faults, relative to DeZero: median {statistics.median(slowdowns):.2f}, "
            f"worst {max(slowdowns):.2f} ({len(slowdowns)} engines)"
        )
    return lines
