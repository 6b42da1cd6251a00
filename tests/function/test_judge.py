"""Which differences are rounding, and which gradients are a choice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from parity.function.cases import Array
from parity.function.frameworks import TorchFramework
from parity.function.judge import Question, differing, sampler


def _question(backward: Callable[[Array], Array], gradient: float) -> Question:
    return Question(
        lambda leaves: [np.abs(leaves[0])],
        [np.zeros(1)],
        [np.ones(1)],
        [np.array([gradient])],
        lambda leaves: [backward(leaves[0])],
    )


@pytest.mark.parametrize(
    ("backward", "gradient", "convention"),
    [(np.sign, 0.0, True), (np.cos, 1.0, False), (np.cos, 0.5, False)],
)
def test_a_kink_is_a_matter_of_convention(
    backward: Callable[[Array], Array], gradient: float, convention: bool
) -> None:
    question = _question(backward, gradient)
    assert question.is_convention(np.random.default_rng(0)) is convention


@pytest.mark.parametrize(("gradient", "wrong"), [(0.0, []), (1.0, []), (3.0, [0])])
def test_at_a_kink_a_gradient_lies_between_those_around(gradient: float, wrong: list[int]) -> None:
    answers = _question(np.sign, gradient).wrong(np.random.default_rng(0))
    assert [answer.input for answer in answers] == wrong


def test_a_gradient_of_nan_or_of_another_shape_differs() -> None:
    right = [np.array([1.0, 2.0])] * 3
    found = [np.array([np.nan, 2.0]), np.ones(3), np.array([1.0, 2.0])]
    assert differing(found, right, 2.0**-53, None) == [0, 1]
    assert differing([None], [np.zeros(2)], 2.0**-53, None) == []


def test_rounding_in_every_step_is_allowed_where_it_is_sampled() -> None:
    right, found = np.array([1e-3, 1.0]), np.array([1.1e-3, 1.0])

    def sample(seed: int, ulps: float) -> tuple[list[Array], int]:
        return [right + np.array([1e-4, 0.0])], 2

    assert differing([found], [right], 2.0**-53, None) == [0]
    assert differing([found], [right], 2.0**-53, sample) == []


@pytest.mark.parametrize(("device", "differs"), [("cpu", True), ("cuda", False)])
def test_operations_have_rounding_errors_on_the_cpu_alone(device: str, differs: bool) -> None:
    framework = TorchFramework(device)
    framework.device = "cpu"  # there may be no other
    one = [np.ones(3)]
    sample = sampler(framework, lambda xs, vs: framework.values(torch.exp2, xs), one, [], 2.0**-10)
    (found,) = sample(0, 0.0)[0]
    assert found is not None
    assert np.array_equal(found, [2.0] * 3) is not differs
