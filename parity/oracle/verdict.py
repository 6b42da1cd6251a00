"""Verdicts: which side of a finding is wrong."""

from __future__ import annotations

from dataclasses import dataclass

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


def verdict_of(found: bool, interrupted: bool) -> str:
    """Return the verdict on an engine; a run that did not come to its end is no parity."""
    return "interrupted" if interrupted else "findings" if found else "parity"


def verdict_line(word: str, details: str) -> str:
    """Return the last line of a command that judges engines, which CI can require."""
    return f"verdict: {word}: {details}"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
