"""Programs of operations without rules: every byte string is one, on numbers of the domains."""

from __future__ import annotations

import functools
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.engines.adapters.torch import Torch
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.rows import FOLLOWING
from parity.generate.schedule import ROTATION, decoders_of, rotation
from parity.language import program as pr
from parity.language.table import OPS, with_rules
from tests.helpers.programs import DEZERO, TORCH, sample, steady

SIZE = PROFILES["rows"].size
DECODER = Decoder.of(PROFILES["rows"], TORCH)


class Two(Torch):
    """Two operations without rules, and a few others; up to two dimensions of float32."""

    name = "two"
    dtypes = ("float32",)
    max_ndim = 2
    bitwise = False

    def __init__(self) -> None:
        super().__init__()
        names = ("add", "mul", "sum", "cumprod", "lerp")
        self.ops = {name: self.ops[name] for name in names}  # type: ignore[misc]

    def leaf(self, array: object) -> object:  # type: ignore[override]
        return super().leaf(array)

    grad_tensor = Engine.grad_tensor  # type: ignore[assignment]


@functools.cache
def programs() -> list[pr.Program]:
    return sample("rows", 400, TORCH)


def applied(case: pr.Program) -> list[pr.Apply]:
    return [s for s in case.statements if isinstance(s, pr.Apply)]


@steady(60)
@given(st.binary(min_size=SIZE, max_size=SIZE))
def test_every_byte_string_is_a_valid_program(data: bytes) -> None:
    case = DECODER.decode(data)
    case.validate()
    assert DECODER.decode(data) == case


@pytest.mark.parametrize("byte", [0, 1, 127, 128, 254, 255])
def test_uniform_bytes_are_valid_programs(byte: int) -> None:
    DECODER.decode(bytes([byte]) * SIZE).validate()
    Decoder.of(PROFILES["rows"], Two()).decode(bytes([byte]) * SIZE).validate()


def test_pytorch_computes_every_program() -> None:
    for case in programs()[:150]:
        trace = execute(case, TORCH)
        assert trace.failure is None or trace.unsupported == "some second derivatives", case
        assert not [o for o in trace.observations if o.what == "value" and o.array is None]


def test_operands_lie_in_the_domains() -> None:
    seen = 0
    for case in programs():
        trace = execute(case, TORCH)
        values = {o.which: o.array for o in trace.observations if o.what == "value"}
        values.update({i: leaf.array() for i, leaf in enumerate(case.leaves)})
        for s in applied(case):
            op = OPS[s.op]
            if not op.has_rules and values.keys() >= set(s.inputs):
                seen += 1
                domains = op.domains(len(s.inputs))
                for domain, i in zip(domains, s.inputs, strict=True):
                    assert domain.contains(values[i]), (case, s)
    assert seen > 300


def test_most_programs_have_an_operation_without_rules() -> None:
    empty = [case for case in programs() if not applied(case)]
    assert len(empty) < 20
    names = {s.op for case in programs() for s in applied(case)}
    assert len({name for name in names if not OPS[name].has_rules}) > 200
    assert names >= set(FOLLOWING)


def test_second_order_reuse_constants_and_later_operations_occur() -> None:
    seen: Counter[str] = Counter()
    for case in programs():
        seen["second order"] += any(isinstance(s, pr.TakeGrad) for s in case.statements)
        seen["several"] += len(applied(case)) > 1
        uses = Counter(i for s in applied(case) for i in s.inputs)
        seen["reuse"] += max(uses.values(), default=0) > 1
        first = applied(case)[:1]
        seen["same operand"] += any(len(set(s.inputs)) < len(s.inputs) for s in first)
        seen["constant"] += not all(leaf.requires_grad for leaf in case.leaves)
        seen["float32"] += any(leaf.dtype == "float32" for leaf in case.leaves)
        seen["two backwards"] += sum(isinstance(s, pr.Backward) for s in case.statements) > 1
    assert min(seen.values()) >= 5, seen
    assert len(seen) == 7


def test_programs_fit_the_engine() -> None:
    for case in sample("rows", 60, Two()):
        assert {s.op for s in applied(case)} <= {"add", "mul", "sum", "cumprod", "lerp"}
        assert all(len(info.shape) <= 2 for info in case.infos)
        assert {info.dtype for info in case.infos} == {"float32"}
        assert all(leaf.requires_grad for leaf in case.leaves)
        assert not any(isinstance(s, pr.TakeGrad) for s in case.statements)
    used = {s.op for case in sample("rows", 60, Two()) for s in applied(case)}
    assert {"cumprod", "lerp"} <= used


def test_an_engine_without_such_operations_gets_no_operations() -> None:
    data = random.Random(0).randbytes(SIZE)
    case = Decoder.of(PROFILES["rows"], DEZERO).decode(data)
    assert case.statements == ()


def test_rows_take_every_second_turn_where_an_engine_has_some() -> None:
    assert rotation(Two())[1::2] == ("rows",) * len(ROTATION)
    assert rotation(Two())[::2] == ROTATION
    assert "rows" not in rotation(DEZERO)


@pytest.mark.parametrize(
    ("ops", "rows", "others"),
    [
        (("cumprod",), True, False),
        (("add", "mul"), False, True),
        (("add", "cumprod"), True, True),
    ],
)
def test_operations_that_are_asked_for(ops: tuple[str, ...], rows: bool, others: bool) -> None:
    profiles = {d.profile.name for d in decoders_of(Two(), ops)}
    assert ("rows" in profiles, bool(profiles - {"rows"})) == (rows, others)
    for decoder in decoders_of(Two(), ops):
        source = random.Random(1)
        for _ in range(5):
            case = decoder.decode(source.randbytes(decoder.profile.size))
            assert {s.op for s in applied(case)} <= {*ops, "broadcast_to", "reshape"}


def test_no_profile_with_rules_has_operations_without() -> None:
    for name in dict.fromkeys(ROTATION):
        decoder = Decoder.of(PROFILES[name], TORCH)
        assert decoder.ops <= set(with_rules())
        assert set(decoder.rows).isdisjoint(with_rules())
