"""What a run of a program on an engine shows: observations, and how it failed."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from parity.engines.base import Unsupported


class Observation(NamedTuple):
    """One array that an engine showed; None where there is no gradient.

    ``what``: "value" of value ``which``, "grad" of leaf ``which``, "held" (the
    gradient array of leaf ``which`` that was taken before it was zeroed; None if the
    engine only hands out copies) or
    "gradient" (the array passed to the backward of statement ``which``).
    """

    statement: int
    what: str
    which: int
    array: NDArray[Any] | None


#: How a run ends at what an engine does not have (``parity.engines.Unsupported``).
UNSUPPORTED = "unsupported"
#: How a run ends that ends the process of the engine: kinds of findings.
STOPPED = frozenset({"crash", "time", "memory"})


#: Where it raised in NumPy or here does not help: what called it does.
_NOT_OF_ENGINES = (
    str(Path(np.__file__).parent),
    *(str(Path(__file__).with_name(name)) for name in ("execute.py", "trace.py")),
)


class RemoteFailure(Exception):  # noqa: N818 - it tells of an exception
    """How a run in another process failed: ``kind`` and ``location`` as in ``Failure``."""

    def __init__(self, kind: str, description: str, location: str = "") -> None:
        super().__init__(description)
        self.kind = kind
        self.location = location


@dataclass(slots=True)
class Failure:
    """An exception of the engine: the statement, the type and the message."""

    statement: int
    error: Exception

    @property
    def kind(self) -> str:
        """The kind of finding that it is where the reference does not fail.

        "depth", "exception", or, from another process, "crash", "time" or "memory". It is
        UNSUPPORTED, which is no finding, where the adapter says that the engine lacks it.
        """
        if isinstance(self.error, RemoteFailure):
            return self.error.kind
        if isinstance(self.error, Unsupported):
            return UNSUPPORTED
        return "depth" if isinstance(self.error, RecursionError) else "exception"

    def location(self) -> str:
        """Where the engine or its adapter raised: " (engine.py:12)", or "" if that is no help."""
        if isinstance(self.error, RemoteFailure):
            return self.error.location
        frames = [
            (frame.f_code.co_filename, line)
            for frame, line in traceback.walk_tb(self.error.__traceback__)
            if not frame.f_code.co_filename.startswith(_NOT_OF_ENGINES)
        ]
        if self.kind != "exception" or not frames:
            return ""
        file, line = frames[-1]
        return f" ({Path(file).name}:{line})"

    def text(self) -> str:
        if isinstance(self.error, RemoteFailure):
            return str(self.error)
        message = " ".join(str(self.error).split())
        if isinstance(self.error, Unsupported):
            return message[:300]
        return f"{type(self.error).__name__}: {message[:300]}"


@dataclass(slots=True)
class Trace:
    """What a run showed, in order, and how it failed if it did."""

    observations: list[Observation] = field(default_factory=list)
    failure: Failure | None = None
    #: Whether the exact evaluation met something that is no real number (a pole, nan).
    left_reals: bool = False

    @property
    def unsupported(self) -> str | None:
        """What the adapter said that the engine lacks, where that ended the run."""
        failure = self.failure
        return failure.text() if failure and failure.kind == UNSUPPORTED else None

    @property
    def non_finite(self) -> bool:
        """Whether any array holds inf or nan."""
        arrays = (o.array for o in self.observations)
        return not all(a is None or np.isfinite(a).all() for a in arrays)


class AdapterError(Exception):
    """An adapter returned something that the contract does not allow."""
