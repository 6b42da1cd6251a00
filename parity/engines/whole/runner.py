"""``WholeRunner``: runs programs in batches on an engine that takes whole programs.

A batch that fails as a whole is halved until it is one program.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from parity.engines.base import Engine
from parity.engines.isolation import codec
from parity.engines.runner import BATCH, EngineStopped, Runner
from parity.engines.trace import STOPPED, Failure, Observation, RemoteFailure, Trace
from parity.language.program import Program

#: Batches of programs that are read before any runs.
_AHEAD = 4
_RUN, _FACTS = "parity.engines.whole.base:run_batch", "parity.engines.whole.base:facts"


class WholeRunner(Runner):
    """Runs programs through ``Runner.call`` of the runner that has the engine."""

    whole = True

    def __init__(self, inner: Runner) -> None:
        self.inner = inner
        for name in ("name", "version", "ops", "dtypes", "max_ndim", "min_ndim", "bitwise"):
            setattr(self, name, getattr(inner, name))
        self.attribute_limits, self.quirks = inner.attribute_limits, inner.quirks
        self.abilities, self.limits, self.isolated = inner.abilities, inner.limits, inner.isolated
        self.owns_buffer = False
        known = inner.call(_FACTS)
        self.batch, self.levels = int(known["batch"]), tuple(map(str, known["levels"]))
        self.compiling = str(known["compiling"])
        self.forms = frozenset(map(str, known["forms"]))
        self.counts: Counter[str] = Counter()

    @property
    def spec(self) -> str:
        return str(getattr(self.inner, "spec", ""))

    @property
    def local_engine(self) -> Engine | None:
        return self.inner.local_engine

    def run(self, program: Program) -> Trace:
        (trace,) = self._traces([program])
        return trace

    def run_many(
        self, programs: Iterable[Program], batch: int = BATCH, leave_out: bool = False
    ) -> Iterator[list[tuple[Program, Trace | None]]]:
        """Run programs in batches; those with as many earlier calls share one, which costs less."""
        programs = iter(programs)
        while some := list(itertools.islice(programs, _AHEAD * self.batch)):
            traces: dict[int, Trace] = {}
            supported = [k for k, p in enumerate(some) if self.supports(p)]
            supported.sort(key=lambda k: len(some[k].calls))
            for _, alike in itertools.groupby(supported, lambda k: len(some[k].calls)):
                while together := list(itertools.islice(alike, self.batch)):
                    found = self._traces([some[k] for k in together])
                    traces |= dict(zip(together, found, strict=True))
            yield [(p, traces.get(k)) for k, p in enumerate(some)]

    def _traces(self, programs: Sequence[Program]) -> list[Trace]:
        """Run programs as one function, and halve them where that fails as a whole."""
        if not programs:
            return []
        try:
            answer = self.inner.call(_RUN, [codec.program_head(p) for p in programs])
            found = _read(answer, len(programs))
        except EngineStopped as end:
            if len(programs) == 1:
                kind = end.kind if end.kind in STOPPED else "exception"
                last = len(programs[0].statements) - 1
                return [Trace([], Failure(last, RemoteFailure(kind, str(end))), partial=True)]
            found, answer = None, {}
        self.counts.update(answer.get("counts", {}))
        if found is not None:
            return found
        self.counts["batches that failed as a whole"] += 1
        middle = len(programs) // 2
        return self._traces(programs[:middle]) + self._traces(programs[middle:])

    def call(self, function: str, *data: Any) -> Any:
        return self.inner.call(function, *data)

    def restart(self) -> None:
        self.inner.restart()

    def renewed(self) -> Runner:
        self.restart()
        return self

    def fresh_process(self) -> AbstractContextManager[Any]:
        """Return a context without effect: the compiler forgets what it knew for each function."""
        return nullcontext()

    def impatient(self, on: bool) -> AbstractContextManager[Any]:
        return self.inner.impatient(on)

    def close(self) -> None:
        self.inner.close()


def _read(answer: Any, count: int) -> list[Trace] | None:
    """Return the traces of an answer; None if the batch raised. EngineStopped if it is none."""
    try:
        if "raised" in answer:
            return None
        traces = [_trace(*plain) for plain in answer["traces"]]
        if len(traces) != count:
            raise ValueError("traces are missing")
        return traces
    except (TypeError, ValueError, KeyError) as error:
        raise EngineStopped("crash", f"an answer of another form: {error}") from None


def _trace(places: Any, arrays: Any, failed: Any) -> Trace:
    observations = [
        Observation(int(n), str(what), int(which), None if a is None else np.array(a))
        for (n, what, which), a in zip(places, arrays, strict=True)
    ]
    if failed is None:
        return Trace(observations, partial=True)
    statement, kind, text, location = failed
    error = RemoteFailure(str(kind), str(text), str(location))
    return Trace(observations, Failure(int(statement), error), partial=True)
