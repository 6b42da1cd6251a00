"""Find a defect that is masked by other faults of the engine.

Where neither one defect nor a combination agrees with the engine on all probes, a defect that
disagrees on a few may still be there: the other faults show on those few. Each of them is reduced
to the smallest program on which engine and defect differ. If the engine is wrong there in another
way than in the finding, and the defect is not wrong at all, the probe shows another fault and does
not contradict the defect. If the engine is right there and the defect wrong, it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from parity.diagnose.defects.base import Defect
from parity.diagnose.probe import DiagnosisProbe
from parity.diagnose.shrink import reduced
from parity.engines.base import Engine
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import AnyEngine
from parity.language import program as pr
from parity.oracle.check import check_program

#: A defect may disagree on one in so many of the probes on which the engine is wrong.
_FEW = 5
#: How many of the nearest defects are tried, since reducing probes takes long.
_NEAREST = 2


@dataclass(frozen=True)
class MaskedDefects:
    """Searches for a defect in an engine that has other faults as well."""

    engine: AnyEngine
    reference: Engine

    def search(
        self, probes: Sequence[DiagnosisProbe], defects: Mapping[str, type[Defect]]
    ) -> tuple[type[Defect], list[DiagnosisProbe]] | None:
        """Return a defect with the probes on which it agrees, or None.

        The first probe must be the program of the finding.
        """
        wrong = [probe for probe in probes if probe.finding is not None]
        agreeing = {d: [probe for probe in probes if probe.agrees(d)] for d in defects.values()}
        near = [
            d
            for d, some in agreeing.items()
            if probes[0].agrees(d) and _FEW * (len(probes) - len(some)) <= len(wrong)
        ]
        near.sort(key=lambda d: -len(agreeing[d]))
        for defect in near[:_NEAREST]:
            others = (probe for probe in probes if not probe.agrees(defect))
            if all(self._shows_other_fault(probe, defect, probes[0]) for probe in others):
                return defect, agreeing[defect]
        return None

    def _shows_other_fault(
        self, probe: DiagnosisProbe, defect: type[Defect], first: DiagnosisProbe
    ) -> bool:
        """Return whether engine and defect differ by another fault than that of ``first``."""
        if probe.finding is None:
            return False
        found = check_program(probe.program, self.engine, defect())
        if found is None:
            return False
        small, _ = reduced(probe.program, found, self.engine, defect())
        wrong = check_program(small, self.engine, self.reference)
        if wrong is None or self._is_wrong(defect, small):
            return False
        assert first.finding is not None
        return wrong.kind != first.finding.kind or is_other_operation(small, first.program)

    def _is_wrong(self, defect: type[Defect], program: pr.Program) -> bool:
        """Return whether the defect itself shows a finding on a program."""
        with_same_quirks = with_quirks(defect(), self.engine.quirks)
        return check_program(program, with_same_quirks, self.reference) is not None


def is_other_operation(small: pr.Program, first: pr.Program) -> bool:
    """Return whether ``small`` has a single operation, and ``first`` does not use it."""
    ops, others = ([s for s in p.statements if isinstance(s, pr.Apply)] for p in (small, first))
    return len(ops) == 1 and ops[0].op not in {s.op for s in others}
