"""From bytes to programs: valid for every engine, the same each time, and telling."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
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
from parity.language.table import OPS
from tests.helpers.programs import DEZERO, TORCH, sample, searched, steady


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
    wanted = set(PROFILES[profile].ops or OPS)
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


@pytest.mark.parametrize("op", OPS)
def test_every_operation_occurs(op: str) -> None:
    assert _features(ROTATION, 2800)[f"operation {op}"] >= 5


# How often programs reach what hides faults, counted over a fixed sweep.


def _operand_features(case: pr.Program, infos: list[pr.Info]) -> Iterator[str]:
    uses = Counter(i for s in case.statements if isinstance(s, pr.Apply) for i in s.inputs)
    most = max(uses.values(), default=0)
    yield from (f"a value used {n} times" for n in (2, 3, 5) if most >= n)
    for s in case.statements:
        if not isinstance(s, pr.Apply):
            continue
        yield f"operation {s.op}"
        if s.no_grad:
            yield "no_grad"
        if s.op == "get_item":
            for item in dict(s.attrs)["index"]:
                if isinstance(item, tuple) and item[0] == "list":
                    yield "empty index" if not item[1] else "index list"
                    if len(set(item[1])) < len(item[1]):
                        yield "repeated index"
        if len(s.inputs) != 2:
            continue
        left, right = (infos[i].shape for i in s.inputs)
        if s.inputs[0] == s.inputs[1]:
            yield "same value as both operands"
            yield f"same value as both operands of {s.op}"
        if s.op == "matmul" and left == right and len(left) == 2:
            yield "product of square matrices"
        if s.op not in ("matmul", "concat"):
            small = [(len(shape), size(shape)) for shape in (left, right)]
            if small[0] != small[1]:
                yield "smaller operand on the " + ("left" if small[0] < small[1] else "right")


def _ancestors(case: pr.Program) -> list[dict[int, set[int]]]:
    """For each value those behind it, with the lengths of the paths."""
    behind: list[dict[int, set[int]]] = [{i: {0}} for i in range(len(case.leaves))]
    for s, defined in zip(case.statements, case.defined, strict=True):
        lengths: dict[int, set[int]] = {}
        for i in s.inputs if isinstance(s, pr.Apply) else ():
            for v, found in behind[i].items():
                lengths.setdefault(v, set()).update(n + 1 for n in found)
        behind += [{**lengths, i: {0}} for i in defined]
    return behind


def _graph_features(case: pr.Program, infos: list[pr.Info]) -> Iterator[str]:
    behind = _ancestors(case)
    for s in case.statements:
        if isinstance(s, pr.Apply) and len(s.inputs) == 2 and s.inputs[0] != s.inputs[1]:
            left, right = (behind[i] for i in s.inputs)
            for v in left.keys() & right.keys():
                if min(left[v]) != min(right[v]):
                    shorter = "left" if min(left[v]) < min(right[v]) else "right"
                    yield f"diamond, {shorter} branch shorter"
    read = {i for s in case.statements if not isinstance(s, pr.Drop) for i in pr.operands(s)}
    for s, defined in zip(case.statements, case.defined, strict=True):
        if isinstance(s, pr.Apply) and not read & set(defined):
            yield "dead branch"
        if isinstance(s, pr.Apply) and s.op == "split" and len(defined) > 1:
            used = len(read & set(defined))
            yield "unused output" if used < len(defined) else "all outputs used"
            if used >= 2:
                yield "two outputs used"
    yield from _backward_features(case, behind)


def _backward_features(case: pr.Program, behind: list[dict[int, set[int]]]) -> Iterator[str]:
    backwards = [(n, s) for n, s in enumerate(case.statements) if isinstance(s, pr.Backward)]
    roots = {s.value for _, s in backwards}
    inner = {root: {v for v in behind[root] if v >= len(case.leaves)} for root in roots}
    if len(backwards) > 1:
        yield "several backward calls"
        yield "several roots" if len(roots) > 1 else "one root several times"
    if any(inner[a] & inner[b] for a, b in itertools.combinations(roots, 2)):
        yield "roots that share a part"
    for _, s in backwards:
        yield "gradient" if s.gradient else "no gradient"
        if s.gradient and len(set(s.gradient.values)) > 1:
            yield "gradient that is not uniform"
        if s.create_graph:
            yield "create_graph"
    for n, s in enumerate(case.statements):
        yield type(s).__name__
        if not isinstance(s, (pr.Clear, pr.Zero)):
            continue
        before = [inner[b.value] for k, b in backwards if k < n]
        after = [inner[b.value] for k, b in backwards if k > n]
        if len(s.leaves) < len(case.leaves):
            yield f"{type(s).__name__} of some leaves"
        if before and after:
            yield f"{type(s).__name__} between backward calls"
            if any(a & b for a in after for b in before):
                yield "graph reused after a clear"


def _leaf_features(case: pr.Program, infos: list[pr.Info]) -> Iterator[str]:
    for info in infos:
        if size(info.shape) == 0:
            yield "size 0"
        if info.shape == ():
            yield "0-d"
        if len(info.shape) == 2 and info.shape[0] == info.shape[1] > 1:
            yield "square matrix"
    for a, b in itertools.combinations(case.leaves, 2):
        if a.values and (a.shape, a.values) == (b.shape, b.values):
            yield "distinct leaves with equal values"
    if len({leaf.dtype for leaf in case.leaves}) > 1:
        yield "mixed dtypes"
    if any(leaf.dtype == "float32" for leaf in case.leaves):
        yield "float32"
    if not all(leaf.requires_grad for leaf in case.leaves):
        yield "constant leaf"


_READERS: tuple[Callable[[pr.Program, list[pr.Info]], Iterator[str]], ...] = (
    _operand_features,
    _graph_features,
    _leaf_features,
)


@cache
def _features(profiles: tuple[str, ...], count: int) -> Counter[str]:
    """In how many of ``count`` programs each feature occurs."""
    total: Counter[str] = Counter()
    for case in itertools.islice(searched(DEZERO, 0, profiles), count):
        infos = case.infos
        total.update({feature for reader in _READERS for feature in reader(case, infos)})
    return total


#: The least share of the default rotation's programs that a feature occurs in.
OFTEN = {
    "a value used 2 times": 0.9,
    "a value used 3 times": 0.6,
    "a value used 5 times": 0.3,
    "same value as both operands": 0.3,
    "same value as both operands of sub": 0.05,
    "same value as both operands of div": 0.01,
    "same value as both operands of matmul": 0.02,
    "diamond, left branch shorter": 0.2,
    "diamond, right branch shorter": 0.2,
    "distinct leaves with equal values": 0.01,
    "dead branch": 0.1,
    "unused output": 0.02,
    "two outputs used": 0.01,
    "smaller operand on the left": 0.1,
    "smaller operand on the right": 0.1,
    "square matrix": 0.1,
    "product of square matrices": 0.02,
    "index list": 0.02,
    "repeated index": 0.01,
    "empty index": 0.01,
    "size 0": 0.05,
    "0-d": 0.2,
    "float32": 0.1,
    "mixed dtypes": 0.02,
    "constant leaf": 0.05,
    "several backward calls": 0.2,
    "several roots": 0.1,
    "one root several times": 0.01,
    "roots that share a part": 0.02,
    "gradient": 0.2,
    "no gradient": 0.1,
    "gradient that is not uniform": 0.1,
    "create_graph": 0.02,
    "no_grad": 0.05,
    "graph reused after a clear": 0.01,
    "Clear between backward calls": 0.02,
    "Zero between backward calls": 0.01,
    "Clear of some leaves": 0.01,
    "Zero of some leaves": 0.005,
    "Detach": 0.02,
    "TakeGrad": 0.02,
    "ChangeGrad": 0.02,
    "ChangeGradient": 0.01,
    "Drop": 0.005,
}


@pytest.mark.parametrize("feature", OFTEN)
def test_the_default_programs_reach_often(feature: str) -> None:
    assert _features(ROTATION, 2800)[feature] >= OFTEN[feature] * 2800


#: The same where a profile is about a feature.
OF_PROFILE = {
    ("multi-output", "two outputs used"): 0.2,
    ("multi-output", "unused output"): 0.1,
    ("multi-output", "repeated index"): 0.05,
    ("cleargrad", "Clear between backward calls"): 0.3,
    ("cleargrad", "graph reused after a clear"): 0.03,
    ("zero", "Zero between backward calls"): 0.2,
    ("zero", "graph reused after a clear"): 0.03,
    ("clearing", "Clear"): 0.3,
    ("clearing", "Zero"): 0.2,
    ("aliasing", "ChangeGrad"): 0.5,
    ("user-gradient", "ChangeGradient"): 0.5,
    ("accumulation", "several backward calls"): 0.5,
    ("accumulation", "roots that share a part"): 0.1,
    ("lifetime", "Drop"): 0.3,
    ("detach", "Detach"): 0.5,
    ("no-grad", "no_grad"): 0.3,
    ("modes", "no_grad"): 0.3,
    ("second-order", "TakeGrad"): 0.9,
    ("broadcasting", "smaller operand on the left"): 0.4,
    ("broadcasting", "smaller operand on the right"): 0.4,
    ("dtypes", "float32"): 0.9,
    ("mixed-dtypes", "mixed dtypes"): 0.3,
}


@pytest.mark.parametrize(("profile", "feature"), OF_PROFILE)
def test_a_profile_reaches_what_it_is_about(profile: str, feature: str) -> None:
    assert _features((profile,), 300)[feature] >= OF_PROFILE[profile, feature] * 300
