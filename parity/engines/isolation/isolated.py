"""Run an engine in a worker process; the process of parity itself never imports it.

A program that crashes the worker or exceeds a limit is a finding, and a new worker continues.
"""

from __future__ import annotations

import dataclasses
import sys
import weakref
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated, Any

from parity._util.decode import Check, Count, Decoder, one_of
from parity._util.escape import one_line
from parity.engines.base import BITWISE, CONSTANTS, OPTIONAL
from parity.engines.isolation import codec
from parity.engines.isolation.process import End, Process, Source
from parity.engines.limits import Limits
from parity.engines.load import EngineError
from parity.engines.quirks.table import QUIRKS
from parity.engines.runner import BATCH, EngineStopped, Runner, operations_of
from parity.engines.trace import STOPPED, STOPS, Failure, RemoteFailure, Trace
from parity.language.plain_rows import register_rows, rows_from_plain
from parity.language.program import Program
from parity.language.restrictions import are_limits
from parity.language.table import OPS

#: Seconds for loading an engine, at least; that and a call have the time of ``_CALL`` programs.
_LOADING, _CALL = 30.0, 12
#: Programs, and bytes, that are sent ahead of their results; the pipe must hold them.
_AHEAD, _BYTES = 32, 32_000
#: Programs that may use the full time limit and time out. Later ones, and the steps of a
#: reduction, get ``_PATIENCE`` times what the slowest completed one took, at least ``_LEAST``
#: seconds. A program that is reported runs with the full limit again (``parity.diagnose.shrink``).
_WAITS, _PATIENCE, _LEAST = 1, 20, 0.25


@dataclasses.dataclass(eq=False)
class _Sent:
    """A program that was sent, and its trace once it was received."""

    program: Program
    size: int
    impatient: bool | None
    #: Whether it need not run where one of its operations is left out.
    optional: bool = False
    trace: Trace | None = None
    skipped: bool = False


@dataclasses.dataclass(frozen=True)
class _Facts:
    """The attributes of an engine, as its process has them."""

    name: str
    version: str
    max_ndim: Count | None
    min_ndim: Count
    attribute_limits: Annotated[
        tuple[tuple[str, str | tuple[Any, ...]], ...],
        Check("limits of attributes", are_limits),
    ]
    bitwise: bool
    ops: tuple[Annotated[str, Check("an operation of the table", OPS.__contains__)], ...]
    dtypes: tuple[Annotated[str, one_of(("float32", "float64"))], ...]
    quirks: frozenset[Annotated[str, one_of(QUIRKS)]]
    abilities: frozenset[Annotated[str, one_of((*OPTIONAL, CONSTANTS, BITWISE))]]


class IsolatedRunner(Runner):
    """Runs an engine in a worker process; several runners can share the source of processes.

    ``spec`` is as for ``load_engine``. Raises EngineError if the engine cannot be loaded.
    """

    isolated = True

    def __init__(
        self,
        spec: str,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        source: Source | None = None,
    ) -> None:
        self.spec, self.limits = spec, limits
        self._process = Process(source, codec.OF_ENGINE)
        self._closing = weakref.finalize(self, self._process.close)
        self._sent: deque[_Sent] = deque()
        self._longest = 0.0
        self._waits = 0
        self._impatient: bool | None = None
        self._fresh = False
        self._stops: Counter[str] = Counter()
        self.left_out: dict[str, str] = {}
        facts = self._start()
        # The attributes of the engine, which only the worker process has imported.
        shapes = ("max_ndim", "min_ndim", "attribute_limits")
        for name in ("name", "version", *shapes, "bitwise", "ops", "dtypes"):
            setattr(self, name, getattr(facts, name))
        self.quirks, self.abilities = facts.quirks, facts.abilities
        try:  # it runs a backward, which may hang or crash
            found = self._call(limits.seconds, "parity.engines.execute:owns_buffer")
            self.owns_buffer = bool(found)
        except EngineStopped:
            self.owns_buffer = False

    def close(self) -> None:
        self._closing()

    def _start(self) -> _Facts:
        """Load the engine in a new process and return its attributes."""
        self._process.start()
        position, megabytes = str(self._process.position), self.limits.megabytes
        self._process.send(
            {"spec": self.spec, "path": sys.path, "position": position, "megabytes": megabytes}
        )
        came = self._process.receive(max(_LOADING, _CALL * self.limits.seconds))
        if isinstance(came, End):
            raise EngineError(f"engine {self.spec!r} cannot be loaded: {came.description}")
        facts, _ = came
        if isinstance(facts, dict) and "error" in facts:
            self._process.stop()
            raise EngineError(str(facts["error"]))
        try:
            if isinstance(facts, dict):  # the operations of the engine may be rows of its own
                register_rows(rows_from_plain(facts.pop("rows", ())), checked=True)
                self._process.source.slow = bool(facts.pop("slow", False))
            return Decoder(text=one_line).decode(_Facts, facts)
        except ValueError as error:
            end = self._process.foreign(str(error))
            raise EngineError(
                f"engine {self.spec!r} cannot be loaded: {end.description}"
            ) from error

    def restart(self) -> None:
        """Start a new process and send it the programs whose traces are missing."""
        self._process.stop()
        self._start()
        for sent in self._sent:
            sent.skipped = sent.optional and self.leaves_out(sent.program)
        self._sent = deque(sent for sent in self._sent if not sent.skipped)
        for sent in self._sent:
            self._process.send(("run", codec.program_head(sent.program)))

    def impatient(self, on: bool) -> AbstractContextManager[Any]:
        return self._changed("_impatient", on)

    def fresh_process(self) -> AbstractContextManager[Any]:
        return self._changed("_fresh", True)

    @contextmanager
    def _changed(self, name: str, value: bool) -> Iterator[None]:
        before = getattr(self, name)
        setattr(self, name, value)
        try:
            yield
        finally:
            setattr(self, name, before)

    def run(self, program: Program) -> Trace:
        trace = self._result(self._send(program))
        assert trace is not None  # it is not optional
        return trace

    def run_many(
        self, programs: Iterable[Program], batch: int = BATCH, leave_out: bool = False
    ) -> Iterator[list[tuple[Program, Trace | None]]]:
        """Run programs in order and yield batches of one, while the next ones run already."""
        source, ahead = iter(programs), 1 if self._fresh else _AHEAD
        waiting: deque[tuple[Program, _Sent | None]] = deque()
        while True:
            while (
                len(waiting) < ahead
                and sum(sent.size for sent in self._sent) < _BYTES
                and (following := next(source, None)) is not None
            ):
                skipped = leave_out and self.leaves_out(following)
                runs = self.supports(following) and not skipped
                waiting.append((following, self._send(following, leave_out) if runs else None))
            if not waiting:
                return
            program, sent = waiting.popleft()
            yield [(program, None if sent is None else self._result(sent))]

    def _send(self, program: Program, optional: bool = False) -> _Sent:
        if self._fresh:
            self._receive_all()
            self.restart()
        if sum(sent.size for sent in self._sent) >= _BYTES:
            self._receive_all()
        size = self._process.send(("run", codec.program_head(program)))
        self._sent.append(_Sent(program, size, self._impatient, optional))
        return self._sent[-1]

    def _result(self, sent: _Sent) -> Trace | None:
        while sent.trace is None and not sent.skipped:
            self._receive()
        return sent.trace

    def _receive_all(self) -> None:
        while self._sent:
            self._receive()

    def _receive(self) -> None:
        """Wait for the trace of the oldest program that was sent."""
        sent, seconds = self._sent[0], self.limits.seconds
        if self._waits >= _WAITS if sent.impatient is None else sent.impatient:
            seconds = min(seconds, max(_LEAST, _PATIENCE * self._longest))
        reply = self._process.receive(seconds)
        self._sent.popleft()
        if not isinstance(reply, End):
            try:
                trace, took = codec.read_trace(reply)
            except codec.MalformedError as error:
                reply = self._process.foreign(str(error))
        if isinstance(reply, End):
            self._waits += reply.kind == "time"
            error_there = RemoteFailure(reply.kind, reply.description)
            last = min(self._process.last_statement(), len(sent.program.statements))
            trace = Trace([], Failure(max(last, -1), error_there))
        else:
            self._longest = max(self._longest, took)
        sent.trace = trace
        if trace.failure is not None and trace.failure.kind in STOPPED:
            self._count_stop(sent.program, trace.failure.kind)
            self.restart()

    def forget_stops(self) -> None:
        self._receive_all()  # programs that were sent before it do not count afterwards
        self._stops.clear()
        self.left_out = {}

    def _count_stop(self, program: Program, kind: str) -> None:
        """Leave an operation out from now on that alone has ended the process often enough."""
        ops = operations_of(program)
        if len(ops) == 1:
            self._stops.update(ops)
            self.left_out |= dict.fromkeys((op for op in ops if self._stops[op] >= STOPS), kind)

    def call(self, function: str, *data: Any) -> Any:
        self._receive_all()
        return self._call(max(_LEAST, _CALL * self.limits.seconds), function, *data)

    def _call(self, seconds: float, function: str, *data: Any) -> Any:
        try:
            came = self._process.call(seconds, function, *data)
        except RuntimeError as error:
            raise EngineStopped("exception", str(error)) from None
        if isinstance(came, End):
            self.restart()
            raise EngineStopped(came.kind, came.description)
        return came
