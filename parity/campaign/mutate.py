"""Structure-aware mutations of kept inputs, by the format of ``generate.decoder``.

A program is a header, leaves and slots of fixed lengths, and every byte is valid at every
position. So a change of one slot is a small change of the program.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from parity.campaign.cases import FuzzInput
from parity.generate.decoder import Decoder
from parity.generate.profiles import HEADER_BYTES, LEAF_BYTES, SLOT_BYTES
from parity.language.table import OPS

#: Numbers of changes of a mutation: mostly one or two.
_CHANGES = (1, 1, 1, 2, 2, 3, 4)
#: The most slots at the end that are replaced by events.
_LAST = 3
#: Operands nearer than this are drawn half of the time: small bytes name the newest values.
_NEAR = 4


@dataclass
class _Draft:
    """Bytes under mutation: ``data`` of an input, ``other`` of one with the same profile."""

    source: random.Random
    data: bytearray
    other: bytes
    decoder: Decoder

    def slot(self) -> int:
        """The offset of a random slot."""
        return self.offset(self.source.randrange(self.decoder.profile.slots))

    def offset(self, slot: int) -> int:
        """The offset of slot number ``slot``."""
        profile = self.decoder.profile
        return HEADER_BYTES + profile.leaves * LEAF_BYTES + slot * SLOT_BYTES


class Mutator:
    """Mutates inputs of one profile, with random choices from ``source``."""

    def __init__(self, decoder: Decoder, source: random.Random) -> None:
        self.decoder = decoder
        self.source = source
        opcodes: dict[str, list[int]] = {}
        for code, action in enumerate(decoder.menu):
            opcodes.setdefault(action, []).append(code)
        #: The opcodes of each action, so that all operations are equally frequent.
        self.opcodes = list(opcodes.values())
        events = [codes for action, codes in opcodes.items() if action and action not in OPS]
        self.events = events or self.opcodes

    def mutated(self, one: FuzzInput, others: Sequence[FuzzInput]) -> FuzzInput:
        """A mutated copy; ``others``: inputs of the same profile, for crossover."""
        source = self.source
        draft = _Draft(source, bytearray(one.data), source.choice(others).data, self.decoder)
        changes = source.choice(_CHANGES)
        while changes > 0 or draft.data == one.data:
            source.choice(_MUTATIONS)(self, draft)
            changes -= 1
        return FuzzInput(one.profile, bytes(draft.data))


def _opcode(mutator: Mutator, draft: _Draft) -> None:
    """Another action on the same operands."""
    draft.data[draft.slot()] = draft.source.choice(draft.source.choice(mutator.opcodes))


def _operand(mutator: Mutator, draft: _Draft) -> None:
    """Another operand: half of the time one of the newest values."""
    limit = draft.source.choice((_NEAR, 256))
    draft.data[draft.slot() + draft.source.choice((1, 2))] = draft.source.randrange(limit)


def _extra(mutator: Mutator, draft: _Draft) -> None:
    """Other attributes, or another gradient."""
    draft.data[draft.slot() + SLOT_BYTES - 1] = draft.source.randrange(256)


def _zero(mutator: Mutator, draft: _Draft) -> None:
    """A slot of zeros, which adds no statement."""
    offset = draft.slot()
    draft.data[offset : offset + SLOT_BYTES] = bytes(SLOT_BYTES)


def _swap(mutator: Mutator, draft: _Draft) -> None:
    """Two slots swapped."""
    a, b, data = draft.slot(), draft.slot(), draft.data
    data[a : a + SLOT_BYTES], data[b : b + SLOT_BYTES] = (
        data[b : b + SLOT_BYTES],
        data[a : a + SLOT_BYTES],
    )


def _insert(mutator: Mutator, draft: _Draft) -> None:
    """A new slot; later ones move by one, and the last is dropped."""
    offset, size = draft.slot(), len(draft.data)
    code = draft.source.choice(draft.source.choice(mutator.opcodes))
    draft.data[offset:offset] = bytes([code]) + draft.source.randbytes(SLOT_BYTES - 1)
    del draft.data[size:]


def _cross(mutator: Mutator, draft: _Draft) -> None:
    """A range of slots of the other input, at the same offset."""
    first, last = sorted((draft.slot(), draft.slot()))
    draft.data[first : last + SLOT_BYTES] = draft.other[first : last + SLOT_BYTES]


def _append(mutator: Mutator, draft: _Draft) -> None:
    """Events at the end."""
    slots = draft.decoder.profile.slots
    for slot in range(slots - draft.source.randint(1, _LAST), slots):
        offset = draft.offset(slot)
        code = draft.source.choice(draft.source.choice(mutator.events))
        draft.data[offset : offset + SLOT_BYTES] = bytes([code]) + draft.source.randbytes(
            SLOT_BYTES - 1
        )


def _leaf(mutator: Mutator, draft: _Draft) -> None:
    """Another shape, other values, or another header."""
    draft.data[draft.source.randrange(draft.offset(0))] = draft.source.randrange(256)


#: All are equally frequent.
_MUTATIONS: tuple[Callable[[Mutator, _Draft], None], ...] = (
    *(_opcode, _operand, _extra, _zero, _swap, _insert, _cross, _append, _leaf),
)
