"""Ratios of times, measured side by side.

Both sides run in turn in one process, so that what disturbs the machine disturbs
both; the ratio is the median of those of the pairs, its interval the middle half.
"""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dezero.allocator import keep_freed_memory
from parity.bench.workloads import DTYPES, SHAPES, DezeroSide, Side, TorchSide, Workload, start


@dataclass(frozen=True)
class Ratio:
    """torch's time over dezero's: above 1 dezero is faster."""

    workload: str
    shape: tuple[int, ...]
    dtype: str
    ratio: float
    low: float
    high: float
    dezero_ms: float
    torch_ms: float
    pairs: int


def all_ratios(seconds: float, workloads: Iterable[Workload]) -> Iterator[Ratio]:
    """Every workload in every shape and dtype; those of fixed size once a dtype.

    Freed memory is kept for both sides, which share the process: see dezero/allocator.py.
    """
    keep_freed_memory()
    for workload in workloads:
        for shape in SHAPES[:1] if workload.fixed else SHAPES:
            for dtype in DTYPES:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of PyTorch, about create_graph
                    yield compare(workload, shape, dtype, seconds)


def compare(workload: Workload, shape: tuple[int, ...], dtype: str, seconds: float) -> Ratio:
    """Run pairs for about ``seconds``, at least five. RuntimeError if the results differ."""
    array = start(shape, dtype)
    dezero, torch = DezeroSide(), TorchSide()
    check(workload, dezero, torch, array)
    times: list[tuple[float, float]] = []
    gc.collect()
    end = time.perf_counter() + seconds
    while len(times) < 5 or time.perf_counter() < end:
        times.append((_timed(workload, dezero, array), _timed(workload, torch, array)))
    d, t = np.array(times).T
    low, middle, high = np.quantile(t / d, (0.25, 0.5, 0.75))
    return Ratio(
        workload.name,
        shape,
        dtype,
        round(float(middle), 3),
        round(float(low), 3),
        round(float(high), 3),
        round(float(np.median(d)) * 1e3, 4),
        round(float(np.median(t)) * 1e3, 4),
        len(times),
    )


def check(workload: Workload, dezero: Side, torch: Side, array: Any) -> None:
    """RuntimeError unless both sides give the same gradient."""
    ours, theirs = (s.array(s.grad(workload.run(s, array))) for s in (dezero, torch))
    tolerance = 1e-3 if array.dtype == np.float32 else 1e-9
    if not np.allclose(ours, theirs, rtol=tolerance, atol=tolerance):
        raise RuntimeError(f"{workload.name}: dezero and torch differ, nothing was timed")


def _timed(workload: Workload, side: Side, array: Any) -> float:
    run: Callable[[Side, Any], Any] = workload.run
    begin = time.perf_counter()
    run(side, array)
    return time.perf_counter() - begin
