"""The coordinator of a campaign: submits shards to an executor and records their answers."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from parity._util.process import first_interrupt
from parity.campaign.cases import Reader
from parity.campaign.corpus import Corpus, Identity
from parity.campaign.errors import CampaignError
from parity.campaign.executors import Executor
from parity.campaign.hypothesis_search import export_to_hypothesis
from parity.campaign.monitor import FINISHED, INTERRUPTED, RUNNING, Growth, Status, StatusFile
from parity.campaign.records import FindingData, Record, defects
from parity.campaign.shard import Answer, Task, reachable, visible
from parity.engines.base import Engine, label
from parity.engines.limits import Limits
from parity.engines.quirks.table import descriptions
from parity.engines.runner import AnyEngine, Runner, as_runner

#: Seconds between two updates of the display.
_TICK = 0.2


@dataclass(frozen=True)
class Plan:
    """The settings of a campaign; without a limit it runs until it is interrupted."""

    engine: str
    reference: str
    seed: str
    size: int
    isolate: bool | None = None
    limits: Limits = field(default_factory=Limits)
    #: The limit of the whole campaign, earlier runs included, and that of this run.
    programs: int | None = None
    seconds: float | None = None
    database: str | None = None


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
            "warnings": list(as_runner(self.engine).warnings),
            "stability": self.total.stability.to_json(),
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
        """The findings by kind and cause, the smallest program first in each group.

        Exceptions from several places are several causes.
        """
        groups: dict[tuple[str, tuple[str, ...], str], list[tuple[str, FindingData]]] = {}
        for name, finding in self.findings:
            key = finding["kind"], defects(finding), finding.get("place", "")
            groups.setdefault(key, []).append((name, finding))
        return [(kind, named, several) for (kind, named, _), several in groups.items()]


class Display:
    """The interface of a display of a campaign; this one shows nothing.

    ``update`` is called several times per second, ``found`` for each new finding, and ``note``
    with other messages of one line.
    """

    def start(self) -> None: ...
    def update(self, status: Status) -> None: ...
    def found(self, finding: FindingData) -> None: ...
    def note(self, text: str) -> None: ...
    def end(self) -> None: ...


class Campaign:
    """One run on a corpus whose lock the caller holds.

    ``pair``: engine and reference, to ask for their abilities; workers load their own. ``file``:
    its status, by default in the corpus.
    """

    def __init__(
        self,
        plan: Plan,
        corpus: Corpus,
        executor: Executor,
        pair: tuple[Runner, Engine],
        display: Display | None = None,
        file: StatusFile | None = None,
    ) -> None:
        self.plan = plan
        self.corpus = corpus
        self.executor = executor
        self.engine, self.reference = pair
        self.display = display or Display()
        self.file = file or StatusFile(corpus.store, self.display.note)
        self.reader = Reader(self.engine)
        self.growth = Growth(self.reader, (one.fuzz_input for one in corpus.kept.values()))
        self.identity = self._checked_identity()
        self.reachable = reachable(self.engine)
        self.stopping = False
        self.exported = 0
        self.workers = 0
        self.next = 0
        self.before = corpus.total().programs
        self.started = time.monotonic()
        self.until = time.time() + plan.seconds if plan.seconds is not None else None

    def _checked_identity(self) -> Identity:
        """Return the identity of the corpus, which is initialized if it is new.

        Raises CampaignError if the corpus is of another engine, reference or seed.
        """
        plan, found = self.plan, self.corpus.identity
        sides = label(self.engine), label(self.reference)
        mine = Identity(plan.engine, *sides, plan.seed, plan.size)
        if found is None:
            self.corpus.begin(mine)
            return mine
        where = f"corpus {self.corpus.store.where}"
        for what, theirs, ours in (
            ("engine", found.engine, mine.engine),
            ("reference", found.reference, mine.reference),
        ):
            if theirs.partition(" ")[0] != ours.partition(" ")[0]:
                raise CampaignError(
                    f"{where} is for the {what} {theirs}, not {ours}: use another folder"
                )
            if theirs != ours:
                self.display.note(f"{where} was begun with {theirs}, and continues with {ours}")
        if found.seed != plan.seed:
            raise CampaignError(
                f"{where} has the seed {found.seed}, not {plan.seed}: leave out --seed, or use "
                "another folder"
            )
        return found

    def run(self) -> Outcome:
        """Run until the limit of programs or time, or until Ctrl-C.

        The first Ctrl-C ends the running shards and records them; a second one raises
        KeyboardInterrupt.
        """
        state = INTERRUPTED
        try:
            self.display.start()
            with first_interrupt(self._interrupt):
                self.executor.start(self.display.note)
                self._write_status(RUNNING)
                while True:
                    while not self._over() and self.executor.free > 0 and (task := self._task()):
                        self.next += 1
                        self.executor.submit(task)
                    if not self.executor.running:
                        if self._over() or self._task() is None:
                            break
                        time.sleep(_TICK)  # shards are left and no worker is free
                    for answer in self.executor.answers(_TICK):
                        self._record(answer)
                    self.display.update(self._write_status(RUNNING))
            self.corpus.write_counts()
            state = INTERRUPTED if self.stopping else FINISHED
        finally:
            try:
                self._write_status(state)
            finally:
                self.executor.close()
                self.display.end()
        decoders = self.reader.decoders.values()
        return Outcome(
            self.engine,
            self.reference,
            self.identity,
            self.corpus.total(),
            self.corpus.reported(),
            self.reachable,
            tuple(dict.fromkeys(name for decoder in decoders for name in decoder.untested)),
            self.before,
            time.monotonic() - self.started,
            self.stopping,
            self.exported,
        )

    def _interrupt(self) -> None:
        self.stopping = True
        self.executor.stop()

    def _over(self) -> bool:
        return self.stopping or (self.until is not None and time.time() >= self.until)

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
            self.corpus.groups_before(visible(number)),
            self.until,
        )

    def _programs(self, number: int) -> int:
        """The number of programs of a shard in this run."""
        if self.plan.programs is None:
            return self.identity.size
        before = self.corpus.programs_before(number, self.identity.size)
        return max(0, min(self.identity.size, self.plan.programs - before))

    def _record(self, answer: Answer) -> None:
        if answer.error:
            raise CampaignError(f"{answer.error}; what was recorded is kept")
        record = answer.record
        self.growth.add(answer.kept, record.first * self.identity.size + record.programs)
        for finding in self.corpus.add(answer):
            self.display.found(finding)
            self.exported += export_to_hypothesis(finding, self.engine, self.plan.database)

    def _write_status(self, state: str) -> Status:
        total = self.corpus.total()
        if state == RUNNING:  # an executor that could not start has none
            self.workers = self.executor.workers
        status = self._status(total)
        names = {"engine": label(self.engine), "reference": label(self.reference)}
        self.file.write(status, total, self.growth, names, state)
        return status

    def _status(self, total: Record) -> Status:
        seconds = time.monotonic() - self.started
        rate = (total.programs - self.before) / seconds if seconds else 0.0
        left = None
        if self.until is not None:
            left = max(0.0, self.until - time.time())
        elif self.plan.programs is not None and rate:
            left = max(0, self.plan.programs - total.programs) / rate
        return Status(
            total.programs,
            rate,
            Counter(f["kind"] for f in self.corpus.findings.values()),
            len(self.reachable & set(total.coverage)),
            len(self.reachable),
            self.workers,
            self.executor.running,
            seconds,
            left,
            self.stopping,
        )
