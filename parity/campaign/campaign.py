"""The coordinator of a campaign: submits shards to an executor and records their answers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from parity._util.process import first_interrupt
from parity.campaign.cases import Reader
from parity.campaign.corpus import Corpus, Identity
from parity.campaign.errors import CampaignError
from parity.campaign.executors import Executor
from parity.campaign.hypothesis_search import export_to_hypothesis
from parity.campaign.records import FindingData, Record, defects
from parity.campaign.shard import Answer, Task, reachable, visible
from parity.engines.base import Engine, label
from parity.engines.limits import Limits
from parity.engines.quirks.table import descriptions
from parity.engines.runner import AnyEngine, Runner

#: Seconds between two updates of the display.
_TICK = 0.2


@dataclass(frozen=True)
class Plan:
    """The settings of a campaign.

    ``programs``: limit of the whole campaign, earlier runs included; ``seconds``: limit of this
    run. Without both it runs until it is interrupted.
    """

    engine: str
    reference: str
    seed: str
    size: int
    isolate: bool | None = None
    limits: Limits = field(default_factory=Limits)
    programs: int | None = None
    seconds: float | None = None
    database: str | None = None


@dataclass
class Status:
    """The progress of a campaign. ``rate``: programs per second of this run; ``left``: seconds."""

    programs: int
    rate: float
    findings: Counter[str]
    reached: int
    reachable: int
    workers: int
    shards: int
    seconds: float
    left: float | None
    stopping: bool


@dataclass
class Outcome:
    """The result of a campaign; ``before``: programs of earlier runs on the same corpus."""

    engine: AnyEngine
    reference: Engine
    identity: Identity
    total: Record
    findings: list[tuple[str, FindingData]]
    reachable: frozenset[str]
    untested: tuple[str, ...]
    before: int
    seconds: float
    interrupted: bool
    exported: int

    def to_json(self) -> dict[str, Any]:
        """The object of ``parity check --json``, with the fields that only a campaign has."""
        missed = sorted(self.reachable - set(self.total.coverage))
        return {
            "engine": label(self.engine),
            "reference": label(self.reference),
            "seed": self.identity.seed,
            "programs": self.total.programs,
            "seconds": round(self.total.seconds, 3),
            "ill_conditioned": self.total.ill_conditioned,
            "verdict": "findings" if self.findings else "parity",
            "untested": list(self.untested),
            "quirks": sorted(self.engine.quirks),
            "quirks_say": descriptions(self.engine.quirks),
            "failing": dict(sorted(self.total.failing.items())),
            "interrupted": self.interrupted,
            "findings": [{"name": name, **finding} for name, finding in self.findings],
            "exposure": {
                "reached": len(self.reachable) - len(missed),
                "reachable": len(self.reachable),
                "not_reached": missed,
            },
        }

    def causes(self) -> list[tuple[str, tuple[str, ...], list[tuple[str, FindingData]]]]:
        """The findings by kind and diagnosis, the smallest program first in each group."""
        groups: dict[tuple[str, tuple[str, ...]], list[tuple[str, FindingData]]] = {}
        for name, finding in self.findings:
            groups.setdefault((finding["kind"], defects(finding)), []).append((name, finding))
        return [(*key, several) for key, several in groups.items()]


class Display:
    """The interface of a display of a campaign; this one shows nothing."""

    def start(self) -> None:
        """Called when the campaign begins."""

    def update(self, status: Status) -> None:
        """Called several times per second with the progress."""

    def found(self, finding: FindingData) -> None:
        """Called for each new finding."""

    def note(self, text: str) -> None:
        """Called with other messages of one line."""

    def end(self) -> None:
        """Called at the end."""


class Campaign:
    """One run on a corpus whose lock is held.

    Parameters
    ----------
    plan
        The settings.
    corpus
        Its lock is held by the caller.
    executor
        Runs the shards.
    pair
        Engine and reference of the plan, to ask for their abilities; workers load their own.
    display
        Shows the progress.
    """

    def __init__(
        self,
        plan: Plan,
        corpus: Corpus,
        executor: Executor,
        pair: tuple[Runner, Engine],
        display: Display | None = None,
    ) -> None:
        self.plan = plan
        self.corpus = corpus
        self.executor = executor
        self.engine, self.reference = pair
        self.display = display or Display()
        self.identity = checked_identity(plan, corpus, *pair, self.display.note)
        self.reachable = reachable(self.engine)
        self.stopping = False
        self.exported = 0
        self.next = 0
        self.before = corpus.total().programs
        self.started = time.monotonic()
        self.until = time.time() + plan.seconds if plan.seconds is not None else None

    def run(self) -> Outcome:
        """Run until the limit of programs or time, or until Ctrl-C.

        The first Ctrl-C ends the running shards and records them; a second one raises
        KeyboardInterrupt.
        """
        try:
            self.display.start()
            with first_interrupt(self._interrupt):
                self.executor.start(self.display.note)
                while True:
                    self._submit()
                    if not self.executor.running and not self._waits():
                        break
                    for answer in self.executor.answers(_TICK):
                        self._record(answer)
                    self.display.update(self.status())
        finally:
            self.executor.close()
            self.display.end()
        self.corpus.write_counts()
        return self.outcome()

    def _interrupt(self) -> None:
        self.stopping = True
        self.executor.stop()

    def _waits(self) -> bool:
        """Sleep if there are shards left and no worker is free; whether that is so."""
        if self._over() or self._task() is None:
            return False
        time.sleep(_TICK)
        return True

    def _over(self) -> bool:
        return self.stopping or (self.until is not None and time.time() >= self.until)

    def _submit(self) -> None:
        while not self._over() and self.executor.free > 0:
            task = self._task()
            if task is None:
                return
            self.next += 1
            self.executor.submit(task)

    def _task(self) -> Task | None:
        """The next shard to run, if there is one and the shards that it depends on are done."""
        while (programs := self._programs(self.next)) and self.corpus.done(self.next, programs):
            self.next += 1
        number = self.next
        if not programs or not self.corpus.finished(visible(number)):
            return None
        return Task(
            self.plan.engine,
            self.plan.reference,
            self.plan.isolate,
            self.plan.limits,
            self.identity.seed,
            number,
            programs,
            self.identity.size,
            self.corpus.kept_before(visible(number)),
            self.corpus.kinds_before(visible(number)),
            self.until,
        )

    def _programs(self, number: int) -> int:
        """The number of programs of a shard in this run."""
        if self.plan.programs is None:
            return self.identity.size
        return max(0, min(self.identity.size, self.plan.programs - number * self.identity.size))

    def _record(self, answer: Answer) -> None:
        if answer.error:
            raise CampaignError(f"{answer.error}; what was recorded is kept")
        for finding in self.corpus.add(answer):
            self.display.found(finding)
            self.exported += export_to_hypothesis(finding, self.engine, self.plan.database)

    def status(self) -> Status:
        """The current progress."""
        total = self.corpus.total()
        seconds = time.monotonic() - self.started
        rate = (total.programs - self.before) / seconds if seconds else 0.0
        left = None
        if self.until is not None:
            left = max(0.0, self.until - time.time())
        elif self.plan.programs is not None and rate:
            left = max(0, self.plan.programs - total.programs) / rate
        kinds = Counter(f["kind"] for f in self.corpus.findings.values())
        return Status(
            total.programs,
            rate,
            kinds,
            len(self.reachable & set(total.coverage)),
            len(self.reachable),
            self.executor.workers,
            self.executor.running,
            seconds,
            left,
            self.stopping,
        )

    def outcome(self) -> Outcome:
        """The result so far."""
        return Outcome(
            self.engine,
            self.reference,
            self.identity,
            self.corpus.total(),
            self.corpus.reported(),
            self.reachable,
            untested(self.engine),
            self.before,
            time.monotonic() - self.started,
            self.stopping,
            self.exported,
        )


def checked_identity(
    plan: Plan, corpus: Corpus, engine: AnyEngine, reference: Engine, note: Callable[[str], None]
) -> Identity:
    """Check that a corpus is of this plan, and return its identity; a new corpus is initialized.

    Raises CampaignError if the corpus is of another engine, reference or seed.
    """
    mine = Identity(plan.engine, label(engine), label(reference), plan.seed, plan.size)
    found = corpus.identity
    if found is None:
        corpus.begin(mine)
        return mine
    where = f"corpus {corpus.store.where}"
    for what, theirs, ours in (
        ("engine", found.engine, mine.engine),
        ("reference", found.reference, mine.reference),
    ):
        if theirs.partition(" ")[0] != ours.partition(" ")[0]:
            raise CampaignError(
                f"{where} is for the {what} {theirs}, not {ours}: use another folder"
            )
        if theirs != ours:
            note(f"{where} was begun with {theirs}, and continues with {ours}")
    if found.seed != plan.seed:
        raise CampaignError(
            f"{where} has the seed {found.seed}, not {plan.seed}: leave out --seed, or use "
            "another folder"
        )
    return found


def untested(engine: AnyEngine) -> tuple[str, ...]:
    """Operations and abilities that profiles use and the engine does not support."""
    several = Reader(engine).decoders.values()
    return tuple(dict.fromkeys(name for decoder in several for name in decoder.untested))
