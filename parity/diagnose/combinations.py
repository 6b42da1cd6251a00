"""Find the defects of engines with several faults at once: combined, or one that is masked.

A defect overrides one step of the base engine, so a class that inherits from two defects has both
faults. Where no single defect agrees with the engine on all probes, a second defect is added to
those that agree on the reduced program, and a third to the best pairs.

A defect that is masked by other faults disagrees on the few probes on which these show. Each of
them is reduced to the smallest program on which engine and defect differ. If the engine is wrong
there in another way than in the finding, and the defect is not wrong at all, the probe shows
another fault and does not contradict the defect. If the engine is right there and the defect
wrong, it does.
"""

from __future__ import annotations

import itertools
import types
from collections.abc import Iterator

from parity.diagnose.defects.base import Defect
from parity.diagnose.probe import Defects, DiagnosisProbe, Probes
from parity.diagnose.shrink import reduced
from parity.engines.base import Engine
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import AnyEngine
from parity.language import program as pr
from parity.oracle.check import check_program

#: Defects to which a second is added, pairs to which a third is added, combinations named at most.
_FIRST, _PAIRS, _NAMED = 5, 2, 3
#: A defect may disagree on one in so many of the probes on which the engine is wrong.
_FEW = 5
#: How many of the nearest defects are tried, since reducing probes takes long.
_NEAREST = 2
#: Attributes that every defect defines, which are no behaviour.
_NOT_BEHAVIOUR = frozenset(vars(types.new_class("Plain", (Defect,)))) | {
    *("name", "description", "seen", "smallest", "forms")
}


def find_combination(probes: Probes, defects: Defects) -> Defects:
    """Find combinations of fewest defects that agree with the engine on all probes, one per set.

    The reduced program is the first probe: one of the defects must agree on it alone. A third one
    must agree alone on some probe on which the engine is wrong; otherwise too many would fit by
    chance.
    """
    wrong = [probe for probe in probes if probe.finding is not None]
    visible = [d for d in defects if any(probe.agrees(d) for probe in wrong)]
    firsts = [d for d in defects if probes[0].agrees(d)]
    bests = sorted(firsts, key=lambda d: -sum(probe.agrees(d) for probe in probes))[:_FIRST]
    for others in (defects, visible):
        tried = [
            (combined, _agreeing_first(combined, sorted(probes, key=lambda p: p.agrees(best))))
            for best in bests
            for defect in others
            for combined in _combined(best, defect)
        ]
        found = [combined for combined, count in tried if count == len(probes)]
        if found:
            return list({frozenset(c.__bases__): c for c in found}.values())[:_NAMED]
        tried.sort(key=lambda each: -each[1])
        bests = [combined for combined, count in tried[:_PAIRS] if count]
    return []


def _agreeing_first(combined: type[Defect], probes: Probes) -> int:
    return sum(1 for _ in itertools.takewhile(lambda probe: probe.agrees(combined), probes))


def _combined(one: type[Defect], other: type[Defect]) -> Iterator[type[Defect]]:
    """Yield a class with both defects; in both orders if they override the same methods."""
    parts, others = _parts(one), _parts(other)
    if any(issubclass(a, b) or issubclass(b, a) for a in parts for b in others):
        return
    yield _class((*parts, *others))
    if any(_overrides(a) & _overrides(b) for a in parts for b in others):
        yield _class((*others, *parts))


def _parts(defect: type[Defect]) -> tuple[type[Defect], ...]:
    """Return the defects of a combination, or the defect itself."""
    return defect.__bases__ if defect.__module__ == __name__ else (defect,)


def _overrides(defect: type[Defect]) -> set[str]:
    """Return the names that a defect defines differently from the base engine."""
    return {
        name
        for cls in defect.__mro__[: defect.__mro__.index(Defect)]
        for name in vars(cls).keys() - _NOT_BEHAVIOUR
    }


def _class(parts: tuple[type[Defect], ...]) -> type[Defect]:
    attributes = {
        "name": " + ".join(part.name for part in parts),
        "description": "; and ".join(part.description for part in parts),
        "__module__": __name__,
    }
    return type("Combination", parts, attributes)


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
