"""``Watch``: what a search tells while it runs. This class tells nobody."""

from __future__ import annotations

from parity.language.program import Program


class Watch:
    """Gets news of a running search; a subclass shows them.

    Examples
    --------
    >>> Watch().fault("the gradient of `mul` is wrong", None)
    """

    def stage(self, what: str) -> None:
        """Tell what runs from now on, as "every operation alone"; "" for random programs."""

    def ran(self, programs: int) -> None:
        """Tell how many programs have run."""

    def fault(self, sentence: str, program: Program | None, certain: bool = True) -> None:
        """Tell of a fault as soon as it is known.

        ``certain``: whether it is one of the report; a first look says less than the report.
        """
