"""``Jobs``: several processes that check the programs of one search.

The programs of a search are numbered, and a worker checks some that follow one another. It says
which of them differ. The process of the search runs those again, in their order, and does all the
rest. So a report is the same whatever the number of processes is, as long as an engine gives the
same result for a program each time.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Generator, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from parity.engines.base import Engine
from parity.engines.isolation.pool import WorkerPool
from parity.engines.isolation.process import End
from parity.engines.limits import Limits
from parity.engines.open import open_engines
from parity.engines.runner import Runner
from parity.generate.schedule import decoders_of, inputs
from parity.language.program import Program
from parity.oracle.check import check_programs, check_repeatedly
from parity.oracle.finding import Finding
from parity.oracle.stability import SAMPLED, Stability

#: Programs of one job, so many that those which run twice are the same as without jobs; and jobs
#: that each process has ahead.
CHUNK, AHEAD = 4 * SAMPLED, 2
#: Runs of a program that differed in a worker, until it differs again.
_TRIES = 20

Checked: TypeAlias = Generator[tuple[Program, Finding | None], None, None]


@dataclass(frozen=True)
class Setting:
    """What a worker needs to check programs of a search, as plain data."""

    engine: str
    reference: str
    isolate: bool | None
    limits: Limits
    seed: int
    ops: tuple[str, ...] | None

    def plain(self) -> list[Any]:
        limits = [self.limits.seconds, self.limits.megabytes]
        return [self.engine, self.reference, self.isolate, limits, self.seed, self.ops]

    @staticmethod
    def of_plain(data: list[Any]) -> Setting:
        engine, reference, isolate, limits, seed, ops = data
        chosen = None if ops is None else tuple(ops)
        return Setting(engine, reference, isolate, Limits(*limits), seed, chosen)


class _Checker:
    """The engines of a worker, and the programs that come next."""

    def __init__(self, setting: Setting) -> None:
        sides = open_engines(
            setting.engine, setting.reference, setting.isolate, setting.limits, check=False
        )
        self.engine, self.reference = sides
        self.inputs = inputs(decoders_of(self.engine, setting.ops), setting.seed)
        self.next = 0

    def check(self, start: int, count: int) -> dict[str, Any]:
        """Check programs; ``start`` is not below the end of the last call."""
        some = itertools.islice(self.inputs, start - self.next, start - self.next + count)
        self.next = start + count
        programs = (decoder.decode(data) for decoder, data in some)
        unsupported, stability = Counter[str](), Stability()
        checked = check_programs(
            programs, self.engine, self.reference, unsupported, stability=stability
        )
        failing = [number for number, (_, finding) in enumerate(checked) if finding is not None]
        twice = [stability.programs, stability.same]
        return {"failing": failing, "unsupported": dict(unsupported), "twice": twice}


_checker = functools.lru_cache(maxsize=1)(_Checker)


def check_chunk(setting: list[Any], start: int, count: int) -> dict[str, Any]:
    """Check programs in a worker process, and return what is to be known of them."""
    return _checker(Setting.of_plain(setting)).check(start, count)


class Jobs:
    """Checks the programs of a search in ``count`` processes."""

    def __init__(self, count: int, setting: Setting) -> None:
        self.count, self.setting = count, setting
        self.pool = WorkerPool(count)

    def checked(
        self,
        sides: tuple[Runner, Engine],
        examples: int | None,
        unsupported: Counter[str],
        stability: Stability,
    ) -> Checked:
        """Yield programs in their order with their findings, as ``check_programs`` does."""
        engine, reference = sides
        self.pool.start()
        decoded = inputs(decoders_of(engine, self.setting.ops), self.setting.seed)
        try:
            for count, answer in self._answers(examples):
                programs = [d.decode(data) for d, data in itertools.islice(decoded, count)]
                if isinstance(answer, End):  # the worker ended: these run here
                    yield from check_programs(
                        programs, engine, reference, unsupported, stability=stability
                    )
                    continue
                unsupported.update(answer["unsupported"])
                stability.programs += answer["twice"][0]
                stability.same += answer["twice"][1]
                failing = set(answer["failing"])
                for number, program in enumerate(programs):
                    yield program, _again(program, sides) if number in failing else None
        finally:
            self.pool.close()

    def _answers(self, examples: int | None) -> Iterator[tuple[int, Any]]:
        """Yield the number of programs and the answer of each job, in their order."""
        most = float("inf") if examples is None else examples
        sizes: dict[int, int] = {}
        done: dict[Hashable, Any] = {}
        for number in itertools.count():
            while len(sizes) < self.count * AHEAD and (start := self._start(sizes, number)) < most:
                size = int(min(CHUNK, most - start))
                sizes[start // CHUNK] = size
                self.pool.submit(
                    start // CHUNK,
                    "parity.campaign.jobs:check_chunk",
                    self.setting.plain(),
                    start,
                    size,
                )
            if number not in sizes:
                return
            while number not in done:
                done.update(self.pool.results(1.0))
            yield sizes.pop(number), done.pop(number)

    @staticmethod
    def _start(sizes: dict[int, int], number: int) -> int:
        """Return the first program of the job that is submitted next."""
        return CHUNK * (max(sizes) + 1 if sizes else number)


def _again(program: Program, sides: tuple[Runner, Engine]) -> Finding | None:
    """Run a program that differed in a worker; more than once if it differs in some runs only."""
    runs = itertools.islice(check_repeatedly(program, *sides), _TRIES)
    return next(filter(None, runs), None)
