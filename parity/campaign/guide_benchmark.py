"""Whether guiding pays: time until the known defects are found, blind and guided.

The defects (``parity.diagnose.defects``) are built on one clean engine. A corpus that was grown on
it is what a nightly campaign has on the day on which a defect comes in.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from parity._util.process import fuzzing_runtime
from parity.campaign.cases import FuzzInput, Reader
from parity.campaign.guide import SHARE, Guide
from parity.diagnose.defects import DEFECTS
from parity.diagnose.defects.engine import TapeEngine
from parity.engines.adapters.torch import Torch
from parity.oracle.check import check_program


@dataclass(frozen=True)
class Found:
    """Programs until the first finding, None if there was none; processor seconds."""

    programs: int | None
    seconds: float


def grown(programs: int, seed: str, share: float = SHARE) -> list[FuzzInput]:
    """The cases that a guide keeps on the clean engine, which runs none of them."""
    engine = TapeEngine()
    guide = Guide(engine, Reader(engine), seed, share=share)
    for case, program in guide.cases(programs):
        guide.ran(case, program)
    return guide.kept


def time_to_find(
    defect: str, seed: str, kept: Sequence[FuzzInput], share: float, limit: int
) -> Found:
    """Hunt a defect with a guide that starts from ``kept``; reading those is not in the time."""
    engine, reference = DEFECTS[defect](), Torch()
    reader = Reader(engine)
    guide = Guide(engine, reader, seed, kept, share=share)
    started = time.process_time()
    with fuzzing_runtime():
        for number, (case, program) in enumerate(guide.cases(limit), 1):
            if check_program(program, engine, reference) is not None:
                return Found(number, time.process_time() - started)
            guide.ran(case, program)
    return Found(None, time.process_time() - started)


def times_to_find(
    defects: Iterable[str],
    seeds: Iterable[str],
    ways: dict[str, tuple[Sequence[FuzzInput], float]],
    limit: int,
) -> dict[tuple[str, str], list[Found]]:
    """For each defect and way, a corpus and a share, a result a seed; the ways take turns."""
    found: dict[tuple[str, str], list[Found]] = {}
    seeds = list(seeds)
    for defect in defects:
        for seed in seeds:
            for way, (kept, share) in ways.items():
                one = time_to_find(defect, seed, kept, share, limit)
                found.setdefault((defect, way), []).append(one)
    return found
