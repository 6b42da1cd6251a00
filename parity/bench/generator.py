"""Throughput of the fuzzer: programs per second, and the shares of its parts.

The suite draws programs with Hypothesis, a sweep decodes random bytes, and a campaign
(``parity fuzz``) also tracks coverage and mutates inputs. Each is timed as a whole; the shares are
from the same programs run again, part by part, so that no clock runs inside. All times are
processor time.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import time
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from parity._util.process import fuzzing_runtime
from parity.bench.statistics import significant
from parity.campaign.cases import Reader
from parity.campaign.guide import Guide
from parity.campaign.hypothesis_search import PROGRAMS_PER_EXAMPLE
from parity.campaign.shard import Task, run_shard
from parity.engines.base import Engine
from parity.engines.execute import execute
from parity.engines.limits import Limits
from parity.engines.open import open_engines
from parity.engines.quirks.table import with_quirks
from parity.engines.runner import BATCH, Runner
from parity.generate.decoder import Decoder
from parity.generate.profiles import PROFILES
from parity.generate.schedule import decoders_of, rotation, stream
from parity.generate.strategies import programs
from parity.language.program import Program
from parity.oracle.check import check_programs


def measure_generator(engine_spec: str, count: int, number: int = 0) -> list[dict[str, Any]]:
    """Measure about ``count`` programs of the suite, a sweep and a campaign, with seed ``number``.

    Returns the objects of ``generator`` in the JSON. Raises EngineError if the engine cannot be
    used.
    """
    engine, reference = open_engines(engine_spec, isolate=False, check=False)
    with fuzzing_runtime():
        for run in (_suite, _sweep):  # a warm-up for what is loaded or cached at first use
            run(engine, reference, count, number + 1)
        measured = {
            "suite": _suite(engine, reference, count, number),
            "sweep": _sweep(engine, reference, count, number),
            "campaign": _campaign(engine_spec, engine, reference, count, number),
        }
    return [{"what": what, "engine": engine.name, **row} for what, row in measured.items()]


def _sweep(engine: Runner, reference: Engine, count: int, number: int) -> dict[str, Any]:
    decoders = decoders_of(engine)
    first, again = (itertools.islice(stream(decoders, number), count) for _ in range(2))
    whole = _seconds(lambda: collections.deque(check_programs(first, engine, reference), 0))
    found: list[Program] = []
    decoding = _seconds(lambda: found.extend(again))
    return _shares(found, whole, decoding, engine, reference)


def _suite(engine: Runner, reference: Engine, count: int, number: int) -> dict[str, Any]:
    """Each profile equally often, as ``hypothesis_search`` runs it; findings are ignored."""
    found: list[Program] = []
    whole = decoding = 0.0
    profiles = dict.fromkeys(rotation(engine))
    examples = max(1, count // (len(profiles) * PROGRAMS_PER_EXAMPLE))
    for name in profiles:
        decoder = Decoder.of(PROFILES[name], engine)
        whole += _drawn(
            decoder, examples, number, lambda some: list(check_programs(some, engine, reference))
        )
        # The same draws without running anything: drawing counts as decoding.
        decoding += _drawn(decoder, examples, number, found.extend)
    return _shares(found, whole, decoding, engine, reference)


def _campaign(
    spec: str, engine: Runner, reference: Engine, count: int, number: int
) -> dict[str, Any]:
    """A shard of a campaign after two that warm it up.

    The first keeps the inputs that later ones mutate; the second reads them, once per process.
    """
    task = Task(spec, "torch", False, Limits(), str(number), 0, count, count)
    for shard in (1, 2):
        kept = (*task.kept, *run_shard(task).kept)
        task = dataclasses.replace(task, number=shard, kept=kept)
    whole = _seconds(lambda: run_shard(task))
    guide = Guide(engine, Reader(engine), f"{task.seed}:{task.number}", task.kept)
    found: list[Program] = []
    decoding = _seconds(lambda: found.extend(program for _, program in guide.inputs(count)))
    return _shares(found, whole, decoding, engine, reference)


def _drawn(
    decoder: Decoder, examples: int, number: int, use: Callable[[list[Program]], object]
) -> float:
    """Seconds in which Hypothesis draws ``examples`` examples and ``use`` gets the programs."""

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(decoder, PROGRAMS_PER_EXAMPLE))
    def run(several: list[Program]) -> None:
        use(several)

    return _seconds(run)


def _seconds(run: Callable[[], object]) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def _shares(
    found: list[Program], whole: float, decoding: float, engine: Runner, reference: Engine
) -> dict[str, Any]:
    """Throughput, and shares of the time; the rest is comparing and computing tolerances."""
    alike = with_quirks(reference, engine.quirks)
    ours = theirs = 0.0
    for start in range(0, len(found), BATCH):  # as ``check_programs`` runs them
        some = found[start : start + BATCH]
        begin = time.process_time()
        for program in some:
            engine.run(program)
        middle = time.process_time()
        for program in some:
            execute(program, alike)
        ours += middle - begin
        theirs += time.process_time() - middle
    shares = {"decoding": decoding, "in_engine": ours, "in_reference": theirs}
    shares["rest"] = max(0.0, whole - sum(shares.values()))
    total = sum(shares.values())
    return {
        "programs": len(found),
        "statements": significant(sum(len(p.statements) for p in found) / len(found)),
        "programs_a_second": significant(len(found) / whole),
        **{name: round(part / total, 3) for name, part in shares.items()},
    }
