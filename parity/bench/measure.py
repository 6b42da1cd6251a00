"""Times of one workload on several engines, interleaved in one process.

In each round every engine runs once, in a new random order, so that disturbances of the machine
affect all engines alike. Each gradient is compared with PyTorch's before it is timed.
"""

from __future__ import annotations

import functools
import gc
import math
import random
import time
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity._util.escape import described
from parity.bench import statistics
from parity.bench.backends.base import Backend
from parity.bench.backends.libraries import REFERENCE
from parity.bench.workload import SMALL, Array, Shape, Workload, start

#: The least number of rounds, however long they take, and the greatest.
LEAST, MOST = 7, 200
#: Tolerance of gradients, for sums of thousands of terms in another order.
_TOLERANCE = {"float32": 1e-3, "float64": 1e-9}
#: Start of the reason of an engine whose gradient is wrong.
DIFFERS = "gradient differs from torch's"


def clock(threads: int) -> Callable[[], float]:
    """Processor time for one thread, wall-clock time for several; both in seconds.

    Processor time excludes what other processes use, but adds up the time of all threads.
    """
    return time.process_time if threads == 1 else time.perf_counter


@dataclass(frozen=True)
class Took:
    """Seconds of one run, and of its forward alone; None where a library has none."""

    seconds: float
    forward: float | None = None


@dataclass(frozen=True)
class TimedCase:
    """A workload with leaves of one shape and dtype; its graph is ``longer`` times the usual."""

    workload: Workload
    shape: Shape
    dtype: str
    longer: int = 1

    @property
    def seed(self) -> int:
        """A seed that depends on the case alone."""
        return zlib.crc32(f"{self.workload.name} {self.shape} {self.dtype}".encode())

    @property
    def is_large(self) -> bool:
        return math.prod(self.shape) > SMALL

    @functools.cached_property
    def leaves(self) -> Sequence[Array]:
        return self.workload.leaves(start(self.shape, self.dtype))

    @functools.cached_property
    def steps(self) -> int:
        return self.longer * self.workload.steps[self.is_large]

    @property
    def nodes(self) -> int:
        return self.steps * self.workload.nodes

    def to_json(self) -> dict[str, Any]:
        return {"workload": self.workload.name, "shape": list(self.shape), "dtype": self.dtype}

    def gradients(self, backend: Backend) -> list[Array]:
        found = backend.run(self.workload, self.leaves, self.steps)
        return [np.array(backend.array(gradient)) for gradient in found]

    def seconds(self, backend: Backend, now: Callable[[], float]) -> float:
        """Seconds of one run by a clock, including the time to free its gradients."""
        run, workload, leaves, steps = backend.run, self.workload, self.leaves, self.steps
        begin = now()
        run(workload, leaves, steps)
        return now() - begin

    def parts(self, backend: Backend, now: Callable[[], float]) -> Took:
        """Time a run as ``seconds`` does, with the forward apart where that is possible."""
        workload, leaves, steps = self.workload, self.leaves, self.steps
        start = now()
        backward = backend.begin(workload, leaves, steps)
        if backward is None:
            return Took(self.seconds(backend, now))
        middle = now()
        backward()
        del backward  # it holds the leaves with their gradients, whose freeing is timed as well
        return Took(now() - start, middle - start)


def row(
    case: TimedCase, backends: Sequence[Backend], seconds: float, seed: int, threads: int = 1
) -> dict[str, Any]:
    """Measure a case: an object of ``times`` in the JSON, medians and ratios with intervals.

    ``seconds`` is about how long each engine runs, ``seed`` for their order and the bootstrap.
    """
    not_measured: dict[str, str] = {}
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agreeing = _agreeing(case, backends, not_measured)
        source = random.Random(f"{seed}:{case.seed}")
        all_rounds = _rounds(case, agreeing, seconds, source, clock(threads))
    seed += case.seed
    reference = all_rounds.get(REFERENCE, [])
    engines: dict[str, Any] = {}
    ratios: dict[str, Any] = {}
    for name, rounds in all_rounds.items():
        engines[name] = _figures([r for r in rounds if r], seed)
        if name != REFERENCE:
            both = zip(reference, rounds, strict=True)
            ratios[name] = _ratio([(t.seconds, s.seconds) for t, s in both if t and s], seed)
    return {
        **case.to_json(),
        "nodes": case.nodes,
        "rounds": len(reference),
        "engines": engines,
        "ratios": ratios,
        "not_measured": not_measured,
    }


def _figures(rounds: Sequence[Took], seed: int) -> dict[str, Any]:
    """An object of ``engines`` in the JSON, in milliseconds."""
    samples = [took.seconds * 1e3 for took in rounds]
    found: dict[str, Any] = statistics.median(samples, seed).to_json("median", 5)
    found["samples"] = [statistics.significant(sample) for sample in samples]
    pairs = [(took.seconds, took.forward) for took in rounds if took.forward]
    if pairs:
        forward = statistics.median([1e3 * forward for _, forward in pairs], seed)
        found["forward"] = forward.to_json("median", 5)
        found["gradient_to_forward"] = _ratio(pairs, seed)
    return found


def _ratio(pairs: Sequence[tuple[float, float]], seed: int) -> dict[str, Any]:
    found = statistics.ratio([a for a, _ in pairs], [b for _, b in pairs], seed)
    return {**found.to_json("ratio"), "noisy": found.noisy}


def _rounds(
    case: TimedCase,
    backends: list[Backend],
    seconds: float,
    source: random.Random,
    now: Callable[[], float],
) -> dict[str, list[Took | None]]:
    """Times per round by engine, None where it was left out; nothing without the reference.

    There are rounds until each engine has run for about ``seconds``, at least ``LEAST``. An engine
    that has run for twice its time, and for ``LEAST`` rounds, is left out of further rounds; the
    reference never is, since ratios are of times in the same round.
    """
    if not any(backend.name == REFERENCE for backend in backends):
        return {}
    for backend in backends:  # a round that is not timed
        backend.run(case.workload, case.leaves, case.steps)
    gc.collect()
    rounds: dict[str, list[Took | None]] = {backend.name: [] for backend in backends}
    spent = dict.fromkeys(rounds, 0.0)
    end = time.perf_counter() + seconds * len(backends)
    for number in range(MOST):
        if number >= LEAST and time.perf_counter() > end:
            break
        for backend in source.sample(backends, len(backends)):
            name = backend.name
            left_out = number >= LEAST and spent[name] > 2 * seconds and name != REFERENCE
            took = None if left_out else case.parts(backend, now)
            spent[name] += took.seconds if took else 0.0
            rounds[name].append(took)
    return rounds


def _agreeing(
    case: TimedCase, backends: Sequence[Backend], not_measured: dict[str, str]
) -> list[Backend]:
    """The backends whose gradients are PyTorch's; the reasons of others go to ``not_measured``."""
    expected = None
    # The reference first: the others are compared with it.
    for backend in sorted(backends, key=lambda s: s.name != REFERENCE):
        reason = backend.unsupported(case.workload, case.shape, case.dtype)
        if reason is None:
            try:
                found = case.gradients(backend)
            except Exception as error:
                reason = described(error, 200)
            else:
                expected = found if expected is None else expected
                reason = difference(found, expected, case.dtype)
        if reason is not None:
            not_measured[backend.name] = reason
    return [backend for backend in backends if backend.name not in not_measured]


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
