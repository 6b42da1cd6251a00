"""Find a defect that is masked by other faults of the engine.

Where neither one defect nor a combination agrees with the engine on all probes, a defect that
disagrees on a few may still be there: the other faults show on those few. Each of them is reduced
to the smallest program on which engine and defect differ. If the engine is wrong there in another
way than in the finding, and the defect is not wrong at all, the probe shows another fault and does
not contradict the defect. If the engine is right there and the defect wrong, it does.
"""

from __future__ import annotations

from parity.diagnose.defects.base import Defect
from parity.diagnose.probe import Defects, DiagnosisProbe, Probes
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


def find_masked(
    probes: Probes, defects: Defects, engine: AnyEngine, reference: Engine
) -> tuple[type[Defect], list[DiagnosisProbe]] | None:
    """Return a defect with the probes on which it agrees, or None.

    The first probe must be the program of the finding.
    """
    first = probes[0]
    wrong = sum(probe.finding is not None for probe in probes)
    agreeing = {d: [probe for probe in probes if probe.agrees(d)] for d in defects}
    near = [
        d
        for d, some in agreeing.items()
        if first.agrees(d) and _FEW * (len(probes) - len(some)) <= wrong
    ]
    near.sort(key=lambda d: -len(agreeing[d]))
    for defect in near[:_NEAREST]:
        others = (probe for probe in probes if not probe.agrees(defect))
        if all(_shows_other_fault(probe, defect, first, engine, reference) for probe in others):
            return defect, agreeing[defect]
    return None


def _shows_other_fault(
    probe: DiagnosisProbe,
    defect: type[Defect],
    first: DiagnosisProbe,
    engine: AnyEngine,
    reference: Engine,
) -> bool:
    """Return whether engine and defect differ by another fault than that of ``first``."""
    if probe.finding is None or first.finding is None:
        return False
    found = check_program(probe.program, engine, defect())
    if found is None:
        return False
    small, _ = reduced(probe.program, found, engine, defect())
    wrong = check_program(small, engine, reference)
    if wrong is None or check_program(small, with_quirks(defect(), engine.quirks), reference):
        return False  # the engine is right, or the defect itself is wrong
    return wrong.kind != first.finding.kind or is_other_operation(small, first.program)


def is_other_operation(small: pr.Program, first: pr.Program) -> bool:
    """Return whether ``small`` has a single operation, and ``first`` does not use it."""
    ops, others = ([s for s in p.statements if isinstance(s, pr.Apply)] for p in (small, first))
    return len(ops) == 1 and ops[0].op not in {s.op for s in others}
