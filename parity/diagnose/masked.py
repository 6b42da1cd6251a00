"""A defect that an engine has beside other faults, known or not.

Where no defect, and no few of them together, agree with the engine on all probes, one that
disagrees on few may be there all the same: what else is wrong shows on those few. Each of them is
reduced to the smallest program on which the engine and the defect differ. If the engine is wrong
there in another way than in the finding, and the defect is not wrong at all, the probe shows
another fault and says nothing about this one. Where the engine is right and the defect wrong,
the engine does not have the defect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from parity.diagnose.defects.base import Defect
from parity.diagnose.shrink import reduced
from parity.engines.base import Engine
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import AnyEngine
from parity.language import program as pr
from parity.oracle.check import check_program
from parity.oracle.finding import Finding

#: A defect disagrees on at most one in so many of the probes on which the engine is wrong.
_FEW = 5
#: Reducing takes longer than all else: so many defects are looked at, the nearest first.
_NEAREST = 2


class Case(Protocol):
    """A probe program with what the engine showed."""

    program: pr.Program
    finding: Finding | None

    def agrees(self, defect: type[Defect]) -> bool:
        """Whether ``defect`` shows the same."""


C = TypeVar("C", bound=Case)


@dataclass(frozen=True)
class MaskedDefects:
    """Looks for a defect in an engine that has other faults as well."""

    engine: AnyEngine
    reference: Engine

    def search(
        self, cases: Sequence[C], defects: Mapping[str, type[Defect]]
    ) -> tuple[type[Defect], list[C]] | None:
        """The defect with the probes on which it agrees, or None; the first is the finding's."""
        wrong = [case for case in cases if case.finding is not None]
        agreeing = {d: [case for case in cases if case.agrees(d)] for d in defects.values()}
        near = [
            d
            for d, some in agreeing.items()
            if cases[0].agrees(d) and _FEW * (len(cases) - len(some)) <= len(wrong)
        ]
        near.sort(key=lambda d: -len(agreeing[d]))
        for defect in near[:_NEAREST]:
            others = (case for case in cases if not case.agrees(defect))
            if all(self._shows_another(case, defect, cases[0]) for case in others):
                return defect, agreeing[defect]
        return None

    def _shows_another(self, case: Case, defect: type[Defect], first: Case) -> bool:
        """Whether the engine differs from the defect by a fault that is not that of ``first``."""
        if case.finding is None:
            return False
        found = check_program(case.program, self.engine, defect())
        if found is None:
            return False
        small, _ = reduced(case.program, found, self.engine, defect())
        wrong = check_program(small, self.engine, self.reference)
        if wrong is None or self._is_wrong(defect, small):
            return False
        assert first.finding is not None
        return wrong.kind != first.finding.kind or alone(small, first.program)

    def _is_wrong(self, defect: type[Defect], program: pr.Program) -> bool:
        alike = with_quirks(defect(), self.engine.quirks)  # the reference follows its quirks
        return check_program(program, alike, self.reference) is not None


def alone(small: pr.Program, first: pr.Program) -> bool:
    """Whether one operation is wrong by itself that the program of the finding does not have."""
    ops, others = ([s for s in p.statements if isinstance(s, pr.Apply)] for p in (small, first))
    return len(ops) == 1 and ops[0].op not in {s.op for s in others}
