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
    #: Where to look first.
    advice: str

    def __new__(cls, name: str, description: str, advice: str) -> Kind:
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.description, kind.advice = description, advice
        return kind

    VALUE = (
        "value",
        "a forward value differs",
        "`parity ops ENGINE` says for which operands and attributes the operation is wrong",
    )
    GRADIENT = (
        "gradient",
        "a gradient differs",
        "`parity ops ENGINE` says which formulas are wrong; if all are right, it is "
        "the accumulation or the order of the backward",
    )
    MISSING_GRADIENT = (
        "missing-gradient",
        "there is no gradient where PyTorch has one",
        "is the operation recorded, and does the backward reach every operand that "
        "requires a gradient?",
    )
    SPURIOUS_GRADIENT = (
        "spurious-gradient",
        "there is a gradient where PyTorch has none",
        "skip constants, detached values and what was computed under no_grad",
    )
    ACCUMULATION = (
        "accumulation",
        "a gradient is wrong only from the second backward on",
        "add to the gradient of a leaf, and keep nothing of intermediate values from "
        "one backward to the next",
    )
    CLEAR = (
        "clear",
        "cleargrad does not make the gradient None",
        "x.grad = None",
    )
    ZERO = (
        "zero",
        "zero_ does not fill the gradient with zeros in place",
        "x.grad.fill(0), where there is a gradient: the same array, None stays None",
    )
    ALIAS = (
        "alias",
        "arrays share memory: changing one changes another",
        "copy where an array becomes a gradient, unless it is new",
    )
    DTYPE = (
        "dtype",
        "a dtype differs",
        "a gradient has the dtype of its variable, a result that of its operands",
    )
    SHAPE = (
        "shape",
        "a shape differs",
        "sum the gradient of a broadcast operand to its shape; 0-d arrays stay 0-d",
    )
    SECOND_ORDER = (
        "second-order",
        "a gradient of a gradient differs",
        "compute gradients with operations that are recorded, on tensors of the graph",
    )
    EXCEPTION = (
        "exception",
        "the engine raised, PyTorch did not",
        "the report names file and line; raise `parity.engines.Unsupported` for what "
        "the engine is not meant to do",
    )
    NO_EXCEPTION = (
        "no-exception",
        "PyTorch raised, the engine did not",
        "raise where PyTorch does: a freed graph, a gradient of another shape, a root "
        "without a gradient",
    )
    DEPTH = (
        "depth",
        "a deep graph exhausts the stack",
        "replace recursion by a loop",
    )
    TIME = (
        "time",
        "the work grows faster than the graph, or does not end",
        "run each node once, after all that use its result",
    )
    LEAK = (
        "leak",
        "a graph that was dropped stays in memory",
        "no cycles and no global lists: let the result hold its operands, not the "
        "operands their results",
    )
    CRASH = (
        "crash",
        "the engine ends the process that it runs in",
        "run the script of the finding under a debugger; no code of the engine calls exit",
    )
    MEMORY = (
        "memory",
        "a small program takes more memory than it may",
        "what a program takes must grow with its arrays only: do not keep results in the engine",
    )
    FLAKY = (
        "flaky",
        "the same program differs in some runs and agrees in others",
        "look for arrays that are not initialized, races between threads, random "
        "numbers and state that outlives a program",
    )


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
    right
        The reference's run; None if it was not kept.
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
    right: Trace | None = field(default=None, repr=False)
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
