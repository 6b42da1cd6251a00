"""Runners: run programs on an engine, in this process or in another one.

The harness above this package talks to a ``Runner`` and never asks where the engine
lives. ``LocalRunner`` holds an ``Engine``; ``isolation.isolated.IsolatedRunner`` holds a
process. Functions that take an engine take either and begin with ``as_runner``.
"""

from __future__ import annotations

import functools
import importlib
import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

from parity.engines.base import Engine, abilities
from parity.engines.execute import execute, owns_buffer
from parity.engines.limits import Limits
from parity.engines.trace import Trace
from parity.language.program import Apply, Program

#: Programs that run on one side before they run on the other.
BATCH = 32


class EngineStopped(Exception):  # noqa: N818 - it tells how a call ended
    """The process of an engine ended, or was ended, during a call.

    ``kind`` is a kind of finding: "crash", "time" or "memory".
    """

    def __init__(self, kind: str, description: str) -> None:
        super().__init__(description)
        self.kind = kind


class Runner(ABC):
    """Runs programs and functions on one engine.

    The attributes are the engine's own (``parity.engines.base.Engine``).
    """

    name: str
    version: str
    ops: Collection[str]
    dtypes: tuple[str, ...]
    max_ndim: int | None
    bitwise: bool
    quirks: frozenset[str]
    limits: Limits = Limits()
    #: Whether the engine runs in another process, which can be replaced by a new one.
    isolated = False

    @property
    @abstractmethod
    def abilities(self) -> frozenset[str]:
        """What ``parity.engines.base.abilities`` says of the engine."""

    @property
    @abstractmethod
    def owns_buffer(self) -> bool:
        """Whether ``grad`` returns the engine's own array (``execute.owns_buffer``)."""

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
        """Run one program; whatever the engine does ends up in the trace."""

    @abstractmethod
    def run_many(
        self, programs: Iterable[Program], batch: int = BATCH
    ) -> Iterator[list[tuple[Program, Trace | None]]]:
        """Run programs in order, in batches; None for a program that is not supported.

        A local engine runs ``batch`` programs at once, so that what it works with stays in
        the caches of the processor. A process of its own works ahead by itself.
        """

    @abstractmethod
    def call(self, function: str, *data: Any) -> Any:
        """Call ``function(engine, *data)`` where the engine lives.

        Parameters
        ----------
        function
            ``"module:name"`` of a function of parity.
        *data
            Plain data (what JSON has, and NumPy arrays); so is the result.

        Raises
        ------
        EngineStopped
            If the process of the engine ended.
        """

    def restart(self) -> None:  # noqa: B027 - without a process there is nothing to do
        """Replace the process of the engine by a new one; in this process nothing happens."""

    def renewed(self) -> Runner:
        """A runner of an engine that no program has used yet."""
        self.restart()
        return self

    def fresh_process(self) -> AbstractContextManager[Any]:
        """A context in which no program runs after another one in the same process."""
        return nullcontext()

    def impatient(self, on: bool) -> AbstractContextManager[Any]:
        """A context with a shorter time limit (many runs may hang), or with the whole one."""
        return nullcontext()

    def close(self) -> None:  # noqa: B027 - the same
        """End the process of the engine, if it has one."""

    def supports(self, program: Program) -> bool:
        """Whether the engine has the operations, dtypes and dimensions of a program."""
        ops, dtypes, limit = self.ops, self.dtypes, self.max_ndim
        return (
            all(s.op in ops for s in program.statements if isinstance(s, Apply))
            and all(leaf.dtype in dtypes for leaf in program.leaves)
            and (limit is None or all(len(info.shape) <= limit for info in program.infos))
        )


class LocalRunner(Runner):
    """Runs programs on an engine in this process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.name = engine.name
        self.version = engine.version
        self.ops = engine.ops
        self.dtypes = tuple(engine.dtypes)
        self.max_ndim = engine.max_ndim
        self.bitwise = engine.bitwise
        self.quirks = frozenset(engine.quirks)

    @functools.cached_property
    def abilities(self) -> frozenset[str]:
        return abilities(self.engine)

    @functools.cached_property
    def owns_buffer(self) -> bool:
        return owns_buffer(self.engine)

    @property
    def local_engine(self) -> Engine:
        return self.engine

    def run(self, program: Program) -> Trace:
        return execute(program, self.engine)

    def run_many(
        self, programs: Iterable[Program], batch: int = BATCH
    ) -> Iterator[list[tuple[Program, Trace | None]]]:
        programs = iter(programs)
        while some := list(itertools.islice(programs, batch)):
            yield [(p, self.run(p) if self.supports(p) else None) for p in some]

    def call(self, function: str, *data: Any) -> Any:
        return function_named(function)(self.engine, *data)

    def renewed(self) -> LocalRunner:
        return LocalRunner(type(self.engine)())


#: What functions of the harness take as an engine under test.
AnyEngine: TypeAlias = Engine | Runner


def as_runner(engine: AnyEngine) -> Runner:
    """The runner itself, or a runner of an engine in this process."""
    return engine if isinstance(engine, Runner) else LocalRunner(engine)


def function_named(name: str) -> Callable[..., Any]:
    """The function of ``"module:name"``; only modules of parity are imported.

    Raises
    ------
    ValueError
        If the module is not one of parity's.
    """
    module, _, function = name.partition(":")
    if module.partition(".")[0] != "parity":
        raise ValueError(f"{name!r} is not a function of parity")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found
