"""Combine defects, for engines with several faults at once.

A defect overrides one step of the base engine, so a class that inherits from two defects has both
faults. Where no single defect agrees with the engine on all probes, a second defect is added to
those that agree on the reduced program, and a third to the best pairs.
"""

from __future__ import annotations

import itertools
import types
from collections.abc import Iterator

from parity.diagnose.defects.base import Defect
from parity.diagnose.probe import Defects, Probes

#: Defects to which a second is added, pairs to which a third is added, combinations named at most.
_FIRST, _PAIRS, _NAMED = 5, 2, 3
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
    """Return how many probes agree before one that does not."""
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
