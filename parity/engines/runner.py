"""What the harness asks of an engine that runs in another process (``isolation.isolated``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parity.engines.base import Engine

if TYPE_CHECKING:
    from parity.engines.sources import Adapter
    from parity.engines.trace import Trace
    from parity.language.program import Program
    from parity.oracle.finding import Finding
    from parity.oracle.training import TrainingRun


@dataclass(frozen=True)
class Limits:
    """What an engine in a process of its own may take for a program."""

    seconds: float = 10.0
    megabytes: int = 2048


class Remote(Engine):
    """Stands for an engine that is not in this process: it runs whole programs, not steps.

    What is known of the engine without running it is in the attributes.
    """

    limits: Limits = Limits()

    def run(self, program: Program) -> Trace:
        """What ``parity.engines.execute.execute`` gives for the engine."""
        raise NotImplementedError

    def ahead(self, programs: Iterable[Program]) -> Iterator[Program]:
        """The same programs; the engine may run each before it is asked for."""
        raise NotImplementedError

    def probe(self, name: str) -> Finding | None:
        """The first finding of a probe of ``parity.oracle.probes``."""
        raise NotImplementedError

    def trial(self) -> str | None:
        """The first fault of the adapter that ``parity.engines.selfcheck`` sees."""
        raise NotImplementedError

    def training(self, run: TrainingRun) -> list[Any]:
        """What ``run.trace`` gives for the engine; raises a finding where it does not end."""
        raise NotImplementedError

    def adapter(self) -> Adapter:
        """What ``parity.diagnose.reproducer`` needs to know of the class."""
        raise NotImplementedError

    def renew(self) -> None:
        """Begin with a new engine."""
        raise NotImplementedError

    def haste(self, on: bool) -> AbstractContextManager[Any]:
        """A context in which the engine gets less time (many runs may not end), or all of it."""
        raise NotImplementedError

    def alone(self) -> AbstractContextManager[Any]:
        """A context in which no program runs after another one in the same process."""
        raise NotImplementedError


def alone(engine: Engine) -> AbstractContextManager[Any]:
    """``engine.alone()`` where the engine is in another process: in this one there is no such."""
    return engine.alone() if isinstance(engine, Remote) else nullcontext()


def renewed(engine: Engine) -> Engine:
    """A new engine of the same class."""
    if isinstance(engine, Remote):
        engine.renew()
        return engine
    return type(engine)()
