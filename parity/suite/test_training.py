"""Training runs of small networks end like PyTorch's, step by step."""

from __future__ import annotations

import random

import pytest

from parity.oracle.training import NEEDS, OPTIMIZERS, TrainingRun
from parity.testing.suite import Suite


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_runs_are_equal(parity: Suite, optimizer: str) -> None:
    """Gradients set to None, zeroed, or forgotten between steps."""
    parity.need(("optimizer", *NEEDS))
    source = random.Random(f"{optimizer}:{parity.seed}")
    for _ in range(max(1, parity.programs // 400)):
        run = TrainingRun.draw(source)
        run = TrainingRun(run.sizes, run.activation, optimizer, run.lr, run.clears, run.seed)
        difference = run.difference(parity.engine, parity.reference)
        assert difference is None, difference
