"""The engine's own forward, and the gradients around, as judges of gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from parity.oracle.neighbours import Surroundings, judge_among_neighbours
from parity.oracle.own_forward import Outcome, judge_gradient, noise_of, wrong_partials

X = np.array([0.3, -1.2, 0.7])
W = np.array([1.0, -0.5, 2.0])


class Function:
    """A function of PyTorch, with what the judges ask of an engine."""

    def __init__(self, function: Callable[..., Any], *leaves: Any, change: Any = None):
        self.function = function
        self.leaves = [np.asarray(x) for x in leaves]
        self.change = change or (lambda g, _: g)
        self.random = np.random.default_rng(0)
        with torch.no_grad():
            shape = function(*map(torch.tensor, self.leaves)).shape
        self.seed = self.random.normal(size=tuple(shape))

    def forwards(self, points):
        return [[self.function(*map(torch.tensor, p)).numpy()] for p in points]

    def gradients(self, points):
        return [self.gradient(p) for p in points]

    def gradient(self, point):
        leaves = [torch.tensor(x, requires_grad=True) for x in point]
        y = self.function(*leaves)
        y.backward(torch.tensor(self.seed, dtype=y.dtype))
        return [self.change(t.grad.numpy(), t.detach().numpy()) for t in leaves]

    def judged(self):
        gradients = self.gradient(self.leaves)
        return judge_gradient(self.forwards, self.leaves, [self.seed], gradients, self.random)

    def placed(self):
        gradients = self.gradient(self.leaves)
        return judge_among_neighbours(self.gradients, self.leaves, gradients, self.random)


def single(f):
    """A function that computes in float32, whatever comes."""
    return lambda x: f(x.float()).double()


def bend(error: float):
    return lambda g, _: g * (1 + error)


@pytest.mark.parametrize("f", [torch.exp, torch.sin, torch.cumsum, torch.logsumexp, torch.prod])
def test_right_gradients_are_right_and_small_errors_are_wrong(f):
    arguments = (0,) if f in (torch.cumsum, torch.logsumexp) else ()
    assert Function(lambda x: f(x, *arguments), X).judged().outcome is Outcome.RIGHT
    wrong = Function(lambda x: f(x, *arguments), X, change=bend(3e-8)).judged()
    assert wrong.outcome is Outcome.WRONG
    assert 1e-9 < wrong.relative < 1e-7


def test_float32_leaves_only_show_gross_errors():
    x = X.astype(np.float32)
    assert Function(torch.exp, x).judged().outcome is Outcome.RIGHT
    assert Function(torch.exp, x, change=bend(1e-4)).judged().outcome is Outcome.RIGHT
    assert Function(torch.exp, x, change=bend(0.5)).judged().outcome is Outcome.WRONG


def test_no_gradient_counts_as_zeros():
    function = Function(torch.exp, X)
    judged = judge_gradient(function.forwards, [X], [W], [None], function.random)
    assert judged.outcome is Outcome.WRONG
    assert judged.actual == 0


def test_leaves_that_require_no_gradient_stay():
    function = Function(torch.mul, X, X)
    gradients = [W * X, None]
    given = (function.forwards, [X, X], [W], gradients, function.random)
    assert judge_gradient(*given).outcome is Outcome.WRONG
    assert judge_gradient(*given, wanted=[True, False]).outcome is Outcome.RIGHT


def test_a_forward_of_float32_in_float64_is_noisy():
    assert Function(single(torch.exp), X).judged().outcome is Outcome.NOISY
    assert Function(single(torch.exp), X, change=bend(0.5)).judged().outcome is Outcome.WRONG


def test_a_jump_is_not_noise():
    x = np.zeros(3)
    jump = Function(lambda t: torch.where(t > 0, t + 1e-7, t), x).judged()
    assert jump.outcome is not Outcome.NOISY


def test_kinks_and_jumps_nearby_are_not_wrong():
    """Nearer than the smallest step of float32; and jumps that cancel in central quotients."""
    x = np.array([1e-3, 5.7], np.float32)
    near = Function(lambda t: t * t + t * (t > 0), x)
    jump = Function(lambda t: t + (t >= 0) * 1.0, np.array([0.0, 0.0]))
    for case in near, jump:
        case.seed = np.array([1.0, -1.0])
        for seed in range(20):
            case.random = np.random.default_rng(seed)
            assert case.judged().outcome is not Outcome.WRONG


def test_a_pole_or_a_failing_forward_is_undecided():
    assert Function(torch.log, np.array([0.0, 1.0])).judged().outcome is Outcome.UNDECIDED
    failing = judge_gradient(
        lambda points: [None] * len(points), [X], [W], [W], np.random.default_rng(0)
    )
    assert failing.outcome is Outcome.UNDECIDED


def test_steps_that_leave_the_domain_are_not_used():
    near = np.array([0.02, 1.0])  # the first step gives nan
    assert Function(torch.log, near).judged().outcome is Outcome.RIGHT


def test_a_gradient_of_nan_is_wrong():
    def change(g, _):
        return np.full_like(g, np.nan)

    assert Function(torch.exp, X, change=change).judged().outcome is Outcome.WRONG


def test_slopes_that_do_not_add_are_a_kink():
    """A median of equal numbers has one slope to both sides in each direction."""
    outcomes = []
    for seed in range(30):
        function = Function(torch.median, np.ones(5))
        function.random = np.random.default_rng(seed)
        outcomes.append(function.judged().outcome)
    assert outcomes.count(Outcome.WRONG) <= 1
    assert Outcome.KINK in outcomes


def test_wrong_partials_are_found_with_their_values():
    function = Function(torch.exp, X.reshape(3, 1))
    (gradient,) = function.gradient(function.leaves)
    wrong = gradient.copy()
    wrong[1, 0] = 0
    given = function.leaves, [function.seed], [wrong], function.random
    (found,) = wrong_partials(function.forwards, *given)
    assert (found.leaf, found.index, found.actual) == (0, (1, 0), 0)
    assert found.expected == pytest.approx(gradient[1, 0])


def test_noise_is_told_from_kinks():
    h = np.arange(8) / 4096
    assert noise_of(np.random.default_rng(0).normal(size=8) * 1e-9) > 1e-10
    assert noise_of(np.exp(h)) < 1e-14


AT_ZERO = np.array([0.0, 2.0, 0.0, -1.0])
TIED = np.array([1.0, 1.0, 0.5])


def doubled(g, x):
    _, place, counts = np.unique(x, return_inverse=True, return_counts=True)
    return np.where(counts[place] > 1, 2 * g, g)


def nan_at_zero(g, x):
    return np.where(x == 0, np.nan, g)


CASES = [
    ("abs at 0", torch.abs, AT_ZERO, None, Surroundings.CONVENTION),
    ("abs, 1 at 0", torch.abs, AT_ZERO, lambda g, x: g + (x == 0), Surroundings.CONVENTION),
    ("abs, 9 at 0", torch.abs, AT_ZERO, lambda g, x: g + 9 * (x == 0), Surroundings.OUTSIDE),
    ("abs, nan at 0", torch.abs, AT_ZERO, nan_at_zero, Surroundings.NOT_FINITE),
    ("square", torch.square, AT_ZERO, None, Surroundings.SMOOTH),
    ("square, nan at 0", torch.square, AT_ZERO, nan_at_zero, Surroundings.ISOLATED),
    ("square, 1 at 0", torch.square, AT_ZERO, lambda g, x: g + (x == 0), Surroundings.ISOLATED),
    ("ties", torch.amax, TIED, None, Surroundings.CONVENTION),
    ("ties in full", torch.max, TIED, lambda g, x: 1.0 * (g != 0), Surroundings.OUTSIDE),
    ("sorted ties", lambda x: torch.sort(x)[0], TIED, None, Surroundings.CONVENTION),
    ("doubled", lambda x: torch.sort(x)[0], TIED, doubled, Surroundings.OUTSIDE),
    ("jump", torch.floor, AT_ZERO, None, Surroundings.SMOOTH),
    ("no domain", lambda x: torch.sqrt(x - 9), AT_ZERO, None, Surroundings.UNDECIDED),
]


@pytest.mark.parametrize(("function", "x", "change", "expected"), [c[1:] for c in CASES])
def test_gradients_at_kinks(function, x, change, expected):
    case = Function(function, x, change=change)
    case.seed = 1.0 + np.arange(case.seed.size).reshape(case.seed.shape)
    assert case.placed().surroundings is expected


def test_the_entry_outside_is_named():
    third = np.arange(4) == 2
    case = Function(torch.abs, AT_ZERO, change=lambda g, x: np.where(third & (x == 0), 9.0, g))
    case.seed = np.ones(4)
    placement = case.placed()
    assert (placement.leaf, placement.index, placement.actual) == (0, (2,), 9.0)
    assert placement.high == 1.0


def test_ties_broken_by_place_are_a_convention():
    """Of many overlapping ties hardly a random neighbour breaks all in the same way."""
    x = np.ones((1, 1, 5, 5))
    case = Function(lambda t: torch.nn.functional.max_pool2d(t, 3, 1), x)
    for seed in range(10):
        case.seed = np.random.default_rng(seed).normal(size=(1, 1, 3, 3))
        assert case.placed().surroundings is Surroundings.CONVENTION


def test_float32_at_a_kink():
    case = Function(torch.relu, AT_ZERO.astype(np.float32))
    case.seed = np.ones(4)
    assert case.placed().surroundings is Surroundings.CONVENTION
    smooth = Function(torch.exp, AT_ZERO.astype(np.float32))
    assert smooth.placed().surroundings is Surroundings.SMOOTH


def test_float32_at_a_smooth_point_only_shows_gross_errors():
    def change(error):
        return lambda g, x: g + np.float32(error) * (x == 0)

    x = np.array([0.0, 1.0], np.float32)
    inaccurate = Function(torch.exp, x, change=change(5e-3))
    wrong = Function(torch.exp, x, change=change(0.5))
    for case in inaccurate, wrong:
        case.seed = np.ones(2)
    assert inaccurate.placed().surroundings is Surroundings.SMOOTH
    assert wrong.placed().surroundings is Surroundings.ISOLATED
