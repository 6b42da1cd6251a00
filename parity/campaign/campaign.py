"""The coordinator of a campaign: cuts the work in shards and records what comes back."""

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
from parity.campaign.hypothesis_search import hand_over
from parity.campaign.records import FindingData, Record, defects
from parity.campaign.shard import Answer, Task, reachable, visible
from parity.engines.base import Engine, label
from parity.engines.limits import Limits
from parity.engines.quirks.table import descriptions
from parity.engines.runner import AnyEngine, Runner

#: Seconds between two looks at the clock, the keyboard and the display.
_TICK = 0.2


@dataclass(frozen=True)
class Plan:
    """What a campaign is to do.

    ``programs``: of the whole campaign, those of earlier runs included; ``seconds``: of this
    run. With neither it goes on until it is interrupted.
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
    """How a campaign stands. ``rate``: programs a second of this run; ``left``: seconds."""

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
    """What a campaign comes to; ``before``: programs of earlier runs on the same corpus."""

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
    handed_over: int

    def to_json(self) -> dict[str, Any]:
        """The object of ``parity check --json``, with what only a campaign has."""
        missed = sorted(self.reachable - set(self.total.exposure))
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
    """Is told how a campaign goes; this one shows nothing."""

    def start(self) -> None:
        """The campaign begins."""

    def update(self, status: Status) -> None:
        """How it stands; comes several times a second."""

    def found(self, finding: FindingData) -> None:
        """There is a new finding."""

    def note(self, text: str) -> None:
        """Something to know, in one line."""

    def end(self) -> None:
        """It is over."""


class Campaign:
    """One run on a corpus whose lock is held. ``engine`` and ``reference`` are those of the plan,
    here to be asked what they can do; the workers load their own.
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
        self.identity = agreed(plan, corpus, *pair, self.display.note)
        self.reachable = reachable(self.engine)
        self.stopping = False
        self.handed_over = 0
        self.next = 0
        self.before = corpus.total().programs
        self.started = time.monotonic()
        self.until = time.time() + plan.seconds if plan.seconds is not None else None

    def run(self) -> Outcome:
        """Run until there is nothing left to do, time is over, or Ctrl-C: the first one ends
        the shards that run and records them, a second one raises KeyboardInterrupt."""
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
        self.corpus.settle()
        return self.outcome()

    def _interrupt(self) -> None:
        self.stopping = True
        self.executor.stop()

    def _waits(self) -> bool:
        """Whether there is something to do, only no worker for it yet."""
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
        """The next shard that is to run, if there is one and those that it learns from are done."""
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
        """How many programs a shard has in this run."""
        if self.plan.programs is None:
            return self.identity.size
        return max(0, min(self.identity.size, self.plan.programs - number * self.identity.size))

    def _record(self, answer: Answer) -> None:
        if answer.error:
            raise CampaignError(f"{answer.error}; what was recorded is kept")
        for finding in self.corpus.add(answer):
            self.display.found(finding)
            self.handed_over += hand_over(finding, self.engine, self.plan.database)

    def status(self) -> Status:
        """How it stands now."""
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
            len(self.reachable & set(total.exposure)),
            len(self.reachable),
            self.executor.workers,
            self.executor.running,
            seconds,
            left,
            self.stopping,
        )

    def outcome(self) -> Outcome:
        """What it comes to."""
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
            self.handed_over,
        )


def agreed(
    plan: Plan, corpus: Corpus, engine: AnyEngine, reference: Engine, note: Callable[[str], None]
) -> Identity:
    """What the corpus is for, which is what the plan says; a new corpus is made for it.

    Raises CampaignError where the corpus is another engine's, or has another seed.
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
            note(f"{where} was begun with {theirs}, and goes on with {ours}")
    if found.seed != plan.seed:
        raise CampaignError(
            f"{where} has the seed {found.seed}, not {plan.seed}: leave out --seed, or use "
            "another folder"
        )
    return found


def untested(engine: AnyEngine) -> tuple[str, ...]:
    """What the profiles ask for and the engine lacks."""
    several = Reader(engine).decoders.values()
    return tuple(dict.fromkeys(name for decoder in several for name in decoder.untested))
