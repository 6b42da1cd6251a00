"""The verdict of several judges on one gradient, in words.

The judges: the comparison with PyTorch, the engine's own forward (``parity.oracle.own_forward``)
and the gradients at points around (``parity.oracle.neighbours``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from parity.language.program import Program
from parity.oracle.finding import Finding
from parity.oracle.neighbours import Surroundings
from parity.oracle.own_forward import Outcome
from parity.oracle.verdict import ENGINE, REFERENCE, Verdict

#: Where a float32 constant or an epsilon in a formula shows, relative to the largest number.
FORMULA = (1e-13, 1e-6)
#: From here on a relative difference is no matter of accuracy.
GROSS = 1e-3


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the judges say about the gradient of an operation or a program.

    Attributes
    ----------
    own
        Of the engine's own forward; None if it was not asked.
    around
        Of the gradients around; None if they were not asked for.
    values_differ
        Whether forward values differ from PyTorch's.
    gradient_differs
        Whether the gradient differs from PyTorch's; None without PyTorch.
    reference
        What PyTorch's own forward says about PyTorch's gradient.
    finite, reference_finite
        Whether the gradient is finite, and PyTorch's.
    """

    own: Outcome | None = None
    around: Surroundings | None = None
    values_differ: bool = False
    gradient_differs: bool | None = None
    reference: Outcome | None = None
    finite: bool = True
    reference_finite: bool = False

    @property
    def is_wrong(self) -> bool:
        """Whether the engine itself says that its gradient is wrong."""
        if self.around in (Surroundings.ISOLATED, Surroundings.OUTSIDE):
            return True
        if self.around is Surroundings.NOT_FINITE:
            return self.reference_finite
        if not self.finite and self.gradient_differs is False:
            return False  # nan in both: one operation of several has a kink or a pole
        return self.own is Outcome.WRONG and self.around is not Surroundings.CONVENTION


def combined_verdict(evidence: Evidence) -> Verdict:
    """Return which side is wrong.

    Examples
    --------
    >>> combined_verdict(Evidence(own=Outcome.WRONG, gradient_differs=False)).note
    "the gradient is wrong by the engine's own forward, and PyTorch's is the same"
    """
    if evidence.values_differ:
        return Verdict(ENGINE, "it is another function than PyTorch's")
    if evidence.is_wrong:
        by = _REASONS.get(evidence.around, "by the engine's own forward")
        same = ", and PyTorch's is the same" if evidence.gradient_differs is False else ""
        return Verdict(ENGINE, f"the gradient is wrong {by}{same}")
    if evidence.own is Outcome.NOISY:
        return Verdict(ENGINE, "the forward of float64 has the noise of a narrower type")
    if not evidence.gradient_differs:
        return Verdict(None, "")
    if evidence.around in (Surroundings.CONVENTION, Surroundings.NOT_FINITE):
        return Verdict(None, "a convention decides at this kink", convention=True)
    if evidence.own is Outcome.RIGHT:
        if evidence.reference is Outcome.WRONG:
            return Verdict(REFERENCE, "PyTorch's gradient is wrong by its own forward")
        return Verdict(None, "the gradient fits the engine's own forward")
    return Verdict(None, "the engine's own forward does not settle here")


_REASONS: dict[Surroundings | None, str] = {
    Surroundings.ISOLATED: "at this point alone: those around agree on another",
    Surroundings.OUTSIDE: "at this kink: it is no subgradient",
    Surroundings.NOT_FINITE: "at this kink: it is not finite, and PyTorch's is",
}


#: The words for a size that a report need not explain: what is judged by each number, or is plain.
ROUNDING, WRONG = "rounding", "wrong"


def size_in_words(relative: float, unit: float = 2.0**-53) -> str:
    """Say what a difference may come from, by its size relative to the largest number.

    Examples
    --------
    >>> size_in_words(3e-9)
    'a float32 constant, or an epsilon in the formula'
    """
    if relative <= 8 * unit:
        return ROUNDING
    if not relative < GROSS:
        return WRONG
    if FORMULA[0] <= relative <= FORMULA[1] and unit < FORMULA[0]:
        return "a float32 constant, or an epsilon in the formula"
    return "more than rounding" if relative < FORMULA[0] or unit > FORMULA[0] else "inaccurate"


class ErrorSize(TypedDict):
    """How large an error is: relative to the largest number of both arrays, and in words."""

    relative: float
    says: str


def error_size(finding: Finding | None, program: Program | None) -> ErrorSize | None:
    """Return the size of the error of a finding; None where no finite numbers are compared."""
    if finding is None or finding.allowed is None:
        return None
    pair = np.asarray(finding.engine), np.asarray(finding.reference)
    if pair[0].shape != pair[1].shape or any(a.dtype.kind != "f" or not a.size for a in pair):
        return None
    ours, right = (array.astype(np.float64) for array in pair)
    with np.errstate(all="ignore"):
        relative = float(np.abs(ours - right).max() / max(np.abs(ours).max(), np.abs(right).max()))
    if not np.isfinite(relative):
        return None
    dtypes = {str(a.dtype) for a in pair} | {i.dtype for i in (program.infos if program else ())}
    unit = 2.0**-24 if "float32" in dtypes else 2.0**-53
    return ErrorSize(relative=relative, says=size_in_words(relative, unit))


def size_line(size: ErrorSize | None) -> str:
    """Return what a report says of the size of an error; "" if the size explains nothing.

    Each number has a bound of its own, so that one may be wrong by no more than a rounding of
    the largest. A gross error needs no words.

    >>> size_line({"relative": 1e-5, "says": size_in_words(1e-5)})
    'size of the error: 1e-05 of the largest number: inaccurate'
    """
    if size is None or size["says"] in (ROUNDING, WRONG):
        return ""
    return f"size of the error: {size['relative']:.2g} of the largest number: {size['says']}"
