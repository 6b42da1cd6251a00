"""Changes of kept cases: each does what it says, at every place, and all come equally often."""

from __future__ import annotations

import inspect
import itertools
import random
from collections import Counter
from typing import Any

import pytest

from parity.campaign import mutate
from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.mutate import Draft, Mutator
from parity.generate.profiles import HEADER_BYTES, LEAF_BYTES, PROFILES, SLOT_BYTES
from tests.helpers.programs import DEZERO

READER = Reader(DEZERO)
GENERAL = PROFILES["general"]
START = HEADER_BYTES + GENERAL.leaves * LEAF_BYTES
EVERY_SLOT = set(range(GENERAL.slots))
MENU = READER.decoders["general"].menu
#: Seeds enough for each place and each byte value that is asked for.
SEEDS = range(400)


def changed(change: Any, seed: int, profile: str = "general") -> tuple[bytes, bytes, bytes]:
    """Bytes before and after one change, and those of the other case."""
    source = random.Random(seed)
    before, other = (source.randbytes(PROFILES[profile].size) for _ in range(2))
    decoder = READER.decoders[profile]
    draft = Draft(Mutator(decoder, source), bytearray(before), other)
    change(draft)
    return before, bytes(draft.data), other


def slots(data: bytes, profile: str = "general") -> list[bytes]:
    start = HEADER_BYTES + PROFILES[profile].leaves * LEAF_BYTES
    return [data[i : i + SLOT_BYTES] for i in range(start, len(data), SLOT_BYTES)]


def differing(before: bytes, after: bytes) -> list[int]:
    """The places of the bytes that changed."""
    return [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]


def differing_slots(before: bytes, after: bytes) -> list[int]:
    """The numbers of the slots that changed."""
    pairs = zip(slots(before), slots(after), strict=True)
    return [i for i, (a, b) in enumerate(pairs) if a != b]


def rare(codes: list[int]) -> float:
    """The share of actions that have one opcode only."""
    several = Counter(MENU)
    return sum(several[MENU[code]] == 1 for code in codes) / len(codes)


#: The share of such actions where all come equally often; by opcodes it is a third of that.
RARE = sum(n == 1 for n in Counter(MENU).values()) / len(set(MENU))


@pytest.mark.parametrize("change", mutate.MUTATIONS, ids=lambda change: change.__name__)
def test_every_change_keeps_the_length_and_gives_a_program(change: Any) -> None:
    different = 0
    for profile, seed in itertools.product(("general", "twins", "curvature"), range(20)):
        before, after, _ = changed(change, seed, profile)
        assert len(after) == len(before)
        READER.program(FuzzInput(profile, after)).validate()
        different += after != before
    assert different > 45


@pytest.mark.parametrize(
    ("change", "places"),
    [(Draft.opcode, {0}), (Draft.operand, {1, 2}), (Draft.extra, {3})],
    ids=lambda x: getattr(x, "__name__", ""),
)
def test_a_change_of_a_slot_is_of_one_byte_of_any_slot(change: Any, places: set[int]) -> None:
    found = set()
    for seed in SEEDS:
        before, after, _ = changed(change, seed)
        several = differing(before, after)
        assert len(several) <= 1
        assert all(i >= START for i in several)
        found |= {divmod(i - START, SLOT_BYTES) for i in several}
    assert found == set(itertools.product(EVERY_SLOT, places))


def test_rare_actions_come_as_often_as_others() -> None:
    mutator = Mutator(READER.decoders["general"], random.Random(0))
    assert [len({MENU[code] for code in codes}) for codes in mutator.opcodes] == [1] * len(
        set(MENU)
    )
    assert sum(map(len, mutator.opcodes)) == len(MENU)
    drawn: dict[Any, list[int]] = {Draft.opcode: [], Draft.insert: []}
    for change, seed in itertools.product(drawn, SEEDS):
        before, after, _ = changed(change, seed)
        drawn[change] += [slots(after)[i][0] for i in differing_slots(before, after)[:1]]
    assert all(0.7 * RARE < rare(codes) < 1.3 * RARE for codes in drawn.values())


def test_half_of_the_operands_are_of_the_newest_values_and_attributes_are_any() -> None:
    new: dict[Any, list[int]] = {Draft.operand: [], Draft.extra: []}
    for change, seed in itertools.product(new, SEEDS):
        before, after, _ = changed(change, seed)
        new[change] += [after[i] for i in differing(before, after)]
    near = sum(byte < 4 for byte in new[Draft.operand])
    assert 0.4 < near / len(new[Draft.operand]) < 0.6
    assert max(new[Draft.operand]) > 250
    assert len(set(new[Draft.extra])) > 150


def test_a_slot_is_zeroed_and_two_are_swapped() -> None:
    zeroed: set[int] = set()
    swapped: set[int] = set()
    for seed in SEEDS:
        before, after, _ = changed(Draft.zero, seed)
        (place,) = differing_slots(before, after)
        assert slots(after)[place] == bytes(SLOT_BYTES)
        zeroed.add(place)
        before, after, _ = changed(Draft.swap, seed)
        places = differing_slots(before, after)
        assert len(places) in (0, 2)
        assert [slots(after)[i] for i in places] == [slots(before)[i] for i in reversed(places)]
        swapped |= set(places)
    assert zeroed == swapped == EVERY_SLOT


def test_a_slot_is_inserted_and_those_behind_it_move_on() -> None:
    inserted = set()
    for seed in SEEDS:
        before, after, _ = changed(Draft.insert, seed)
        place = differing_slots(before, after)[0]
        rest = slots(after)
        new = rest.pop(place)
        assert before[:START] == after[:START]
        assert rest == slots(before)[:-1]
        assert any(new[1:])
        inserted.add(place)
    assert inserted == EVERY_SLOT


def test_slots_side_by_side_come_from_the_other_case() -> None:
    ranges = set()
    for seed in SEEDS:
        before, after, other = changed(Draft.cross, seed)
        places = differing_slots(before, after)
        first, last = places[0], places[-1]
        assert places == list(range(first, last + 1))
        assert slots(after)[first : last + 1] == slots(other)[first : last + 1]
        assert before[:START] == after[:START]
        ranges.add((first, last))
    assert {first for first, _ in ranges} == {last for _, last in ranges} == EVERY_SLOT
    assert len({last - first for first, last in ranges}) > 6


def test_one_to_three_events_come_at_the_end() -> None:
    lengths: set[int] = set()
    actions = set()
    for seed in SEEDS:
        before, after, _ = changed(Draft.append, seed)
        places = differing_slots(before, after)
        assert places == list(range(places[0], GENERAL.slots))
        new = [slots(after)[i] for i in places]
        assert any(any(slot[1:]) for slot in new)
        actions |= {MENU[slot[0]] for slot in new}
        lengths.add(len(places))
    assert lengths == {1, 2, 3}
    assert actions == set(READER.decoders["general"].events) & set(MENU) != set()


def test_a_byte_of_the_header_or_of_a_leaf_changes() -> None:
    places = set()
    new = set()
    for seed in SEEDS:
        before, after, _ = changed(Draft.leaf, seed)
        several = differing(before, after)
        assert len(several) <= 1
        places |= set(several)
        new |= {after[i] for i in several}
    assert places == set(range(START))
    assert len(new) > 150


# Mutations.


class Recorder:
    """In the place of the changes: notes what it is given, and changes a byte."""

    def __init__(self, idle: int = 0) -> None:
        self.idle = idle
        self.calls = 0
        self.others: set[bytes] = set()

    def __call__(self, draft: Any) -> None:
        self.calls += 1
        self.others.add(draft.other)
        if self.calls > self.idle:
            draft.data[self.calls % len(draft.data)] ^= 1


def case(seed: int) -> FuzzInput:
    return FuzzInput("general", random.Random(seed).randbytes(GENERAL.size))


def test_mutations_draw_each_change_that_there_is_equally_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes = {f for name, f in vars(Draft).items() if inspect.isfunction(f) and name[0] != "_"}
    assert len(mutate.MUTATIONS) == len(changes)
    assert set(mutate.MUTATIONS) == changes
    recorders = tuple(Recorder() for _ in range(3))
    monkeypatch.setattr(mutate, "MUTATIONS", recorders)
    mutator = Mutator(READER.decoders["general"], random.Random(0))
    for _ in range(150):
        mutator.mutated(case(0), [case(0)])
    calls = [recorder.calls for recorder in recorders]
    assert all(0.8 < 3 * n / sum(calls) < 1.2 for n in calls)


def test_mutations_are_of_one_to_four_changes_mostly_one_or_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts: Counter[int] = Counter()
    mutator = Mutator(READER.decoders["general"], random.Random(0))
    for _ in SEEDS:
        recorder = Recorder()
        monkeypatch.setattr(mutate, "MUTATIONS", (recorder,))
        mutator.mutated(case(0), [case(0)])
        counts[recorder.calls] += 1
    assert set(counts) == {1, 2, 3, 4}
    assert counts[1] > counts[2] > counts[3] + 20
    assert counts[1] + counts[2] > 0.6 * counts.total()


def test_a_mutation_lends_from_all_others_and_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [case(n) for n in range(5)]
    mutator = Mutator(READER.decoders["general"], random.Random(0))
    recorder = Recorder(idle=20)
    monkeypatch.setattr(mutate, "MUTATIONS", (recorder,))
    first = mutator.mutated(others[0], others)
    assert recorder.calls == 21
    assert first.profile == "general"
    assert len(differing(others[0].data, first.data)) == 1
    for _ in range(40):
        mutator.mutated(others[0], others)
    assert recorder.others == {other.data for other in others}
