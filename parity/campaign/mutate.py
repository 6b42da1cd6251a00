"""New cases out of kept ones, by changes that know what the bytes mean (``generate.decoder``).

A program is a header, leaves and slots of fixed lengths, and any byte is valid at any
place. So a change of one slot stays a small change of the program.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parity.campaign.cases import FuzzInput
from parity.generate.decoder import Decoder
from parity.generate.profiles import HEADER_BYTES, LEAF_BYTES, SLOT_BYTES
from parity.language.table import OPS

#: How many changes make a mutation: mostly one or two.
_CHANGES = (1, 1, 1, 2, 2, 3, 4)
#: Slots at the end that take further events.
_LAST = 3
#: Operands nearer than this are drawn as often as all others together: small bytes name new values.
_NEAR = 4


@dataclass
class _Draft:
    """Bytes that change: ``data`` of a case, ``other`` of one with the same profile."""

    source: random.Random
    data: bytearray
    other: bytes
    decoder: Decoder

    def slot(self) -> int:
        """The place of a slot."""
        return self.place(self.source.randrange(self.decoder.profile.slots))

    def place(self, slot: int) -> int:
        """Where slot number ``slot`` begins."""
        profile = self.decoder.profile
        return HEADER_BYTES + profile.leaves * LEAF_BYTES + slot * SLOT_BYTES


class Mutator:
    """Changes cases of one profile; draws from ``source``, so that a seed gives the same again."""

    def __init__(self, decoder: Decoder, source: random.Random) -> None:
        self.decoder = decoder
        self.source = source
        opcodes: dict[str, list[int]] = {}
        for code, action in enumerate(decoder.menu):
            opcodes.setdefault(action, []).append(code)
        #: The opcodes of each action: rare operations come as often as others.
        self.opcodes = list(opcodes.values())
        events = [codes for action, codes in opcodes.items() if action and action not in OPS]
        self.events = events or self.opcodes

    def mutated(self, case: FuzzInput, others: Sequence[FuzzInput]) -> FuzzInput:
        """A copy that differs; ``others``: of the same profile, one of them may lend slots."""
        source = self.source
        draft = _Draft(source, bytearray(case.data), source.choice(others).data, self.decoder)
        changes = source.choice(_CHANGES)
        while changes > 0 or draft.data == case.data:
            source.choice(_MUTATIONS)(self, draft)
            changes -= 1
        return FuzzInput(case.profile, bytes(draft.data))


def _opcode(of: Mutator, draft: _Draft) -> None:
    """Another action on the same operands."""
    draft.data[draft.slot()] = draft.source.choice(draft.source.choice(of.opcodes))


def _operand(of: Mutator, draft: _Draft) -> None:
    """Another operand: one of the newest values as often as any."""
    limit = draft.source.choice((_NEAR, 256))
    draft.data[draft.slot() + draft.source.choice((1, 2))] = draft.source.randrange(limit)


def _extra(of: Mutator, draft: _Draft) -> None:
    """Other attributes, or another gradient."""
    draft.data[draft.slot() + SLOT_BYTES - 1] = draft.source.randrange(256)


def _zero(of: Mutator, draft: _Draft) -> None:
    """A slot that is its operand."""
    place = draft.slot()
    draft.data[place : place + SLOT_BYTES] = bytes(SLOT_BYTES)


def _swap(of: Mutator, draft: _Draft) -> None:
    """Two slots in each other's place."""
    a, b, data = draft.slot(), draft.slot(), draft.data
    data[a : a + SLOT_BYTES], data[b : b + SLOT_BYTES] = (
        data[b : b + SLOT_BYTES],
        data[a : a + SLOT_BYTES],
    )


def _insert(of: Mutator, draft: _Draft) -> None:
    """A new slot; those behind it move on, the last one falls out."""
    place, size = draft.slot(), len(draft.data)
    code = draft.source.choice(draft.source.choice(of.opcodes))
    draft.data[place:place] = bytes([code]) + draft.source.randbytes(SLOT_BYTES - 1)
    del draft.data[size:]


def _cross(of: Mutator, draft: _Draft) -> None:
    """A range of slots of the other case, at the same place."""
    first, last = sorted((draft.slot(), draft.slot()))
    draft.data[first : last + SLOT_BYTES] = draft.other[first : last + SLOT_BYTES]


def _append(of: Mutator, draft: _Draft) -> None:
    """Events at the end."""
    slots = draft.decoder.profile.slots
    for slot in range(slots - draft.source.randint(1, _LAST), slots):
        place = draft.place(slot)
        code = draft.source.choice(draft.source.choice(of.events))
        draft.data[place : place + SLOT_BYTES] = bytes([code]) + draft.source.randbytes(
            SLOT_BYTES - 1
        )


def _leaf(of: Mutator, draft: _Draft) -> None:
    """Another shape, other values, or another header."""
    draft.data[draft.source.randrange(draft.place(0))] = draft.source.randrange(256)


#: Each comes equally often.
_MUTATIONS: tuple[Callable[[Mutator, _Draft], None], ...] = (
    *(_opcode, _operand, _extra, _zero, _swap, _insert, _cross, _append, _leaf),
)
