"""Engines of other projects: their adapters do what they declare, and known faults show."""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parity._util.errors import CANNOT_RUN
from parity.campaign.search import run_probes
from parity.cli.main import main
from parity.engines.adapters.numpy_like import common_numpy_like, numpy_like
from parity.engines.base import CONSTANTS, Engine, abilities
from parity.engines.builtin import PEERS
from parity.engines.execute import execute
from parity.engines.load import EngineError, load_engine
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import sweep
from parity.language import program as pr
from parity.language.table import OPS, with_rules
from parity.language.text_format import program_from_text
from tests.helpers.programs import TORCH, apply, check, constant, leaf, program

peer = functools.cache(load_engine)

#: What each engine can do besides operations.
ABILITIES = {
    "micrograd": {"zero_grad"},
    "mygrad": {"zero_grad", "clear_grad", "no_grad", "detach", CONSTANTS},
    "autograd": {"zero_grad", "clear_grad", "no_grad", "detach", "grad_tensor", CONSTANTS},
    "jax": {"zero_grad", "clear_grad", "no_grad", "detach", "grad_tensor", CONSTANTS},
}


def test_the_names_of_the_engines() -> None:
    assert set(ABILITIES) == set(PEERS)
    for name in PEERS:
        engine = peer(name)
        assert engine.name == name
        assert engine.version
        assert abilities(engine) == ABILITIES[name]


# Operations.


def _programs_of(name: str, op: str, dtype: str) -> list[pr.Program]:
    """Programs of that operation alone with a backward, smallest leaves that are not empty."""
    decoder = Decoder.of(replace(PROFILES["gradients"], ops=(op,), slots=2), peer(name))
    decoder = replace(decoder, dtypes=(dtype,), shapes=((2,), (2, 2), (2, 3), (), (1, 2)))
    if peer(name).max_ndim == 0:
        decoder = replace(decoder, shapes=((),))
    return [
        p
        for p in itertools.islice(sweep(decoder, "op"), 30)
        if isinstance(p.statements[-1], pr.Backward)
        and any(isinstance(s, pr.Apply) and s.op == op for s in p.statements)
        and len(p.statements) <= 3
    ]


@pytest.mark.filterwarnings("ignore:Output seems independent")
@pytest.mark.parametrize(
    ("name", "op"),
    [(name, op) for name in PEERS for op in peer(name).ops if op in with_rules()],
)
def test_every_operation_is_the_one_of_its_name(name: str, op: str) -> None:
    """Its value and its gradient are PyTorch's on a plain program."""
    for case in _programs_of(name, op, "float64"):
        if check(case, peer(name)) is None and _reaches_a_leaf(case):
            return
    raise AssertionError("no program of this operation gives PyTorch's gradient")


def _reaches_a_leaf(case: pr.Program) -> bool:
    return any(o.what == "grad" and o.array is not None for o in execute(case, TORCH).observations)


@pytest.mark.parametrize("name", ["mygrad", "autograd", "jax"])
def test_gradients_of_float32_leaves_are_float32(name: str) -> None:
    case = program([leaf([1.5, 2.0], "float32")], apply("mul", 0, 0), apply("sum", 1, axis=None,
                   keepdims=False), pr.Backward(2))  # fmt: skip
    assert check(case, peer(name)) is None
    grads = [o.array for o in execute(case, peer(name)).observations if o.what == "grad"]
    assert grads[-1] is not None
    assert grads[-1].dtype == np.float32


# Abilities.

TWICE = (apply("mul", 0, 0), pr.Backward(1))
EVENTS: dict[str, tuple[str, pr.Program]] = {
    "zero": ("zero_grad", program([leaf(3.0)], *TWICE, pr.Zero((0,)))),
    "clear": ("clear_grad", program([leaf(3.0)], *TWICE, pr.Clear((0,)))),
    "clear, then again": (
        "clear_grad",
        program([leaf(3.0)], *TWICE, pr.Clear((0,)), apply("mul", 0, 0), pr.Backward(2)),
    ),
    "no_grad": (
        "no_grad",
        program([leaf(3.0)], apply("mul", 0, 0, no_grad=True), apply("mul", 1, 0), pr.Backward(2)),
    ),
    "detach": (
        "detach",
        program([leaf(3.0)], apply("mul", 0, 0), pr.Detach(1), apply("mul", 2, 0), pr.Backward(3)),
    ),
    "constant": (
        CONSTANTS,
        program([leaf(3.0), leaf(2.0, requires_grad=False)], apply("mul", 0, 1), pr.Backward(2)),
    ),
    "second order": (
        "grad_tensor",
        program(
            [leaf(3.0)],
            apply("pow", 0, exponent=3),
            pr.Backward(1, create_graph=True),
            pr.TakeGrad(0),
            pr.Clear((0,)),
            apply("mul", 2, 0),
            pr.Backward(3),
        ),
    ),
    "third order": (
        "grad_tensor",
        program(
            [leaf(3.0)],
            apply("pow", 0, exponent=4),
            pr.Backward(1, create_graph=True),
            pr.TakeGrad(0),
            pr.Clear((0,)),
            apply("mul", 2, 0),
            pr.Backward(3, create_graph=True),
            pr.TakeGrad(0),
            pr.Clear((0,)),
            apply("mul", 4, 0),
            pr.Backward(5),
        ),
    ),
    "a recorded pass onto a gradient": (
        "grad_tensor",
        program(
            [leaf(3.0)],
            *TWICE,
            apply("pow", 0, exponent=3),
            pr.Backward(2, create_graph=True),
            pr.TakeGrad(0),
            pr.Clear((0,)),
            apply("mul", 3, 3),
            pr.Backward(4),
        ),
    ),
}


@pytest.mark.parametrize(
    ("name", "event"),
    [(n, e) for n in PEERS for e, (ability, _) in EVENTS.items() if ability in ABILITIES[n]],
)
def test_every_ability_does_what_pytorch_does(name: str, event: str) -> None:
    assert check(EVENTS[event][1], peer(name)) is None


def test_every_ability_has_an_event() -> None:
    assert set().union(*ABILITIES.values()) == {ability for ability, _ in EVENTS.values()}


@pytest.mark.parametrize("name", ["autograd", "jax"])
@pytest.mark.parametrize(
    ("case", "words"),
    [
        (program([leaf(3.0)], *TWICE, pr.Backward(1)), "a second time"),
        (program([leaf([1.0, 2.0])], apply("mul", 0, 0), pr.Backward(1)), "one element"),
        (program([leaf(3.0)], pr.Detach(0), pr.Backward(1)), "does not require"),
    ],
)
def test_what_is_recorded_refuses_what_pytorch_refuses(
    name: str, case: pr.Program, words: str
) -> None:
    failure = execute(case, peer(name)).failure
    assert failure is not None
    assert words in failure.text()
    assert check(case, peer(name)) is None


@pytest.mark.parametrize("name", ["autograd", "jax"])
def test_gradients_accumulate_while_the_graph_is_kept(name: str) -> None:
    again = pr.Backward(1, retain_graph=True)
    case = program([leaf(3.0)], apply("mul", 0, 0), again, again, pr.Backward(1))
    assert check(case, peer(name)) is None
    assert execute(case, peer(name)).observations[3].array == 18.0


def test_programs_in_sample_agree() -> None:
    """Of the profiles about reuse, where no convention of autograd's own matters."""
    engine = peer("autograd")
    for profile in ("accumulation", "clearing", "aliasing", "second-order"):
        ops = ("add", "mul", "sub", "square", "matmul", "sum", "get_item", "split", "concat")
        decoder = Decoder.of(replace(PROFILES[profile], ops=ops), engine)
        for case in itertools.islice(sweep(decoder, 0), 60):
            assert check(case, engine) is None


# Known faults.


def _grads(case: pr.Program, engine: Engine) -> list[float]:
    """The gradient of the first leaf after each backward."""
    shown = execute(case, engine).observations
    return [float(o.array) for o in shown if o.what == "grad" and o.which == 0]  # type: ignore[arg-type]


def test_micrograd_counts_stale_gradients_again() -> None:
    case = program(
        [leaf(2.0)],
        apply("mul", 0, 0),
        apply("mul_scalar", 1, c=3),
        pr.Backward(2, retain_graph=True),
        pr.Backward(2),
    )
    finding = check(case, peer("micrograd"))
    assert finding is not None
    assert finding.kind == "accumulation"
    assert (finding.engine, finding.reference) == (36.0, 24.0)


def test_micrograd_counts_the_gradient_of_another_head_again() -> None:
    """Heads of 3 and 5 times one h = x * x, at 2: 12, then 12 + 20."""
    case = program(
        [leaf(2.0)],
        apply("mul", 0, 0),
        apply("mul_scalar", 1, c=3),
        apply("mul_scalar", 1, c=5),
        pr.Backward(2, retain_graph=True),
        pr.Backward(3),
    )
    finding = check(case, peer("micrograd"))
    assert finding is not None
    assert (finding.engine, finding.reference) == (44.0, 32.0)


def test_micrograd_exhausts_the_stack() -> None:
    findings = [r.finding for r in run_probes(peer("micrograd"))]
    depth = next(f for f in findings if f.kind == "depth")
    assert "RecursionError" in depth.engine
    steps = [apply("add_scalar", i, c=1.0) for i in range(5000)]
    failure = execute(program([leaf(2.0)], *steps, pr.Backward(5000)), peer("micrograd")).failure
    assert failure is not None
    assert failure.text().startswith("RecursionError")


def test_the_harness_finds_this_by_itself(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    assert main(["check", "--engine", "micrograd", "--examples", "120", "--ops", "add,mul",
                 "--findings", str(tmp_path)]) == 1  # fmt: skip
    assert "accumulation: as in micrograd, every value keeps" in capsys.readouterr().out


def test_mygrad_drops_a_gradient_that_is_used_again() -> None:
    case = program([leaf(2.0)], *TWICE, apply("mul", 0, 0), pr.Backward(2))
    assert _grads(case, peer("mygrad")) == [4.0, 4.0]
    assert _grads(case, TORCH) == [4.0, 8.0]
    assert "clears-grads-on-use-except-views" in peer("mygrad").quirks


@pytest.mark.parametrize(
    "text",
    [
        "x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)\nx2 = reshape(x0, shape=(1,))\n"
        "backward(x0)",
        "x0 = leaf([3.0, 3.0])\nx1 = add(x0, x0)\nbackward(x1)",
        "x0 = leaf(3.0)\nx1 = leaf(3.0)\nx2 = maximum(x0, x1)\nbackward(x2)",
        "x0 = leaf(3.0)\nx1 = leaf(3.0)\nx2 = minimum(x0, x1)\nbackward(x2)",
        "x0 = leaf([3.0, 3.0])\nx1 = max(x0, axis=None, keepdims=False)\nbackward(x1)",
        "x0 = leaf([3.0, 3.0])\nx1 = min(x0, axis=0, keepdims=True)\nbackward(x1)",
        "x0 = leaf(-1.0)\nx1 = clip(x0, x_max=2.0, x_min=-1.0)\nbackward(x1)",
        "x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)\nbackward(x1)",
        "x0 = leaf(3.0)\nx1 = add(x0, x0)\nbackward(x0)\nbackward(x1)",
        "x0 = leaf(3.0)\nx1 = add(x0, x0)  # under no_grad\nbackward(x1)",
        "x0 = leaf(3.0)\nx1 = detach(x0)\nbackward(x1)",
    ],
)
def test_what_mygrad_documents_is_a_dialect(text: str) -> None:
    case = program_from_text(text)
    assert check(case, peer("mygrad")) is None
    assert (
        check(case, type("Plain", (type(peer("mygrad")),), {"quirks": frozenset()})()) is not None
    )


def test_what_mygrad_takes_for_norms_of_matrices_is_not_tested() -> None:
    case = program_from_text("x0 = leaf([[3.0]])\nx1 = norm(x0, axis=(0, 1), keepdims=False)")
    assert "norms over several axes" in str(execute(case, peer("mygrad")).unsupported)
    for axis in ("0", "None"):
        case = program_from_text(
            f"x0 = leaf([[3.0, 4.0]])\nx1 = norm(x0, axis={axis}, keepdims=False)"
        )
        assert check(case, peer("mygrad")) is None


def test_micrograd_keeps_its_graphs() -> None:
    case = program_from_text("x0 = leaf(3.0)\nx1 = mul(x0, x0)\nbackward(x1)\nbackward(x1)")
    assert check(case, peer("micrograd")) is None
    assert _grads(case, peer("micrograd")) == [6.0, 12.0]
    assert execute(case, TORCH).failure is not None


# JAX keeps what it compiles.


def test_what_jax_compiled_is_dropped_again(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[int] = []
    monkeypatch.setattr("jax.clear_caches", lambda: dropped.append(len(leaves)))
    leaves: list[Any] = []
    engine = type(peer("jax"))()
    for _ in range(450):
        leaves.append(engine.leaf(np.array(3.0)))
    assert dropped == [199, 399]


def test_flags_of_the_environment_come_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=2")
    importlib.reload(sys.modules[type(peer("jax")).__module__])
    flags = os.environ["XLA_FLAGS"].split()
    assert flags[0] == "--xla_backend_optimization_level=0"
    assert flags[-1] == "--xla_backend_optimization_level=2"


def test_mygrad_keeps_the_array_of_the_caller() -> None:
    case = program([leaf([2.0])], pr.Backward(0, constant([1.0])), pr.ChangeGradient())
    finding = check(case, peer("mygrad"))
    assert finding is not None
    assert finding.kind == "alias"


def test_autograd_has_nan_for_a_product_of_zero() -> None:
    case = program([leaf(0.0)], apply("prod", 0, axis=None, keepdims=False), pr.Backward(1))
    with np.errstate(all="ignore"):
        assert np.isnan(_grads(case, peer("autograd"))).all()


# Engines that are not installed.


@pytest.mark.parametrize("name", PEERS)
def test_a_missing_package_is_one_line_with_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, PEERS[name][0], None)
    with pytest.raises(EngineError, match=r"dezero-parity\[peers\]") as caught:
        load_engine(name)
    assert len(str(caught.value).splitlines()) == 1
    assert PEERS[name][0] in str(caught.value)
    assert main(["check", "--engine", name]) == CANNOT_RUN
    assert capsys.readouterr().err.startswith(f"parity: error: engine {name!r} needs ")


def test_other_names_need_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for packages in PEERS.values():
        monkeypatch.setitem(sys.modules, packages[0], None)
    assert load_engine("dezero").name == "dezero"


def test_operations_are_those_of_the_table() -> None:
    for name in PEERS:
        assert peer(name).ops.keys() <= OPS.keys()


def test_a_library_without_some_of_numpys_functions() -> None:
    library = SimpleNamespace(multiply=np.multiply, reshape=np.reshape, sum=np.sum)
    named = {"mul", "reshape", "sum"}
    operators = {op for op in with_rules() if op.endswith("_scalar")}
    operators |= {"pow", "get_item", "slice_backwards"}
    assert set(common_numpy_like(library)) == named | operators
    assert named | operators <= set(numpy_like(library))
    assert "cumprod" in numpy_like(np)
    assert "cumprod" not in numpy_like(library)
