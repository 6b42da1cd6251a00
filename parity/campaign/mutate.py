"""Structure-aware mutations of kept inputs, by the format of ``generate.decoder``.

A program is a header, leaves and slots of fixed lengths, and every byte is valid at every
position. So a change of one slot is a small change of the program.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

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
        draft = Draft(self, bytearray(one.data), self.source.choice(others).data)
        changes = self.source.choice(_CHANGES)
        while changes > 0 or draft.data == one.data:
            self.source.choice(MUTATIONS)(draft)
            changes -= 1
        return FuzzInput(one.profile, bytes(draft.data))


class Draft:
    """Bytes under mutation: ``data`` of an input, ``other`` of one with the same profile."""

    def __init__(self, mutator: Mutator, data: bytearray, other: bytes) -> None:
        self.mutator = mutator
        self.source = mutator.source
        self.slots = mutator.decoder.profile.slots
        #: The offset of the first slot.
        self.start = HEADER_BYTES + mutator.decoder.profile.leaves * LEAF_BYTES
        self.data = data
        self.other = other

    def _slot(self) -> int:
        """The offset of a random slot."""
        return self.start + self.source.randrange(self.slots) * SLOT_BYTES

    def _code(self, actions: list[list[int]]) -> int:
        return self.source.choice(self.source.choice(actions))

    def opcode(self) -> None:
        """Another action on the same operands."""
        self.data[self._slot()] = self._code(self.mutator.opcodes)

    def operand(self) -> None:
        """Another operand: half of the time one of the newest values."""
        limit = self.source.choice((_NEAR, 256))
        self.data[self._slot() + self.source.choice((1, 2))] = self.source.randrange(limit)

    def extra(self) -> None:
        """Other attributes, or another gradient."""
        self.data[self._slot() + SLOT_BYTES - 1] = self.source.randrange(256)

    def zero(self) -> None:
        """A slot of zeros, which adds no statement."""
        offset = self._slot()
        self.data[offset : offset + SLOT_BYTES] = bytes(SLOT_BYTES)

    def swap(self) -> None:
        """Two slots swapped."""
        a, b = self._slot(), self._slot()
        one, other = slice(a, a + SLOT_BYTES), slice(b, b + SLOT_BYTES)
        self.data[one], self.data[other] = self.data[other], self.data[one]

    def insert(self) -> None:
        """A new slot; later ones move by one, and the last is dropped."""
        offset = self._slot()
        code = self._code(self.mutator.opcodes)
        self.data[offset:offset] = bytes([code]) + self.source.randbytes(SLOT_BYTES - 1)
        del self.data[-SLOT_BYTES:]

    def cross(self) -> None:
        """A range of slots of the other input, at the same offset."""
        first, last = sorted((self._slot(), self._slot()))
        self.data[first : last + SLOT_BYTES] = self.other[first : last + SLOT_BYTES]

    def append(self) -> None:
        """Events at the end."""
        count = self.source.randint(1, _LAST)
        for offset in range(len(self.data) - count * SLOT_BYTES, len(self.data), SLOT_BYTES):
            event = bytes([self._code(self.mutator.events)])
            self.data[offset : offset + SLOT_BYTES] = event + self.source.randbytes(SLOT_BYTES - 1)

    def leaf(self) -> None:
        """Another shape, other values, or another header."""
        self.data[self.source.randrange(self.start)] = self.source.randrange(256)


#: All are equally frequent.
MUTATIONS: tuple[Callable[[Draft], None], ...] = (
    *(Draft.opcode, Draft.operand, Draft.extra, Draft.zero, Draft.swap, Draft.insert),
    *(Draft.cross, Draft.append, Draft.leaf),
)
