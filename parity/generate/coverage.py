"""Feature coverage: the features of programs that a run reached, and those that it missed.

Counting takes about a tenth of a run, so it is optional:
``parity check --coverage`` prints it and adds it to the JSON.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from parity.engines.base import CONSTANTS
from parity.engines.runner import AnyEngine, as_runner
from parity.language import program as pr
from parity.language.shapes import Shape, elementwise, size
from parity.language.table import OPS, attribute_choices, output_shapes

#: What an operand is: a leaf, a value that needs no gradient, or a computed value; a value
#: with several uses; the same value as another operand.
ROLES = ("leaf", "constant", "computed", "reused", "same")
#: Uses from this number on are counted together.
MANY = 5
#: Patterns of two operands, and the rank that shows them.
PATTERNS: dict[str, int] = {
    "equal": 0,
    "left lacks axes": 1,
    "left has axes of length 1": 1,
    "left lacks axes and has some of length 1": 2,
    "right lacks axes": 1,
    "right has axes of length 1": 1,
    "right lacks axes and has some of length 1": 2,
    "both are smaller": 2,
}
#: Events and what they need of an engine.
_EVENTS: dict[type[Any], str] = {
    pr.Backward: "",
    pr.Clear: "clear_grad",
    pr.Zero: "zero_grad",
    pr.ChangeGrad: "buffer",
    pr.ChangeGradient: "",
}
#: The array that was passed is changed once.
_IMPOSSIBLE = (pr.ChangeGradient.keyword,) * 2
_SHAPES: tuple[Shape, ...] = ((2, 2), (2,), (), (1,), (2, 3))

Cell = tuple[Any, ...]
#: Cells of ``operands`` are (operation, position, role).
_GROUPS = {
    "operands": "operations by position and role of the operand",
    "uses": f"uses of a value ({MANY}: or more)",
    "ranks": "ranks of operands",
    "broadcasting": "shapes of two operands",
    "events": "sequences of events",
}


@dataclass
class Coverage:
    """Counts of cells."""

    #: What the engine could reach, by group.
    reachable: dict[str, list[Cell]] = field(default_factory=dict)
    programs: int = 0
    #: How often it was reached, by group.
    counts: dict[str, Counter[Cell]] = field(
        default_factory=lambda: {name: Counter() for name in _GROUPS}
    )

    @staticmethod
    def of(engine: AnyEngine, ops: Iterable[str] | None = None) -> Coverage:
        """Return empty counts for an engine and the operations that a run uses."""
        return Coverage(_reachable(engine, ops))

    def add(self, program: pr.Program) -> None:
        """Count the features of a program."""
        self.programs += 1
        for group, cell in reached(program):
            self.counts[group][cell] += 1

    def missed(self, group: str) -> list[Cell]:
        """Return the features of a group that are reachable and were not reached."""
        return [cell for cell in self.reachable[group] if not self.counts[group][cell]]

    def to_json(self) -> dict[str, Any]:
        """Return the counts by feature, and the missed features, as JSON data."""
        return {
            "programs": self.programs,
            **{name: dict(self._in_order(name)) for name in _GROUPS},
            "not_reached": {name: [_text(c) for c in self.missed(name)] for name in _GROUPS},
        }

    def _in_order(self, group: str) -> list[tuple[str, int]]:
        counts = self.counts[group]
        known = [cell for cell in self.reachable[group] if counts[cell]]
        cells = known + sorted(counts.keys() - set(known), key=str)
        return [(_text(cell), counts[cell]) for cell in cells]

    def text(self) -> str:
        """Return the counts as text; of operands only the share reached, and the missed ones."""
        lines = [f"exposure: {self.programs} programs"]
        for name, title in _GROUPS.items():
            missed = self.missed(name)
            if name == "operands":
                total = len(self.reachable[name])
                lines.append(f"  {title}: {total - len(missed)} of {total} reached")
                missing = _by_operation(missed)
            else:
                shown = ", ".join(f"{cell}: {count}" for cell, count in self._in_order(name))
                lines.append(f"  {title}: {shown or 'none'}")
                missing = [_text(c) for c in missed]
            if missing:
                lines.append(f"    not reached: {'; '.join(missing)}")
        return "\n".join(lines)


def reached(program: pr.Program) -> Iterator[tuple[str, Cell]]:
    """Group and cell of all that a program exercises, each as often as it does."""
    infos = program.infos
    applied = [s for s in program.statements if isinstance(s, pr.Apply)]
    uses = Counter(i for s in applied for i in s.inputs)
    for s in applied:
        for position, i in enumerate(s.inputs):
            kind = "leaf" if i < len(program.leaves) else "computed"
            if infos[i].requires_grad is False:
                kind = "constant"
            position = min(position, (OPS[s.op].arity or 2) - 1)
            yield "operands", (s.op, position, kind)
            if uses[i] > 1:
                yield "operands", (s.op, position, "reused")
                if s.inputs.count(i) > 1:
                    yield "operands", (s.op, position, "same")
            yield "ranks", (len(infos[i].shape),)
        if len(s.inputs) == 2 and OPS[s.op].shape is elementwise:
            yield "broadcasting", (_pattern(*(infos[i].shape for i in s.inputs)),)
    for n in uses.values():
        yield "uses", (min(n, MANY),)
    words = [s.keyword for s in program.statements if type(s) in _EVENTS]
    for pair in itertools.pairwise(words):
        yield "events", pair
    for first, between, last in zip(words, words[1:], words[2:], strict=False):
        if first == last == pr.Backward.keyword:
            yield "events", (first, between, last)


def _text(cell: Cell) -> str:
    return " ".join(map(str, cell))


def _by_operation(cells: list[Cell]) -> list[str]:
    """``mul 0 same, 1 same`` for each operation."""
    groups = itertools.groupby(cells, key=lambda cell: cell[0])
    return [f"{op} {', '.join(_text(cell[1:]) for cell in cells)}" for op, cells in groups]


@functools.lru_cache(maxsize=4096)
def _pattern(left: Shape, right: Shape) -> str:
    """Return the key of ``PATTERNS`` for two shapes."""
    result = elementwise(left, right)[0]
    small = [name for name, s in (("left", left), ("right", right)) if s != result]
    if not small:
        return "equal"
    if len(small) == 2:
        return "both are smaller"
    shape = left if small == ["left"] else right
    lacks = len(shape) < len(result)
    stretched = any(m != n for m, n in zip(shape[::-1], result[::-1], strict=False))
    if lacks and stretched:
        return f"{small[0]} lacks axes and has some of length 1"
    return f"{small[0]} {'lacks axes' if lacks else 'has axes of length 1'}"


def _reachable(engine: AnyEngine, ops: Iterable[str] | None) -> dict[str, list[Cell]]:
    """The cells that programs for an engine may reach."""
    able = as_runner(engine).capabilities
    names = [name for name in OPS if name in engine.ops and (ops is None or name in set(ops))]
    limit = 3 if engine.max_ndim is None else min(engine.max_ndim, 3)
    roles = [r for r in ROLES if r != "constant" or able & {CONSTANTS, "detach", "no_grad"}]
    broadcasts = any(OPS[n].arity == 2 and OPS[n].shape is elementwise for n in names)
    words = [t.keyword for t, needs in _EVENTS.items() if not needs or needs in able]
    backward = pr.Backward.keyword
    return {
        "operands": [
            (name, position, role)
            for name in names
            for position in range(OPS[name].arity or 2)
            for role in (roles if OPS[name].has_rules else ROLES[:1])
            if role != "same" or _may_be_same(name, position, limit)
        ],
        "uses": [(n,) for n in range(1, MANY + 1)],
        "ranks": [(n,) for n in range(limit + 1)],
        "broadcasting": [(p,) for p, rank in PATTERNS.items() if broadcasts and rank <= limit],
        "events": [
            *(pair for pair in itertools.product(words, repeat=2) if pair != _IMPOSSIBLE),
            *((backward, word, backward) for word in words),
        ],
    }


@functools.cache
def _may_be_same(name: str, position: int, limit: int) -> bool:
    """Whether an operand may be the same value as another one, as shapes go."""
    arity = OPS[name].arity or 2
    shapes = [s for s in _SHAPES if len(s) <= limit and size(s)]
    for several in itertools.product(shapes, repeat=arity):
        others = several[:position] + several[position + 1 :]
        if several[position] in others and any(
            output_shapes(name, several, attrs) is not None
            for attrs in attribute_choices(name, several)
        ):
            return True
    return False
