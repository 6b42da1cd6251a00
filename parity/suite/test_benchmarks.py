"""Timings for ``pytest parity/ --benchmark-only``; nothing is asserted of time."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from parity.bench.backends.libraries import BASELINE, REFERENCE, installed, load_backend
from parity.bench.measure import TimedCase, difference
from parity.bench.workload import DTYPES
from parity.bench.workloads import WORKLOADS

BACKENDS = (*installed(), BASELINE)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "shape"),
    [(w.name, shape) for w in WORKLOADS.values() for shape in w.shapes()],
    ids=str,
)
def test_workload(
    benchmark: Any, name: str, shape: tuple[int, ...], dtype: str, backend: str
) -> None:
    """Forward plus backward; the gradient must be PyTorch's first."""
    case, measured = TimedCase(WORKLOADS[name], shape, dtype), load_backend(backend)
    reason = measured.unsupported(case.workload, shape, dtype)
    if reason is not None:
        pytest.skip(f"{backend}: {reason}")
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        backends = (measured, load_backend(REFERENCE))
        try:
            ours, theirs = map(case.gradients, backends)
        except RecursionError:
            pytest.skip(f"{backend}: RecursionError")
        wrong = difference(ours, theirs, dtype)
        assert wrong is None, wrong
        benchmark.group = f"{name} {shape} {dtype}"
        benchmark(measured.run, case.workload, case.leaves, case.steps)
