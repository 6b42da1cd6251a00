"""Traces: the observed arrays of one run of a program, and the exception that ended it."""

from __future__ import annotations

import traceback
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity._util.escape import described, one_line
from parity.engines.base import Unsupported


class Observation(NamedTuple):
    """One array that was read from an engine."""

    #: The statement after which it was read; the number of statements for those at the end.
    statement: int
    #: "value": the value of tensor ``which``. "grad": the gradient of leaf ``which``. "held": the
    #: gradient array of leaf ``which`` that ``grad`` returned before it was zeroed (None if the
    #: engine only returns copies). "gradient": what was passed to the backward ``which``.
    what: str
    #: The index of the tensor, leaf or statement.
    which: int
    #: A copy of the array; None where there is no gradient.
    array: NDArray[Any] | None


#: ``Failure.kind`` of a run that raised ``parity.engines.Unsupported``.
UNSUPPORTED = "unsupported"
#: ``Failure.kind`` of runs that ended the process of the engine; these are kinds of findings.
STOPPED = frozenset({"crash", "time", "memory"})
#: Runs of one operation alone that end so, after which it is left out of further batches: each
#: costs the time to load an engine, or the time limit.
STOPS = 3
#: Frames in NumPy and in this package are left out of locations: their caller is of interest.
_FRAMES_LEFT_OUT = (
    str(Path(np.__file__).parent),
    *(str(Path(__file__).with_name(name)) for name in ("execute.py", "guard.py", "trace.py")),
)


class RemoteFailure(Exception):  # noqa: N818 - stands for an exception elsewhere
    """Stands for an exception in another process; ``kind`` and ``location`` as in ``Failure``."""

    def __init__(self, kind: str, description: str, location: str = "") -> None:
        super().__init__(description)
        self.kind = kind
        self.location = location


#: ``Failure.kind`` of exceptions, the first that fits.
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (Unsupported, UNSUPPORTED),
    (RecursionError, "depth"),
    (MemoryError, "memory"),
    (Exception, "exception"),
    (BaseException, "crash"),
)


@dataclass(slots=True)
class Failure:
    """An exception that ended a run."""

    #: The index of the statement that raised; -1 while leaves were created.
    statement: int
    error: BaseException

    @property
    def kind(self) -> str:
        """The kind of finding it is, if the reference does not raise.

        ``UNSUPPORTED``, which is none, and those of ``STOPPED`` are among them.
        """
        if isinstance(self.error, RemoteFailure):
            return self.error.kind
        return next(kind for cls, kind in _KINDS if issubclass(type(self.error), cls))

    def location(self) -> str:
        """Return where the engine or its adapter raised, as " (engine.py:12)"; "" if unknown."""
        if isinstance(self.error, RemoteFailure):
            return one_line(self.error.location)
        frames = [
            (frame.f_code.co_filename, line)
            for frame, line in traceback.walk_tb(self.error.__traceback__)
            if not frame.f_code.co_filename.startswith(_FRAMES_LEFT_OUT)
        ]
        if self.kind not in ("exception", "crash") or not frames:
            return ""
        file, line = frames[-1]
        return one_line(f" ({Path(file).name}:{line})")

    def place(self) -> str:
        """Return type and place of an exception, as "ValueError (engine.py:12)"; "" if unknown."""
        where = self.location()
        return self.text().partition(":")[0] + where if where else ""

    def text(self) -> str:
        """Return the type and the message of the exception in one line."""
        own = issubclass(type(self.error), (RemoteFailure, Unsupported))
        return one_line(self.error) if own else described(self.error)

    def without_error(self) -> Failure:
        """Return the same without the exception, which keeps objects of the engine alive."""
        return Failure(self.statement, RemoteFailure(self.kind, self.text(), self.location()))


@dataclass(slots=True)
class Trace:
    """The observations of a run in order, and the exception that ended it, if any."""

    observations: list[Observation] = field(default_factory=list)
    failure: Failure | None = None
    #: Whether the exact evaluation met a value that is not a real number (a pole, nan).
    left_reals: bool = False

    @property
    def unsupported(self) -> str | None:
        """The message of the ``Unsupported`` that ended the run, or None."""
        failure = self.failure
        return failure.text() if failure and failure.kind == UNSUPPORTED else None

    def result(self) -> Hashable:
        """Return what two runs have in common if they are the same, bit for bit.

        The message of an exception is left out, as it may hold an address.
        """
        failure = self.failure
        arrays = (
            (*o[:3], None if o.array is None else (o.array.dtype, o.array.shape, o.array.tobytes()))
            for o in self.observations
        )
        return (*arrays, failure and (failure.statement, failure.kind, failure.place()))

    @property
    def non_finite(self) -> bool:
        """Whether any array holds inf or nan."""
        arrays = (o.array for o in self.observations)
        return not all(a is None or np.isfinite(a).all() for a in arrays)


class AdapterError(Exception):
    """An adapter returned something that ``parity.engines.Engine`` does not allow."""
