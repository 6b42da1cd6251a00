"""Findings: the kinds of difference between an engine and the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from parity.language import program as pr


@dataclass(eq=False)
class Finding(Exception):  # noqa: N818 - the contract's word
    """A difference between an engine and the reference; one subclass a kind.

    ``engine``, ``reference``: the arrays that differ (None: no gradient), or a
    text where an exception is concerned. ``error_over_bound``: the difference as
    a multiple of what is allowed, None where that is no number. ``statement``: its number in
    the program; that of the step where a probe of ``parity.oracle.probes`` tells its steps apart.
    """

    kind: ClassVar[str] = ""
    says: ClassVar[str] = ""
    statement: int
    what: str
    which: int
    engine: Any
    reference: Any
    error_over_bound: float | None = None
    #: By element, the largest difference that is allowed; None where it is no question of size.
    allowed: Any = None
    #: The program that shows it, where it is raised out of a property.
    program: pr.Program | None = None
    #: Whether the reference shows inf or nan anywhere in the program.
    non_finite: bool = False

    @property
    def stopped(self) -> bool:
        """Whether the process of the engine ended, or was ended, in the middle of a program."""
        return self.what == "exception" and self.kind in STOPPED

    def __str__(self) -> str:
        return f"{self.kind}: {self.says}"


#: Kinds of findings on an engine that did not come back.
STOPPED = frozenset({"crash", "time", "memory"})


KINDS: dict[str, type[Finding]] = {}


def _kind(name: str, says: str) -> type[Finding]:
    """A class of its own for each kind, so that Hypothesis tells failures apart."""
    title = "".join(part.capitalize() for part in name.split("-")) + "Finding"
    cls = type(title, (Finding,), {"kind": name, "says": says, "__module__": __name__})
    KINDS[name] = cls
    return cls


Value = _kind("value", "a forward value differs")


Gradient = _kind("gradient", "a gradient differs")


MissingGradient = _kind("missing-gradient", "there is no gradient where PyTorch has one")


SpuriousGradient = _kind("spurious-gradient", "there is a gradient where PyTorch has none")


Accumulation = _kind("accumulation", "a gradient is wrong only from the second backward on")


Clear = _kind("clear", "cleargrad does not make the gradient None")


Zero = _kind("zero", "zero_ does not fill the gradient with zeros in place")


Alias = _kind("alias", "arrays share memory: changing one changes another")


Dtype = _kind("dtype", "a dtype differs")


Shape = _kind("shape", "a shape differs")


SecondOrder = _kind("second-order", "a gradient of a gradient differs")


Raised = _kind("exception", "the engine raised, PyTorch did not")


NotRaised = _kind("no-exception", "PyTorch raised, the engine did not")


Depth = _kind("depth", "a deep graph exhausts the stack")


Time = _kind("time", "the work grows faster than the graph, or does not end")


Leak = _kind("leak", "a graph that was dropped stays in memory")


Crash = _kind("crash", "the engine ends the process that it runs in")


Memory = _kind("memory", "a small program takes more memory than it may")
