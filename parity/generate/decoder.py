"""Bytes to programs.

A program is a fixed number of slots of a few bytes each; slot i always names
value i. Byte 0 of an operand means the newest value and the lowest
opcodes mean "this slot is its operand", so that a zeroed byte deletes or rewires
without renumbering, and what shrinks bytes shrinks programs. Every byte string
of the right length is a valid program. The same bytes serve Hypothesis
(``programs``), a plain sweep (``sweep``), and replay.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from parity.engines.base import CONSTANTS
from parity.engines.runner import AnyEngine, as_runner
from parity.generate import rows
from parity.generate.actual_values import ActualValues
from parity.generate.builder import SEEDS, Builder
from parity.generate.profiles import EVENT_NEEDS, HEADER_BYTES, LEAF_BYTES, SLOT_BYTES, Profile
from parity.language.operation import Operation
from parity.language.program import Program
from parity.language.restrictions import Restrictions
from parity.language.shapes import Shape
from parity.language.table import OPS

#: A step of ``Builder`` that is no operation: from a value and two bytes to a value, if any.
Event: TypeAlias = Callable[[Builder, int, int, int], int | None]


@dataclass(frozen=True)
class Decoder:
    """Turns bytes into programs for one profile and the abilities of one engine."""

    profile: Profile
    #: What each of the 256 opcodes means: an operation, an event or "" for nothing.
    menu: tuple[str, ...]
    #: What each opcode means where no more operations come.
    events: tuple[str, ...]
    # What the programs may use: what the profile asks for and the engine has.
    ops: frozenset[str]
    #: Operations without rules, in the order of the table.
    rows: tuple[str, ...]
    dtypes: tuple[str, ...]
    shapes: tuple[Shape, ...]
    abilities: frozenset[str]
    max_ndim: int
    restrictions: Restrictions
    #: What the profile asks for and the engine lacks.
    untested: tuple[str, ...]

    @staticmethod
    def of(profile: Profile, engine: AnyEngine) -> Decoder:
        """Return a decoder whose programs ``engine`` supports."""
        able = as_runner(engine).capabilities | ({SEEDS} & set(engine.quirks))
        every = profile.ops or tuple(OPS)
        wanted = [name for name in every if OPS[name].has_rules]
        ops = [name for name in wanted if name in engine.ops]
        names = [name for name in every if name in engine.ops and not OPS[name].has_rules]
        events = {e: w for e, w in profile.events.items() if EVENT_NEEDS.get(e, "") in {"", *able}}
        if "split" in ops:
            events["join"] = 30 if profile.ops and "split" in profile.ops else 6
        limit = engine.max_ndim
        restrictions = as_runner(engine).restrictions
        shapes = tuple(s for s in profile.shapes if limit is None or len(s) <= limit) or ((),)
        shapes = tuple(filter(restrictions.have, shapes)) or tuple(map(restrictions.padded, shapes))
        most = max(profile.max_ndim, restrictions.min_ndim)
        untested = [name for name in wanted if name not in engine.ops]
        untested += [EVENT_NEEDS[e] for e in profile.events if e not in events]
        untested += ["no_grad"] if profile.modes and "no_grad" not in able else []
        untested += [] if CONSTANTS in able else [CONSTANTS]
        untested += [dtype for dtype in ("float32", "float64") if dtype not in engine.dtypes]
        untested += [] if limit is None or limit >= 3 else [f"more than {limit} dimensions"]
        untested += restrictions.words()
        if profile.second_order and "grad_tensor" not in able:
            untested.append("grad_tensor")
        return Decoder(
            profile,
            _menu({n: 1 if profile.even else _WEIGHTS.get(n, 1) for n in ops}, events),
            tuple(_spread(events, 256)) if events else (),
            frozenset(ops),
            tuple(name for name in names if OPS[name].torch is not None),
            tuple(engine.dtypes),
            shapes,
            able,
            min(most, most if limit is None else limit),
            restrictions,
            tuple(untested),
        )

    @functools.cached_property
    def _actions(self) -> tuple[tuple[Operation | None, Event | None], ...]:
        """The operation or event of each opcode."""
        return tuple((OPS.get(name), getattr(Builder, name, None)) for name in self.menu)

    @functools.cached_property
    def _events(self) -> tuple[Event, ...]:
        """The event of each opcode after the last operation."""
        return tuple(getattr(Builder, name) for name in self.events)

    def decode(self, data: bytes) -> Program:
        """The valid program of any ``profile.size`` bytes, the same for the same bytes."""
        if self.profile.rows:
            return self._decode_rows(data)
        profile = self.profile
        mode, count, narrow = data[:HEADER_BYTES]
        exact = mode % 8 < profile.exact
        builder = Builder(
            self.abilities,
            self.ops,
            profile.max_size,
            self.max_ndim,
            exact,
            profile.wild,
            restrictions=self.restrictions,
        )
        widths = self._dtypes(narrow)
        leaves = min((1, 2, 3, 2)[count % 4], profile.leaves)
        for i in range(leaves):
            code, start, flags = data[HEADER_BYTES + i * LEAF_BYTES :][:LEAF_BYTES]
            # Half of the further leaves have the shape of the first: their gradients can meet.
            same = i > 0 and code >= 128
            shape = builder.infos[0].shape if same else self.shapes[code % len(self.shapes)]
            dtype = widths[(flags >> 6) % len(widths)]
            constant = i > 0 and flags % 8 == 7 and CONSTANTS in self.abilities
            builder.leaf(shape, dtype, start, flags, requires_grad=not constant)
        position = HEADER_BYTES + profile.leaves * LEAF_BYTES
        few = profile.few if profile.few and self.events and mode >= 128 else profile.slots
        self._slots(builder, data, position, few)
        builder.end(profile.ending, profile.second_order, count)
        return builder.program()

    def _decode_rows(self, data: bytes) -> Program:
        """Return a program of operations without rules."""
        builder = Builder(
            *(self.abilities, self.ops, self.profile.max_size, self.max_ndim, False, False),
            ActualValues(),
            restrictions=self.restrictions,
        )
        head = HEADER_BYTES + self.profile.leaves * LEAF_BYTES
        rows.build(builder, self.rows, data[:head], self._dtypes(data[2]))
        if builder.statements:
            self._slots(builder, data, head, 0)
            builder.end(self.profile.ending, data[1] % 4 == 3, data[0])
        return builder.program()

    def _dtypes(self, narrow: int) -> tuple[str, ...]:
        """The dtypes of the leaves of one program: mostly one, sometimes both."""
        if len(self.dtypes) < 2 or 7 - narrow % 8 >= self.profile.narrow:
            return (self.dtypes[-1] if len(self.dtypes) < 2 else "float64",)
        return ("float32", "float64") if 7 - narrow // 8 % 8 < self.profile.mixed else ("float32",)

    def _slots(self, builder: Builder, data: bytes, position: int, few: int) -> None:
        actions, events = self._actions, self._events
        under_no_grad = self.profile.modes and "no_grad" in self.abilities
        slots = list(range(len(builder.infos)))  # the value that each slot names
        first = slots[0]
        for _ in range(self.profile.slots):
            opcode, a, b, extra = data[position : position + SLOT_BYTES]
            position += SLOT_BYTES
            op, event = actions[opcode]
            if op is not None and few <= 0:
                op, event = None, events[opcode]
            left = first if a >= _HUB else slots[-1 - a % len(slots)]
            value = None
            if op is not None:
                few -= 1
                right = first if b >= _HUB else slots[-1 - b % len(slots)]
                if _APART <= b < _HUB:
                    right = builder.leaf_apart(left, right)
                quiet = under_no_grad and extra >= 216
                value = builder.apply(op, left, right, b, extra, no_grad=quiet)
            elif event is not None:
                value = event(builder, left, b, extra)
            slots.append(left if value is None else value)


#: Operand bytes from here on name the first leaf, so that it is used often.
_HUB = 208
#: From here on the second operand is a leaf that the first one does not depend on, if there is one.
_APART = 80
#: The share of opcodes that mean "this slot is its operand".
_PASS = 20


def _menu(weights: dict[str, int], events: dict[str, int]) -> tuple[str, ...]:
    """256 actions: first none, then operations from the simplest on, then events."""
    total = 256 - _PASS
    event_room = min(sum(events.values()), total // 2) if weights else total
    op_room = total - event_room
    menu = [""] * _PASS + _spread(weights, op_room) + _spread(events, event_room)
    return tuple((menu + [""] * 256)[:256])


#: Two operands make reuse: those come more often.
_WEIGHTS = {
    **dict.fromkeys(("add", "mul"), 12),
    **dict.fromkeys(("sub", "matmul", "get_item", "split"), 5),
    **dict.fromkeys(
        ("div", "square", "sum", "concat", "maximum", "broadcast_to", "reshape", "mean"), 3
    ),
    **dict.fromkeys(("pow", "power", "transpose"), 2),
}


def _spread(weights: dict[str, int], room: int) -> list[str]:
    """``room`` entries in proportion to the weights, each name at least once if there is room."""
    total = sum(weights.values())
    names: list[str] = []
    done = 0
    for name, weight in weights.items():
        done += weight
        names += [name] * (round(room * done / total) - len(names))
    return names
