"""Timings for ``pytest parity/ --benchmark-only``; nothing is asserted of time."""

from __future__ import annotations

from typing import Any

import pytest

from parity.bench.measure import check
from parity.bench.workloads import DTYPES, SHAPES, WORKLOADS, DezeroSide, TorchSide, start

SIDES = {"dezero": DezeroSide, "torch": TorchSide}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", WORKLOADS)
def test_workload(benchmark: Any, name: str, shape: tuple[int, ...], dtype: str, side: str) -> None:
    """Forward plus backward; both sides must give the same gradient first."""
    if not benchmark.enabled or benchmark.disabled:
        pytest.skip("a benchmark: runs with --benchmark-only")
    workload = WORKLOADS[name]
    array = start(shape, dtype)
    check(workload, DezeroSide(), TorchSide(), array)
    benchmark.group = f"{name} {shape} {dtype}"
    benchmark(workload.run, SIDES[side](), array)
