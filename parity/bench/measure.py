"""Times of one workload on several engines, interleaved in one process.

In each round every engine runs once, in a new random order, so that disturbances of the machine
affect all engines alike. Each gradient is compared with PyTorch's before it is timed.
"""

from __future__ import annotations

import gc
import random
import time
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.bench import statistics
from parity.bench.backends.base import Backend
from parity.bench.backends.load import REFERENCE
from parity.bench.clock import clock
from parity.bench.workload import Array, Shape, Workload, start

#: The least number of rounds, however long they take, and the greatest.
LEAST, MOST = 7, 200
#: Rounds before the first that is timed.
WARM_UP = 1
#: Tolerance of gradients, for sums of thousands of terms in another order.
_TOLERANCE = {"float32": 1e-3, "float64": 1e-9}
#: Start of the reason of an engine whose gradient is wrong.
DIFFERS = "gradient differs from torch's"


@dataclass
class TimedCase:
    """A workload with leaves of one shape and dtype: one row of the table of times."""

    workload: Workload
    shape: Shape
    dtype: str

    @property
    def seed(self) -> int:
        """A seed that depends on the case alone."""
        return zlib.crc32(f"{self.workload.name} {self.shape} {self.dtype}".encode())

    def leaves(self) -> Sequence[Array]:
        return self.workload.leaves(start(self.shape, self.dtype))

    def steps(self, longer: int = 1) -> int:
        return self.workload.steps_for(start(self.shape, self.dtype), longer)


@dataclass
class Times:
    """Seconds per round by engine, None where it was left out; ``not_measured``: reasons."""

    by_engine: dict[str, list[float | None]] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)


def row(
    case: TimedCase, backends: Sequence[Backend], seconds: float, seed: int, threads: int = 1
) -> dict[str, Any]:
    """Measure a case.

    Parameters
    ----------
    case
        What is timed.
    backends
        The engines, with PyTorch among them.
    seconds
        About how long each engine runs.
    seed
        For the order of the engines and the bootstrap.
    threads
        Number of threads of the libraries.

    Returns
    -------
    An object of ``times`` in the JSON: medians and ratios with intervals.
    """
    times = measure(case, backends, seconds, seed, threads)
    seed += case.seed
    reference = times.by_engine.get(REFERENCE, [])
    engines, ratios = {}, {}
    for name, all_rounds in times.by_engine.items():
        samples = [s * 1e3 for s in all_rounds if s is not None]
        found = statistics.rounded(statistics.median(samples, seed), 5) or {}
        engines[name] = {"median": found.pop("value"), **found}
        engines[name]["samples"] = [statistics.significant(s) for s in samples]
        pairs = [(t, s) for t, s in zip(reference, all_rounds, strict=True) if t and s]
        if name != REFERENCE:
            ratios[name] = _ratio(pairs, seed)
    return {
        "workload": case.workload.name,
        "shape": list(case.shape),
        "dtype": case.dtype,
        "nodes": case.workload.nodes * case.steps(),
        "rounds": len(reference),
        "engines": engines,
        "ratios": ratios,
        "not_measured": times.not_measured,
    }


def _ratio(pairs: list[tuple[float, float]], seed: int) -> dict[str, Any]:
    """The reference's time divided by the engine's, with its interval."""
    found = statistics.ratio([t for t, _ in pairs], [s for _, s in pairs], seed)
    rounded = statistics.rounded(found) or {}
    return {"ratio": rounded.pop("value"), **rounded, "noisy": found.noisy}


def measure(
    case: TimedCase, backends: Sequence[Backend], seconds: float, seed: int, threads: int = 1
) -> Times:
    """Run rounds until each engine has run for about ``seconds``, at least ``LEAST`` rounds.

    An engine that has run for twice its time, and for ``LEAST`` rounds, is left out of further
    rounds; the reference never is, since ratios are of times in the same round.
    """
    times = Times()
    leaves, steps = case.leaves(), case.steps()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agreeing = _agreeing(case, backends, leaves, steps, times)
        if not any(backend.name == REFERENCE for backend in agreeing):
            return times
        for _ in range(WARM_UP):
            for backend in agreeing:
                backend.run(case.workload, leaves, steps)
        gc.collect()
        source = random.Random(f"{seed}:{case.seed}")
        _rounds(case, agreeing, seconds, source, Stopwatch(clock(threads)), times)
    return times


def _rounds(
    case: TimedCase,
    backends: list[Backend],
    seconds: float,
    source: random.Random,
    watch: Stopwatch,
    times: Times,
) -> None:
    leaves, steps = case.leaves(), case.steps()
    spent = dict.fromkeys((s.name for s in backends), 0.0)
    end = time.perf_counter() + seconds * len(backends)
    times.by_engine = {s.name: [] for s in backends}
    for number in range(MOST):
        if number >= LEAST and time.perf_counter() > end:
            return
        for backend in source.sample(backends, len(backends)):
            left_out = (
                number >= LEAST and spent[backend.name] > 2 * seconds and backend.name != REFERENCE
            )
            took = None if left_out else watch.run(case.workload, backend, leaves, steps)
            spent[backend.name] += took or 0.0
            times.by_engine[backend.name].append(took)


@dataclass(frozen=True)
class Stopwatch:
    """Times one run by a clock."""

    clock: Callable[[], float]

    def run(
        self, workload: Workload, backend: Backend, leaves: Sequence[Array], steps: int
    ) -> float:
        """Seconds of one run, including the time to free its gradients."""
        run, now = backend.run, self.clock
        begin = now()
        run(workload, leaves, steps)
        return now() - begin


def _agreeing(
    case: TimedCase, backends: Sequence[Backend], leaves: Sequence[Array], steps: int, times: Times
) -> list[Backend]:
    """The backends whose gradients are PyTorch's; the others go to ``times.not_measured``."""
    agreeing, expected = [], None
    # The reference first: the others are compared with it.
    for backend in sorted(backends, key=lambda s: s.name != REFERENCE):
        reason = backend.unsupported(case.workload, case.shape, case.dtype)
        if reason is None:
            try:
                found = [
                    np.array(backend.array(g)) for g in backend.run(case.workload, leaves, steps)
                ]
            except Exception as error:
                reason = one_line(error)
            else:
                expected = found if expected is None else expected
                reason = difference(found, expected, case.dtype)
        if reason is None:
            agreeing.append(backend)
        else:
            times.not_measured[backend.name] = reason
    return [backend for backend in backends if backend in agreeing]


def difference(found: Sequence[Array], expected: Sequence[Array], dtype: str) -> str | None:
    """A description of the difference between two lists of gradients; None if they agree."""
    tolerance = _TOLERANCE[dtype]
    for i, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        if ours.shape != theirs.shape:
            return f"{DIFFERS}: leaf {i} has shape {ours.shape}, not {theirs.shape}"
        if not np.allclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True):
            worst = float(np.max(np.abs(ours.astype(float) - theirs)))
            return f"{DIFFERS}: leaf {i} by {worst:.3g}"
    return None


def one_line(error: BaseException) -> str:
    """An exception as the reason in a table."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
