"""Properties of the suite: each of them can fail, and what rounding decides ends none."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import Mock

import pytest

import parity.suite
from parity.campaign.hypothesis_search import Outcome, run_property
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.engine import TapeEngine
from parity.engines.adapters.dezero import Dezero
from parity.engines.adapters.torch import Torch, with_gradient
from parity.engines.base import Engine
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.oracle.probes import PROBES
from parity.oracle.training import OPTIMIZERS, TrainingRun
from parity.oracle.verdict import ILL_CONDITIONED, Verdict
from tests.helpers.programs import DEZERO, TORCH, Rounds

#: A defect that is to be found with the programs of each profile, by name.
FOUND_BY = {
    "general": "overwrite",
    "gradients": "inplace-accumulation",
    "accumulation": "second-backward-overwrites",
    "cleargrad": "clears-first-leaf-only",
    "zero": "zero-clears",
    "clearing": "zero-undone",
    "aliasing": "root-gradient-shared",
    "user-gradient": "user-gradient-kept",
    "broadcasting": "broadcasting-wrong-axis",
    "moving": "transpose-not-inverted",
    "gathering": "repeated-index-overwritten",
    "dtypes": "float32-widened",
    "mixed-dtypes": "dtype-of-other-operand",
    "multi-output": "unused-output-crashes",
    "twins": "siblings-share",
    "modes": "constant-gets-gradient",
    "detach": "detach-propagates",
    "second-order": "first-order-again",
    "curvature": "cross-term-lost",
    "functions": "pow-exponent-kept",
    "freed-graph": "graph-kept",
    "errors": "graph-kept",
    "lifetime": "stale-intermediates",
}


def _run(profile: str, engine: Engine, count: int = 600, **options: Any) -> Outcome:
    decoder = Decoder.of(PROFILES[profile], engine)
    return run_property(decoder, engine, TORCH, count, 3, **options)


@pytest.mark.parametrize(("profile", "defect"), FOUND_BY.items())
def test_each_property_fails(profile: str, defect: str) -> None:
    outcome = _run(profile, DEFECTS[defect]())
    assert outcome.reported
    assert {one.wrong for one in outcome.reported} == {"engine"}
    assert outcome.tally.programs < 600


def test_the_property_of_equal_bits_fails() -> None:
    (one,) = _run("bits", Rounds()).reported
    assert (one.wrong, one.verdict.bits) == ("engine", True)


class RecordsAlways(TapeEngine):
    """Its ``no_grad`` does nothing."""

    def no_grad(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_the_property_of_no_grad_fails() -> None:
    assert {one.finding.kind for one in _run("no-grad", RecordsAlways()).reported} == {"gradient"}


class WrongRow(Torch):
    """A few operations of PyTorch; the gradient of ``cumprod``, which has no rules, is halved."""

    name = "wrong row"

    def __init__(self) -> None:
        super().__init__()
        cumprod = self.ops["cumprod"]
        right = {name: self.ops[name] for name in ("add", "mul", "trapezoid")}
        wrong = lambda a, *, axis: cumprod(with_gradient(a, lambda g: g / 2), axis=axis)  # noqa: E731
        self.ops = {**right, "cumprod": wrong}  # type: ignore[misc]


def test_the_property_of_rows_fails() -> None:
    (one,) = _run("rows", WrongRow()).reported
    assert (one.wrong, one.finding.kind) == ("engine", "gradient")
    assert one.cause is None or one.cause.name == "cumprod"


def test_every_profile_is_here() -> None:
    assert {*FOUND_BY, "bits", "no-grad", "rows"} == set(PROFILES)


def test_the_suite_asks_for_every_profile_and_probe() -> None:
    suite = Mock()
    suite.engine.ops = TORCH.ops
    for module in pkgutil.iter_modules(parity.suite.__path__, "parity.suite."):
        for name, test in vars(importlib.import_module(module.name)).items():
            if not name.startswith("test_"):
                continue
            names = set(inspect.signature(test).parameters)
            if "parity" in names <= {"parity", "profile", "share", "name"}:
                for values in _parameters(test):
                    test(suite, **values)
    assert {"modes"} == set(PROFILES) - {call.args[0] for call in suite.check.call_args_list}
    assert {call.args[0] for call in suite.probe.call_args_list} == {p.name for p in PROBES}


def _parameters(test: Any) -> list[dict[str, Any]]:
    """Arguments of a test in addition to the fixture."""
    for mark in getattr(test, "pytestmark", ()):
        names, several = mark.args
        if "," not in str(names) and isinstance(names, str):
            return [{names: value} for value in several]
        return [dict(zip(names, values, strict=True)) for values in several]
    return [{}]


class LearnsTooMuch(Dezero):
    """Its steps are a millionth too long."""

    def optimizer(self, kind: str, leaves: Any, lr: float) -> Any:
        return super().optimizer(kind, leaves, lr * (1 + 1e-6))


class NeverZeroes(Dezero):
    """Its optimizers clear gradients, and do not zero them."""

    def optimizer(self, kind: str, leaves: Any, lr: float) -> Any:
        found = super().optimizer(kind, leaves, lr)
        clear = found.zero_grad
        found.zero_grad = lambda set_to_none=True: clear() if set_to_none else None
        return found


@pytest.mark.parametrize("engine", [LearnsTooMuch(), NeverZeroes()], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_runs_fail(engine: Engine, optimizer: str) -> None:
    run = TrainingRun((2, 3), "tanh", optimizer, 0.1, ("zero", "none", "zero", "zero"), 5)
    assert run.difference(DEZERO, TORCH) is None
    difference = run.difference(engine, TORCH)
    assert difference is not None
    assert "PyTorch's" in difference


def test_what_rounding_decides_does_not_end_a_property(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = Verdict(ILL_CONDITIONED, "for the test")
    for module in ("hypothesis_search", "finish"):
        monkeypatch.setattr(f"parity.campaign.{module}.adjudicate", lambda *arguments: verdict)
    outcome = _run("gradients", DEFECTS["overwrite"](), 80)
    assert outcome.reported == []
    assert outcome.tally.programs >= 80
    assert 0 < outcome.tally.ill_conditioned < outcome.tally.programs


def test_an_engine_that_is_right_passes() -> None:
    outcome = _run("bits", DEZERO, 80)
    assert (outcome.reported, outcome.tally.ill_conditioned) == ([], 0)
