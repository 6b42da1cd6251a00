"""Bytes to programs.

A program is a fixed number of slots of a few bytes each (design: slot i always
names value i). Byte 0 of an operand means the newest value and the lowest
opcodes mean "this slot is its operand", so that a zeroed byte deletes or rewires
without renumbering, and what shrinks bytes shrinks programs. Every byte string
of the right length is a valid program. The same bytes serve Hypothesis
(``programs``), a plain sweep (``sweep``), and replay.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from hypothesis import strategies as st

from parity.engines.base import CONSTANTS, Engine, abilities
from parity.engines.execute import owns_buffer
from parity.generate.builder import SEEDS, Builder
from parity.language.operation import Op
from parity.language.program import Program
from parity.language.shapes import Shape
from parity.language.table import OPS

#: Shapes of leaves; most broadcast against each other, in both directions.
SHAPES: tuple[Shape, ...] = (
    (),
    (2,),
    (3,),
    (2, 3),
    (1,),
    (1, 3),
    (2, 1),
    (2, 2),
    (3, 3),
    (),
    (2, 3),
    (3,),
    (0,),
    (0, 3),
    (1, 1),
    (2, 1, 3),
)
#: A step of ``Builder`` that is no operation: from a value and two bytes to a value, if any.
Event: TypeAlias = Callable[[Builder, int, int, int], int | None]
LEAF_BYTES = 3
SLOT_BYTES = 4
HEADER_BYTES = 3


@dataclass(frozen=True)
class Profile:
    """What programs of a property look like.

    ``events``: names of ``Builder`` methods and their weights; ``ops``: names of
    operations, None for all that the engine has; ``exact``, ``narrow``: shares
    in 8 of programs with exact arithmetic and with float32 leaves; ``mixed``: the
    share in 8 of the latter that have float64 leaves as well; ``ending``:
    what the builder adds at the end; ``max_size``: elements of the largest value;
    ``wild``: whether inexact leaves have arbitrary significands; ``few``: how many
    operations half of the programs have at most, so that many events meet on one graph;
    ``even``: whether all operations come equally often.
    """

    name: str
    ops: tuple[str, ...] | None = None
    events: dict[str, int] = field(default_factory=dict)
    exact: int = 5
    narrow: int = 3
    mixed: int = 4
    shapes: tuple[Shape, ...] = SHAPES
    slots: int = 12
    leaves: int = 3
    modes: bool = False
    second_order: bool = False
    ending: str = ""
    max_size: int = 24
    wild: bool = False
    few: int = 0
    even: bool = False

    @property
    def size(self) -> int:
        """How many bytes make a program."""
        return HEADER_BYTES + self.leaves * LEAF_BYTES + self.slots * SLOT_BYTES


#: What events need of an engine.
EVENT_NEEDS: dict[str, str] = {
    "clear": "clear_grad",
    "zero": "zero_grad",
    "detach": "detach",
    "take_grad": "grad_tensor",
    "change_grad": "buffer",
}

_EVENTS = {"backward": 12, "clear": 6, "zero": 6, "change_grad": 2, "change_gradient": 2}

_BROADCASTING = (
    *("add", "mul", "sub", "div", "maximum", "minimum", "matmul"),
    *("sum", "mean", "broadcast_to", "sum_to"),
)

#: Operations that move elements, and two that join what they give.
_MOVING = (
    *("transpose", "moveaxis", "flip", "reshape", "squeeze", "expand_dims", "pad"),
    *("get_item", "take_along_axis", "concat", "stack", "split", "broadcast_to", "add", "mul"),
)
#: Operations that gather elements along axes, with some that come before and after.
_GATHERING = (
    *("sum", "mean", "prod", "var", "norm", "max", "min", "cumsum", "sum_to", "logsumexp"),
    *("softmax", "get_item", "take_along_axis", "matmul", "add", "mul", "square"),
)
#: Shapes of up to three dimensions, few of them squares.
_DEEP: tuple[Shape, ...] = (
    *((), (2, 3, 2), (2, 3), (2, 1, 3), (3,), (1, 2, 3), (0, 3), (3, 2, 2)),
)

#: Operations that send the gradient on as it is, or as a view of it.
_PASSING = (
    *("add", "sub", "add_scalar", "sub_scalar", "concat", "stack", "split", "get_item"),
    *("reshape", "transpose", "broadcast_to", "sum_to", "sum", "squeeze", "expand_dims"),
)

#: Operations whose slope changes: what is lost in second order shows there.
_CURVED = (
    *("mul", "square", "div", "pow", "power", "matmul", "exp", "log", "sqrt", "sin", "cos"),
    *("tanh", "sigmoid", "softplus", "gelu", "softmax", "log_softmax", "logsumexp"),
    *("norm", "var", "prod", "add", "sum", "rdiv_scalar", "mean_squared_error"),
)

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("general", events={**_EVENTS, "detach": 8, "drop": 4}, modes=True, few=4),
        Profile("gradients", events={"backward": 2, "drop": 2}),
        Profile("accumulation", events={"backward": 40}, slots=10, few=3),
        Profile("cleargrad", events={"backward": 26, "clear": 26}, few=3),
        Profile("zero", events={"backward": 26, "zero": 26}, few=3),
        Profile("clearing", events={"backward": 24, "clear": 24, "zero": 20}, few=3),
        Profile(
            "aliasing",
            ops=_PASSING,
            events={"backward": 24, "change_grad": 24, "change_gradient": 16, "zero": 6},
            slots=10,
            few=3,
            ending="change_all",
        ),
        Profile(
            "user-gradient",
            events={"backward": 30, "change_gradient": 40},
            slots=10,
            ending="change_gradient",
        ),
        Profile(
            "broadcasting",
            ops=_BROADCASTING,
            events={"backward": 4},
            exact=4,
        ),
        Profile("moving", ops=_MOVING, even=True, events={"backward": 4}, shapes=_DEEP, slots=10),
        Profile(
            "gathering", ops=_GATHERING, even=True, exact=4, events={"backward": 4}, shapes=_DEEP
        ),
        Profile("dtypes", events={"backward": 6, "clear": 2}, narrow=8, mixed=0, exact=4),
        Profile("mixed-dtypes", events={"backward": 6}, narrow=8, mixed=8, exact=4),
        Profile("multi-output", ops=("split", "concat", "add", "mul", "get_item", "sum", "square")),
        Profile(
            "twins",
            ops=_PASSING,
            events={"twins": 60, "backward": 60},
            shapes=((), (2,)),
            slots=5,
            ending="again",
        ),
        Profile("modes", events={"backward": 20, "detach": 40}, modes=True, slots=8),
        Profile("no-grad", events={"backward": 10}, modes=True),
        Profile("detach", events={"backward": 10, "detach": 40}),
        Profile("second-order", second_order=True, slots=8, exact=1),
        Profile("curvature", ops=_CURVED, even=True, second_order=True, slots=8, exact=1),
        Profile("functions", exact=0, narrow=3, events={"backward": 4, "clear": 2}),
        Profile("freed-graph", events={"backward": 4}, slots=6, ending="freed"),
        Profile("errors", events={"backward": 4}, slots=6, modes=True, ending="error"),
        Profile("lifetime", events={"backward": 16, "drop": 30, "clear": 4}),
        Profile(
            "bits",
            ops=tuple(name for name, op in OPS.items() if op.rounded),
            events=_EVENTS,
            exact=0,
            narrow=4,
            shapes=((), (2,), (2, 2), (1,), (2, 1), (1, 2), (3,), (1, 1), (0,), (2, 1, 2)),
            max_size=4,
            wild=True,
        ),
    )
}


@dataclass(frozen=True)
class Decoder:
    """Turns bytes into programs for one profile and the abilities of one engine.

    ``untested``: what the profile asks for and the engine lacks.
    """

    profile: Profile
    menu: tuple[str, ...]
    events: tuple[str, ...]
    ops: frozenset[str]
    dtypes: tuple[str, ...]
    shapes: tuple[Shape, ...]
    abilities: frozenset[str]
    max_ndim: int
    untested: tuple[str, ...]

    @staticmethod
    def of(profile: Profile, engine: Engine) -> Decoder:
        """The decoder that draws only what ``engine`` has."""
        able = abilities(engine) | ({"buffer"} if owns_buffer(engine) else frozenset())
        able |= {SEEDS} & set(engine.quirks)
        wanted = profile.ops or tuple(OPS)
        ops = [name for name in wanted if name in engine.ops]
        events = {
            e: w
            for e, w in profile.events.items()
            if e not in EVENT_NEEDS or EVENT_NEEDS[e] in able
        }
        if "split" in ops:
            events["join"] = 30 if profile.ops and "split" in profile.ops else 6
        limit = engine.max_ndim
        shapes = tuple(s for s in profile.shapes if limit is None or len(s) <= limit) or ((),)
        untested = [name for name in wanted if name not in engine.ops]
        untested += [EVENT_NEEDS[e] for e in profile.events if e not in events]
        untested += ["no_grad"] if profile.modes and "no_grad" not in able else []
        untested += [] if CONSTANTS in able else [CONSTANTS]
        untested += [dtype for dtype in ("float32", "float64") if dtype not in engine.dtypes]
        untested += [] if limit is None or limit >= 3 else [f"more than {limit} dimensions"]
        if profile.second_order and "grad_tensor" not in able:
            untested.append("grad_tensor")
        return Decoder(
            profile,
            _menu(dict.fromkeys(ops, 1) if profile.even else _weights(ops), events),
            tuple(_spread(events, 256)) if events else (),
            frozenset(ops),
            tuple(engine.dtypes),
            shapes,
            able,
            3 if limit is None else min(limit, 3),
            tuple(untested),
        )

    @functools.cached_property
    def _actions(self) -> tuple[tuple[Op | None, Event | None], ...]:
        """What each opcode does: an operation, an event, or nothing."""
        return tuple((OPS.get(name), getattr(Builder, name, None)) for name in self.menu)

    @functools.cached_property
    def _events(self) -> tuple[Event, ...]:
        """What each opcode does where no more operations come."""
        return tuple(getattr(Builder, name) for name in self.events)

    def decode(self, data: bytes) -> Program:
        """The program of ``data``, which has ``profile.size`` bytes."""
        profile = self.profile
        builder = Builder(self.abilities, self.ops, profile.max_size, self.max_ndim, profile.wild)
        mode, count, narrow = data[0], data[1], data[2]
        builder.exact = mode % 8 < profile.exact
        widths = self._dtypes(narrow)
        leaves = min((1, 2, 3, 2)[count % 4], profile.leaves)
        position = HEADER_BYTES
        for i in range(profile.leaves):
            if i < leaves:
                code, start, flags = data[position : position + LEAF_BYTES]
                # Half of the further leaves have the shape of the first: their gradients can meet.
                same = i > 0 and code >= 128
                shape = builder.infos[0].shape if same else self.shapes[code % len(self.shapes)]
                dtype = widths[(flags >> 6) % len(widths)]
                constant = i > 0 and flags % 8 == 7 and CONSTANTS in self.abilities
                builder.leaf(shape, dtype, start, flags, requires_grad=not constant)
            position += LEAF_BYTES
        few = profile.few if profile.few and self.events and mode >= 128 else profile.slots
        self._slots(builder, data, position, few)
        builder.end(profile.ending, profile.second_order, data[1])
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


def _weights(ops: list[str]) -> dict[str, int]:
    return {name: _WEIGHTS.get(name, 1) for name in ops}


def _spread(weights: dict[str, int], room: int) -> list[str]:
    """``room`` entries in proportion to the weights, each name at least once if there is room."""
    total = sum(weights.values())
    names: list[str] = []
    done = 0
    for name, weight in weights.items():
        done += weight
        names += [name] * (round(room * done / total) - len(names))
    return names


def programs(decoder: Decoder, several: int = 1) -> st.SearchStrategy[list[Program]]:
    """A Hypothesis strategy for lists of ``several`` programs.

    Drawing one byte string for all costs a fraction of drawing each by itself.
    """
    n = decoder.profile.size

    def decode(data: bytes) -> list[Program]:
        return [decoder.decode(data[i * n : (i + 1) * n]) for i in range(several)]

    return st.binary(min_size=several * n, max_size=several * n).map(decode)


def sweep(decoder: Decoder, seed: Any) -> Iterator[Program]:
    """Programs without end, the same for the same seed, outside Hypothesis."""
    source = random.Random(f"{decoder.profile.name}:{seed}")
    while True:
        yield decoder.decode(source.randbytes(decoder.profile.size))
