"""From bytes to programs: valid for every engine, the same each time, and telling."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parity.diagnose.defects.engine import TapeEngine
from parity.engines.base import CONSTANTS, Engine, abilities
from parity.engines.execute import execute, owns_buffer
from parity.engines.quirks.table import with_quirks
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import ROTATION
from parity.generate.strategies import programs
from parity.language import program as pr
from parity.language.shapes import size
from parity.language.table import OPS, with_rules
from tests.generate.test_features import _features
from tests.helpers.programs import DEZERO, TORCH, sample, steady


class Few(TapeEngine):
    """Two operations."""

    name = "few"

    def __init__(self) -> None:
        super().__init__()
        self.ops = {name: self.ops[name] for name in ("add", "exp")}


class Bare(Engine):
    """The required methods alone; its gradients are copies."""

    name = "bare"
    ops = TapeEngine().ops
    value = TapeEngine.value

    def leaf(self, array: Any) -> Any:
        return TapeEngine().leaf(array)

    def grad(self, t: Any) -> Any:
        return None if t.grad is None else t.grad.copy()

    def backward(self, t: Any, gradient: Any = None, **flags: bool) -> None:
        TapeEngine().backward(t, gradient, **flags)


class Scalars(TapeEngine):
    name = "scalars"
    max_ndim = 0


class Vectors(type(DEZERO)):
    name = "vectors"
    max_ndim = 1


class Wide(TapeEngine):
    name = "wide"
    dtypes = ("float64",)


class Narrow(TapeEngine):
    name = "narrow"
    dtypes = ("float32",)


ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        DEZERO,
        TORCH,
        TapeEngine(),
        Few(),
        Bare(),
        Scalars(),
        Vectors(),
        Wide(),
        Narrow(),
    )
}
LIKE_DEZERO = with_quirks(TORCH, DEZERO.quirks)
#: What a statement needs of an engine.
NEEDS: dict[type[Any], str] = {
    pr.Clear: "clear_grad",
    pr.Zero: "zero_grad",
    pr.Detach: "detach",
    pr.TakeGrad: "grad_tensor",
}


def _lacking(case: pr.Program, engine: Engine) -> list[str]:
    """What a program uses and an engine does not have."""
    able = abilities(engine)
    lacking = []
    for s in case.statements:
        if isinstance(s, pr.Apply):
            lacking += [] if s.op in engine.ops else [s.op]
            lacking += ["no_grad"] if s.no_grad and "no_grad" not in able else []
        elif NEEDS.get(type(s), "") not in able | {""}:
            lacking.append(NEEDS[type(s)])
        elif isinstance(s, pr.Backward) and s.create_graph and "grad_tensor" not in able:
            lacking.append("create_graph")
        elif isinstance(s, pr.ChangeGrad) and not owns_buffer(engine):
            lacking.append("buffer")
    constants = [leaf for leaf in case.leaves if not leaf.requires_grad]
    lacking += [CONSTANTS] if constants and CONSTANTS not in able else []
    infos = case.infos
    lacking += [info.dtype for info in infos if info.dtype not in engine.dtypes]
    return lacking


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_byte_string_is_a_valid_program_that_the_engine_can_run(
    profile: str, engine: str
) -> None:
    decoder = Decoder.of(PROFILES[profile], ENGINES[engine])

    @steady(8)
    @given(st.binary(min_size=PROFILES[profile].size, max_size=PROFILES[profile].size))
    def valid(data: bytes) -> None:
        case = decoder.decode(data)
        case.validate()
        assert _lacking(case, ENGINES[engine]) == []
        assert case == decoder.decode(data)

    valid()


@pytest.mark.parametrize("profile", PROFILES)
def test_uniform_byte_strings_are_valid_programs(profile: str) -> None:
    decoder = Decoder.of(PROFILES[profile], DEZERO)
    for byte in range(256):
        decoder.decode(bytes([byte]) * PROFILES[profile].size).validate()


@pytest.mark.parametrize(("engine", "limit"), [("scalars", 0), ("vectors", 1)])
def test_no_value_has_more_dimensions_than_the_engine_takes(engine: str, limit: int) -> None:
    for profile in PROFILES:
        for case in sample(profile, 60, ENGINES[engine]):
            assert max(len(info.shape) for info in case.infos) <= limit, str(case)


@pytest.mark.parametrize("profile", PROFILES)
def test_values_are_no_larger_than_the_profile_says(profile: str) -> None:
    for case in sample(profile, 100):
        assert max(size(info.shape) for info in case.infos) <= PROFILES[profile].max_size


@pytest.mark.parametrize("engine", [DEZERO, TapeEngine()], ids=lambda e: e.name)
@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {"errors", "freed-graph"}))
def test_pytorch_accepts_what_is_not_meant_as_a_mistake(profile: str, engine: Engine) -> None:
    for case in sample(profile, 100, engine):
        failure = execute(case, with_quirks(TORCH, engine.quirks)).failure
        assert failure is None, f"{failure.text()}\n{case!s}"


def _unseeded(case: pr.Program) -> list[pr.Backward]:
    """The backwards from several elements, or from none, that have no gradient."""
    infos = case.infos
    backwards = [s for s in case.statements if isinstance(s, pr.Backward)]
    return [s for s in backwards if s.gradient is None and size(infos[s.value].shape) != 1]


def test_roots_of_any_shape_without_a_gradient_are_for_engines_that_seed_them() -> None:
    assert sum(bool(_unseeded(case)) for case in sample("general", 400)) >= 20
    for case in sample("general", 400, TapeEngine()):
        assert not _unseeded(case)


@pytest.mark.parametrize(("profile", "share"), [("errors", 0.9), ("freed-graph", 0.3)])
def test_mistakes_are_refused_by_pytorch_in_the_last_statement(profile: str, share: float) -> None:
    cases = sample(profile, 200)
    failures = [(case, execute(case, LIKE_DEZERO).failure) for case in cases]
    refused = [(case, failure) for case, failure in failures if failure is not None]
    assert len(refused) >= share * len(cases)
    assert {failure.statement - len(case.statements) for case, failure in refused} == {-1}


def test_mistakes_are_of_every_kind() -> None:
    texts = Counter(
        failure.text()
        for case in sample("errors", 400)
        if (failure := execute(case, LIKE_DEZERO).failure)
    )
    for words in ("second time", "Mismatch in shape", "does not require grad"):
        assert sum(n for text, n in texts.items() if words in text) >= 10


@pytest.mark.parametrize("profile", PROFILES)
def test_the_same_seed_gives_the_same_programs(profile: str) -> None:
    assert sample(profile, 40, seed=3) == sample(profile, 40, seed=3)


@pytest.mark.parametrize("profile", PROFILES)
def test_another_seed_gives_other_programs(profile: str) -> None:
    first, second = set(sample(profile, 40, seed=3)), set(sample(profile, 40, seed=4))
    assert len(first & second) <= 2


def test_profiles_with_the_same_seed_differ() -> None:
    assert sample("general", 1, seed=3) != sample("cleargrad", 1, seed=3)


@pytest.mark.parametrize("profile", PROFILES)
def test_zero_bytes_give_the_smallest_program(profile: str) -> None:
    case = Decoder.of(PROFILES[profile], DEZERO).decode(bytes(PROFILES[profile].size))
    (leaf,) = case.leaves
    assert leaf.shape == ()
    assert leaf.dtype == ("float32" if PROFILES[profile].narrow == 8 else "float64")
    others = sample(profile, 200)
    assert len(case.statements) <= min(len(other.statements) for other in others)
    assert len(case.statements) <= 5


def test_zero_bytes_give_a_leaf_and_a_backward() -> None:
    case = Decoder.of(PROFILES["gradients"], DEZERO).decode(bytes(PROFILES["gradients"].size))
    assert str(case) == "x0 = leaf(3.0)\nbackward(x0)"


@pytest.mark.parametrize("slot", range(PROFILES["gradients"].slots))
def test_one_slot_gives_one_operation_on_the_newest_value(slot: int) -> None:
    profile = PROFILES["gradients"]
    data = bytearray(profile.size)
    data[-4 * (profile.slots - slot)] = 20
    case = Decoder.of(profile, DEZERO).decode(bytes(data))
    assert str(case) == "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x1)"


def test_the_strategy_gives_several_programs_an_example() -> None:
    decoder = Decoder.of(PROFILES["general"], DEZERO)
    seen: list[list[pr.Program]] = []

    @steady(20)
    @given(programs(decoder, 5))
    def run(several: list[pr.Program]) -> None:
        seen.append(several)

    run()
    assert {len(several) for several in seen} == {5}
    assert len({case for several in seen for case in several}) > 50


# What an engine lacks.


@pytest.mark.parametrize("profile", PROFILES)
def test_missing_operations_and_abilities_are_listed_as_untested(profile: str) -> None:
    wanted = set(PROFILES[profile].ops or with_rules())
    untested = Decoder.of(PROFILES[profile], ENGINES["few"]).untested
    assert wanted - {"add", "exp"} <= set(untested)
    assert not {"add", "exp"} & set(untested)
    assert len(untested) == len(set(untested))


@pytest.mark.parametrize(
    ("profile", "missing"),
    [
        ("cleargrad", {"clear_grad"}),
        ("zero", {"zero_grad"}),
        ("detach", {"detach"}),
        ("no-grad", {"no_grad"}),
        ("second-order", {"grad_tensor"}),
        ("aliasing", {"buffer", "zero_grad"}),
        ("general", {"clear_grad", "zero_grad", "detach", "no_grad", "buffer"}),
        ("gradients", set()),
    ],
)
def test_missing_ability_is_listed_where_the_profile_asks_for_it(
    profile: str, missing: set[str]
) -> None:
    untested = Decoder.of(PROFILES[profile], ENGINES["bare"]).untested
    assert set(untested) - set(OPS) == {*missing, CONSTANTS}


@pytest.mark.parametrize("profile", PROFILES)
def test_an_engine_with_everything_leaves_nothing_untested(profile: str) -> None:
    assert Decoder.of(PROFILES[profile], DEZERO).untested == ()


@pytest.mark.parametrize("op", with_rules())
def test_every_operation_occurs(op: str) -> None:
    assert _features(ROTATION, 2800)[f"operation {op}"] >= 5
