"""Timings for ``pytest parity/ --benchmark-only``; nothing is asserted of time."""

from __future__ import annotations

from typing import Any

import pytest

from parity.bench.measure import check
from parity.bench.workloads import DTYPES, SHAPES, WORKLOADS, DezeroSide, TorchSide, start

SIDES = {"dezero": DezeroSide, "torch": TorchSide}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "shape"),
    [(w.name, shape) for w in WORKLOADS.values() for shape in (SHAPES[:1] if w.fixed else SHAPES)],
    ids=str,
)
def test_workload(benchmark: Any, name: str, shape: tuple[int, ...], dtype: str, side: str) -> None:
    """Forward plus backward; both sides must give the same gradient first."""
    workload = WORKLOADS[name]
    array = start(shape, dtype)
    check(workload, DezeroSide(), TorchSide(), array)
    benchmark.group = f"{name} {shape} {dtype}"
    benchmark(workload.run, SIDES[side](), array)
