"""Times of one workload on several engines, interleaved in one process.

In each round every engine runs once, in an order that a seed draws anew, so that what disturbs
the machine disturbs all. Each gradient is compared with PyTorch's before it is timed.
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
from parity.bench.workloads import Array, Shape, Workload, start

#: Rounds: at least, whatever they take, and at most.
LEAST, MOST = 7, 200
#: Rounds that are not counted, before.
WARM_UP = 1
#: What two right gradients may differ by: sums of thousands in another order.
_TOLERANCE = {"float32": 1e-3, "float64": 1e-9}
#: How the text of an engine with a wrong gradient starts.
DIFFERS = "gradient differs from torch's"


@dataclass
class Case:
    """One row of the table of times."""

    workload: Workload
    shape: Shape
    dtype: str

    @property
    def seed(self) -> int:
        """A number that the name of the case fixes."""
        return zlib.crc32(f"{self.workload.name} {self.shape} {self.dtype}".encode())

    def leaves(self) -> Sequence[Array]:
        return self.workload.leaves(start(self.shape, self.dtype))

    def steps(self, longer: int = 1) -> int:
        return self.workload.steps_for(start(self.shape, self.dtype), longer)


@dataclass
class Times:
    """Seconds of each round by engine, None where it sat out, and why others have none."""

    by_engine: dict[str, list[float | None]] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)


def row(
    case: Case, sides: Sequence[Backend], seconds: float, seed: int, threads: int = 1
) -> dict[str, Any]:
    """The object of ``times`` in the JSON: medians and ratios with intervals."""
    times = measure(case, sides, seconds, seed, threads)
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
    """The reference's time over the engine's, with its interval."""
    found = statistics.ratio([t for t, _ in pairs], [s for _, s in pairs], seed)
    rounded = statistics.rounded(found) or {}
    return {"ratio": rounded.pop("value"), **rounded, "noisy": found.noisy}


def measure(
    case: Case, sides: Sequence[Backend], seconds: float, seed: int, threads: int = 1
) -> Times:
    """Run rounds until each engine has had about ``seconds``, at least ``LEAST`` rounds.

    An engine that is much slower than others sits out once it has had its time twice and the
    least number of rounds; the reference never does, since ratios are those of one round.
    """
    times = Times()
    leaves, steps = case.leaves(), case.steps()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        able = _agreeing(case, sides, leaves, steps, times)
        if not any(side.name == REFERENCE for side in able):
            return times
        for _ in range(WARM_UP):
            for side in able:
                side.run(case.workload, leaves, steps)
        gc.collect()
        source = random.Random(f"{seed}:{case.seed}")
        _rounds(case, able, seconds, source, Stopwatch(clock(threads)), times)
    return times


def _rounds(
    case: Case,
    sides: list[Backend],
    seconds: float,
    source: random.Random,
    watch: Stopwatch,
    times: Times,
) -> None:
    leaves, steps = case.leaves(), case.steps()
    spent = dict.fromkeys((s.name for s in sides), 0.0)
    end = time.perf_counter() + seconds * len(sides)
    times.by_engine = {s.name: [] for s in sides}
    for number in range(MOST):
        if number >= LEAST and time.perf_counter() > end:
            return
        for side in source.sample(sides, len(sides)):
            out = number >= LEAST and spent[side.name] > 2 * seconds and side.name != REFERENCE
            took = None if out else watch.run(case.workload, side, leaves, steps)
            spent[side.name] += took or 0.0
            times.by_engine[side.name].append(took)


@dataclass(frozen=True)
class Stopwatch:
    """Times one run by a clock."""

    clock: Callable[[], float]

    def run(self, workload: Workload, side: Backend, leaves: Sequence[Array], steps: int) -> float:
        """Seconds of one run; what it returned is freed within them."""
        run, now = side.run, self.clock
        begin = now()
        run(workload, leaves, steps)
        return now() - begin


def _agreeing(
    case: Case, sides: Sequence[Backend], leaves: Sequence[Array], steps: int, times: Times
) -> list[Backend]:
    """The sides that give PyTorch's gradients; the others go to ``times.not_measured``."""
    able, expected = [], None
    # The reference first: the others are compared with it.
    for side in sorted(sides, key=lambda s: s.name != REFERENCE):
        reason = side.cannot(case.workload, case.shape, case.dtype)
        if reason is None:
            try:
                found = [np.array(side.array(g)) for g in side.run(case.workload, leaves, steps)]
            except Exception as error:
                reason = one_line(error)
            else:
                expected = found if expected is None else expected
                reason = difference(found, expected, case.dtype)
        if reason is None:
            able.append(side)
        else:
            times.not_measured[side.name] = reason
    return [side for side in sides if side in able]


def difference(found: Sequence[Array], expected: Sequence[Array], dtype: str) -> str | None:
    """How gradients differ from the reference's; None if they agree."""
    tolerance = _TOLERANCE[dtype]
    for i, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        if ours.shape != theirs.shape:
            return f"{DIFFERS}: leaf {i} has shape {ours.shape}, not {theirs.shape}"
        if not np.allclose(ours, theirs, rtol=tolerance, atol=tolerance, equal_nan=True):
            worst = float(np.max(np.abs(ours.astype(float) - theirs)))
            return f"{DIFFERS}: leaf {i} by {worst:.3g}"
    return None


def one_line(error: BaseException) -> str:
    """An exception as a reason in a table."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
