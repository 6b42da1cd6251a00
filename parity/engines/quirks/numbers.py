"""Quirks of numbers that are not finite."""

from __future__ import annotations

from parity.engines.quirks.base import Quirk


class OwnNonFinite(Quirk):
    """Has no effect on the reference: in programs that leave the finite numbers nothing counts."""

    quirk = "own-non-finite"
    description = (
        "where numbers are infinite, nan, or so large or small that squares leave the range of "
        "the dtype, results follow from formulas of its own"
    )
