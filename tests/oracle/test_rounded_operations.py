"""Bounds from rounding errors in each operation of ATen."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from parity.engines.adapters.torch import Torch, with_gradient
from parity.engines.execute import execute
from parity.language import program as pr
from parity.oracle.compare import compare
from parity.oracle.rounded_operations import NormwiseTolerance, Rounded, RoundedOperations
from tests.helpers.programs import TORCH, apply, leaf, program, sample

UNIT = 2.0**-53


def mode(unit=2.0**-20):
    return RoundedOperations(unit, seed=0)


def same(f, *xs):
    """Whether a function has the same results with errors, and its gradients too."""
    plain, changed = [], []
    for results in plain, changed:
        leaves = [x.clone().requires_grad_(x.is_floating_point()) for x in xs]
        with mode(2.0**-20 if results is changed else 0.0):
            y = f(*leaves)
            if y.requires_grad:
                y.backward(torch.ones(y.shape, dtype=y.dtype))
        results += [y.detach(), *(t.grad for t in leaves if t.grad is not None)]
    return [torch.equal(a, b) for a, b in zip(plain, changed, strict=True)]


X = torch.tensor([[1.5, -2.0, 0.25], [3.0, 1.5, 7.0]], dtype=torch.float64)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.T.reshape(-1)[1:],
        lambda x: torch.amax(x, 1),
        lambda x: torch.sort(x, 1)[0],
        lambda x: torch.cat([x, x[:, [0, 2]]], 1)[0],
        lambda x: torch.nn.functional.max_pool1d(x[None], 2),
        lambda x: torch.nn.functional.pad(x, (1, 2)),
        lambda x: torch.where(x > 0, x, -x),
        lambda x: torch.zeros_like(x).scatter_reduce(1, (x > 0).long(), x, "amax"),
        lambda x: torch.linalg.vector_norm(x, torch.inf, 1),
    ],
)
def test_what_moves_or_chooses_is_exact(f):
    assert same(f, X)[0]


@pytest.mark.parametrize("f", [torch.exp, torch.cumsum, torch.mul, torch.sum, torch.softmax])
def test_what_computes_is_not(f):
    arguments = {torch.cumsum: (1,), torch.mul: (X,), torch.softmax: (1,)}.get(f, ())
    assert not same(lambda x: f(x, *arguments), X)[0]


def test_a_gradient_without_memory_is_left_as_it_is():
    assert all(same(torch.sgn, X))


def test_backward_has_errors_too():
    assert same(lambda x: torch.amax(x, 1) ** 2, X)[1:] == [False]


def test_integers_complex_numbers_and_changes_in_place():
    assert same(lambda i: i + i, torch.arange(3)) == [True]
    with mode():
        z = torch.fft.fft(X)
        x = X.clone()
        view = x[0]
        view.mul_(2)
        x.zero_()
    exact = torch.fft.fft(X)
    assert 0 < (z - exact).abs().max() < 1e-3
    assert not x.any()
    with mode():
        x = X.clone()
        x[0].mul_(2)
    assert torch.equal(x[1], X[1])
    assert 0 < (x[0] - 2 * X[0]).abs().max() < 1e-3


LOGSUMEXP = program(
    [leaf([[1.0, 2.0, 3.0], [0.5, 0.25, 1.0]])],
    apply("softmax", 0, axis=1),
    apply("log", 1),
    apply("sum", 2, axis=None, keepdims=False),
    pr.Backward(3),
)


class Scaled(Torch):
    """PyTorch with an error in the gradients of ``log``."""

    def __init__(self, error):
        super().__init__()
        log = self.ops["log"]
        self.ops = {
            **self.ops,
            "log": lambda a: log(with_gradient(a, lambda g: g * (1 + error))),
        }


def difference(case, engine):
    tolerance = NormwiseTolerance(case)
    return compare(case, execute(case, engine), execute(case, TORCH), tolerance)


@pytest.mark.parametrize(("error", "found"), [(0.0, False), (2 * UNIT, False), (1e-9, True)])
def test_a_constant_of_float32_is_found_and_rounding_is_not(error, found):
    row = program(
        [leaf([1.0, 2.0, 3.0])],
        apply("log", 0),
        apply("mul", 1, 1),
        pr.Backward(2, leaf([1.0, -0.5, 2.0])),
    )
    assert (difference(row, Scaled(error)) is not None) is found


def test_samples_are_runs_with_errors():
    one, other, exact = (Rounded(UNIT, 0), Rounded(UNIT, 1), Rounded(0.0, 0))
    first, second, plain = (execute(LOGSUMEXP, e).observations[-1] for e in (one, other, exact))
    assert one.count > 6
    assert not np.array_equal(first.array, second.array)
    assert exact.count == 0
    assert np.array_equal(plain.array, execute(LOGSUMEXP, TORCH).observations[-1].array)


def test_gradients_of_samples_have_errors_of_their_own():
    square = program([leaf(1.25)], apply("mul", 0, 0), pr.Backward(1))
    engines = Rounded(UNIT, 0, leaf_ulps=0.0), Rounded(0.0, 0)
    sampled, exact = (execute(square, e).observations[1].array for e in engines)
    assert 0 < abs(sampled - exact) < 1e-14


def test_ties_of_leaves_do_not_open_the_bound():
    """Errors in the leaves break the tie, so the samples of the gradient scatter."""
    tied = program(
        [leaf([1.0, 1.0])],
        apply("max", 0, axis=None, keepdims=False),
        apply("exp", 1),
        pr.Backward(2),
    )
    tolerance = NormwiseTolerance(tied)
    trace = execute(tied, TORCH)
    index = next(i for i, o in enumerate(trace.observations) if o.what == "grad")
    assert tolerance.bound(index, trace.observations[index].array).max() < 2e-3


@pytest.mark.parametrize("profile", ["gradients", "functions", "second-order", "dtypes"])
def test_rounding_is_no_finding(profile):
    """Another run with errors of two roundings is as good as PyTorch's."""
    for number, case in enumerate(sample(profile, 15, TORCH)):
        tolerance = NormwiseTolerance(case)
        if tolerance.strict or tolerance.unit > UNIT:  # the run below is one of float64
            continue
        near = execute(case, Rounded(UNIT, number, ulps=1.0, leaf_ulps=0.0))
        assert compare(case, near, execute(case, TORCH), tolerance) is None, case
