"""What the cells of single operations say of a tape: values that explain those of many operations.

A wrong sum to the shape of a broadcast operand shows in every operation that broadcasts. Such
cells are explained by the tape, and the operations are right.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping

from parity.diagnose.cells import CellResult
from parity.diagnose.tape import Combination, Sample, Tape, Value, values, with_value

#: Operations whose failing cells a value must explain to be claimed by them alone.
_OPERATIONS = 3
#: Cells of an operation that are tried first.
_FIRST = 3
#: Cells of an operation that are right, or that fail, which are looked at.
_CELLS = 8


class CellEvidence:
    """Which failing cells combinations explain; ``cells``: those that ran, as samples."""

    def __init__(self, tape: Tape, cells: Mapping[CellResult, Sample]) -> None:
        self.tape, self.cells = tape, cells
        self.right = [r for some in self._varied(fails=False).values() for r in some]
        self.failing = self._varied(fails=True)
        self._suspicious: dict[tuple[Combination, str], bool] = {}

    def _varied(self, fails: bool) -> dict[str, list[CellResult]]:
        """Return failing or right cells by operation, those that differ most first, and few."""
        found: dict[str, dict[object, list[CellResult]]] = {}
        for result, sample in self.cells.items():
            if result.fails == fails:
                key = sample.features, result.finding and result.finding.group
                found.setdefault(result.cell.op, {}).setdefault(key, []).append(result)
        return {
            op: [r for some in itertools.zip_longest(*of_key.values()) for r in some if r][:_CELLS]
            for op, of_key in found.items()
        }

    def suspicious(
        self, combination: Combination, ops: Iterable[str] | None = None
    ) -> frozenset[str]:
        """Return operations, of ``ops``, that have a failing cell which is not explained."""
        ops = self.failing if ops is None else self.failing.keys() & set(ops)
        return frozenset(op for op in ops if self._is_suspicious(combination, op))

    def _is_suspicious(self, combination: Combination, op: str) -> bool:
        key = combination, op
        if key not in self._suspicious:
            failing = self.failing[op]
            self._suspicious[key] = not all(self._agrees(combination, r) for r in failing)
        return self._suspicious[key]

    def explained_by(self, combination: Combination) -> list[CellResult]:
        """Return the failing cells that these values explain."""
        return [r for r in self.cells if r.fails and self._agrees(combination, r)]

    def starts(self) -> list[Combination]:
        """Return what to start from: the values that cells show, and with it others they may."""
        claimed: Combination = ()
        while (wider := self._claimed(claimed)) is not None:
            claimed = wider
        wrong = len(self.suspicious(claimed))
        others = (with_value(claimed, v) for v in self._candidates(claimed))
        return [claimed, *(c for c in others if len(self.suspicious(c)) < wrong)]

    def _claimed(self, claimed: Combination) -> Combination | None:
        """Return the values claimed so far with that one more which explains most cells."""
        best, most = None, 0
        for value in self._candidates(claimed):
            wider = with_value(claimed, value)
            if sum(self._explains_some(claimed, wider, op) for op in self.failing) < _OPERATIONS:
                continue
            gain = sum(
                self._agrees(wider, r) - self._agrees(claimed, r)
                for failing in self.failing.values()
                for r in failing
            )
            if gain > most and not self._contradicted(claimed, wider, value):
                best, most = wider, gain
        return best

    def _candidates(self, claimed: Combination) -> Iterator[Value]:
        """Yield the values of other parameters that some failing cell can show."""
        features = frozenset[str]().union(
            *(self.cells[r].features for failing in self.failing.values() for r in failing)
        )
        taken = {v.rank for v in claimed}
        for value in values():
            if value.rank not in taken and not value.when.isdisjoint(features):
                yield value

    def _explains_some(self, claimed: Combination, wider: Combination, op: str) -> bool:
        missing = [r for r in self.failing[op] if not self._agrees(claimed, r)]
        varied = {self.cells[r].features: r for r in reversed(missing)}
        return any(self._agrees(wider, r) for r in list(varied.values())[-_FIRST:])

    def _contradicted(self, claimed: Combination, wider: Combination, value: Value) -> bool:
        relevant = (r for r in self.right if not value.when.isdisjoint(self.cells[r].features))
        return any(not self._agrees(wider, r) and self._agrees(claimed, r) for r in relevant)

    def _agrees(self, combination: Combination, result: CellResult) -> bool:
        return self.tape.agrees(combination, self.cells[result], frozenset())
