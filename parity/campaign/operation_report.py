"""The report of ``parity ops``: a table of operations by condition, and the causes."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from parity.campaign.result import distinguishable_texts, expected_by
from parity.diagnose.causes import Cause
from parity.diagnose.cells import CellResult, Outcome
from parity.diagnose.conditions import BY_NAME, CONDITIONS
from parity.diagnose.operations import OperationTable
from parity.engines.base import label
from parity.language.json_format import program_to_json
from parity.language.table import OPS
from parity.oracle.combined import size_line
from parity.oracle.verdict import left_out_lines, plural, verdict_line, verdict_of

#: Conditions that are listed of an operation that fails in some cells.
_LISTED = 6
_HEADER = ("operation", "right", "wrong", "raises", "not there")


class OperationReport:
    """The report on the operations of an engine."""

    def __init__(self, table: OperationTable) -> None:
        self.table = table
        self.causes = table.causes()
        self.by_op: dict[str, list[CellResult]] = {}
        for result in table.results:
            self.by_op.setdefault(result.cell.op, []).append(result)

    @property
    def fails(self) -> bool:
        return any(result.fails for result in self.table.results)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data (``parity ops --json``)."""
        engine, reference = self.table.engine, self.table.reference
        return {
            "engine": {"name": engine.name, "version": engine.version},
            "reference": {"name": reference.name, "version": reference.version},
            "cells": len(self.table.results),
            "operations": {
                op: {**_counts(results), "conditions": _by_condition(results)}
                for op, results in self.by_op.items()
            },
            "not_there": self._missing(),
            "left_out": dict(self.table.engine.left_out),
            "causes": [_cause_to_json(cause) for cause in self.causes],
        }

    def _missing(self) -> list[str]:
        return [name for name in OPS if name not in self.table.engine.ops]

    def text(self) -> str:
        """Return the report as text."""
        engine, reference = label(self.table.engine), label(self.table.reference)
        cells = plural(len(self.table.results), "cell")
        lines = [f"{engine} against {reference}: every operation alone, {cells}", ""]
        lines += _columns(self._rows())
        if missing := self._missing():
            named = [name for name in missing if OPS[name].has_rules]
            others = len(missing) - len(named)  # hundreds, for most engines
            named += [f"{others} more of docs/operations.md"] if others else []
            lines += ["", f"operations that are not there: {', '.join(named)}"]
        for line in left_out_lines(self.table.engine.left_out):
            lines += ["", line]
        for cause in self.causes:
            lines += ["", *self._cause(cause)]
        return "\n".join(lines)

    def _rows(self) -> Iterator[tuple[str, ...]]:
        yield _HEADER
        for op, results in self.by_op.items():
            yield (op, *map(str, _counts(results).values()))
            if any(r.fails for r in results):
                for name, some in itertools.islice(_telling(results), _LISTED):
                    yield (f"  {BY_NAME[name].words}", *map(str, _counts(some).values()))

    def _cause(self, cause: Cause) -> Iterator[str]:
        yield f"{cause.category}: {cause.sentence}"
        yield from (f"    {line}" for line in str(cause.witness).splitlines())
        if cause.finding is not None:
            sides = label(self.table.engine), expected_by(cause.witness, self.table.reference)
            shown = distinguishable_texts(cause.finding.engine, cause.finding.reference)
            for side, text in zip(sides, shown, strict=True):
                yield f"  {side}: " + text.replace("\n", "\n" + " " * 12)
        if line := size_line(cause.error_size):
            yield f"  {line}"
        if cause.code:
            yield f"  typical code: {cause.code}"
            yield f"  instead: {cause.mend}"
        if cause.quirk:
            yield f'  if that is meant, the adapter says so: quirks = {{"{cause.quirk}"}}'

    def verdict_line(self) -> str:
        """Return the last line of the command."""
        ops, causes = plural(len(self.by_op), "operation"), plural(len(self.causes), "cause")
        details = causes if self.fails else f"no difference in {ops}"
        return verdict_line(verdict_of(self.fails, interrupted=False), details)


def _counts(results: Iterable[CellResult]) -> dict[str, int]:
    counts = Counter(result.outcome for result in results)
    return {outcome.value: counts[outcome] for outcome in Outcome}


def _by_condition(results: list[CellResult]) -> dict[str, dict[str, int]]:
    """Return the counts of the cells in which each condition holds, if there are any."""
    some = {c.name: [r for r in results if c.name in r.cell.conditions] for c in CONDITIONS}
    return {name: _counts(these) for name, these in some.items() if these}


def _telling(results: list[CellResult]) -> Iterator[tuple[str, list[CellResult]]]:
    """Yield conditions with the cells in which they hold, of which none is right.

    Those with most failing cells come first; one that adds no failing cell is left out.
    """
    some = {c.name: [r for r in results if c.name in r.cell.conditions] for c in CONDITIONS}
    pure = {
        name: [r for r in these if r.fails]
        for name, these in some.items()
        if not any(r.outcome is Outcome.RIGHT for r in these)
    }
    seen: set[CellResult] = set()
    for name, failing in sorted(pure.items(), key=lambda each: -len(each[1])):
        if not seen.issuperset(failing):
            seen.update(failing)
            yield name, some[name]


def _columns(rows: Iterable[tuple[str, ...]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADER))]
    return [
        " ".join(
            [
                row[0].ljust(widths[0]),
                *(c.rjust(w + 1) for c, w in zip(row[1:], widths[1:], strict=True)),
            ]
        )
        for row in rows
    ]


def _cause_to_json(cause: Cause) -> dict[str, Any]:
    finding = cause.finding
    shown = distinguishable_texts(finding.engine, finding.reference) if finding else ("", "")
    return {
        "category": cause.category.value,
        "name": cause.name,
        "where": cause.where,
        "sentence": cause.sentence,
        "kind": str(finding.kind) if finding else "",
        "program": program_to_json(cause.witness) if cause.witness else {},
        "text": str(cause.witness),
        "engine": shown[0],
        "reference": shown[1],
        "quirk": cause.quirk,
        "code": cause.code,
        "mend": cause.mend,
        "error_size": cause.error_size,
    }
