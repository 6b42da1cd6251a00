"""An engine under test in a process of its own, with limits on time and memory.

What ends that process, or does not end, is a finding on the program that did it; the
run goes on with a new process. The harness itself never imports the engine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from parity.engines.base import Engine
from parity.engines.isolation import codec
from parity.engines.isolation.process import End, Process, Source
from parity.engines.load import EngineError, load_engine, load_pair, tested_spec
from parity.engines.runner import Limits, Remote
from parity.engines.sources import Adapter
from parity.engines.trace import Failure, RemoteFailure, Trace
from parity.language.program import Program
from parity.oracle.finding import KINDS, STOPPED, Finding
from parity.oracle.training import TrainingRun

#: Seconds for loading an engine; probes and training runs are as many programs.
_LOADING, _PROBE = 120.0, 12
#: Programs that are sent before their results are needed, and bytes: a pipe must hold them.
_AHEAD, _BYTES = 32, 32_000
#: Programs that may use the whole time in vain. Later ones, and the steps of a
#: reduction, get ``_PATIENCE`` times what the slowest took that ended, and not less than
#: ``_LEAST`` seconds: what is reported is then given the whole time (``parity.oracle.check``).
_WAITS, _PATIENCE, _LEAST = 1, 20, 0.25


def load(
    engine: str, reference: str, isolate: bool | None = None, limits: Limits | None = None
) -> tuple[Engine, Engine]:
    """The engine under test and its reference, the engine in a process of its own or not.

    ``isolate``: None isolates engines that are given by file. Raises EngineError where
    one cannot be used.
    """
    if isolate is None:
        isolate = engine.rpartition(":")[0].endswith(".py")
    if not isolate:
        return load_pair(engine, reference)
    right = load_engine(reference)
    return Isolated(tested_spec(engine, reference), limits or Limits()), right


@dataclasses.dataclass(eq=False)
class _Sent:
    """A program that was sent, and what came back."""

    program: Program
    size: int
    haste: bool | None
    trace: Trace | None = None


class Isolated(Remote):
    """An engine by its name on the command line; raises EngineError where it cannot be used."""

    def __init__(
        self,
        spec: str,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        source: Source | None = None,
    ) -> None:
        self.spec = spec
        self.limits = limits
        self._process = Process(source)
        self._closing = weakref.finalize(self, self._process.close)
        self._sent: deque[_Sent] = deque()
        self._known: dict[int, _Sent] = {}
        self._longest = 0.0
        self._waits = 0
        self._haste: bool | None = None
        self._alone = False
        facts = self._start()
        # What a class says of an engine, the process says of this one.
        self.name: str = facts["name"]  # type: ignore[misc]
        self.version: str = facts["version"]  # type: ignore[misc]
        self.ops: dict[str, Any] = dict.fromkeys(facts["ops"])  # type: ignore[misc]
        self.dtypes: tuple[str, ...] = tuple(facts["dtypes"])  # type: ignore[misc]
        self.max_ndim: int | None = facts["max_ndim"]  # type: ignore[misc]
        self.bitwise: bool = facts["bitwise"]  # type: ignore[misc]
        self.quirks: frozenset[str] = frozenset(facts["quirks"])  # type: ignore[misc]
        self._able: frozenset[str] = frozenset(facts["able"])
        self._owns_buffer = self._tries_buffer()

    def close(self) -> None:
        """End the process."""
        self._closing()

    def _start(self) -> Any:
        """Load the engine in a new process; what it says of itself."""
        self._process.start()
        start = {
            "spec": self.spec,
            "path": sys.path,
            "place": str(self._process.place),
            "megabytes": self.limits.megabytes,
        }
        self._process.send(start)
        facts = self._process.receive(_LOADING)
        if isinstance(facts, End):
            raise EngineError(f"engine {self.spec!r} cannot be loaded: {facts.says}")
        if "error" in facts[0]:
            self._process.stop()
            raise EngineError(facts[0]["error"])
        return facts[0]

    def renew(self) -> None:
        """Begin with a new engine; what was sent is sent again."""
        self._process.stop()
        self._start()
        for sent in self._sent:
            self._process.send(("run", codec.program_head(sent.program)))

    @contextlib.contextmanager
    def haste(self, on: bool) -> Iterator[None]:
        """Programs get less time, or the whole time whatever happened before."""
        before, self._haste = self._haste, on
        try:
            yield
        finally:
            self._haste = before

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Each program runs in a new process."""
        before, self._alone = self._alone, True
        try:
            yield
        finally:
            self._alone = before

    def _seconds(self, haste: bool | None) -> float:
        """The time that a program has."""
        whole = self.limits.seconds
        if not (self._waits >= _WAITS if haste is None else haste):
            return whole
        return min(whole, max(_LEAST, _PATIENCE * self._longest))

    # Programs.

    def run(self, program: Program) -> Trace:
        """The trace of a program."""
        if self._alone:
            while self._sent:
                self._receive()
            self.renew()
            self._known.pop(id(program), None)
        sent = self._known.get(id(program)) or self._send(program)
        while sent.trace is None:
            self._receive()
        return sent.trace

    def ahead(self, programs: Iterable[Program]) -> Iterator[Program]:
        """The same programs; those that come next run meanwhile."""
        source = iter(programs)
        waiting: deque[_Sent] = deque()
        more = True
        try:
            while more or waiting:
                while more and len(waiting) < _AHEAD and self._room():
                    program = next(source, None)
                    more = program is not None
                    if program is not None:
                        waiting.append(self._send(program))
                        self._known[id(program)] = waiting[-1]
                if waiting:
                    yield waiting[0].program
                    self._known.pop(id(waiting.popleft().program), None)
        finally:
            for sent in waiting:
                self._known.pop(id(sent.program), None)

    def _room(self) -> bool:
        return sum(sent.size for sent in self._sent) < _BYTES

    def _send(self, program: Program) -> _Sent:
        size = self._process.send(("run", codec.program_head(program)))
        self._sent.append(_Sent(program, size, self._haste))
        return self._sent[-1]

    def _receive(self) -> None:
        """Wait for the trace of the program that was sent first."""
        sent = self._sent[0]
        came = self._process.receive(self._seconds(sent.haste))
        self._sent.popleft()
        if not isinstance(came, End):
            (trace, took), arrays = came
            sent.trace = codec.read_trace((trace, arrays))
            self._longest = max(self._longest, took)
            failure = sent.trace.failure
            if failure is None or failure.kind not in STOPPED:
                return
        else:
            self._waits += came.kind == "time"
            failure = Failure(self._process.at(), RemoteFailure(came.kind, came.says))
            sent.trace = Trace([], failure)
        self.renew()

    # The rest is asked for one by one.

    def _ask(self, *request: Any) -> codec.Message | End:
        while self._sent:
            self._receive()
        self._process.send(request)
        return self._process.receive(max(_LEAST, _PROBE * self.limits.seconds))

    def _ended(self, end: End) -> Finding:
        self.renew()
        return KINDS[end.kind](0, "exception", 0, end.says, "no exception")

    def _tries_buffer(self) -> bool:
        """As ``execute.owns_buffer``, which runs a backward: it may not come back."""
        self._process.send(("owns_buffer",))
        came = self._process.receive(self.limits.seconds)
        if isinstance(came, End):
            self.renew()
            return False
        return bool(came[0])

    def probe(self, name: str) -> Finding | None:
        """The first finding of a probe."""
        came = self._ask("probe", name)
        if isinstance(came, End):
            return self._ended(came)
        found = codec.read_finding(came)
        if found is not None:
            self.renew()
        return found

    def trial(self) -> str | None:
        """What is wrong with the adapter, in words."""
        came = self._ask("trial")
        if isinstance(came, End):
            self.renew()
            return None
        return None if came[0] is None else str(came[0])

    def training(self, run: TrainingRun) -> list[Any]:
        """The arrays of a training run; raises the finding where the engine does not end it."""
        came = self._ask("training", dataclasses.asdict(run))
        if isinstance(came, End):
            raise self._ended(came)
        if isinstance(came[0], dict):
            raise KINDS["exception"](0, "exception", 0, came[0]["error"], "no exception")
        return codec.read_arrays(came)

    def adapter(self) -> Adapter:
        """The sources of the adapter."""
        came = self._ask("adapter")
        if isinstance(came, End):
            self.renew()
            raise EngineError(f"engine {self.spec!r}: its source cannot be read: {came.says}")
        return Adapter(**came[0])
