"""Find the combination of values with which a tape shows what an engine shows.

Samples are ordered by cost. A combination is extended by the values with which the cheapest samples
that it does not explain are explained; of those that explain more, the best are kept. Where no
single value explains a sample, pairs are tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from parity.diagnose.cell_evidence import CellEvidence
from parity.diagnose.tape import (
    Combination,
    Sample,
    Tape,
    Value,
    orders,
    values,
    with_value,
    without_value,
)

#: Combinations that are kept at a time.
_WIDTH = 3
#: Samples not explained that are tried for one extension, and those of them that gave some.
_TRIED, _GIVING = 24, 5
#: Of how many samples every first scores an extension, before the best ones are scored on all.
_ROUGH, _WIDE = 4, 6
#: Samples for which pairs are tried.
_PAIRED = 2
#: Values of a combination at most.
_MOST = 9
#: Runs on models after which nothing more is tried.
_RUNS = 20_000
#: How many samples explained a right one that is not explained any more weighs.
_BROKEN = 2
#: Samples that are kept of those which need a value.
_WITNESSES = 12


@dataclass(frozen=True)
class Claim:
    """A value that the engine has, and those that the samples cannot tell from it."""

    value: Value
    alternatives: tuple[Value, ...]
    #: The first samples that are explained with it and not without.
    needed: tuple[Sample, ...]

    @property
    def of_one_step(self) -> bool:
        """Whether the alternatives are other values of the same parameter."""
        return all(other.rank == self.value.rank for other in self.alternatives)


class TapeFit:
    """The search on the samples of one engine."""

    def __init__(self, tape: Tape, samples: Sequence[Sample], cells: CellEvidence) -> None:
        self.tape, self.samples, self.cells = tape, samples, cells

    def agrees(self, combination: Combination, sample: Sample) -> bool:
        measured = self.cells.suspicious(combination, sample.ops)
        return self.tape.agrees(combination, sample, measured)

    def score(self, combination: Combination, step: int = 1, least: int | None = None) -> int:
        """Return how many of every ``step``-th sample are explained, less those that it breaks.

        Once it is sure that the score is below ``least``, the other samples do not run.
        """
        total, samples = 0, self.samples[::step]
        for number, sample in enumerate(samples):
            if least is not None and total + len(samples) - number < least:
                break
            if self.agrees(combination, sample):
                total += 1
            elif sample.finding is None:
                total -= _BROKEN
        return total

    def cost(self, combination: Combination) -> int:
        """Return how many faults it takes: values of the tape, and operations besides."""
        return sum(v.is_fault for v in combination) + len(self.cells.suspicious(combination))

    def best(self) -> Combination:
        """Return the combination that explains most samples."""
        scores = {c: self.score(c) for c in self.cells.starts()}
        beam = self._best(scores)
        for _ in range(_MOST):
            if scores[beam[0]] == len(self.samples) or self.tape.runs > _RUNS:
                break
            gains: dict[Combination, int] = {}
            for combination in beam:
                found = dict.fromkeys(self._extensions(combination))
                gains |= self._gains(combination, scores[combination], found)
            if not gains or max(gains.values()) <= scores[beam[0]]:
                found = dict.fromkeys(self._pairs(beam[0]))
                gains = self._gains(beam[0], scores[beam[0]], found)
            if not gains or max(gains.values()) <= scores[beam[0]]:
                break
            scores |= gains
            beam = self._best(scores)
        return self._pruned(beam[0])

    def _gains(
        self, combination: Combination, score: int, extensions: Iterable[Combination]
    ) -> dict[Combination, int]:
        """Return the extensions that explain most, and those that join several of them."""
        rough = self.score(combination, _ROUGH)
        extended = {e: self.score(e, _ROUGH, rough) for e in extensions}
        better = sorted((e for e in extended if extended[e] >= rough), key=lambda e: -extended[e])
        scores = {e: self.score(e) for e in better[:_WIDE]}
        joined, best = combination, score
        for e in sorted(scores, key=lambda e: (-scores[e], self.cost(e), _order(e))):
            new = [v for v in e if v not in combination]
            if any(v.rank == w.rank for v in new for w in joined if w not in combination):
                continue
            wider = joined
            for value in new:
                wider = with_value(wider, value)
            if (found := self.score(wider)) > best:
                joined, best = wider, found
                scores[joined] = best
        return scores

    def _best(self, scores: dict[Combination, int]) -> list[Combination]:
        """Return the combinations that explain most; of equal ones those with fewest faults."""
        return sorted(scores, key=lambda c: (-scores[c], self.cost(c), len(c), _order(c)))[:_WIDTH]

    def _extensions(self, combination: Combination) -> Iterator[Combination]:
        """Yield combinations that explain some of the first samples that this one does not."""
        giving = 0
        for sample in _varied(self._missing(combination))[:_TRIED]:
            found = list(self._explaining(combination, sample))
            yield from found
            giving += bool(found)
            if giving == _GIVING:
                return

    def _missing(self, combination: Combination) -> Iterator[Sample]:
        """Yield the samples that are not explained, but for those that no fit can explain."""
        suspicious = self.cells.suspicious(combination)
        for sample in self.samples:
            told = "second" not in sample.features or suspicious.isdisjoint(sample.ops)
            if told and not self.agrees(combination, sample):
                yield sample

    def _explaining(self, combination: Combination, sample: Sample) -> Iterator[Combination]:
        """Yield combinations with one value more, and if need be another order, that explain."""
        for value in self._relevant(combination, sample):
            extended = with_value(combination, value)
            if self.agrees(extended, sample):
                yield extended
            elif value.rank and "branches" in sample.features and not _orders(extended):
                for order in orders():
                    if self.agrees(ordered := with_value(extended, order), sample):
                        yield ordered
                        break

    def _pairs(self, combination: Combination) -> Iterator[Combination]:
        """Yield combinations with two values more that explain one of the first samples."""
        for sample in itertools.islice(self._missing(combination), _PAIRED):
            for a, b in itertools.combinations(self._relevant(combination, sample), 2):
                extended = with_value(with_value(combination, a), b)
                if a.rank != b.rank and self.agrees(extended, sample):
                    yield extended

    @staticmethod
    def _relevant(combination: Combination, sample: Sample) -> list[Value]:
        features = sample.features | {"any"}
        return [v for v in values() if v not in combination and not v.when.isdisjoint(features)]

    def _pruned(self, combination: Combination) -> Combination:
        """Return the combination without values that explain nothing more."""
        for value in sorted(combination, key=lambda v: (v.is_fault, -v.rank)):
            for fewer in self._without(combination, value):
                if self.cost(fewer) > self.cost(combination):
                    continue
                if not any(self.needs(combination, fewer, s) for s in self.samples):
                    combination = fewer
                    break
        return combination

    @staticmethod
    def _without(combination: Combination, value: Value) -> list[Combination]:
        """Return the combination without a value, and with correct orders for a wrong one."""
        fewer = without_value(combination, value)
        correct = orders() if value.is_fault and value.rank == 0 else ()
        return [fewer, *(with_value(fewer, order) for order in correct)]

    def needs(self, combination: Combination, fewer: Combination, sample: Sample) -> bool:
        """Return whether a sample is explained by a combination, and not by one with fewer."""
        return self.agrees(combination, sample) and not self.agrees(fewer, sample)

    def claims(self, combination: Combination) -> list[Claim]:
        """Return the faults among the values, with their alternatives."""
        explained = [s for s in self.samples if self.agrees(combination, s)]
        return [
            self._claim(combination, value, explained) for value in combination if value.is_fault
        ]

    def _claim(self, combination: Combination, value: Value, explained: list[Sample]) -> Claim:
        fewer = without_value(combination, value)
        measured = self.cells.suspicious(combination)
        needing = (s for s in explained if not self.tape.agrees(fewer, s, measured))
        needed = list(itertools.islice(needing, _WITNESSES))
        # The samples that need it exclude most others soon.
        ordered = list(dict.fromkeys((*needed, *explained)))
        others: dict[str, Value] = {}
        for other in values():
            changed = with_value(fewer, other)
            if other.name in (value.name, *others) or len(changed) < len(combination):
                continue
            alike = all(self.tape.agrees(changed, s, measured) for s in ordered)
            if alike and self.cells.suspicious(changed) <= measured:
                others[other.name] = other
        return Claim(value, tuple(others.values()), tuple(needed))


def _orders(combination: Combination) -> bool:
    return any(v.rank == 0 for v in combination)


def _order(combination: Combination) -> tuple[int, ...]:
    every = values()
    return tuple(every.index(v) if v in every else -1 for v in combination)


def _varied(samples: Iterable[Sample]) -> list[Sample]:
    """Return one sample of each set of features and kind of finding first, then the others."""
    first: dict[object, Sample] = {}
    rest = []
    for sample in samples:
        key = sample.features, sample.finding and sample.finding.group
        if first.setdefault(key, sample) is not sample:
            rest.append(sample)
    return [*first.values(), *rest]
