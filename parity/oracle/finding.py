"""Findings: differences between an engine and the reference, and their kinds."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from parity.engines.trace import STOPPED, Trace


class Kind(enum.StrEnum):
    """The kind of a difference. A string, equal to its name in JSON and reports."""

    description: str

    def __new__(cls, name: str, description: str) -> Kind:
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.description = description
        return kind

    VALUE = "value", "a forward value differs"
    GRADIENT = "gradient", "a gradient differs"
    MISSING_GRADIENT = "missing-gradient", "there is no gradient where PyTorch has one"
    SPURIOUS_GRADIENT = "spurious-gradient", "there is a gradient where PyTorch has none"
    ACCUMULATION = "accumulation", "a gradient is wrong only from the second backward on"
    CLEAR = "clear", "cleargrad does not make the gradient None"
    ZERO = "zero", "zero_ does not fill the gradient with zeros in place"
    ALIAS = "alias", "arrays share memory: changing one changes another"
    DTYPE = "dtype", "a dtype differs"
    SHAPE = "shape", "a shape differs"
    SECOND_ORDER = "second-order", "a gradient of a gradient differs"
    EXCEPTION = "exception", "the engine raised, PyTorch did not"
    NO_EXCEPTION = "no-exception", "PyTorch raised, the engine did not"
    DEPTH = "depth", "a deep graph exhausts the stack"
    TIME = "time", "the work grows faster than the graph, or does not end"
    LEAK = "leak", "a graph that was dropped stays in memory"
    CRASH = "crash", "the engine ends the process that it runs in"
    MEMORY = "memory", "a small program takes more memory than it may"
    FLAKY = "flaky", "the same program differs in some runs and agrees in others"


#: The kinds by name.
KINDS: dict[str, Kind] = {kind.value: kind for kind in Kind}


class Repeats(NamedTuple):
    """In how many of several runs a program differed, and with which kind of finding first."""

    differ: int
    runs: int
    kind: Kind

    def __str__(self) -> str:
        return f"differs in {self.differ} of {self.runs} runs"


@dataclass(frozen=True, eq=False)
class Finding:
    """A difference between an engine and the reference.

    Attributes
    ----------
    kind
        What differs.
    statement
        The index of the statement in the program; for probes with several steps the step.
    what, which
        The observation: "grad" of leaf ``which`` (``parity.engines.trace.Observation``),
        or "exception".
    engine, reference
        The arrays that differ (None: no gradient); strings where one side raised.
    error_over_bound
        The largest error divided by its bound; None if that is not a finite number.
    allowed
        The error bound of each element; None where values were not compared.
    non_finite
        Whether the reference computed inf or nan anywhere in the program.
    trace
        The engine's run that differed; None if it was not kept.
    repeats
        How often the program differed, for a finding of kind ``flaky``.
    place
        Type and place of an exception (``Failure.place``), "" if it is unknown or there is none.
    """

    kind: Kind
    statement: int
    what: str
    which: int
    engine: Any
    reference: Any
    error_over_bound: float | None = None
    allowed: Any = None
    non_finite: bool = False
    trace: Trace | None = field(default=None, repr=False)
    repeats: Repeats | None = None
    place: str = ""

    def flaky(self, differ: int, runs: int) -> Finding:
        """Return the finding of kind ``flaky`` whose program differed like this in some runs."""
        repeats = Repeats(differ, runs, self.observed)
        return replace(self, kind=Kind.FLAKY, repeats=repeats, place="")

    @property
    def observed(self) -> Kind:
        """The kind of the difference, also where the finding is ``flaky``."""
        return self.repeats.kind if self.repeats else self.kind

    @property
    def says(self) -> str:
        """The finding in words."""
        if self.repeats is None:
            return self.kind.description
        return f"{self.repeats}: {self.observed.description}"

    @property
    def group(self) -> str:
        """The kind, with the place where there is one: each group is searched for causes."""
        return f"{self.kind} {self.place}" if self.place else self.kind

    @property
    def left_numbers(self) -> bool:
        """Whether the engine has inf or nan where the reference has a finite number."""
        engine, reference = self.engine, self.reference
        if not (isinstance(engine, np.ndarray) and isinstance(reference, np.ndarray)):
            return False
        finite: Any = np.isfinite(reference).all() and not np.isfinite(engine).all()
        return bool(finite)

    @property
    def stopped(self) -> bool:
        """Whether the worker process ended, or was killed, during a program."""
        return self.what == "exception" and self.kind in STOPPED

    def __str__(self) -> str:
        return f"{self.kind}: {self.says}"
