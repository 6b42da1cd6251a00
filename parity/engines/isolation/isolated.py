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

from parity.engines.isolation import codec
from parity.engines.isolation.process import End, Process, Source
from parity.engines.load import EngineError
from parity.engines.runner import BATCH, EngineStopped, Limits, Runner
from parity.engines.trace import STOPPED, Failure, RemoteFailure, Trace
from parity.language.program import Program

#: Seconds for loading an engine; calls have the time of as many programs.
_LOADING, _CALL = 120.0, 12
#: Programs that are sent before their results are needed, and bytes: a pipe must hold them.
_AHEAD, _BYTES = 32, 32_000
#: Programs that may use the whole time in vain. Later ones, and the steps of a
#: reduction, get ``_PATIENCE`` times what the slowest took that ended, and not less than
#: ``_LEAST`` seconds: what is reported is then given the whole time (``parity.oracle.check``).
_WAITS, _PATIENCE, _LEAST = 1, 20, 0.25


@dataclasses.dataclass(eq=False)
class _Sent:
    """A program that was sent, and what came back."""

    program: Program
    size: int
    impatient: bool | None
    trace: Trace | None = None


class IsolatedRunner(Runner):
    """An engine by its name on the command line; raises EngineError where it cannot be used."""

    isolated = True

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
        self._longest = 0.0
        self._waits = 0
        self._impatient: bool | None = None
        self._fresh = False
        facts = self._start()
        # What a class says of an engine, the process says of this one.
        self.name = facts["name"]
        self.version = facts["version"]
        self.ops = tuple(facts["ops"])
        self.dtypes = tuple(facts["dtypes"])
        self.max_ndim = facts["max_ndim"]
        self.bitwise = facts["bitwise"]
        self.quirks = frozenset(facts["quirks"])
        self._abilities = frozenset(facts["abilities"])
        self._owns_buffer = self._tries_buffer()

    @property
    def abilities(self) -> frozenset[str]:
        return self._abilities

    @property
    def owns_buffer(self) -> bool:
        return self._owns_buffer

    def close(self) -> None:
        """End the process."""
        self._closing()

    def _start(self) -> Any:
        """Load the engine in a new process; what it says of itself."""
        self._process.start()
        start = {
            "spec": self.spec,
            "path": sys.path,
            "position": str(self._process.position),
            "megabytes": self.limits.megabytes,
        }
        self._process.send(start)
        facts = self._process.receive(_LOADING)
        if isinstance(facts, End):
            raise EngineError(f"engine {self.spec!r} cannot be loaded: {facts.description}")
        if "error" in facts[0]:
            self._process.stop()
            raise EngineError(facts[0]["error"])
        return facts[0]

    def restart(self) -> None:
        """Begin with a new engine; what was sent is sent again."""
        self._process.stop()
        self._start()
        for sent in self._sent:
            self._process.send(("run", codec.program_head(sent.program)))

    @contextlib.contextmanager
    def impatient(self, on: bool) -> Iterator[None]:
        """Programs get less time, or the whole time whatever happened before."""
        before, self._impatient = self._impatient, on
        try:
            yield
        finally:
            self._impatient = before

    @contextlib.contextmanager
    def fresh_process(self) -> Iterator[None]:
        """Each program runs in a new process."""
        before, self._fresh = self._fresh, True
        try:
            yield
        finally:
            self._fresh = before

    def _seconds(self, impatient: bool | None) -> float:
        """The time that a program has."""
        whole = self.limits.seconds
        if not (self._waits >= _WAITS if impatient is None else impatient):
            return whole
        return min(whole, max(_LEAST, _PATIENCE * self._longest))

    # Programs.

    def run(self, program: Program) -> Trace:
        if self._fresh:
            self._receive_all()
            self.restart()
        return self._result(self._send(program))

    def run_many(
        self, programs: Iterable[Program], batch: int = BATCH
    ) -> Iterator[list[tuple[Program, Trace | None]]]:
        """Run programs in order, one per batch; those that come next run meanwhile."""
        if self._fresh:
            for program in programs:
                yield [(program, self.run(program) if self.supports(program) else None)]
            return
        source = iter(programs)
        waiting: deque[tuple[Program, _Sent | None]] = deque()
        more = True
        while more or waiting:
            while more and len(waiting) < _AHEAD and self._has_room():
                following = next(source, None)
                more = following is not None
                if following is not None:
                    sent = self._send(following) if self.supports(following) else None
                    waiting.append((following, sent))
            if waiting:
                program, sent = waiting.popleft()
                yield [(program, None if sent is None else self._result(sent))]

    def _has_room(self) -> bool:
        return sum(sent.size for sent in self._sent) < _BYTES

    def _send(self, program: Program) -> _Sent:
        size = self._process.send(("run", codec.program_head(program)))
        self._sent.append(_Sent(program, size, self._impatient))
        return self._sent[-1]

    def _result(self, sent: _Sent) -> Trace:
        while sent.trace is None:
            self._receive()
        return sent.trace

    def _receive_all(self) -> None:
        while self._sent:
            self._receive()

    def _receive(self) -> None:
        """Wait for the trace of the program that was sent first."""
        sent = self._sent[0]
        came = self._process.receive(self._seconds(sent.impatient))
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
            failure = Failure(self._process.at(), RemoteFailure(came.kind, came.description))
            sent.trace = Trace([], failure)
        self.restart()

    # Functions.

    def call(self, function: str, *data: Any) -> Any:
        """As ``Runner.call``; an exception of the function is raised as RuntimeError."""
        self._receive_all()
        return self._call(max(_LEAST, _CALL * self.limits.seconds), function, *data)

    def _call(self, seconds: float, function: str, *data: Any) -> Any:
        self._process.send(("call", function, *data))
        came = self._process.receive(seconds)
        if isinstance(came, End):
            self.restart()
            raise EngineStopped(came.kind, came.description)
        answer = codec.unpack(came)
        if "stopped" in answer:
            self.restart()
            raise EngineStopped("crash", answer["stopped"])
        if "raised" in answer:
            raise RuntimeError(answer["raised"])
        return answer["result"]

    def _tries_buffer(self) -> bool:
        """Whether the gradient is the engine's own array: a backward is run, which may hang."""
        try:
            return bool(self._call(self.limits.seconds, "parity.engines.execute:owns_buffer"))
        except EngineStopped:
            return False
