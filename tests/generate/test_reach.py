"""What the generator reaches: cases that faults of real engines need."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from parity.engines.base import Unsupported
from parity.engines.execute import execute
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import sweep
from parity.language import program as pr
from parity.language.table import attribute_choices
from parity.oracle.probes import PROBES
from tests.helpers.programs import DEZERO, TORCH


def _programs(profile: str, count: int = 400) -> Iterator[pr.Program]:
    return itertools.islice(sweep(Decoder.of(PROFILES[profile], DEZERO), 3), count)


def _backwards(program: pr.Program) -> list[pr.Backward]:
    return [s for s in program.statements if isinstance(s, pr.Backward)]


@pytest.mark.parametrize("profile", ["second-order", "curvature"])
@pytest.mark.parametrize("before", [False, True])
def test_a_recorded_gradient_is_added_to_one_that_is_there(profile: str, before: bool) -> None:
    """``before``: whether that one is recorded as well."""
    found = 0
    for program in _programs(profile):
        recorded = [b.create_graph for b in _backwards(program)]
        found += recorded[:2] == [before, True] and len(recorded) > 2
    assert found > 15


def test_a_gradient_that_is_given_may_be_zero() -> None:
    given = [b.gradient.values for p in _programs("gradients") for b in _backwards(p) if b.gradient]
    zero = sum(bool(values) and not any(values) for values in given)
    assert 0 < zero < len(given) / 20


def test_a_freed_graph_is_met_from_another_root() -> None:
    found = 0
    for program in _programs("freed-graph"):
        backwards = _backwards(program)
        if len(backwards) > 1 and backwards[-1].value not in {b.value for b in backwards[:-1]}:
            failure = execute(program, TORCH).failure
            found += failure is not None and failure.statement == len(program.statements) - 1
    assert found > 15


@pytest.mark.parametrize(
    ("op", "attr", "axes"),
    [
        ("sum", "axis", {-1, -2, -3, (0, -1)}),
        ("transpose", "axes", {(-1, 0, 1)}),
        ("softmax", "axis", {-2}),
        ("concat", "axis", {-3}),
        ("split", "axis", {-1}),
        ("flip", "axis", {(-2,)}),
    ],
)
def test_axes_are_counted_from_either_end(op: str, attr: str, axes: set[Any]) -> None:
    shape = (2, 3, 2)
    shapes = (shape, shape) if op == "concat" else (shape,)
    assert axes <= {dict(attrs)[attr] for attrs in attribute_choices(op, shapes)}


def test_so_are_axes_of_length_one() -> None:
    assert {dict(attrs)["axis"] for attrs in attribute_choices("squeeze", ((1, 3),))} == {0, -2}


class OnlyMatrices(type(DEZERO)):  # type: ignore[misc]
    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        if array.ndim != 2:
            raise Unsupported("tensors that are not matrices")
        return super().leaf(array, requires_grad)


class NothingAtAll(type(DEZERO)):  # type: ignore[misc]
    def leaf(self, array: Any, requires_grad: bool = True) -> Any:
        raise Unsupported("leaves")


class Forgets(OnlyMatrices):
    def grad(self, t: Any) -> Any:
        gradient = super().grad(t)
        return gradient if gradient is None else np.zeros_like(gradient)


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
@pytest.mark.parametrize("engine", [OnlyMatrices, NothingAtAll])
def test_probes_ask_for_nothing_that_an_engine_lacks(probe: Any, engine: type[Any]) -> None:
    assert list(probe.run(engine())) == []


def test_probes_run_on_engines_of_matrices() -> None:
    found = {probe.name for probe in PROBES if list(probe.run(Forgets()))}
    assert found >= {"deep-chain", "wide-use", "doublings"}
