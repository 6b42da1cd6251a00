"""Runners: run programs on an engine, in this process or in a worker process.

Functions with a parameter ``engine: AnyEngine`` accept an engine or a runner and call ``as_runner``
first, so that the packages above need not know where the engine runs.
"""

from __future__ import annotations

import functools
import itertools
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import MappingProxyType
from typing import Any, TypeAlias

from parity.engines.base import Engine, abilities
from parity.engines.execute import execute
from parity.engines.guard import Guard, guarded
from parity.engines.limits import Limits
from parity.engines.trace import Failure, RemoteFailure, Trace
from parity.language.plain_rows import register_rows
from parity.language.program import Apply, Program
from parity.language.restrictions import Restrictions

#: Programs that run on the engine before they run on the reference.
BATCH = 32


class EngineStopped(RemoteFailure):
    """A call on an engine did not come to its end; ``kind`` is that of the finding."""


class Runner(ABC):
    """Runs programs and functions of parity on one engine, and has the attributes of ``Engine``."""

    name: str
    version: str
    ops: Collection[str]
    dtypes: tuple[str, ...]
    max_ndim: int | None
    min_ndim: int = 0
    attribute_limits: tuple[tuple[str, str | tuple[Any, ...]], ...] = ()
    bitwise: bool
    quirks: frozenset[str]
    #: From the functions of these names.
    abilities: frozenset[str]
    owns_buffer: bool
    #: Time and memory limits of one program; a local engine ignores them.
    limits: Limits = Limits()
    #: What the self-check of the adapter noticed (``parity.engines.selfcheck``), for reports.
    warnings: tuple[str, ...] = ()
    #: Whether the engine runs in a worker process, which can be replaced by a new one.
    isolated = False
    #: Operations that ended the worker process too often, with the kind of the last finding.
    left_out: Mapping[str, str] = MappingProxyType({})

    @functools.cached_property
    def restrictions(self) -> Restrictions:
        """The shapes and attributes that the engine takes."""
        return Restrictions(self.min_ndim, dict(self.attribute_limits))

    @property
    def capabilities(self) -> frozenset[str]:
        """The abilities, and "buffer" if gradients can be changed in place."""
        return self.abilities | ({"buffer"} if self.owns_buffer else frozenset())

    @property
    def local_engine(self) -> Engine | None:
        """The engine, if it lives in this process."""
        return None

    @abstractmethod
    def run(self, program: Program) -> Trace:
        """Run a program; what the engine raises, crashes and exceeded limits are in the trace."""

    @abstractmethod
    def run_many(
        self, programs: Iterable[Program], batch: int = BATCH, leave_out: bool = False
    ) -> Iterator[list[tuple[Program, Trace | None]]]:
        """Run programs in order; they are read as far as needed.

        A local engine runs ``batch`` programs before it yields: its code and data stay in the
        caches of the processor. A worker process runs ahead on its own and ignores it. The trace
        is None where the engine does not support the program, and with ``leave_out`` where the
        program has one of the operations that are left out.
        """

    @abstractmethod
    def call(self, function: str, *data: Any) -> Any:
        """Call ``function(engine, *data)``, ``"module:name"`` of parity, in the engine's process.

        Data and result are JSON-like values and NumPy arrays. Raises EngineStopped if the function
        raised, or if the worker process ended.
        """

    def restart(self) -> None:  # noqa: B027 - a local engine has no worker process
        """Replace the worker process, if there is one, by a new one."""

    def renewed(self) -> Runner:
        """Return a runner of an engine that has not run any program yet."""
        self.restart()
        return self

    def fresh_process(self) -> AbstractContextManager[Any]:
        """Return a context in which each program runs in a new worker process."""
        return nullcontext()

    def impatient(self, on: bool) -> AbstractContextManager[Any]:
        """Return a context with a shorter time limit, as most programs may hang, if ``on``."""
        return nullcontext()

    def close(self) -> None:  # noqa: B027 - a local engine has no worker process
        """End the worker process, if there is one."""

    def forget_stops(self) -> None:  # noqa: B027 - a local engine has no worker process
        """Leave no operation out any more, until it ends the process again and again."""

    def leaves_out(self, program: Program) -> bool:
        """Return whether a program has one of the operations that are left out."""
        return not self.left_out.keys().isdisjoint(operations_of(program))

    def supports(self, program: Program) -> bool:
        """Return whether the engine has the operations, dtypes and dimensions of a program."""
        ops, dtypes, limit = self.ops, self.dtypes, self.max_ndim
        return (
            all(s.op in ops for s in program.statements if isinstance(s, Apply))
            and all(leaf.dtype in dtypes for leaf in program.leaves)
            and (limit is None or all(len(info.shape) <= limit for info in program.infos))
            and (not self.restrictions or self.restrictions.support(program))
        )


def operations_of(program: Program) -> set[str]:
    """Return the names of the operations that a program applies."""
    return {s.op for s in program.statements if isinstance(s, Apply)}


def facts_of(engine: Engine) -> dict[str, Any]:
    """Return the attributes of an engine, but for its methods, as plain data for a runner."""
    return {
        **{name: str.__str__(getattr(engine, name)) for name in ("name", "version")},
        "ops": dict.fromkeys(map(str.__str__, engine.ops)),
        "dtypes": tuple(map(str.__str__, engine.dtypes)),
        "max_ndim": None if engine.max_ndim is None else int(engine.max_ndim),
        "min_ndim": int(engine.min_ndim),
        "attribute_limits": tuple(
            (str(name), str(limit) if isinstance(limit, str) else tuple(limit))
            for name, limit in engine.attribute_limits.items()
        ),
        "bitwise": bool(engine.bitwise),
        "quirks": frozenset(map(str.__str__, engine.quirks)),
    }


class LocalRunner(Runner):
    """Runs programs on an engine in this process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        with guarded():
            register_rows(engine.extra_ops)
            for name, value in facts_of(engine).items():
                setattr(self, name, value)

    @functools.cached_property
    def abilities(self) -> frozenset[str]:  # type: ignore[override]
        with guarded():
            return abilities(self.engine)

    @functools.cached_property
    def owns_buffer(self) -> bool:  # type: ignore[override]
        try:
            return bool(self.call("parity.engines.execute:owns_buffer"))
        except EngineStopped:  # the programs of the run will show what is wrong
            return False

    @property
    def local_engine(self) -> Engine:
        return self.engine

    def run(self, program: Program) -> Trace:
        with guarded() as guard:
            return self._run(program, guard)

    def _run(self, program: Program, guard: Guard) -> Trace:
        """Run a program; an attempt to end the process is a failure, also if it was caught."""
        guard.ended = ""
        trace = execute(program, self.engine, catches=BaseException)
        guard.check()
        if guard.ended and (trace.failure is None or trace.failure.kind == "exception"):
            number = len(program.statements) if trace.failure is None else trace.failure.statement
            trace = Trace([], Failure(number, SystemExit(guard.ended)))
        if trace.failure is not None:
            trace.failure = trace.failure.without_error()
        return trace

    def run_many(
        self, programs: Iterable[Program], batch: int = BATCH, leave_out: bool = False
    ) -> Iterator[list[tuple[Program, Trace | None]]]:
        programs = iter(programs)
        while some := list(itertools.islice(programs, batch)):
            with guarded() as guard:
                done = [(p, self._run(p, guard) if self.supports(p) else None) for p in some]
            yield done

    def call(self, function: str, *data: Any) -> Any:
        called = function_named(function)
        with guarded() as guard:
            try:
                result, error = called(self.engine, *data), None
            except BaseException as raised:
                result, error = None, Failure(0, raised).without_error()
            guard.check()
        if error is not None:
            raise EngineStopped(error.kind, error.text(), error.location())
        if guard.ended:
            raise EngineStopped("crash", guard.ended)
        return result

    def renewed(self) -> LocalRunner:
        try:
            return LocalRunner(type(self.engine)())
        except TypeError:  # it needs arguments, which only the caller has
            return self


#: Type of parameters for the engine under test.
AnyEngine: TypeAlias = Engine | Runner


def as_runner(engine: AnyEngine) -> Runner:
    """Return ``engine`` itself if it is a runner, else a ``LocalRunner`` of it."""
    return engine if isinstance(engine, Runner) else LocalRunner(engine)


def function_named(name: str) -> Callable[..., Any]:
    """Import the function ``"module:name"`` of parity; ValueError if the module is another's."""
    if not name.startswith("parity."):
        raise ValueError(f"{name!r} is not a function of parity")
    found: Callable[..., Any] = pkgutil.resolve_name(name)
    return found
