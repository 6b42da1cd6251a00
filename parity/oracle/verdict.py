"""Verdicts: which side of a finding is wrong."""

from __future__ import annotations

from dataclasses import dataclass

ENGINE, REFERENCE, ILL_CONDITIONED = "engine", "reference", "ill-conditioned"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``wrong``: "engine", "reference", "ill-conditioned" (no finding) or None (undecided).

    ``bits``: rounding explains the difference, but the engine declares equal bits.
    """

    wrong: str | None
    note: str = ""
    bits: bool = False


#: The verdict on what has no program.
UNDECIDED = Verdict(None)


def no_findings(count: int) -> str:
    """What is said of so many differences that are ill-conditioned."""
    return f"{count} differences are no findings: rounding decides there"
