"""Engines with several faults at once: defects combined until they show what the engine shows.

A defect overrides one step of the base engine, so a class that inherits from two
defects has both faults. Where no single defect agrees with the engine on all probes, those
that agree on the reduced program get a second one, and the best pairs a third.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from parity.diagnose.defects.base import Defect

#: Defects that get a second one, pairs that get a third, combinations that are named at most.
_FIRST, _PAIRS, _NAMED = 5, 2, 3
#: What every defect defines.
_WORDS = frozenset(vars(types.new_class("Plain", (Defect,)))) | {
    *("name", "description", "seen", "smallest", "forms")
}


class Case(Protocol):
    """A probe program with what the engine showed."""

    @property
    def finding(self) -> object | None:
        """What is wrong there, or None."""

    def agrees(self, defect: type[Defect]) -> bool:
        """Whether ``defect`` shows the same."""


def find_combination(
    cases: Sequence[Case], defects: Mapping[str, type[Defect]]
) -> list[type[Defect]]:
    """The combinations of fewest defects that agree on all cases; of one set only one order.

    The first case is the reduced program: a single fault explains it. A third fault has to be
    seen by itself on some case that fails: else too much fits by chance.
    """
    wrong = [case for case in cases if case.finding is not None]
    seen = [d for d in defects.values() if any(case.agrees(d) for case in wrong)]
    firsts = [d for d in defects.values() if cases[0].agrees(d)]
    bests = sorted(firsts, key=lambda d: -_score(d, cases))[:_FIRST]
    for others in (list(defects.values()), seen):
        tried = [
            (joined, *_until_it_fails(joined, _failing_first(best, cases)))
            for best in bests
            for defect in others
            for joined in _joined(best, defect)
        ]
        found = [joined for joined, fails, _score in tried if not fails]
        if found:
            return list({frozenset(c.__bases__): c for c in found}.values())[:_NAMED]
        tried.sort(key=lambda each: -each[2])
        bests = [joined for joined, _fails, score in tried[:_PAIRS] if score]
    return []


def _score(defect: type[Defect], cases: Sequence[Case]) -> int:
    return sum(case.agrees(defect) for case in cases)


def _failing_first(defect: type[Defect], cases: Sequence[Case]) -> list[Case]:
    return sorted(cases, key=lambda case: case.agrees(defect))


def _until_it_fails(joined: type[Defect], cases: Sequence[Case]) -> tuple[bool, int]:
    """Whether a case disagrees, and how many agree before it."""
    for number, case in enumerate(cases):
        if not case.agrees(joined):
            return True, number
    return False, len(cases)


def _joined(one: type[Defect], other: type[Defect]) -> Iterator[type[Defect]]:
    """Both in one class; in both orders where they override the same."""
    parts, others = _parts(one), _parts(other)
    if any(issubclass(a, b) or issubclass(b, a) for a in parts for b in others):
        return
    yield _class((*parts, *others))
    if any(_overrides(a) & _overrides(b) for a in parts for b in others):
        yield _class((*others, *parts))


def _parts(defect: type[Defect]) -> tuple[type[Defect], ...]:
    return defect.__bases__ if defect.__module__ == __name__ else (defect,)


def _overrides(defect: type[Defect]) -> set[str]:
    return {
        name
        for cls in defect.__mro__[: defect.__mro__.index(Defect)]
        for name in vars(cls).keys() - _WORDS
    }


def _class(parts: tuple[type[Defect], ...]) -> type[Defect]:
    words = {
        "name": " + ".join(part.name for part in parts),
        "description": "; and ".join(part.description for part in parts),
        "__module__": __name__,
    }
    return type("Together", parts, words)
