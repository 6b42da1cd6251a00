"""Verdicts: which side of a finding is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from parity.engines.trace import STOPS

ENGINE, REFERENCE, ILL_CONDITIONED = "engine", "reference", "ill-conditioned"
#: The name of the reference that is the engine's own forward.
OWN_FORWARD = "its own forward"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of an adjudication."""

    #: The side; ``ILL_CONDITIONED`` if rounding explains the difference: no finding; None:
    #: undecided.
    wrong: str | None
    #: The reason, or "".
    note: str = ""
    #: Whether rounding explains the difference, but the engine declares ``Engine.bitwise``.
    bits: bool = False
    #: Whether a convention at a kink decides for which no quirk exists: no finding.
    convention: bool = False


#: The verdict on findings without a program.
UNDECIDED = Verdict(None)


def no_findings(count: int) -> str:
    """Return the line of a report about differences that are ill-conditioned."""
    return f"{count} differences are no findings: rounding or a convention decides there"


#: Operations that are left out and named; those of an engine that always stops are hundreds.
_NAMED = 20
#: What an operation does that is left out, by the kind of its findings.
_STOPS_SAY = {
    "crash": f"{STOPS} crashes",
    "time": f"{STOPS} runs without an end",
    "memory": f"{STOPS} runs out of memory",
}


def left_out_lines(left_out: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of a report about operations that are left out (``Runner.left_out``).

    >>> list(left_out_lines({"foo": "crash", "bar": "crash"}))
    ['left out after 3 crashes: foo, bar']
    """
    for kind, says in _STOPS_SAY.items():
        if names := [op for op, of_op in left_out.items() if of_op == kind]:
            more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
            yield f"left out after {says}: {', '.join(names[:_NAMED] + more)}"


def verdict_of(found: bool, interrupted: bool) -> str:
    """Return the verdict on an engine; a run that did not come to its end is no parity."""
    return "interrupted" if interrupted else "findings" if found else "parity"


def verdict_line(word: str, details: str) -> str:
    """Return the last line of a command that judges engines, which CI can require."""
    return f"verdict: {word}: {details}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
